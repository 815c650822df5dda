// How every process that sec-mod starts begins: a fresh image, default signals, a session of its own, /dev/null as its standard
// descriptors, and one end of a socket pair. All other descriptors of ours close on exec. The loop's thread only.
#pragma once
#include <sys/types.h>

#define SPAWN_FD 3 // of the new process: its end of the pair
#define SPAWN_PATH "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

// argv[0] is a name, not the path. fd stays the caller's. 0 or -errno.
int spawn_clean(const char *path, char *const argv[], char *const envp[], int fd, pid_t *pid);
