// Session records: who logged in, and until when the cookie opens a session. sec-mod only, its loop's thread only.
// A record is found by sid = SHA-256(cookie); the cookie itself is known here only while it is being handed out.
// Pure but for randomness: the caller brings the time (monotonic milliseconds decide, wall-clock seconds are for show).
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "proto/addr.h"
#include "proto/limits.h"

struct record {
	uint8_t sid[SID_SIZE];
	char user[LIMIT_USER + 1], group[LIMIT_GROUP + 1], user_agent[LIMIT_USER_AGENT + 1];
	char device_type[LIMIT_DEVICE + 1], device_platform[LIMIT_DEVICE + 1];
	char vhost[LIMIT_VHOST + 1];     // "": the default one
	char method[LIMIT_METHOD + 1];   // that has let its user in
	char acct_id[LIMIT_ACCT_ID + 1]; // Acct-Session-Id, from the login's first request on
	struct grants *grants;           // the record's own; NULL: none
	struct addr client;              // of its latest connection
	struct addr login;               // of its first
	struct addr ipv4, ipv6;          // lent to it, as main has said
	int64_t connected;               // its first connection, seconds of the monotonic clock, or before it began; 0: none yet
	uint32_t session_timeout;        // counted from then, seconds; 0: off
	int64_t timeout_ms;              // how long it lives without a connection
	bool persistent;                 // also after its client has said goodbye
	bool restored;                   // from before this process
	bool certified;                  // its client had a certificate, alone or beside the method
	uint64_t created;                // seconds since the epoch
	int64_t deadline;                // monotonic ms; while not in use
	uint32_t uses;            // connections that have the session open: a newer one comes before the end of an older is told
	uint8_t reason;           // enum end_reason of its last connection
	TAILQ_ENTRY(record) idle; // by deadline, while not in use
	TAILQ_ENTRY(record) all;  // by age
	LIST_ENTRY(record) bucket;
};

struct cookies;
struct grants;

// Called when a record dies (expired, revoked, pushed out); `r` is wiped and freed right after.
typedef void (*cookie_gone)(void *who, const struct record *r, uint8_t reason);

// Called when something of it has changed that is worth keeping.
typedef void (*cookie_changed)(void *who, const struct record *r);

struct cookies *cookies_new(unsigned most, cookie_gone gone, cookie_changed changed, void *who); // NULL, errno
void cookies_free(struct cookies *c);                                                            // silently
void cookies_configure(struct cookies *c, unsigned most);                                        // for records from now on
unsigned cookies_count(const struct cookies *c);

// A new record from who's names, times, client and grants (which are the record's on success); its cookie. When all places are
// taken the unused record that would expire first goes; -ENOSPC when every one is in use.
int cookies_issue(struct cookies *c, const struct record *who, int64_t now, uint64_t wall, uint8_t cookie[COOKIE_SIZE]);

// NULL: unknown, expired or revoked. The record is in use from now on, from `client`.
const struct record *cookies_open(struct cookies *c, const uint8_t cookie[COOKIE_SIZE], const struct addr *client, int64_t now);

// The same without opening it: whose it is.
const struct record *cookies_look(struct cookies *c, const uint8_t cookie[COOKIE_SIZE], int64_t now);

// NULL: there is none.
const struct record *cookies_find(struct cookies *c, const uint8_t sid[SID_SIZE]);

// One of its connections has ended (one call for each cookies_open). With the last one the record lives on for the timeout; with
// `revoke` it dies at once, unless it is persistent. -ENOENT where there is none.
int cookies_close(struct cookies *c, const uint8_t sid[SID_SIZE], bool revoke, uint8_t reason, int64_t now);

// Void one, or all of a user's; how many there were.
unsigned cookies_revoke_sid(struct cookies *c, const uint8_t sid[SID_SIZE], uint8_t reason);
unsigned cookies_revoke_user(struct cookies *c, const char *user, uint8_t reason);

// What main says of it. -ENOENT where there is none.
int cookies_lease(struct cookies *c, const uint8_t sid[SID_SIZE], const struct record *what); // addresses, times
// So many connections, as another main or our own restart has left them.
int cookies_resume(struct cookies *c, const uint8_t sid[SID_SIZE], uint32_t uses, int64_t now);

// A record of before, not in use; expires: wall-clock seconds, 0: it was in use, its time begins now. It takes the place of the one
// of its sid; its grants are c's on success. 0; -ENOMEM, -ENOSPC. Nobody is told.
int cookies_restore(struct cookies *c, const struct record *r, uint64_t expires, int64_t now, uint64_t wall);
void cookies_forget(struct cookies *c, const uint8_t sid[SID_SIZE]); // silently; NULL: all
void cookies_each(struct cookies *c, void (*fn)(void *who, const struct record *r), void *who);

// Let go what is due; milliseconds until the next is, -1 = none.
int64_t cookies_expire(struct cookies *c, int64_t now);

// A walk over all records that survives changes in between. One at a time: cookies_walk() starts anew.
void cookies_walk(struct cookies *c);
const struct record *cookies_peek(const struct cookies *c); // NULL: at the end
void cookies_next(struct cookies *c);
