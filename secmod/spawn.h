// How every process that sec-mod starts begins: a fresh image, default signals, a session of its own, /dev/null as its standard
// descriptors, and one end of a socket pair. Sec-mod itself may start no process (proto/seccomp.def) and asks one beside it that
// holds nothing, the spawner, which knows these programs and no others. What it starts is a child of sec-mod all the same.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_FD 3 // of the new process: its end of the pair
#define SPAWNER_OPTION "--spawner"

enum spawn_kind { SPAWN_PAM, SPAWN_TOKEN, SPAWN_OIDC, SPAWN_GSSAPI, SPAWN_NAMES, SPAWN_KINDS };

// What the two say to each other; a request has the new process's descriptor beside it.
struct spawn_request {
	uint32_t kind;
	uint32_t unfiltered; // start it with SPAWN_UNFILTERED
};
#define SPAWN_UNFILTERED "--unfiltered" // a helper whose list isolate-workers is about, too
struct spawn_reply {
	int32_t error; // 0 or an errno; with a pid, that child has ended already
	int32_t pid;
};

// Before there are threads and secrets. `places`: what PLACES_VARIABLE is to say to helpers; filtered: whether those that have
// lists of their own keep to them. 0 or -errno.
int spawner_start(const char *places, bool filtered);
// It ends with this process; this process is of no use without it. Its descriptor is readable when it has died.
int spawner_fd(void);
bool spawner_is_alive(void);
// Serves SPAWN_FD and returns the exit status: the process itself (spawner.c).
int spawner_main(void);

// fd stays the caller's. Any thread. 0 or -errno.
int spawn_helper(enum spawn_kind kind, int fd, pid_t *pid);
