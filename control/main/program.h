// The operator's programs: each runs as root with the environment that it is given and nothing else, is watched, killed with its
// process group when its time is over, and what it writes goes to the log. So many run at once; the others wait. Those that have an
// address in common run one after the other, in the order in which they came. Main process only; it never waits for one.
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "proto/addr.h"

struct gateway;
struct program;

#define PROGRAM_KEYS 2

// What became of it.
enum program_end {
	PROGRAM_DONE,    // exit status 0
	PROGRAM_REFUSES, // it exited with something else, or by a signal
	PROGRAM_LATE,    // killed: it took longer than script-timeout
	PROGRAM_MISSING, // it could not be started
};

struct program_order {
	const char *name;              // for the log: "connect-script of session 3"
	char *const *argv;             // copied
	struct addr key[PROGRAM_KEYS]; // what it has in common with others; family 0: nothing
	char **(*env)(void *who); // its environment, asked for when its turn has come and freed by hook_env_free(); NULL: no memory
	void (*ended)(void *who, enum program_end how);
	void *who;
};

int programs_open(struct gateway *g); // 0 or -ENOMEM
// Those that still run are killed, those that wait never run.
void programs_close(struct gateway *g);
// It runs when its turn comes; ended() follows from the loop, once. NULL: no memory.
struct program *program_run(struct gateway *g, const struct program_order *o);
// It is not wanted any more. True: it had not begun, never will, and ended() does not follow.
bool program_cancel(struct program *p);
// One of them? Then the rest follows.
bool programs_reap(struct gateway *g, pid_t pid, int status);
// Is there one that runs or waits?
bool programs_busy(const struct gateway *g);
