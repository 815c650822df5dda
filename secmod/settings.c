#include "secmod/settings.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/account.h"
#include "secmod/coa.h"
#include "secmod/method.h"
#include "secmod/pool.h"
#include "secmod/signing.h"
#include "secmod/trust.h"

// ocserv's, where the snapshot says nothing or 0
#define COOKIE_TIMEOUT 300
#define AUTH_TIMEOUT 240
#define MAX_CLIENTS 8192
#define CLIENTS_PER_THREAD 500

#define LIMIT_PIN 255

const struct method *const methods[] = { &method_plain, &method_pam, &method_radius, &method_gssapi, &method_oidc, NULL };

// Who asks for a trial wants to hear of every mistake at once. 0: it has been told, and loading goes on; -EINVAL: this is no trial.
static int mistake_told(struct vhost *v, const char *text)
{
	if (!v->trial)
		return -EINVAL;
	log_err("%s", text);
	v->mistakes++;
	return 0;
}

// ------------------------------------------------------------------------------------------------------------------ keys

struct pins {
	char key[LIMIT_PIN + 1], srk[LIMIT_PIN + 1]; // "": none
};

// The first line.
static int read_pin_file(const char *option, const char *file, char pin[LIMIT_PIN + 1], char text[LIMIT_TEXT + 1])
{
	char line[LIMIT_PIN + 2];
	FILE *f = fopen(file, "re");
	char *got;

	if (f == NULL)
		return text_refuse(text, "%s %s: %s", option, file, strerror(errno));
	setvbuf(f, NULL, _IONBF, 0); // no copy of it stays in a buffer
	got = fgets(line, sizeof(line), f);
	fclose(f);
	if (got != NULL)
		line[strcspn(line, "\r\n")] = '\0';
	if (got == NULL || line[0] == '\0' || strlen(line) > LIMIT_PIN)
		return text_refuse(text, "%s %s: its first line is to be a PIN of 1 to %d bytes", option, file, LIMIT_PIN);
	strcpy(pin, line);
	secret_wipe(line, sizeof(line));
	return 0;
}

static int read_pin(const struct snapshot *snap, unsigned vhost, const char *option, const char *file_option,
                    char pin[LIMIT_PIN + 1], char text[LIMIT_TEXT + 1])
{
	const char *said = snapshot_vhost_get(snap, vhost, option), *file = snapshot_vhost_get(snap, vhost, file_option);

	pin[0] = '\0';
	if (said == NULL)
		return file != NULL ? read_pin_file(file_option, file, pin, text) : 0;
	if (strlen(said) > LIMIT_PIN)
		return text_refuse(text, "%s: more than %d bytes", option, LIMIT_PIN);
	strcpy(pin, said);
	return 0;
}

static int load_key(struct vhost *v, unsigned n, const struct key_source *from, char text[LIMIT_TEXT + 1])
{
	v->key[n] = key_load(from, text);
	if (v->key[n] == NULL)
		return -EINVAL;
	v->n_keys++;
	if (!key_is_token(v->key[n]))
		return 0;
	v->lane[n] = signing_lane_new();
	return v->lane[n] != NULL ? 0 : text_refuse(text, "server-key %s: no thread for it: %s", from->key, strerror(errno));
}

static int load_keys_with(struct vhost *v, const struct snapshot *snap, unsigned vhost, const struct pins *pins,
                          char text[LIMIT_TEXT + 1])
{
	struct key_source from = { .pin = pins->key[0] != '\0' ? pins->key : NULL,
		                   .srk_pin = pins->srk[0] != '\0' ? pins->srk : NULL };
	unsigned i;

	for (i = 0;; i++) {
		from.key = snapshot_vhost_nth(snap, vhost, "server-key", i);
		from.cert = snapshot_vhost_nth(snap, vhost, "server-cert", i);
		if (from.key == NULL && from.cert == NULL)
			break;
		if (i == LIMIT_SERVER_KEYS)
			return text_refuse(text, "server-key: more than %d are not supported", LIMIT_SERVER_KEYS);
		if (from.key == NULL || from.cert == NULL)
			return text_refuse(text, "server-key and server-cert come in pairs: %s has no other half",
			                   from.key != NULL ? from.key : from.cert);
		if (load_key(v, v->n_keys, &from, text) < 0 && mistake_told(v, text) < 0)
			return -EINVAL;
	}
	return i > 0 ? 0 : text_refuse(text, "server-key: no key is configured");
}

static int load_keys(struct vhost *v, const struct snapshot *snap, unsigned vhost, char text[LIMIT_TEXT + 1])
{
	struct pins pins;
	int ret = read_pin(snap, vhost, "key-pin", "pin-file", pins.key, text);

	if (ret == 0)
		ret = read_pin(snap, vhost, "srk-pin", "srk-pin-file", pins.srk, text);
	if (ret == 0)
		ret = load_keys_with(v, snap, vhost, &pins, text);
	secret_wipe(&pins, sizeof(pins));
	return ret;
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
static int way_take_certificate(struct way *w, const struct authspec *spec, char why[LIMIT_TEXT + 1])
{
	if (spec->n_options > 0)
		return text_refuse(why, "it has no options; ca-cert and cert-user-oid say whose certificates count");
	w->certificate = true;
	return 0;
}

static int way_take(struct way *w, const char *value, char why[LIMIT_TEXT + 1])
{
	const struct method *method;
	char known[LIMIT_TEXT + 1];
	struct authspec spec;
	int ret;

	if (authspec_parse(value, &spec) < 0)
		return text_refuse(why, "not of the form method[option=value,...]");
	if (strcmp(spec.name, "certificate") == 0)
		return way_take_certificate(w, &spec, why);
	method = find_method(spec.name);
	list_methods(known);
	if (method == NULL)
		return text_refuse(why, "this method is not supported (supported: certificate, %s)", known);
	if (w->method != NULL)
		return text_refuse(why, "one password method at a time, and there is %s", w->method->name);
	ret = method->load(&spec, &w->config, why);
	if (ret == 0)
		w->method = method;
	return ret;
}

// One line more of what a way needs. main finds the line of the file by how the text begins.
static int way_add(struct way *w, const char *option, const char *value, char text[LIMIT_TEXT + 1])
{
	char why[LIMIT_TEXT + 1] = "no memory";

	return way_take(w, value, why) < 0 ? text_refuse(text, "%s %s: %s", option, value, why) : 0;
}

static int load_ways(struct vhost *v, const struct snapshot *snap, unsigned vhost, char text[LIMIT_TEXT + 1])
{
	const char *value;
	int ret = 0;
	unsigned i;

	for (i = 0; ret == 0 && (value = snapshot_vhost_nth(snap, vhost, "auth", i)) != NULL; i++)
		if (way_add(&v->way[0], "auth", value, text) < 0)
			ret = mistake_told(v, text);
	if (i == 0)
		return text_refuse(text, "auth: no method is configured, as in auth = plain[passwd=FILE]");
	for (i = 0; ret == 0 && (value = snapshot_vhost_nth(snap, vhost, "enable-auth", i)) != NULL; i++) {
		if (i + 1 == LIMIT_WAYS)
			return text_refuse(text, "enable-auth %s: more than %d methods", value, LIMIT_WAYS - 1);
		if (way_add(&v->way[i + 1], "enable-auth", value, text) < 0)
			ret = mistake_told(v, text);
	}
	v->n_ways = i + 1;
	return ret;
}

// Whose certificates count, where some way has one.
static int load_trust(struct vhost *v, const struct snapshot *snap, unsigned vhost, char text[LIMIT_TEXT + 1])
{
	const char *group_oid = snapshot_vhost_get(snap, vhost, "cert-group-oid");
	bool wanted = false;

	for (unsigned i = 0; i < v->n_ways; i++)
		wanted |= v->way[i].certificate;
	if (!wanted)
		return 0;
	v->trust = trust_load(snapshot_vhost_get(snap, vhost, "ca-cert"), snapshot_vhost_get(snap, vhost, "crl"),
	                      snapshot_vhost_get(snap, vhost, "cert-user-oid"), &group_oid,
	                      group_oid != NULL && group_oid[0] != '\0', text);
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

static int load_groups(struct vhost *v, const struct snapshot *snap, unsigned vhost, char text[LIMIT_TEXT + 1])
{
	struct grouplist list = { 0 };

	if (!snapshot_vhost_bool(snap, vhost, "auto-select-group"))
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

bool vhost_needs_certificate(const struct vhost *v)
{
	for (unsigned i = 0; i < v->n_ways; i++)
		if (!v->way[i].certificate)
			return false;
	return true;
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
	char why[LIMIT_TEXT + 1] = "this method is not supported (supported: radius[config=FILE], pam)";
	struct authspec spec;

	if (value == NULL || value[0] == '\0')
		return 0;
	if (authspec_parse(value, &spec) < 0)
		return text_refuse(text, "acct %s: not of the form method[option=value,...]", value);
	for (size_t i = 0; v->acct == NULL && accountings[i] != NULL; i++)
		if (strcmp(accountings[i]->name, spec.name) == 0)
			v->acct = acct_load(accountings[i], &spec, snap, why);
	return v->acct != NULL ? 0 : text_refuse(text, "acct %s: %s", value, why);
}

const struct vhost *settings_vhost(const struct settings *s, const char *name)
{
	for (unsigned i = 0; i < s->n_vhosts; i++)
		if (strcmp(s->vhosts[i].name, name) == 0)
			return &s->vhosts[i];
	return NULL;
}

// -------------------------------------------------------------------------------------------------------------- settings

static void describe(const struct settings *s, char text[LIMIT_TEXT + 1])
{
	const struct vhost *v = &s->vhosts[0];
	char keys[256] = "", ways[256] = "", hosts[32] = "";

	for (unsigned i = 0; i < v->n_keys; i++)
		snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s%s", i > 0 ? ", " : "", key_kind_name(v->key[i]));
	for (unsigned i = 0; i < v->n_ways; i++) {
		const struct way *w = &v->way[i];

		snprintf(ways + strlen(ways), sizeof(ways) - strlen(ways), "%s%s%s%s", i > 0 ? ", or " : "",
		         w->certificate ? "certificate" : "", w->certificate && w->method != NULL ? " and " : "",
		         w->method != NULL ? w->method->name : "");
	}
	if (s->n_vhosts > 1)
		snprintf(hosts, sizeof(hosts), "; virtual hosts: %u", s->n_vhosts - 1);
	text_format(text, "keys: %s; auth: %s%s", keys, ways, hosts);
}

static uint64_t number_or(const struct snapshot *snap, unsigned vhost, const char *key, uint64_t otherwise)
{
	uint64_t n = snapshot_vhost_number(snap, vhost, key);

	return n > 0 && n <= INT32_MAX ? n : otherwise;
}

_Static_assert(LIMIT_KEY_THREADS <= POOL_THREADS_MAX, "pool.c starts no more");

// ocserv's rule for the number of its security modules.
static unsigned count_threads(const struct snapshot *snap, uint64_t clients)
{
	uint64_t wanted = snapshot_number(snap, "sec-mod-scale");
	cpu_set_t cpus;

	if (wanted > 0)
		return wanted < LIMIT_KEY_THREADS ? (unsigned)wanted : LIMIT_KEY_THREADS;
	wanted = clients / CLIENTS_PER_THREAD + 1;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && (uint64_t)CPU_COUNT(&cpus) < wanted)
		wanted = (uint64_t)CPU_COUNT(&cpus);
	return wanted < LIMIT_KEY_THREADS ? (unsigned)wanted : LIMIT_KEY_THREADS;
}

static int load_kdcs(struct vhost *v, const struct snapshot *snap, unsigned vhost, char text[LIMIT_TEXT + 1])
{
	return kdcs_load(&v->kdcs, snap, vhost, text);
}

static int load_vhost(struct vhost *v, const struct snapshot *snap, unsigned vhost, char text[LIMIT_TEXT + 1])
{
	static int (*const parts[])(struct vhost *, const struct snapshot *, unsigned, char *) = {
		load_keys, load_ways, load_trust, load_groups, load_kdcs, load_accounting,
	};
	int ret = 0;

	text_copy(v->name, LIMIT_VHOST, snapshot_vhost_name(snap, vhost));
	v->cookie_timeout_ms = 1000 * (int64_t)number_or(snap, vhost, "cookie-timeout", COOKIE_TIMEOUT);
	v->persistent_cookies = snapshot_vhost_bool(snap, vhost, "persistent-cookies");
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && ret == 0; i++)
		if (parts[i](v, snap, vhost, text) < 0)
			ret = mistake_told(v, text);
	return ret;
}

// One is enough to refuse the whole; in a trial `text` is the last.
static int load_vhosts(struct settings *s, const struct snapshot *snap, char text[LIMIT_TEXT + 1])
{
	unsigned mistakes = 0;
	int ret = 0;

	for (unsigned i = 0; i < s->n_vhosts && ret == 0; i++) {
		s->vhosts[i].trial = s->trial;
		ret = load_vhost(&s->vhosts[i], snap, i, text);
		mistakes += s->vhosts[i].mistakes;
	}
	return mistakes > 0 ? -EINVAL : ret;
}

struct settings *settings_load(const struct snapshot *snap, char text[LIMIT_TEXT + 1])
{
	struct settings *s = calloc(1, sizeof(*s));
	uint64_t clients = number_or(snap, 0, "max-clients", MAX_CLIENTS);
	int ret = 0;

	if (s == NULL) {
		text_format(text, "no memory");
		return NULL;
	}
	s->refs = 1;
	s->n_vhosts = snapshot_vhosts(snap);
	s->vhosts = calloc(s->n_vhosts, sizeof(*s->vhosts));
	s->auth_timeout_ms = 1000 * (int64_t)number_or(snap, 0, "auth-timeout", AUTH_TIMEOUT);
	s->tells_behind = snapshot_number(snap, "rate-limit-ms") > 0;
	// every client may hold one session open and have one more it came back from; and some room for small set-ups
	s->most_sessions = (clients < LIMIT_TUNNELS ? clients : LIMIT_TUNNELS) * 2 + 1024;
	s->trial = snapshot_number(snap, "@trial") != 0;
	s->signing_threads = count_threads(snap, clients);
	if (s->vhosts == NULL)
		ret = text_refuse(text, "no memory");
	else
		ret = load_vhosts(s, snap, text);
	if (ret == 0)
		ret = coa_config_load(snap, &s->coa, text);
	if (ret < 0) {
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
	for (unsigned i = 0; s->vhosts != NULL && i < s->n_vhosts; i++) {
		for (unsigned k = 0; k < s->vhosts[i].n_keys; k++) {
			signing_lane_free(s->vhosts[i].lane[k]);
			key_free(s->vhosts[i].key[k]);
		}
		ways_unload(&s->vhosts[i]);
		acct_put(s->vhosts[i].acct);
		kdcs_unload(&s->vhosts[i].kdcs);
		trust_free(s->vhosts[i].trust);
	}
	coa_config_free(s->coa);
	free(s->vhosts);
	free(s);
}
