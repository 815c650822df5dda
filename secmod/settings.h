// What sec-mod takes from one snapshot: keys, the method of `auth`, times. Loaded beside the old one at a reload.
// Counted references, the loop's thread only: attempts keep the settings under which they began.
#pragma once
#include <stdint.h>

#include "proto/snapshot.h"
#include "secmod/key.h"

struct method;

struct settings {
	unsigned refs;
	unsigned n_keys;
	struct key *key[LIMIT_SERVER_KEYS];
	const struct method *method;
	void *method_config;
	int64_t cookie_timeout_ms, auth_timeout_ms;
	unsigned most_sessions;
};

// Owned by the caller with one reference; `text` says what was loaded. NULL: `text` names the option and what is wrong with it.
struct settings *settings_load(const struct snapshot *snap, char text[LIMIT_TEXT + 1]);
struct settings *settings_get(struct settings *s);
void settings_put(struct settings *s); // NULL is fine
