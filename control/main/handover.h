// Everything that lasts in a penstockd, from one that goes to the one that takes its place under the same pid (upgrade.h): its
// sessions, connections, children and sockets. Each part is saved and restored by its owner, in X_save() and X_restore(); here they
// are put together. Nothing is closed, sent or received by a restore, so that it can be tried, and given up. Main process only.
#pragma once
#include "control/main/gateway.h"
#include "control/main/state.h"
#include "control/main/vault.h"

struct config;
struct terms;

// What is no part of the gateway.
struct handover_process {
	char *pid_file; // NULL: there is none
	int pid_fd;
	char *program;          // where we were started from, and where the next one is looked for
	char *version;          // of who has written this
	uint64_t left_ms;       // when that was (clock_ms)
	int keeper_fd, page_fd; // -1: there is no keeper; not in what the keeper has
};

struct handover {
	struct gateway *g;
	bool kept; // from the keeper: the one before has died in the middle of something
	struct state_reader reader;
	struct handover_process process;
	struct config *config_again; // as the one in force, for the nursery of this version
	struct terms **terms;        // in the order of the numbers that they were saved under
	uint32_t n_terms;
};

struct deposit_mark;

// All of it. 0 or -errno (logged).
int handover_save(struct gateway *g, const struct handover_process *process, struct state_writer *w);
// A part of it, for the keeper.
void handover_part(struct gateway *g, enum vault_kind kind, void *object, struct state_writer *w);
// The marks of all objects that the keeper has one by one.
void handover_marks(struct gateway *g, void (*each)(struct gateway *g, struct deposit_mark *m));
// Into a gateway that has nothing but its options; gateway_fini() in any case. 0 or -errno (logged).
int handover_restore(struct handover *h, const uint8_t *buf, size_t len);
// What handover_restore() has made that is not the gateway's.
void handover_fini(struct handover *h);

// The terms of this number; NULL: there are none.
struct terms *handover_terms(const struct handover *h, uint32_t number);

// For the owners: when a timer is due (clock_ms), 0: it is not set; and the same again.
uint64_t handover_due(const struct event *timer);
void handover_arm(struct event *timer, uint64_t due_ms);
