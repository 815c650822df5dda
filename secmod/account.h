// Accounting: one account a login session, from its first connection until it is really over, reconnects included. What main tells
// of its connections is added up here; where `acct` says so, a method (account_radius.c, account_pam.c) passes it on. Sessions
// without `acct` have an account too: authorization servers find them by it (coa.h). The loop's thread only.
#pragma once
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "proto/messages.h"
#include "proto/snapshot.h"
#include "secmod/authspec.h"
#include "secmod/cookie.h"
#include "secmod/health.h"
#include "secmod/settings.h"

struct account;

struct traffic {
	uint64_t bytes_in, bytes_out, packets_in, packets_out; // in: from the client
};

// A way to account. None may block.
struct accounting {
	const char *name;
	// Once in the process's life, before the first load; stop() at its end, when every account has ended. 0 or -errno.
	int (*start)(struct event_base *base);
	void (*stop)(struct event_base *base);
	// From the value of `acct`: *config is this method's own. -EINVAL: `text` says why not.
	int (*load)(const struct authspec *spec, const struct snapshot *snap, void **config, char text[LIMIT_TEXT + 1]);
	void (*unload)(void *config);
	// This configuration is in force from now on. begins: and so is the gateway, or this way to account.
	void (*serve)(void *config, bool begins);
	// The session begins, has been up for another stats-report-time (NULL: does not matter), is over: the account is freed
	// then.
	void (*begin)(struct account *a);
	void (*report)(struct account *a);
	void (*end)(struct account *a);
	// Rows for show auth; NULL: none.
	void (*health)(health_row row, void *who);
};

extern const struct accounting accounting_radius, accounting_pam;
extern const struct accounting *const accountings[]; // all of them, NULL at the end

// A method and its configuration, as one value of `acct` says it. Counted references: an account keeps what it began with.
struct acct {
	unsigned refs;
	const struct accounting *how;
	void *config;
};

struct acct *acct_load(const struct accounting *how, const struct authspec *spec, const struct snapshot *snap,
                       char text[LIMIT_TEXT + 1]); // NULL: text says why
void acct_put(struct acct *a);                     // NULL is fine

struct account {
	uint8_t sid[SID_SIZE];
	char acct_id[LIMIT_ACCT_ID + 1], user[LIMIT_USER + 1], group[LIMIT_GROUP + 1], user_agent[LIMIT_USER_AGENT + 1];
	char method[LIMIT_METHOD + 1]; // that has let its user in
	uint8_t *classes;              // of the RADIUS server that has let it in: a length and so many bytes, each
	size_t classes_len;
	// of its latest connection
	uint32_t id; // main's number of the session
	struct addr client, local, ipv4, ipv6;
	char hostname[LIMIT_HOSTNAME + 1], cipher[LIMIT_CIPHER + 1];
	struct traffic ended, now; // connections that are over, together; the one that is up, as far as it is known
	uint32_t seconds;          // from its first connection until the last word of it
	enum end_reason reason;    // of what has ended last
	unsigned uses;             // connections that are up
	bool gone;                 // its cookie is void: it ends with its last connection
	struct acct *acct;         // NULL: nobody is told
	LIST_ENTRY(account) bucket;
	TAILQ_ENTRY(account) all;
};

struct accounts;

// deny: a method will not have this session, which is to end.
struct accounts *accounts_new(void (*deny)(void *who, const uint8_t sid[SID_SIZE]), void *who); // NULL: no memory
// Whatever is still open ends, since the gateway does.
void accounts_free(struct accounts *as);
// Those of all virtual hosts of these settings are in force. begins: not for a gateway that has been up all the time.
void accounts_serve(const struct settings *s, bool begins);

// What main says; r: the session's record, NULL: there is none.
void account_up(struct accounts *as, const struct record *r, const struct settings *s, const struct msg_session_up *m);
void account_stats(struct accounts *as, const struct msg_session_stats *m);
void account_closed(struct accounts *as, const struct msg_session_close *m);
// The record is no more.
void account_gone(struct accounts *as, const uint8_t sid[SID_SIZE], enum end_reason reason);

struct traffic account_total(const struct account *a);
// Each in turn, from NULL to NULL.
const struct account *account_next(const struct accounts *as, const struct account *a);
// From methods, for an account that may have ended by now. At once; it ends when its connections have.
void account_deny(const uint8_t sid[SID_SIZE]);
