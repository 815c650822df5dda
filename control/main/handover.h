// Everything that lasts in a penstockd, from one that goes to the one that takes its place under the same pid (upgrade.h): its
// sessions, connections, children and sockets. Each part is saved and restored by its owner, in X_save() and X_restore(); here they
// are put together. Nothing is closed, sent or received by a restore, so that it can be tried, and given up. Main process only.
#pragma once
#include "control/main/gateway.h"
#include "control/main/state.h"

struct config;
struct terms;

// What is no part of the gateway.
struct handover_process {
	char *pid_file; // NULL: there is none
	int pid_fd;
	char *program;    // where we were started from, and where the next one is looked for
	char *version;    // of who has written this
	uint64_t left_ms; // when that was (clock_ms)
};

struct handover {
	struct gateway *g;
	struct state_reader reader;
	struct handover_process process;
	struct config *config_again; // as the one in force, for the nursery of this version
	struct terms **terms;        // by the number that they were saved under, from 1
	uint32_t n_terms;
};

// All of it. 0 or -errno (logged).
int handover_save(struct gateway *g, const struct handover_process *process, struct state_writer *w);
// Into a gateway that has nothing but its options; gateway_fini() in any case. 0 or -errno (logged).
int handover_restore(struct handover *h, const uint8_t *buf, size_t len);
// What handover_restore() has made that is not the gateway's.
void handover_fini(struct handover *h);

// For the owners: when a timer is due (clock_ms), 0: it is not set; and the same again.
uint64_t handover_due(const struct event *timer);
void handover_arm(struct event *timer, uint64_t due_ms);
