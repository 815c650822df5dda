#include "secmod/health.h"

#include <stdio.h>
#include <string.h>

#include "secmod/account.h"
#include "secmod/method.h"
#include "secmod/radius_client.h"
#include "secmod/secmod.h"
#include "secmod/signing.h"

#define METHODS_MAX 16 // in the table of settings.c, and one place for certificates

static struct health_counts counts[METHODS_MAX];

struct health_counts *health_of(const struct method *m)
{
	size_t i = 0;

	while (m != NULL && i < METHODS_MAX - 1 && methods[i] != m)
		i++;
	return &counts[m != NULL ? i + 1 : 0];
}

static bool has_method(const struct vhost *v, const struct method *m)
{
	for (unsigned i = 0; i < v->n_ways; i++)
		if (v->way[i].method == m)
			return true;
	return false;
}

static const char *vhost_text(const struct vhost *v)
{
	return v->name[0] != '\0' ? v->name : "default";
}

static void report_method(const struct settings *s, const struct method *m, health_row row, void *who)
{
	const struct health_counts *c = health_of(m);
	struct health h = { .kind = HEALTH_METHOD,
		            .outstanding = c->outstanding,
		            .asked = c->asked,
		            .timeouts = c->timeouts,
		            .failures = c->failures,
		            .times = c->times };
	unsigned hosts = 0;

	for (unsigned i = 0; i < s->n_vhosts; i++) {
		if (!has_method(&s->vhosts[i], m))
			continue;
		snprintf(h.owner, sizeof(h.owner), "%.*s", HEALTH_NAME, vhost_text(&s->vhosts[i]));
		hosts++;
	}
	if (hosts > 1)
		snprintf(h.owner, sizeof(h.owner), "%u virtual hosts", hosts);
	if (hosts == 0 && c->outstanding == 0)
		return;
	snprintf(h.state, sizeof(h.state), "%s", hosts > 0 ? "in force" : "no longer in force");
	snprintf(h.name, sizeof(h.name), "%s", m != NULL ? m->name : "certificate");
	row(who, &h);
	if (m != NULL && m->health != NULL)
		m->health(row, who);
}

static void report_ways(const struct vhost *v, health_row row, void *who)
{
	for (unsigned i = 0; i < v->n_ways; i++) {
		const struct way *w = &v->way[i];
		struct health h = { .kind = HEALTH_WAY };

		snprintf(h.name, sizeof(h.name), "%s%s%s", w->certificate ? "certificate" : "",
		         w->certificate && w->method != NULL ? " and " : "", w->method != NULL ? w->method->name : "");
		snprintf(h.owner, sizeof(h.owner), "%.*s", HEALTH_NAME, vhost_text(v));
		snprintf(h.state, sizeof(h.state), "%s", i == 0 ? "auth" : "enable-auth");
		row(who, &h);
	}
}

static bool accounts_by(const struct settings *s, const struct accounting *a)
{
	for (unsigned i = 0; i < s->n_vhosts; i++)
		if (s->vhosts[i].acct != NULL && s->vhosts[i].acct->how == a)
			return true;
	return false;
}

static void report_accounting(const struct settings *s, health_row row, void *who)
{
	bool servers_told = false;

	for (unsigned i = 0; i < s->n_vhosts; i++)
		servers_told = servers_told || has_method(&s->vhosts[i], &method_radius);
	if (!servers_told && accounts_by(s, &accounting_radius))
		radius_servers_report(row, who);
	for (size_t i = 0; accountings[i] != NULL; i++)
		if (accountings[i]->health != NULL && accounts_by(s, accountings[i]))
			accountings[i]->health(row, who);
}

void health_report(const struct secmod *sm, health_row row, void *who)
{
	const struct settings *s = sm->settings;

	for (unsigned i = 0; i < s->n_vhosts; i++)
		report_ways(&s->vhosts[i], row, who);
	signing_health(row, who);
	report_method(s, NULL, row, who);
	for (size_t i = 0; methods[i] != NULL; i++)
		report_method(s, methods[i], row, who);
	report_accounting(s, row, who);
}

static void look(void *who, const struct health *h)
{
	bool *behind = who;

	// a place for one is no queue
	if (h->room > 1 && h->outstanding > h->room / 2)
		*behind = true;
}

bool health_is_behind(const struct secmod *sm)
{
	bool behind = false;

	health_report(sm, look, &behind);
	return behind;
}
