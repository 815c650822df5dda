#include "control/main/figures.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/main/handover.h"
#include "control/main/tunnel.h"

// ---------------------------------------------------------------------------------------------------------------- logins

static struct figures_logins *logins_of(struct figures *f, const char *method)
{
	struct figures_logins *l;

	for (unsigned i = 0; i < f->n_logins; i++)
		if (strcmp(f->logins[i].method, method) == 0)
			return &f->logins[i];
	if (f->n_logins == FIGURES_METHODS)
		return &f->logins[FIGURES_METHODS - 1];
	l = &f->logins[f->n_logins++];
	snprintf(l->method, sizeof(l->method), "%s", method);
	return l;
}

void figures_login(struct gateway *g, const struct msg_auth_event *m)
{
	struct figures_logins *l = logins_of(&g->figures, m->method);
	unsigned i = 0;

	l->ended[m->outcome]++;
	if (m->outcome == AUTH_ABANDONED)
		return;
	l->ms += m->milliseconds;
	while (i < METRIC_BOUNDS && m->milliseconds > metric_bounds[i])
		i++;
	if (i < METRIC_BOUNDS)
		l->within[i]++;
}

// -------------------------------------------------------------------------------------------------------------- sessions

static struct figures_vhost *vhost_of(struct figures *f, const char *name)
{
	const unsigned room = sizeof(f->vhosts) / sizeof(f->vhosts[0]);
	struct figures_vhost *v;

	for (unsigned i = 0; i < f->n_vhosts; i++)
		if (strcmp(f->vhosts[i].name, name) == 0)
			return &f->vhosts[i];
	if (f->n_vhosts == room)
		return &f->vhosts[room - 1];
	v = &f->vhosts[f->n_vhosts++];
	snprintf(v->name, sizeof(v->name), "%s", name);
	return v;
}

void figures_tunnel_up(struct gateway *g, const char *vhost)
{
	vhost_of(&g->figures, vhost)->sessions++;
}

static uint64_t rest(uint64_t all, uint64_t part)
{
	return all > part ? all - part : 0;
}

static void traffic_add(struct figures_traffic *sum, const struct tunnel_totals *t)
{
	sum->cstp_in += t->cstp_bytes_in;
	sum->cstp_out += t->cstp_bytes_out;
	sum->dtls_in += rest(t->bytes_in, t->cstp_bytes_in);
	sum->dtls_out += rest(t->bytes_out, t->cstp_bytes_out);
	sum->packets_in += t->packets_in;
	sum->packets_out += t->packets_out;
}

void figures_tunnel_over(struct gateway *g, const struct tunnel *t)
{
	if (t->was_up)
		g->figures.ends[t->reason]++;
	traffic_add(&g->figures.over, &t->now);
}

static void grow(uint64_t *told, uint64_t now)
{
	if (now > *told)
		*told = now;
}

struct figures_traffic figures_traffic(struct gateway *g)
{
	struct figures_traffic now = g->figures.over, *told = &g->figures.told;

	for (uint32_t i = 0; i < g->tunnels_max; i++)
		if (g->tunnels[i])
			traffic_add(&now, &g->tunnels[i]->now);
	// packets that a worker's lane had no room for are taken back after they were counted
	grow(&told->cstp_in, now.cstp_in);
	grow(&told->cstp_out, now.cstp_out);
	grow(&told->dtls_in, now.dtls_in);
	grow(&told->dtls_out, now.dtls_out);
	grow(&told->packets_in, now.packets_in);
	grow(&told->packets_out, now.packets_out);
	return *told;
}

void figures_reloaded(struct gateway *g)
{
	g->figures.reloads++;
	g->figures.loaded = time(NULL);
}

// -------------------------------------------------------------------------------------------------------------- handover

#define N(member) STATE_NUMBER(struct figures, member)
#define TRAFFIC(member) \
	N(member.cstp_in), N(member.cstp_out), N(member.dtls_in), N(member.dtls_out), N(member.packets_in), N(member.packets_out)

static const struct state_field fields[] = {
	STATE_BYTES(struct figures, ends),
	STATE_BYTES(struct figures, starts),
	STATE_BYTES(struct figures, pauses),
	N(reloads),
	N(reloads_refused),
	N(connections),
	N(crashes),
	N(bans),
	N(loaded),
	TRAFFIC(over),
	TRAFFIC(told),
};

#undef TRAFFIC
#undef N

STATE_COVERS(struct figures, 37224);

static const struct state_field login_fields[] = {
	STATE_TEXT(struct figures_logins, method),
	STATE_BYTES(struct figures_logins, ended),
	STATE_BYTES(struct figures_logins, within),
	STATE_NUMBER(struct figures_logins, ms),
};

static const struct state_field vhost_fields[] = {
	STATE_TEXT(struct figures_vhost, name),
	STATE_NUMBER(struct figures_vhost, sessions),
};

void figures_save(const struct gateway *g, struct state_writer *w)
{
	const struct figures *f = &g->figures;

	state_write(w, "figures", STATE_PARTS(STATE_PART("", fields, f)));
	for (unsigned i = 0; i < f->n_logins; i++)
		state_write(w, "figures-login", STATE_PARTS(STATE_PART("", login_fields, &f->logins[i])));
	for (unsigned i = 0; i < f->n_vhosts; i++)
		state_write(w, "figures-vhost", STATE_PARTS(STATE_PART("", vhost_fields, &f->vhosts[i])));
}

int figures_restore(struct handover *h, const struct state_record *rec)
{
	return state_read(rec, STATE_PARTS(STATE_PART("", fields, &h->g->figures)));
}

int figures_login_restore(struct handover *h, const struct state_record *rec)
{
	struct figures *f = &h->g->figures;

	return f->n_logins < FIGURES_METHODS ? state_read(rec, STATE_PARTS(STATE_PART("", login_fields, &f->logins[f->n_logins++])))
	                                     : -EBADMSG;
}

int figures_vhost_restore(struct handover *h, const struct state_record *rec)
{
	struct figures *f = &h->g->figures;

	if (f->n_vhosts == sizeof(f->vhosts) / sizeof(f->vhosts[0]))
		return -EBADMSG;
	return state_read(rec, STATE_PARTS(STATE_PART("", vhost_fields, &f->vhosts[f->n_vhosts++])));
}
