// sec-mod's one state: its channel to main, its connections (one channel per worker), sessions, and the settings in force.
// One thread and one event loop; what takes time or waits runs elsewhere: password hashes (pool.h), signatures (signing.h), PAM
// (method_pam.c), tokens (token.h), names of servers (lookup.h).
#pragma once
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#include "proto/chan.h"
#include "secmod/cookie.h"
#include "secmod/proof.h"
#include "secmod/settings.h"

struct accounts;
struct attempt;
struct coa;
struct certified;
struct resumes;
struct transcript_parts;
struct signing;
struct kdc_exchange;
struct out_message;
struct store;
TAILQ_HEAD(conn_list, conn);
STAILQ_HEAD(out_queue, out_message);

// A worker's connection, as sec-mod sees it: what main said about it, and what it has used up.
struct conn {
	struct secmod *sm;
	struct chan chan;
	struct event *readable;
	uint64_t id;
	struct settings *settings;      // those that its nursery had: a reference
	uint8_t vhost;                  // of these settings, as its handshake has said
	struct signing *signing;        // under way
	struct addr client, local;      // ends of its TCP connection
	struct witness witness;         // of what its handshake had signed
	struct transcript_parts *parts; // of a proof that is on its way
	struct certified *cert;         // of its client, proven; NULL: none
	struct attempt *attempt;        // of the login in progress
	struct kdc_exchange *kdc;       // the one that is not answered
	uint8_t tries;                  // logins that ended badly
	uint8_t asked;                  // AUTH_ASKs of all logins: the table allows so many answers
	bool broken;                    // to be dropped when its event comes round
	bool left;                      // its worker has gone, its attempt has not
	TAILQ_ENTRY(conn) next;
};

#define LISTINGS_MAX 16
// Logins that may go on without their client: a quarter of the PAM helpers, so that hanging up takes nobody's place.
#define LEFT_MAX 64

struct secmod {
	struct event_base *base;
	bool isolate;           // isolate-workers, as it was at our start
	int64_t started_ms;     // monotonic
	uint8_t boot[SID_SIZE]; // of the machine: store.h
	struct chan main;
	struct event *main_readable, *main_writable, *spawner, *expiry;
	struct out_queue out; // what main has not taken yet
	unsigned out_count;
	uint32_t listing[LISTINGS_MAX]; // tokens of SESSION_LISTs, the first is being answered
	unsigned n_listings, listed;    // rows sent of the first
	struct conn_list conns, left;
	unsigned n_conns, n_left;
	struct settings *settings, *pending;
	uint32_t pending_token;
	struct cookies *cookies;
	struct accounts *accounts;
	struct coa *coa;
	struct event *behind_look;
	bool behind;         // as main was told
	struct store *store; // where they outlive this process; NULL: nowhere
	struct resumes *resumes;
	struct proofs *proofs; // from the first that has to be in it
};

static inline int64_t monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

// dispatch.c: the loop. dispatch_run() returns when main has gone: 0, or -errno where the loop cannot be set up.
int dispatch_run(struct secmod *sm);
int conn_open(struct secmod *sm, int fd, const struct msg_worker_open *m); // takes fd, on failure too
const struct vhost *conn_vhost(const struct conn *conn);                   // in the settings in force; NULL: it is no more
void conn_break(struct conn *conn);                                        // drop it soon; callable from anywhere
void conn_attempt_over(struct conn *conn);                                 // its attempt is no more, perhaps it with it
void expiry_arm(struct secmod *sm);

// from_worker.c, from_main.c: serve what has come in; as chan_serve().
int from_worker_serve(struct conn *conn);
int from_main_serve(struct secmod *sm);

// to_main.c: messages to main in order; what it does not take at once waits.
void to_main(struct secmod *sm, enum msg_number number, const void *msg);
// At once, however long main takes to read: while sec-mod begins, and nobody waits for it but main.
void to_main_wait(struct secmod *sm, enum msg_number number, const void *msg);
void to_main_list(struct secmod *sm, uint32_t token); // answer a SESSION_LIST, at main's pace
void to_main_flush(struct secmod *sm);
void to_main_fini(struct secmod *sm);
