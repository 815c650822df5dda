// One login of one connection, from AUTH_INIT to its outcome: asks, waits, times out, tells main and the worker.
// Owned by its connection. Whether a user exists never shows:
// what fails early is held back until a password has been asked for and answered.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/messages.h"

struct settings;
struct vhost;
struct method;
struct grants;
struct conn;
struct event;

struct attempt {
	struct conn *conn;
	struct settings *settings;   // the configuration it began under; a reference
	const struct vhost *vhost;   // of these settings; NULL: a reload has taken it away
	const struct method *method; // NULL: none, and the attempt is about to end
	void *config;                // the method's, from these settings
	void *work;                  // the method's own, NULL when it has none
	struct event *timer;         // auth-timeout
	int64_t started_ms, asked_ms;
	int64_t busy_us; // since when its method has been at work; 0: it waits for its user
	uint8_t round;   // AUTH_ASKs sent
	bool answered;   // the method has had an answer of the user's
	bool held;       // the outcome below stands, and waits for the user's answer
	uint8_t outcome;
	uint8_t kind;                     // enum auth_kind
	bool token;                       // the open question is one for a token
	bool certificate;                 // its way has one beside the method, or nothing else
	bool picked;                      // the user has asked for a group, and it is one of the certificate's
	char cert_group[LIMIT_GROUP + 1]; // that one, or the certificate's first, "" for none
	uint8_t *last_token;              // for the client, with the yes; NULL: none
	uint16_t last_token_len;
	struct grants *grants;           // of the session to be
	char why[LIMIT_PROMPT + 1];      // for the user, "": nothing
	char acct_id[LIMIT_ACCT_ID + 1]; // Acct-Session-Id of the session to be
	char device_type[LIMIT_DEVICE + 1], device_platform[LIMIT_DEVICE + 1];
	char user[LIMIT_USER + 1], group[LIMIT_GROUP + 1], user_agent[LIMIT_USER_AGENT + 1];
};

// From the connection's handlers. 0, or -errno: the connection cannot go on.
int attempt_begin(struct conn *conn, const struct msg_auth_init *m);
int attempt_answer(struct attempt *a, const struct msg_auth_cont *m);
int attempt_token(struct attempt *a, const struct msg_auth_token *m);
// The connection has ended in the middle. Who answers and hangs up may have seen by the time it took what his guess was worth:
// while an answer is being checked the attempt can go on without a worker, for its outcome. A success opens no session then.
bool attempt_is_pending(const struct attempt *a);
void attempt_abandon(struct attempt *a);

// From methods.
void attempt_ask(struct attempt *a, const char *prompt, bool echo);
// For the client's next token; token, len: what it gets for its last one, at most LIMIT_TOKEN bytes.
void attempt_ask_token(struct attempt *a, const void *token, size_t len);
// What the client gets with the yes, to be sure of the server.
void attempt_last_token(struct attempt *a, const void *token, size_t len);
// A setting that comes with the yes (grants.h). What cannot be kept must not let its user in: 0 or -errno.
int attempt_grant(struct attempt *a, const char *key, const char *value);
// What the user is told with the refusal that follows. Only for one who has proven who he is: everybody else is told the same.
void attempt_explain(struct attempt *a, const char *text);
// The end of the attempt, which is freed. user, group: as the method found them (AUTH_OK). reason: for the log (AUTH_ERROR), or
// NULL.
void attempt_end(struct attempt *a, enum auth_outcome outcome, const char *user, const char *group, const char *reason);
// As if its time had run out: for a method that needs the place of one whose user does not answer.
void attempt_expire(struct attempt *a);
bool attempt_is_waiting(const struct attempt *a); // for its user, since asked_ms
