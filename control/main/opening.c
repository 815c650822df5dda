#include "control/main/opening.h"

#include <stdlib.h>

#include "control/main/events.h"
#include "control/main/hook.h"
#include "control/main/session.h"
#include "control/main/tally.h"
#include "proto/err.h"

// --------------------------------------------------------------------------------------------------------------- refusal

static const struct refusal {
	int why;
	uint16_t status; // of HTTP; 401: the client need not try again
	int counts;      // enum refused; -1: nothing is full
	const char *reason;
} refusals[] = {
	{ ENOSPC, 503, REFUSED_ADDRESS, "no address is free in ipv4-network or ipv6-network" },
	{ EADDRNOTAVAIL, 503, REFUSED_ADDRESS, "no address of a kind that the client takes" },
	{ EADDRINUSE, 503, REFUSED_ADDRESS, "another session has the user's address" },
	{ EACCES, 503, -1, "what its user and group are granted cannot be used" },
	{ EMFILE, 503, REFUSED_TUNNEL, "as many tunnels as max-clients has room for" },
	{ EUSERS, 503, REFUSED_SAME, "the user has as many sessions as max-same-clients allows" },
	{ EPERM, 401, -1, "the session may not roam" },
	{ ENOENT, 401, -1, "its virtual host is no more" },
	{ ECONNREFUSED, 401, REFUSED_SCRIPT, "connect-script refuses it" },
	{ ETIMEDOUT, 401, REFUSED_SCRIPT, "connect-script takes longer than script-timeout" },
	{ ENOEXEC, 401, REFUSED_SCRIPT, "connect-script cannot be run" },
	{ 0, 503, REFUSED_TUNNEL, "no tunnel" },
};

void opening_refuse(struct conn *c, int why, const char *user)
{
	const struct refusal *r = refusals;

	while (r->why && r->why != -why)
		r++;
	if (r->counts >= 0)
		stats_refused(c->g, (enum refused)r->counts);
	conn_deny(c, r->status, user, r->reason);
}

// --------------------------------------------------------------------------------------------------------------- opening

static void opening_free(struct opening *o)
{
	struct session *s = o->session;

	o->conn->opening = NULL;
	if (s->opening == o)
		s->opening = NULL;
	terms_put(o->terms);
	free(o);
	session_tunnel_over(s);
}

void opening_cancel(struct opening *o)
{
	if (o->hook)
		hook_abandon(o->hook);
	tally_unused(o->session->g, o->session->sid);
	opening_free(o);
}

// conn_deny() ends the connection, and that its opening.
static void refuse(struct opening *o, int why)
{
	char user[LIMIT_USER + 1];

	snprintf(user, sizeof(user), "%s", o->session->user);
	opening_refuse(o->conn, why, user);
}

void opening_resume(struct opening *o)
{
	// what came before in this session has its disconnect-script first
	if (o->hook || o->session->tunnels > 1)
		return;
	o->hook = hook_connect(o);
	if (!o->hook)
		refuse(o, -ENOMEM);
}

bool opening_decided(struct opening *o, enum program_end how)
{
	static const int why[] = { [PROGRAM_REFUSES] = -ECONNREFUSED, [PROGRAM_LATE] = -ETIMEDOUT, [PROGRAM_MISSING] = -ENOEXEC };
	int ret = how == PROGRAM_DONE ? tunnel_add(o->session, o->conn, o->terms) : why[how];

	o->hook = NULL;
	if (ret < 0) {
		refuse(o, ret);
		return false;
	}
	o->conn->tunnel->greeted = true;
	opening_free(o);
	return true;
}

static int opening_new(struct session *s, struct conn *c, struct terms *terms)
{
	struct opening *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->conn = c;
	o->session = s;
	o->terms = terms_get(terms);
	s->tunnels++;
	s->opening = o;
	c->opening = o;
	opening_resume(o);
	return 0;
}

int opening_start(struct session *s, struct conn *c, struct terms *terms)
{
	int ret;

	if (terms->max_same_clients && session_siblings(s) >= terms->max_same_clients)
		return -EUSERS;
	// the old one goes before the new one comes: both have the same addresses
	if (s->opening)
		conn_end(s->opening->conn, END_REPLACED);
	if (s->tunnel)
		conn_end(s->tunnel->conn, END_REPLACED);
	ret = address_lend(s, terms, c->info->want_ipv4, c->info->want_ipv6);
	if (ret < 0)
		return ret;
	return hook_decides(s->g) ? opening_new(s, c, terms) : tunnel_add(s, c, terms);
}
