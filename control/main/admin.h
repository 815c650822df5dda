// The operator's door: a Unix socket that penstockctl talks to. Main process only.
// A client gets its answer as fast as it reads it, one record after the other; main never waits for it.
#pragma once
#include "control/main/gateway.h"
#include "control/main/report.h"
#include "control/main/unixsocket.h"

#define ADMIN_DROPS_MAX 8
#define ADMIN_CLIENTS_MAX 16
#define ADMIN_READERS_MAX (ADMIN_CLIENTS_MAX / 2) // whoever may only look takes no administrator's place

// A session as sec-mod told it, or one of main's own that sec-mod has forgotten.
struct admin_row {
	uint32_t id; // of main's own; 0: main finds it by its sid, if it has it
	uint8_t sid[SID_SIZE];
	char *user, *group, *vhost, *user_agent;
	char method[LIMIT_METHOD + 1], acct_id[LIMIT_ACCT_ID + 1];
	struct addr client;
	uint64_t created, expires;
	bool in_use, certified;
};

struct admin_client {
	TAILQ_ENTRY(admin_client) all;
	struct gateway *g;
	struct link link;
	struct report report;
	struct event more;                   // the next records are due
	const struct admin_command *command; // being answered; NULL: none
	char argument[LIMIT_TEXT + 1];
	char sentence[LIMIT_TEXT + 1];        // the answer that waits for sec-mod
	uint32_t token;                       // what a peer's answer carries
	enum msg_number waits;                // for this message; 0: nothing
	bool list_due;                        // sec-mod is to be asked for its list
	bool (*next)(struct admin_client *a); // one more record; false: that was all
	uint32_t *ids;                        // of sessions, for next()
	struct ban_row *bans;
	struct quota_row *quotas;
	struct admin_row *rows;
	size_t count, at, room;
	struct msg_tunnel_drop drops[ADMIN_DROPS_MAX]; // what TUNNEL_VIEW will end
	unsigned n_drops;
	bool reads_only; // a member of occtl-readonly-group (caller.h)
	bool cut;        // rows had to be left out
	bool captures;   // packets go to it whole (watch.h)
	bool listens;    // it is told what happens (events.h)
	uint32_t wanted; // so many events more; 0: without end
	uint64_t lost;   // packets or events that it did not take
};

struct handover;
struct state_record;
struct state_writer;

struct admin {
	struct unixsocket socket;
	gid_t group; // whose members may look, as the socket has it
	uint32_t last_token;
	size_t count, readers;
	bool listing;    // sec-mod is making a list
	uint32_t listed; // for this token, whether or not anybody still waits
	TAILQ_HEAD(admin_list, admin_client) clients;
};

// Listen. 0 or -errno (logged).
int admin_open(struct gateway *g, const char *path);
void admin_close(struct gateway *g);
// The policy is another: so may be who can look.
void admin_sync_readers(struct gateway *g);

// For the commands (command.c): the answer's end, or that next() yields the rest, or that a peer is being asked.
void admin_end(struct admin_client *a, bool ok, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// The same where it went well, as soon as sec-mod has done, for good, what it was told.
void admin_end_synced(struct admin_client *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void admin_stream(struct admin_client *a, bool (*next)(struct admin_client *));
void admin_wait(struct admin_client *a, enum msg_number number);
// Of all session records of sec-mod's, which is asked for one list at a time: who asks and hangs up again and again holds up
// nobody.
void admin_list(struct admin_client *a);
// One more row, with copies of these texts; where it finds no room the answer says so.
void admin_row_add(struct admin_client *a, const struct admin_row *row);
// command.c
void command_start(struct admin_client *a, const struct msg_admin_req *m);
void command_rows(struct admin_client *a);                   // sec-mod's list has come
const struct admin_command *command_find(const char *words); // NULL: there is none
const char *command_words(const struct admin_command *c);

// What peers answer.
struct admin_client *admin_find(struct gateway *g, uint32_t token, enum msg_number number); // who waits for it; NULL: nobody
void admin_session_row(struct gateway *g, const struct msg_session_row *m);
void admin_session_rows_end(struct gateway *g, const struct msg_session_rows_end *m);
void admin_session_synced(struct gateway *g, const struct msg_session_synced *m);
void admin_auth_status_row(struct gateway *g, const struct msg_auth_status_row *m);
void admin_auth_status_end(struct gateway *g, const struct msg_auth_status_end *m);
void admin_reloaded(struct gateway *g, bool ok, const char *text);
void admin_upgraded(struct gateway *g, bool ok, const char *text); // they wait for MSG_ADMIN_END: no peer sends that to us
void admin_peer_lost(struct gateway *g, enum msg_number number, const char *why);
void admin_dataplane_lost(struct gateway *g, const char *why);

// All but those who wait for this, or are told of events, are told to come again. True: nothing waits for those either.
bool admin_only(struct gateway *g, enum msg_number waits, const char *why);
void admin_clients_save(const struct gateway *g, struct state_writer *w);
void admin_save(const struct gateway *g, struct state_writer *w);
int admin_restore(struct handover *h, const struct state_record *rec);
int admin_client_restore(struct handover *h, const struct state_record *rec);
