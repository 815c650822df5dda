// Who asks at the operator's door, as the kernel knows him, and what he may. Main process only.
#pragma once
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

enum caller_right { CALLER_STRANGER, CALLER_READER, CALLER_ADMIN };

// Root, and the user that the gateway runs as, may do all; members of the group `readers` (0: there is none) may look.
// Who it is stands in *who.
enum caller_right caller_right(int fd, gid_t readers, struct ucred *who);
// May a reader ask for this command (proto/commands.def)? No for those that the table does not have.
bool caller_may_read(const char *command);
