// What sec-mod takes from one snapshot: for each virtual host its keys and the ways to log in, and times. Loaded beside the old one
// at a reload. Counted references, the loop's thread only: attempts keep the settings under which they began.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/snapshot.h"
#include "proto/states.h"
#include "secmod/kdc.h"
#include "secmod/key.h"

struct acct;
struct coa_config;
struct method;
struct trust;
struct signing_lane;

// One way to log in: a certificate, a method, or both.
struct way {
	bool certificate;
	const struct method *method; // NULL: the certificate alone
	void *config;                // the method's own
	char *groups;                // that its form offers, with commas between (auto-select-group); NULL: none
};

struct vhost {
	char name[LIMIT_VHOST + 1]; // "": the default one
	unsigned n_keys;
	struct key *key[LIMIT_SERVER_KEYS];
	struct signing_lane *lane[LIMIT_SERVER_KEYS]; // of those in tokens, else NULL
	struct way way[LIMIT_WAYS]; // the first is what all lines of auth make together, each other one a line of enable-auth
	unsigned n_ways;
	struct trust *trust; // whose certificates count; NULL: no way has one
	int64_t cookie_timeout_ms;
	struct acct *acct; // NULL: none
	bool persistent_cookies;
	struct kdcs kdcs;
	bool trial;        // see settings
	unsigned mistakes; // that were told while it was loaded
};

struct settings {
	unsigned refs;
	unsigned n_vhosts; // at least one
	struct vhost *vhosts;
	int64_t auth_timeout_ms;
	bool tells_behind; // main wants to know when logins wait
	unsigned most_sessions;
	struct coa_config *coa;   // NULL: no coa-listen
	bool trial;               // only to say whether we could start: nobody outside hears of us
	unsigned signing_threads; // sec-mod-scale
};

// Owned by the caller with one reference; `text` says what was loaded. NULL: `text` names the option and what is wrong with it.
struct settings *settings_load(const struct snapshot *snap, char text[LIMIT_TEXT + 1]);
struct settings *settings_get(struct settings *s);
void settings_put(struct settings *s); // NULL is fine

bool vhost_needs_certificate(const struct vhost *v); // every way has one
// The first way that begins so, or NULL.
const struct way *vhost_way(const struct vhost *v, enum auth_kind kind);
// The virtual host of that name; NULL: there is none (any more).
const struct vhost *settings_vhost(const struct settings *s, const char *name);
