#include "control/main/caller.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proto/err.h"

#define GROUPS_MAX 1024 // of one process; more are not looked at

static bool is_member(int fd, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(*groups); i++)
		if (groups[i] == group)
			return true;
	return false;
}

enum caller_right caller_right(int fd, gid_t readers, struct ucred *who)
{
	socklen_t len = sizeof(*who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &len) < 0) {
		log_warn("admin socket: peer's credentials: %s", strerror(errno));
		return CALLER_STRANGER;
	}
	if (who->uid == 0 || who->uid == geteuid())
		return CALLER_ADMIN;
	return readers && (who->gid == readers || is_member(fd, readers)) ? CALLER_READER : CALLER_STRANGER;
}

bool caller_may_read(const char *command)
{
	enum right { ADMIN, READ };
	static const struct {
		const char *words;
		enum right right;
	} table[] = {
#define COMMAND(typed, argument, who, ...) { typed, who },
#define ALIAS(...)
#include "proto/commands.def"
#undef ALIAS
#undef COMMAND
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(table[i].words, command) == 0)
			return table[i].right == READ;
	return false;
}
