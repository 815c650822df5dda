// Accounting records on their way to the RADIUS servers of one configuration file: sent in order, kept on disk (spool.h) while no
// server answers and across restarts, delivered later with the delay that they have had. What is the same config file is the same
// ledger, whatever a reload changes in it. The loop's thread only; the disk is a thread's of its own, and nothing here waits for
// either.
#pragma once
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "secmod/health.h"
#include "secmod/radius_client.h"
#include "secmod/spool.h"

struct ledger;

// Once. 0 or -errno.
int ledgers_start(struct event_base *base);
// At the end: what has not arrived after so long goes to the disk. Runs the loop.
void ledgers_finish(struct event_base *base, int patience_ms);

// Of a configuration file; directory: where its records are kept, "": nowhere. NULL: no memory. It lives as long as the process.
struct ledger *ledger_get(const char *file, const char *directory);
// In force from now on (takes the reference).
void ledger_serve(struct ledger *l, struct radius_servers *servers);

// Attributes without Acct-Delay-Time. Records of one session stay in order; 0: one that is about all sessions, which none
// overtakes.
void ledger_add(struct ledger *l, enum spool_kind kind, uint64_t session, const struct radius_attributes *a);

// A row each, for show auth.
void ledgers_report(health_row row, void *who);

struct ledger_state {
	unsigned waiting; // in memory
	uint64_t bytes;   // on disk
	uint64_t delivered, dropped;
};
struct ledger_state ledger_state(const struct ledger *l);
