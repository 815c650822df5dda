// A worker's channel to sec-mod: one signature for the handshake, then the rounds of a login. Worker only.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/chan.h"

// What sec-mod answers to a login, as it comes. The messages are the caller's only during the call.
struct ask_events {
	void (*asked)(void *who, const struct msg_auth_ask *m);
	void (*done)(void *who, const struct msg_auth_done *m);
	void (*failed)(void *who, const struct msg_auth_failed *m);
	void (*groups)(void *who, const char *names); // with commas between
	void (*kdc)(void *who, const struct msg_kdc_rep *m);
	void (*seen)(void *who, bool known);
};

struct ask {
	struct chan chan;
	const struct ask_events *events;
	void *who;
	bool certified;             // what CERT_RESULT has said
	struct msg_resume_rep *rep; // where RESUME_REP goes
	uint8_t *signature;         // where SIGN_REP goes
	size_t room;
	int signature_len;
};

void ask_init(struct ask *a, int fd, const struct ask_events *events, void *who);
void ask_fini(struct ask *a);

// A signer_ask: blocks until sec-mod has signed, for ASK_SIGN_MS at most.
#define ASK_SIGN_MS 15000
int ask_sign(void *who, uint8_t vhost, uint8_t key, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t *signature,
             size_t room);

// The messages of a handshake in which the client has shown a certificate: does it count? 1, 0 or -errno. Blocks likewise.
int ask_certificate(struct ask *a, const uint8_t *messages, size_t len);

// A TLS session that the client wants to resume. 0, with what there is in *rep, or -errno. Blocks likewise.
int ask_resume(struct ask *a, const struct msg_resume_fetch *m, struct msg_resume_rep *rep);
// One that it may resume, or may not any more. 0 or -errno.
int ask_keep(struct ask *a, const struct msg_resume_store *m);
int ask_forget(struct ask *a, const struct msg_resume_delete *m);

// The next user's login, and the answer to what was asked. 0 or -errno; the answers come as events.
int ask_login(struct ask *a, const struct msg_auth_init *m);
int ask_answer(struct ask *a, const struct msg_auth_cont *m);
int ask_token(struct ask *a, const struct msg_auth_token *m);
int ask_kdc(struct ask *a, const struct msg_kdc_req *m); // apart from any login

// Is this a session's cookie, and its client's? Once a connection.
int ask_cookie(struct ask *a, const uint8_t cookie[COOKIE_SIZE]);

// Which groups there are, for a login of that kind (enum auth_kind). Once a connection.
int ask_groups(struct ask *a, uint8_t kind);

// Something is there to be read. 0; -EPIPE when sec-mod has gone; or a negative errno.
int ask_serve(struct ask *a);
