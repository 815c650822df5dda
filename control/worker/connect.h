// CONNECT: what the client asks for, and what it is told about its session. Worker only. No I/O.
#pragma once
#include <stdbool.h>

#include "agent.h"
#include "http.h"
#include "proto/messages.h"
#include "reply.h"
#include "suite.h"

struct connect_item {
	enum item_kind kind;
	char *text;
};

struct connect {
	struct agent agent;
	bool ipv4, ipv6;                  // it wants addresses of this kind
	bool full_ipv6;                   // it understands the headers that end in -IP6
	bool tls13;                       // CSTP is over TLS 1.3
	struct ciphers ciphers;           // that its DTLS may have
	uint8_t offers;                   // set of enum dtls_offer: what it can do
	const struct suite *suite;        // of a resumed DTLS session; NULL: the client offers none that it may have
	uint8_t master[DTLS_MASTER_SIZE]; // its secret, which never leaves this process
	char hostname[LIMIT_HOSTNAME + 1];
	struct connect_item *items; // main's SESSION_ITEMs
	unsigned n_items, room;
};

// Holds a secret then: wipe out. may: the ciphers that its DTLS may have, TLS's first where it is one. 0, or the HTTP status to
// refuse with: 400 for a cookie that is none, 401 for several, 503 without.
unsigned connect_request(struct connect *c, const struct http *h, uint16_t base_mtu, const struct ciphers *may,
                         struct msg_auth_cookie_req *out);
// Is this kind of DTLS one that the client has offered? None always is.
bool connect_has_offered(const struct connect *c, enum dtls_kind kind);
int connect_add_item(struct connect *c, const struct msg_session_item *m);
// The head of the answer.
void connect_answer(const struct connect *c, const struct msg_auth_cookie_rep *rep, struct reply *r);
void connect_fini(struct connect *c);
