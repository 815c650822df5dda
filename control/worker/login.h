// A login as a dialogue: requests of the client in, forms out, sec-mod asked in between. Worker only. No I/O but ask.h's.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent.h"
#include "ask.h"
#include "http.h"
#include "offers.h"
#include "pages.h"
#include "xml.h"

enum login_state {
	LOGIN_NEW,     // no user name yet
	LOGIN_WAITING, // sec-mod is at work
	LOGIN_ASKED,   // a question of sec-mod's is with the user
	LOGIN_OVER,    // logged in, or out of tries
};

struct login {
	enum login_state state;
	struct ask *ask;
	const struct offers *offers;
	const uint8_t *cert_sha1;
	struct agent agent;
	const struct groups *groups;     // to choose from: the vhost's, or, when sec-mod has been asked for more, our own
	struct groups own;               // all empty until then
	const struct http *held_request; // which waits for that
	char group[LIMIT_GROUP + 1];     // that the client has chosen, "": none
	bool group_by_url;
	char query[LIMIT_QUERY + 1]; // that forms are to be answered with, as camouflage wants it; a secret. "": none
	uint8_t sid[SID_SIZE];       // SHA-256 of the cookie that a login on this connection has had
	bool has_sid;
	char user[LIMIT_USER + 1];
	char held[LIMIT_PASSWORD + 1]; // a password that came with the user name, until sec-mod asks for it
	bool has_held;
	enum auth_kind kind;           // of the login in progress
	struct msg_auth_token *token;  // what the client has shown, until sec-mod asks for it; NULL: nothing
	bool phone;                    // the last request is an IP phone's
	bool certificate_asked;        // in XML, once
	bool certified;                // by sec-mod: the client has a certificate that counts
	bool by_certificate;           // which has been tried alone
	const struct profile *profile; // the vhost's, or his own
	struct profile own_profile;
	bool showing;               // a profile, to who has come with a session's cookie, and main is to be asked for his
	struct msg_auth_done *done; // sec-mod has let him in, and main is to be asked for his profile; NULL: not so
	unsigned kdc_uses;
	bool ready; // reply holds the answer to the last request
	struct reply reply;
};

extern const struct ask_events login_events; // for ask_init(), with a struct login

void login_init(struct login *l, struct ask *ask, const struct offers *offers, const uint8_t *cert_sha1);
void login_fini(struct login *l);
// What the vhost has to offer whose name the client has said; before its first request.
void login_offer(struct login *l, const struct offers *offers);
// Forms are answered with this query from here on.
void login_keep_query(struct login *l, const char *query);
// Is it one, before there is a session?
bool login_serves(const struct login *l, const struct http *h);
// A whole request for the login; it stays until it is answered. The answer is there when l->ready is set, now or after events of
// sec-mod's. 0; or a negative errno: sec-mod cannot be asked, the connection ends.
int login_request(struct login *l, const struct http *h);
// Has sec-mod said who the user is, and is main to be asked for his profile?
bool login_asks_main(const struct login *l);
// What main says of it, taken over; without a text he has none of his own. The answer is there.
void login_profile(struct login *l, struct profile *own);
// Likewise a whole request for the Kerberos proxy, which is there before the login.
bool login_is_kdc(const struct login *l, const struct http *h);
int login_kdc(struct login *l, const struct http *h);
