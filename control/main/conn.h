// A connection: one client's TCP connection and the worker that drives it, as main sees it.
// Main process only. Identity is the channel: nothing that a worker says about itself counts.
#pragma once
#include "control/main/cputime.h"
#include "control/main/deposit.h"
#include "control/main/gateway.h"
#include "control/main/link.h"
#include "control/main/profile.h"

struct conn {
	struct hlink by_id;
	TAILQ_ENTRY(conn) all;
	struct gateway *g;
	uint64_t id;
	struct link link;      // link.chan.state: MW_*
	struct child *nursery; // NULL: it has died, and the worker has become main's own child
	struct addr client, local;
	bool of_proxy;  // client is a proxy, of which no points are counted: its header is awaited, or names nobody
	int secmod_end; // of the channel between worker and sec-mod, until that can be told whose connection it is; -1
	uint32_t pid;   // 0: not forked yet
	struct cputime cputime;
	uint64_t since_ms;
	struct source *source; // lobby.c: it counts as a connection without a session; NULL: not, or no more
	TAILQ_ENTRY(conn) start, fresh;
	bool is_fresh;
	uint64_t answered_ms;        // FIRST_ANSWER; 0: not yet
	bool is_client;              // counts for max-clients
	struct event timer;          // auth-timeout, then the grace after the goodbye
	struct connect_info *info;   // from AUTH_COOKIE_REQ until a tunnel takes it
	struct config *granted;      // what its login brought (SESSION_GRANT), until the session is open; NULL: nothing
	uint16_t grants;             // how many, those that were refused included
	bool grants_bad;             // and one was
	struct profile_login *login; // that has come to a good end, until its profile is asked for or a cookie shown; NULL: none
	bool profile_asked;
	struct opening *opening;   // between its cookie and its tunnel; NULL: nothing is waited for
	struct tunnel *tunnel;     // from TUNNEL_ADD on
	char user[LIMIT_USER + 1]; // of its tunnel, once it is up: it is remembered after that has gone
	bool closed;               // its channel is; only its process is left
	bool listed;               // recover.c: its nursery has it
	bool killed;               // by us: its signal is no news
	uint8_t unread, quiet;     // looks at it (rollcall.h): as long as something lies unread, and since it was asked
	struct deposit_mark mark;
};

struct handover;
struct state_record;
struct state_writer;

// Take over an accepted socket (closed on failure as well). proxied: client is a proxy, whose header says whose connection it is.
// spent: seconds of auth-timeout that are over. 0 or -errno.
int conn_start(struct gateway *g, int fd, const struct addr *client, const struct addr *local, bool proxied, uint32_t spent);
// What the header says: from there on it is that client's. Without a family it stays the proxy's own.
void conn_source(struct conn *c, const struct addr *client, const struct addr *local);
void conn_changed(struct conn *c); // something of it that lasts
struct conn *conn_find(struct gateway *g, uint64_t id);
// Tell the worker to say goodbye (enum end_reason); its tunnel goes at once, and it has a short grace before it is killed.
void conn_end(struct conn *c, enum end_reason reason);
// The client has said goodbye: nothing more is heard from its worker.
void conn_leave(struct conn *c, enum end_reason reason);
// Its worker does nothing any more, and says and hears nothing: it is killed, and its client comes back.
void conn_hangs(struct conn *c, const char *how);
// Its worker has broken a rule elsewhere (on its lane): no goodbye, it is killed.
void conn_break(struct conn *c);
// No session for this client: HTTP status, who the user is where that is known (or ""), and the reason.
void conn_deny(struct conn *c, uint16_t status, const char *user, const char *reason);
// It may be ended to make room for others, and is.
bool conn_may_go(const struct conn *c);
void conn_evict(struct conn *c);
// A tunnel is made for it: from here on it is a client.
void conn_join(struct conn *c);
// The login is over: auth-timeout no longer applies.
void conn_up(struct conn *c);
// Its process has ended: the connection is no more.
void conn_exited(struct conn *c, unsigned code, unsigned signal);
// A nursery has died. Its workers go on as main's own children (PR_SET_CHILD_SUBREAPER); a connection that has none yet ends.
void conn_lose_nursery(struct gateway *g, const struct child *nursery);
// A process that main has waited for: it may have been such a worker.
void conn_reaped(struct gateway *g, pid_t pid, int status);
// What no nursery will kill when all is to end.
void conn_kill_orphans(struct gateway *g);
void conn_end_all(struct gateway *g, enum end_reason reason);
// Those that have no session yet, from one network or (NULL) all.
void conn_end_logins(struct gateway *g, const struct addr *network, enum end_reason reason);

// Not while messages wait for its worker, half of what its login brings has come, or something is to end before its tunnel begins.
bool conn_is_quiet(const struct conn *c);
void conn_save(const struct conn *c, struct state_writer *w);
int conn_restore(struct handover *h, const struct state_record *rec);
