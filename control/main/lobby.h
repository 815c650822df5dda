// Connections on their way to a session. Who has connected waits here, with no worker of his own, until he has sent something and
// it is his turn. Turns go round the places that clients come from (an IPv4 address, a /64 of IPv6), and only so many connections
// as the machine can serve at once are in their first moments: of thousands who come together the first have their sessions at once
// and not all at the end, and who comes in masses stands before nobody else. Connections that have a worker and no session are
// bounded (max-startups); for one more whoever has most of them loses one. Main process only.
#pragma once
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "control/main/htab.h"
#include "proto/addr.h"

struct conn;
struct gateway;
struct handover;
struct source;
struct state_record;
struct state_writer;
struct waiter;

TAILQ_HEAD(waiter_list, waiter);
TAILQ_HEAD(conn_starts, conn);

struct lobby {
	struct htab sources;
	struct waiter_list silent;             // have sent nothing yet, oldest first
	TAILQ_HEAD(source_list, source) turns; // places from which somebody waits for his turn
	struct conn_starts starts, fresh;      // have a worker and no session; of these, who may soon have one. Oldest first
	size_t waiters, starts_count, fresh_count;
	size_t answers; // of the fresh: their workers are at the first answer
	unsigned cpus;
	struct source *heavy; // had most waiters when it was last looked; NULL: look
	struct event tick;
	uint64_t said_ms; // that somebody had to make room
	bool pumping;
};

void lobby_init(struct gateway *g);
// Everybody who waits is sent away.
void lobby_clear(struct gateway *g);
void lobby_fini(struct gateway *g);

// An accepted socket. True: the lobby has it. False: it is closed, since its place has its share of those who wait.
bool lobby_take(struct gateway *g, int fd, const struct addr *client, const struct addr *local, bool proxied);
// The next has to wait in the kernel's queue.
bool lobby_is_full(const struct gateway *g);
// Give workers to those whose turn it is.
void lobby_pump(struct gateway *g);
// Those of a network that is banned now.
void lobby_ban(struct gateway *g, const struct addr *network);

// A connection has a worker, and no session yet. answered: its worker has done what it could with the client's first words.
void lobby_enter(struct conn *c, bool answered);
void lobby_answered(struct conn *c);
// It turns out to be somebody else's (PROXY).
void lobby_move(struct conn *c);
// It has a session, or is no more.
void lobby_leave(struct conn *c);

// So many may wait here, and so many may have a worker and no session.
size_t lobby_waiters_most(void);
size_t lobby_startups_most(const struct gateway *g);

void lobby_save(const struct gateway *g, struct state_writer *w);
int lobby_restore(struct handover *h, const struct state_record *rec);
