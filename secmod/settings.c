#include "secmod/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "proto/text.h"
#include "secmod/account.h"
#include "secmod/coa.h"
#include "secmod/method.h"
#include "secmod/trust.h"

// ocserv's, where the snapshot says nothing or 0
#define COOKIE_TIMEOUT 300
#define AUTH_TIMEOUT 240
#define MAX_CLIENTS 8192

const struct method *const methods[] = { &method_plain, &method_pam, &method_radius, NULL };

// ------------------------------------------------------------------------------------------------------------------ keys

static int load_keys(struct vhost *v, const struct snapshot *snap, char text[LIMIT_TEXT + 1])
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
		v->key[i] = key_load(key, cert, text);
		if (v->key[i] == NULL)
			return -EINVAL;
		v->n_keys++;
	}
	if (i == 0) {
		return text_refuse(text, "server-key: no key is configured");
	}
	return 0;
}

// ------------------------------------------------------------------------------------------------------------------ ways

static void list_methods(char out[LIMIT_TEXT + 1])
{
	size_t used = 0;

	for (size_t i = 0; methods[i] != NULL; i++)
		used += (size_t)snprintf(out + used, LIMIT_TEXT + 1 - used, "%s%s", i > 0 ? ", " : "", methods[i]->name);
}

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; methods[i] != NULL; i++)
		if (strcmp(methods[i]->name, name) == 0)
			return methods[i];
	return NULL;
}

// A certificate as one line of a way: it asks nothing and has no configuration of its own.
static int way_add_certificate(struct way *w, const struct authspec *spec, const char *option, char text[LIMIT_TEXT + 1])
{
	if (spec->n_options > 0)
		return text_refuse(text,
		                   "%s = certificate: it has no options; ca-cert and cert-user-oid say whose certificates count",
		                   option);
	w->certificate = true;
	return 0;
}

// One line more of what a way needs.
static int way_add(struct way *w, const char *option, const char *value, char text[LIMIT_TEXT + 1])
{
	const struct method *method;
	char known[LIMIT_TEXT + 1];
	struct authspec spec;
	int ret;

	if (authspec_parse(value, &spec) < 0)
		return text_refuse(text, "%s = %s: not of the form method[option=value,...]", option, value);
	if (strcmp(spec.name, "certificate") == 0)
		return way_add_certificate(w, &spec, option, text);
	method = find_method(spec.name);
	list_methods(known);
	if (method == NULL)
		return text_refuse(text, "%s = %s: this method is not supported (supported: certificate, %s)", option, value,
		                   known);
	if (w->method != NULL)
		return text_refuse(text, "%s = %s: one password method at a time, and there is %s = %s", option, value, option,
		                   w->method->name);
	ret = method->load(&spec, &w->config, text);
	if (ret == 0)
		w->method = method;
	return ret;
}

static int load_ways(struct vhost *v, const struct snapshot *snap, char text[LIMIT_TEXT + 1])
{
	const char *value;
	int ret = 0;
	unsigned i;

	for (i = 0; ret == 0 && (value = snapshot_nth(snap, "auth", i)) != NULL; i++)
		ret = way_add(&v->way[0], "auth", value, text);
	if (i == 0)
		return text_refuse(text, "auth: no method is configured, as in auth = plain[passwd=FILE]");
	for (i = 0; ret == 0 && (value = snapshot_nth(snap, "enable-auth", i)) != NULL; i++) {
		if (i + 1 == LIMIT_WAYS)
			return text_refuse(text, "enable-auth = %s: more than %d methods", value, LIMIT_WAYS - 1);
		ret = way_add(&v->way[i + 1], "enable-auth", value, text);
	}
	v->n_ways = i + 1;
	return ret;
}

// Whose certificates count, where some way has one.
static int load_trust(struct vhost *v, const struct snapshot *snap, char text[LIMIT_TEXT + 1])
{
	const char *group_oid = snapshot_get(snap, "cert-group-oid");
	bool wanted = false;

	for (unsigned i = 0; i < v->n_ways; i++)
		wanted |= v->way[i].certificate;
	if (!wanted)
		return 0;
	v->trust = trust_load(snapshot_get(snap, "ca-cert"), snapshot_get(snap, "crl"), snapshot_get(snap, "cert-user-oid"),
	                      &group_oid, group_oid != NULL && group_oid[0] != '\0', text);
	return v->trust != NULL ? 0 : -EINVAL;
}

static void ways_unload(struct vhost *v)
{
	for (size_t i = 0; i < LIMIT_WAYS; i++) {
		if (v->way[i].method != NULL)
			v->way[i].method->unload(v->way[i].config);
		free(v->way[i].groups);
	}
}

static int load_groups(struct vhost *v, const struct snapshot *snap, char text[LIMIT_TEXT + 1])
{
	struct grouplist list = { 0 };

	if (!snapshot_bool(snap, "auto-select-group"))
		return 0;
	for (unsigned i = 0; i < v->n_ways; i++) {
		struct way *w = &v->way[i];

		if (w->method == NULL || w->method->groups == NULL)
			continue;
		w->method->groups(w->config, &list);
		if (list.trimmed)
			log_warn("auto-select-group: %s knows more groups than a login form offers", w->method->name);
		w->groups = grouplist_finish(&list);
		if (w->groups == NULL)
			return text_refuse(text, "no memory");
	}
	return 0;
}

const struct way *vhost_way(const struct vhost *v, enum auth_kind kind)
{
	for (unsigned i = 0; i < v->n_ways; i++) {
		const struct way *w = &v->way[i];

		if ((w->method != NULL ? w->method->kind : AUTH_CERTIFICATE) == kind)
			return w;
	}
	return NULL;
}

// ------------------------------------------------------------------------------------------------------------ accounting

static int load_accounting(struct vhost *v, const struct snapshot *snap, unsigned index, char text[LIMIT_TEXT + 1])
{
	const char *value = snapshot_vhost_get(snap, index, "acct");
	struct authspec spec;

	if (value == NULL || value[0] == '\0')
		return 0;
	if (authspec_parse(value, &spec) < 0)
		return text_refuse(text, "acct = %s: not of the form method[option=value,...]", value);
	for (size_t i = 0; accountings[i] != NULL; i++) {
		if (strcmp(accountings[i]->name, spec.name) != 0)
			continue;
		v->acct = acct_load(accountings[i], &spec, snap, text);
		return v->acct != NULL ? 0 : -EINVAL;
	}
	return text_refuse(text, "acct = %s: this method is not supported (supported: radius[config=FILE], pam)", value);
}

const struct vhost *settings_vhost(const struct settings *s, const char *name)
{
	for (unsigned i = 0; i < s->n_vhosts; i++)
		if (strcmp(s->vhosts[i].name, name) == 0)
			return &s->vhosts[i];
	return NULL;
}

// -------------------------------------------------------------------------------------------------------------- settings

static void describe(const struct vhost *v, char text[LIMIT_TEXT + 1])
{
	char keys[256] = "", ways[256] = "";

	for (unsigned i = 0; i < v->n_keys; i++)
		snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s%s", i > 0 ? ", " : "", key_kind_name(v->key[i]));
	for (unsigned i = 0; i < v->n_ways; i++) {
		const struct way *w = &v->way[i];

		snprintf(ways + strlen(ways), sizeof(ways) - strlen(ways), "%s%s%s%s", i > 0 ? ", or " : "",
		         w->certificate ? "certificate" : "", w->certificate && w->method != NULL ? " and " : "",
		         w->method != NULL ? w->method->name : "");
	}
	text_format(text, "keys: %s; auth: %s", keys, ways);
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
	s->n_vhosts = 1;
	s->vhosts = calloc(s->n_vhosts, sizeof(*s->vhosts));
	if (s->vhosts == NULL) {
		text_format(text, "no memory");
		settings_put(s);
		return NULL;
	}
	s->vhosts[0].cookie_timeout_ms = 1000 * (int64_t)number_or(snap, "cookie-timeout", COOKIE_TIMEOUT);
	s->vhosts[0].persistent_cookies = snapshot_bool(snap, "persistent-cookies");
	s->auth_timeout_ms = 1000 * (int64_t)number_or(snap, "auth-timeout", AUTH_TIMEOUT);
	// every client may hold one session open and have one more it came back from; and some room for small set-ups
	clients = number_or(snap, "max-clients", MAX_CLIENTS);
	s->most_sessions = (clients < LIMIT_TUNNELS ? clients : LIMIT_TUNNELS) * 2 + 1024;
	s->trial = snapshot_number(snap, "@trial") != 0;
	if (load_keys(&s->vhosts[0], snap, text) < 0 || load_ways(&s->vhosts[0], snap, text) < 0 ||
	    load_trust(&s->vhosts[0], snap, text) < 0 || load_groups(&s->vhosts[0], snap, text) < 0 ||
	    load_accounting(&s->vhosts[0], snap, 0, text) < 0 || coa_config_load(snap, &s->coa, text) < 0) {
		settings_put(s);
		return NULL;
	}
	describe(&s->vhosts[0], text);
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
	for (unsigned i = 0; s->vhosts != NULL && i < s->n_vhosts; i++) {
		for (unsigned k = 0; k < s->vhosts[i].n_keys; k++)
			key_free(s->vhosts[i].key[k]);
		ways_unload(&s->vhosts[i]);
		acct_put(s->vhosts[i].acct);
		trust_free(s->vhosts[i].trust);
	}
	coa_config_free(s->coa);
	free(s->vhosts);
	free(s);
}
