// In which ways a virtual host lets users in: what its lines of auth and enable-auth come to. Nursery at start-up. Pure.
// A worker only offers; sec-mod decides.
#pragma once
#include <stdbool.h>

#include "groups.h"
#include "profile.h"
#include "proto/limits.h"
#include "proto/snapshot.h"

struct offers {
	bool password, negotiate, bearer; // enum auth_kind, each alone or with a certificate
	bool certificate;                 // alone
	bool wants_certificate;           // some way has one: clients are asked in TLS
	bool needs_certificate;           // every way has one
	bool insists;                     // in TLS already: a client without one has no handshake
	bool asks_certificate;            // in XML, who begins without: AnyConnect comes back with one
	bool one_form;                    // AnyConnect is asked for user and password at once
	bool phones;                      // there is a login for IP phones
	struct groups groups;             // that the login form lets its user choose from
	char *banner, *welcome;           // above it, and after the login; NULL: none
	unsigned n_kdc_paths;             // of kkdcp
	char kdc_path[LIMIT_KDCS][LIMIT_URL_PATH + 1];
	struct profile profile; // for AnyConnect, everybody's
	bool own_profiles;      // users and groups have files, which may name others
};

// 0 or -errno, and text says what is wrong; it is left alone where there is no memory.
int offers_load(struct offers *o, const struct snapshot *conf, unsigned vhost, char text[LIMIT_TEXT + 1]);
void offers_free(struct offers *o);
bool offers_kdc(const struct offers *o, const char *path);
