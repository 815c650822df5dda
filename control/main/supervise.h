// Main's children: started in order, watched, started anew when they die, ended in order. Main process only.
// A child is exec'd with its channel (CHILD_FD_MAIN), the snapshot (CHILD_FD_CONF), descriptor 2, and nothing else.
#pragma once
#include "control/main/deposit.h"
#include "control/main/gateway.h"
#include "control/main/link.h"

struct child_kind {
	const char *name;   // "sec-mod"
	const char *binary; // "penstock-secmod"
	enum role role;
	enum part part;
	int view;       // enum config_view
	uint32_t state; // of main's end of the channel
	const chan_handler *const *handlers;
	unsigned queue; // messages that may wait for it
};

extern const struct child_kind child_secmod, child_dataplane, child_nursery, child_metrics;

struct child {
	TAILQ_ENTRY(child) all;
	struct gateway *g;
	const struct child_kind *kind;
	struct link link;
	pid_t pid;
	bool ready;
	bool refused; // it has said why it will not be ready
	bool leaving; // a nursery that drains, or any child while we stop: its end is no news
	bool next;    // a nursery that a reload has started: not yet the one in force
	bool asked;   // recover.c: what it has
	bool stuck;   // it does not answer (pulse.c)
	unsigned silence, pings;
	uint64_t since_ms;
	char version[24];    // of penstockd when it was started: an upgrade leaves it as it is
	struct event timer;  // its start takes too long; it is to be killed
	struct logpipe *log; // its descriptor 2, where the log is syslog; else NULL
	struct event *end;   // its pidfd: nobody else would say that it has ended; NULL
	struct deposit_mark mark;
};

struct handover;
struct state_record;
struct state_writer;

// Start what is missing and can be started now; called whenever something has become ready or has died.
void supervise_step(struct gateway *g);
void supervise_open(struct gateway *g);
// A child is ready, or has said why it will not be.
void child_ready(struct child *c, bool ok, const char *text);
// One more of a kind, with another configuration, beside the one in force. NULL: it could not be started (logged).
struct child *supervise_next(struct gateway *g, const struct child_kind *kind, const struct pictures *p);
// Put it in force; the old one drains.
void supervise_switch_nursery(struct gateway *g, struct child *next);
// One that does not stay alive: it has died so often in a row, or has just been started for the last time. NULL: there is none.
const struct child_kind *supervise_failing(const struct gateway *g, unsigned *times);
void child_kill(struct child *c);
// It is to end by itself; then another is started.
void child_retire(struct child *c);
// The orderly end: everybody is told, waited for and at last killed; then the loop ends.
void supervise_stop(struct gateway *g);
void supervise_hurry(struct gateway *g); // kill what is left
// Reap whatever has died; and what the keeper has reaped (status as of waitpid(); -1: nobody knows it).
void supervise_reap(struct gateway *g);
void supervise_ended(struct gateway *g, pid_t pid, int status);
// Is it there, and a child of main or of its keeper? Only then is its number nobody else's.
bool supervise_is_ours(const struct gateway *g, pid_t pid);
// The keeper has died, and what it would have reaped has to be watched.
void supervise_unkept(struct gateway *g);
// Something of the children may be another now.
void supervise_changed(struct gateway *g);
// The directory of our programs: beside our own, else the installed one.
const char *supervise_libexec(void);

// Not while messages wait for one of them.
bool supervise_is_quiet(const struct gateway *g);
void child_save(const struct child *c, struct state_writer *w);
void supervise_save(const struct gateway *g, struct state_writer *w);
int supervise_restore(struct handover *h, const struct state_record *rec);
// In the place of supervise_open(), with children that have come from another penstockd.
void supervise_go_on(struct gateway *g);
