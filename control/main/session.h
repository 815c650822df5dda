// Sessions: a login's cookie, its user and its addresses, whether a client is connected or not. sec-mod makes and voids them
// (SESSION_REPLY, SESSION_GONE); addresses are lent until the session is gone. Main process only.
#pragma once
#include "control/main/change.h"
#include "control/main/conn.h"
#include "control/main/deposit.h"
#include "control/main/tunnel.h"

struct session {
	struct hlink by_sid, by_id, by_user, by_ipv4, by_ipv6;
	TAILQ_ENTRY(session) all;
	struct gateway *g;
	uint32_t id; // small, ours, never used twice in a run
	uint8_t sid[SID_SIZE];
	char user[LIMIT_USER + 1], group[LIMIT_GROUP + 1];
	char vhost[LIMIT_VHOST + 1];        // "": the default one
	char method[LIMIT_METHOD + 1];      // that has let its user in
	char acct_id[LIMIT_ACCT_ID + 1];    // Acct-Session-Id
	bool certified;                     // its client had a certificate, alone or beside the method
	int64_t created;                    // at login, as sec-mod says, but by clock_ms()
	uint64_t since_ms;                  // of its first tunnel; 0: none yet
	uint32_t timeout;                   // session-timeout in seconds, counted from then; 0: off
	struct addr ipv4, ipv6;             // address.c: lent; family 0: none
	struct address_pool *pool4, *pool6; // in whose networks
	bool fresh4, fresh6;                // lent by a pool, and nobody has been asked yet who else has it (ping-leases)
	struct tunnel *tunnel;              // the one in force; NULL: no client is connected
	unsigned tunnels;                   // with those that are still being deleted, and its opening
	struct opening *opening;            // a client that is about to have its tunnel; NULL: none
	bool gone;                          // void: ends with its last tunnel
	bool orphan;                        // sec-mod has forgotten it
	bool kept;                          // keep.c: the sec-mod that has come has a record of it
	bool voided;                        // its cookie is to be void; sec-mod has been told, or will be
	bool left;                          // its last client has said goodbye
	uint32_t listed;                    // token of the last list of sec-mod's that it was on
	struct tunnel_totals ended;         // sums of its former tunnels
	struct changes changed;             // what holds in the place of its terms
	struct addr client, local;          // of its latest tunnel that was up
	enum end_reason reason;             // of the last that has ended
	uint32_t ended_seconds;             // when that was, from its first tunnel on
	struct deposit_mark mark;
};

struct handover;
struct state_record;
struct state_writer;

struct session *session_find(struct gateway *g, const uint8_t sid[SID_SIZE]);
struct session *session_find_id(struct gateway *g, uint32_t id);
// By the number of its connection, or six or more characters of its name. NULL: there is none, or several.
struct session *session_find_name(struct gateway *g, const char *text);
// The session of that name, made where it is new. NULL: no memory.
struct session *session_get(struct gateway *g, const struct msg_session_reply *m);
// A user is one of a virtual host: another of that name elsewhere is somebody else.
bool session_is_same_user(const struct session *a, const struct session *b);
// How many other sessions of its user have a client connected.
unsigned session_siblings(const struct session *s);
// Something of it that lasts is another now.
void session_changed(struct session *s);
// sec-mod has voided it.
void session_gone(struct session *s, enum end_reason reason);
// Void its cookie: sec-mod answers with SESSION_GONE, the next one if this one has died.
void session_revoke(struct session *s);
// The same, and the client goes at once.
void session_terminate(struct session *s, enum end_reason reason);
// A tunnel or an opening of it is no more; the session may go with it.
void session_tunnel_over(struct session *s);
// sec-mod has no record of it any more: it ends with its tunnel.
void session_orphan(struct session *s);
void session_free_all(struct gateway *g);
void session_save(const struct session *s, struct state_writer *w);
int session_restore(struct handover *h, const struct state_record *rec);

// The tunnel's MTU (wire protocol): the least of all that are known, never below what IP needs.
struct mtu_facts {
	uint16_t configured; // 0: not
	uint16_t base;       // X-CSTP-Base-MTU, 0: not said
	uint16_t wanted;     // X-CSTP-MTU, 0: not said
	uint8_t outer;       // 4 or 6: the client's address family
	bool inner_ipv6;
	enum dtls_kind dtls;
};
uint16_t session_mtu(const struct mtu_facts *f);
// What a path of 1500 bytes leaves for a client over IPv4: the inner interface's MTU where none is configured.
uint16_t session_mtu_inner(uint16_t configured);
