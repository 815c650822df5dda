#include "control/main/opening.h"

#include <stdlib.h>

#include "control/main/config.h"
#include "control/main/events.h"
#include "control/main/hook.h"
#include "control/main/ping.h"
#include "control/main/session.h"
#include "control/main/tally.h"
#include "control/main/usage.h"
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
	{ ENOTUNIQ, 503, REFUSED_ADDRESS, "the user's address is the gateway's own, or names a network" },
	{ EACCES, 503, -1, "what its user and group are granted cannot be used" },
	{ EXFULL, 503, REFUSED_CLIENTS, "as many clients as max-clients allows" },
	{ EMFILE, 503, REFUSED_TUNNEL, "as many tunnels as max-clients has room for" },
	{ EUSERS, 503, REFUSED_SAME, "the user has as many sessions as max-same-clients allows" },
	{ EDQUOT, 503, -1, "the quota of this day is used up" },
	{ EFBIG, 503, -1, "the quota of this month is used up" },
	{ EKEYEXPIRED, 503, -1, "the account has expired (valid-until)" },
	{ EPERM, 401, -1, "the session may not roam" },
	{ ENOENT, 401, -1, "its virtual host is no more" },
	{ ECONNREFUSED, 401, REFUSED_SCRIPT, "connect-script refuses it" },
	{ ETIMEDOUT, 401, REFUSED_SCRIPT, "connect-script takes longer than script-timeout" },
	{ ENOEXEC, 401, REFUSED_SCRIPT, "connect-script cannot be run" },
	{ ENOMEM, 503, REFUSED_TUNNEL, "out of memory" },
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

	for (int f = 0; f < 2; f++) {
		ping_cancel(o->asking[f].ping);
		for (unsigned i = 0; i < o->asking[f].n_occupied; i++)
			address_let(s->g, &o->asking[f].occupied[i]);
	}
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

// ---------------------------------------------------------------------------------------------------------------- asking

static bool *fresh_of(struct session *s, int family)
{
	return family == 4 ? &s->fresh4 : &s->fresh6;
}

static bool has_to_ask(const struct session *s)
{
	return (s->fresh4 || s->fresh6) && config_bool(s->g->config, OPT_PING_LEASES);
}

static void on_answer(void *who, bool answered)
{
	struct asking *a = who;
	struct opening *o = a->opening;
	struct session *s = o->session;
	char text[ADDR_TEXT];
	int ret = 0;

	a->ping = NULL;
	if (answered) {
		log_notice("session %u: %s is not lent: somebody answers there", s->id,
		           addr_text(a->family == 4 ? &s->ipv4 : &s->ipv6, text));
		ret = a->n_occupied == OPENING_PINGS ? -ENOSPC
		                                     : address_another(s, o->terms, a->family, &a->occupied[a->n_occupied]);
		a->n_occupied += ret == 0;
	} else {
		*fresh_of(s, a->family) = false;
	}
	if (ret < 0)
		refuse(o, ret);
	else
		opening_resume(o);
}

static void ask(struct asking *a)
{
	struct session *s = a->opening->session;
	bool *fresh = fresh_of(s, a->family);

	if (!*fresh || a->ping)
		return;
	a->ping = ping_start(s->g, a->family == 4 ? &s->ipv4 : &s->ipv6, on_answer, a);
	if (a->ping)
		return;
	log_err("ping-leases: %s", strerror(errno));
	*fresh = false;
}

// ----------------------------------------------------------------------------------------------------------------- steps

static int tunnel_take(struct opening *o, bool greeted)
{
	int ret = tunnel_add(o->session, o->conn, o->terms);

	if (ret < 0) {
		refuse(o, ret);
		return ret;
	}
	o->conn->tunnel->greeted = greeted;
	opening_free(o);
	return 0;
}

static void script_run(struct opening *o)
{
	// what came before in this session has its disconnect-script first
	if (o->hook || o->session->tunnels > 1)
		return;
	o->hook = hook_connect(o);
	if (!o->hook)
		refuse(o, -ENOMEM);
}

void opening_resume(struct opening *o)
{
	if (has_to_ask(o->session)) {
		ask(&o->asking[0]);
		ask(&o->asking[1]);
	}
	if (o->asking[0].ping || o->asking[1].ping)
		return;
	if (o->hook || hook_decides(o->session->g))
		script_run(o);
	else
		tunnel_take(o, false);
}

bool opening_decided(struct opening *o, enum program_end how)
{
	static const int why[] = { [PROGRAM_REFUSES] = -ECONNREFUSED, [PROGRAM_LATE] = -ETIMEDOUT, [PROGRAM_MISSING] = -ENOEXEC };

	o->hook = NULL;
	if (how == PROGRAM_DONE)
		return tunnel_take(o, true) == 0;
	refuse(o, why[how]);
	return false;
}

static int opening_new(struct session *s, struct conn *c, struct terms *terms)
{
	struct opening *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->conn = c;
	o->session = s;
	o->terms = terms_get(terms);
	o->asking[0] = (struct asking){ .opening = o, .family = 4 };
	o->asking[1] = (struct asking){ .opening = o, .family = 6 };
	s->tunnels++;
	s->opening = o;
	c->opening = o;
	opening_resume(o);
	return 0;
}

int opening_start(struct session *s, struct conn *c, struct terms *terms)
{
	int ret = usage_refuses(s->g, s, terms);

	if (ret < 0)
		return ret;
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
	return has_to_ask(s) || hook_decides(s->g) ? opening_new(s, c, terms) : tunnel_add(s, c, terms);
}
