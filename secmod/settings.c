#include "secmod/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "secmod/method.h"

// ocserv's, where the snapshot says nothing or 0
#define COOKIE_TIMEOUT 300
#define AUTH_TIMEOUT 240
#define MAX_CLIENTS 8192

static const struct method *const methods[] = { &method_plain, &method_pam };

static int load_keys(struct settings *s, const struct snapshot *snap, char text[LIMIT_TEXT + 1])
{
	const char *key, *cert;
	unsigned i;

	for (i = 0;; i++) {
		key = snapshot_nth(snap, "server-key", i);
		cert = snapshot_nth(snap, "server-cert", i);
		if (key == NULL && cert == NULL)
			break;
		if (i == LIMIT_SERVER_KEYS) {
			return text_refuse(text, "server-key: more than %d are not supported", LIMIT_SERVER_KEYS);
		}
		if (key == NULL || cert == NULL) {
			return text_refuse(text, "server-key and server-cert come in pairs: %s has no other half",
			                   key != NULL ? key : cert);
		}
		s->key[i] = key_load(key, cert, text);
		if (s->key[i] == NULL)
			return -EINVAL;
		s->n_keys++;
	}
	if (i == 0) {
		return text_refuse(text, "server-key: no key is configured");
	}
	return 0;
}

static int load_auth(struct settings *s, const struct snapshot *snap, char text[LIMIT_TEXT + 1])
{
	const char *auth = snapshot_nth(snap, "auth", 0), *second = snapshot_nth(snap, "auth", 1);
	struct authspec spec;

	if (auth == NULL) {
		return text_refuse(text, "auth: no method is configured (supported: plain[passwd=FILE], pam)");
	}
	if (second != NULL) {
		return text_refuse(text, "auth = %s: one password method at a time, and auth = %s is there already", second, auth);
	}
	if (authspec_parse(auth, &spec) < 0) {
		return text_refuse(text, "auth = %s: not of the form method[option=value,...]", auth);
	}
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		if (strcmp(methods[i]->name, spec.name) != 0)
			continue;
		s->method = methods[i];
		return methods[i]->load(&spec, &s->method_config, text);
	}
	return text_refuse(text, "auth = %s: this method is not supported (supported: plain[passwd=FILE], pam)", auth);
}

static void describe(const struct settings *s, char text[LIMIT_TEXT + 1])
{
	char keys[256] = "";

	for (unsigned i = 0; i < s->n_keys; i++)
		snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s%s", i > 0 ? ", " : "", key_kind_name(s->key[i]));
	text_format(text, "keys: %s; auth: %s", keys, s->method->name);
}

static uint64_t number_or(const struct snapshot *snap, const char *key, uint64_t otherwise)
{
	uint64_t n = snapshot_number(snap, key);

	return n > 0 && n <= INT32_MAX ? n : otherwise;
}

struct settings *settings_load(const struct snapshot *snap, char text[LIMIT_TEXT + 1])
{
	struct settings *s = calloc(1, sizeof(*s));
	uint64_t clients;

	if (s == NULL) {
		text_format(text, "no memory");
		return NULL;
	}
	s->refs = 1;
	s->cookie_timeout_ms = 1000 * (int64_t)number_or(snap, "cookie-timeout", COOKIE_TIMEOUT);
	s->auth_timeout_ms = 1000 * (int64_t)number_or(snap, "auth-timeout", AUTH_TIMEOUT);
	// every client may hold one session open and have one more it came back from; and some room for small set-ups
	clients = number_or(snap, "max-clients", MAX_CLIENTS);
	s->most_sessions = (clients < LIMIT_TUNNELS ? clients : LIMIT_TUNNELS) * 2 + 1024;
	if (load_keys(s, snap, text) < 0 || load_auth(s, snap, text) < 0) {
		settings_put(s);
		return NULL;
	}
	describe(s, text);
	return s;
}

struct settings *settings_get(struct settings *s)
{
	s->refs++;
	return s;
}

void settings_put(struct settings *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	for (unsigned i = 0; i < s->n_keys; i++)
		key_free(s->key[i]);
	if (s->method_config != NULL)
		s->method->unload(s->method_config);
	free(s);
}
