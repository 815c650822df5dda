// The answers of the login, as text: forms, the success page with its cookie, plain statuses. Worker only.
#pragma once
#include <stdint.h>

#include "groups.h"
#include "headers.h"
#include "profile.h"
#include "proto/messages.h"
#include "reply.h"

#define CERT_SHA1_SIZE 20

enum field_kind { FIELD_TEXT, FIELD_PASSWORD };

// One input for the user to fill in. message, error and label are texts, not XML.
struct form {
	const char *message;
	const char *error; // NULL: none
	const char *label;
	const char *name;
	enum field_kind kind;
	bool with_password;          // one more input
	const char *banner;          // NULL: none
	const struct groups *groups; // to choose from besides; NULL or none: nothing is to be chosen
	const char *group;           // the one that is chosen already, by its name
	const char *query;           // of the URL that its answer goes to; NULL: none
};

// Headers for every answer from here on (NULL: none); they stay the caller's.
void page_include(const struct headers *h);
void page_add_included(struct reply *r);
// bare: the client wants the form without config-auth around it (openconnect up to version 3).
void page_form(struct reply *r, const struct form *f, bool bare);
// cert_sha1: of the certificate that this connection was shown.
// profile: for the client to fetch, where it has a text. banner: to be shown; NULL: none.
void page_success(struct reply *r, const struct msg_auth_done *done, const uint8_t cert_sha1[CERT_SHA1_SIZE],
                  const struct profile *profile, const char *banner, bool bare);
// An IP phone is to post a user and a password; and it is let in.
void page_phone(struct reply *r);
void page_phone_success(struct reply *r, const struct msg_auth_done *done, const uint8_t cert_sha1[CERT_SHA1_SIZE]);
// Come back with a certificate, or say that there is none.
void page_ask_certificate(struct reply *r);
// One of the texts that are always the same.
void page_text(struct reply *r, const char *type, const char *body, bool keep_alive);
void page_profile(struct reply *r, const struct profile *p);

// 401: in which ways a client can show who it is (RFC 9110 11), as openconnect and ocserv understand each other.
struct challenge {
	bool negotiate, bearer;
	bool fallback;        // there are forms, too
	const uint8_t *token; // Negotiate goes on with this
	size_t token_len;
};
void page_challenge(struct reply *r, const struct challenge *c);
// A status and nothing else.
void page_status(struct reply *r, unsigned status, bool keep_alive);
// What a web server has for somebody without a password, or 404 where it has no realm to ask one for.
void page_decoy(struct reply *r, const char *realm, bool keep_alive);
// No session for who has asked: clients show their user the reason that comes with a 503.
void page_refused(struct reply *r, unsigned status, const char *reason);
// A message of the KDC proxy's ([MS-KKDCP] 2.1).
void page_kerberos(struct reply *r, const uint8_t *message, size_t len);
// The client has thrown its cookie away.
void page_logout(struct reply *r);
