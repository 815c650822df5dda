#include "offers.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "proto/kdcspec.h"

// What one line of auth or enable-auth adds to a way.
struct way {
	bool certificate, other;
};

static void add(struct offers *o, struct way *w, const char *value)
{
	static const struct {
		const char *method;
		size_t offer;
	} offers[] = {
		{ "plain", offsetof(struct offers, password) },  { "pam", offsetof(struct offers, password) },
		{ "radius", offsetof(struct offers, password) }, { "gssapi", offsetof(struct offers, negotiate) },
		{ "oidc", offsetof(struct offers, bearer) },
	};
	size_t len = strcspn(value, "[ \t");

	if (strncmp(value, "certificate", len) == 0 && strlen("certificate") == len) {
		w->certificate = true;
		return;
	}
	w->other = true;
	for (size_t i = 0; i < sizeof(offers) / sizeof(*offers); i++)
		if (strncmp(value, offers[i].method, len) == 0 && strlen(offers[i].method) == len)
			*(bool *)((char *)o + offers[i].offer) = true;
}

static void close_way(struct offers *o, const struct way *w)
{
	o->certificate |= w->certificate && !w->other;
	o->wants_certificate |= w->certificate;
	o->needs_certificate &= w->certificate;
}

static void load_kdcs(struct offers *o, const struct snapshot *conf, unsigned vhost)
{
	struct kdcspec spec;
	const char *value;

	for (unsigned i = 0; o->n_kdc_paths < LIMIT_KDCS && (value = snapshot_vhost_nth(conf, vhost, "kkdcp", i)) != NULL; i++)
		if (kdcspec_parse(value, &spec) == NULL)
			strcpy(o->kdc_path[o->n_kdc_paths++], spec.path);
}

bool offers_kdc(const struct offers *o, const char *path)
{
	for (unsigned i = 0; i < o->n_kdc_paths; i++)
		if (strcmp(o->kdc_path[i], path) == 0)
			return true;
	return false;
}

static bool has_files(const struct snapshot *conf, unsigned vhost)
{
	static const char *const options[] = { "config-per-user", "config-per-group", "default-user-config",
		                               "default-group-config" };
	bool has = false;

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		const char *value = snapshot_vhost_get(conf, vhost, options[i]);

		has |= value && value[0];
	}
	return has;
}

static int load_form(struct offers *o, const struct snapshot *conf, unsigned vhost, char text[LIMIT_TEXT + 1])
{
	const char *banner = snapshot_vhost_get(conf, vhost, "pre-login-banner");
	const char *welcome = snapshot_vhost_get(conf, vhost, "banner");
	const char *profile = snapshot_vhost_get(conf, vhost, "user-profile");

	if (banner && banner[0] && !(o->banner = strdup(banner)))
		return -ENOMEM;
	if (welcome && welcome[0] && !(o->welcome = strdup(welcome)))
		return -ENOMEM;
	if (groups_load(&o->groups, conf, vhost) < 0)
		return -ENOMEM;
	return profile && profile[0] ? profile_load(&o->profile, profile, text) : 0;
}

int offers_load(struct offers *o, const struct snapshot *conf, unsigned vhost, char text[LIMIT_TEXT + 1])
{
	struct way together = { 0 };
	const char *value;

	*o = (struct offers){ .needs_certificate = true };
	for (unsigned i = 0; (value = snapshot_vhost_nth(conf, vhost, "auth", i)) != NULL; i++)
		add(o, &together, value);
	close_way(o, &together);
	for (unsigned i = 0; (value = snapshot_vhost_nth(conf, vhost, "enable-auth", i)) != NULL; i++) {
		struct way w = { 0 };

		add(o, &w, value);
		close_way(o, &w);
	}
	// AnyConnect begins without one, and has to be told in HTTP
	o->insists = o->needs_certificate && !snapshot_vhost_bool(conf, vhost, "cisco-client-compat");
	o->asks_certificate = o->wants_certificate && snapshot_vhost_bool(conf, vhost, "cisco-client-compat");
	o->one_form = snapshot_vhost_bool(conf, vhost, "cisco-client-compat");
	o->phones = snapshot_vhost_bool(conf, vhost, "cisco-svc-client-compat");
	load_kdcs(o, conf, vhost);
	o->own_profiles = has_files(conf, vhost);
	return load_form(o, conf, vhost, text);
}

void offers_free(struct offers *o)
{
	groups_fini(&o->groups);
	profile_free(&o->profile);
	free(o->banner);
	free(o->welcome);
	o->banner = o->welcome = NULL;
}
