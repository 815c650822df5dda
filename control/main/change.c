#include "control/main/change.h"

#include <stdlib.h>

#include "control/main/keep.h"
#include "control/main/limit.h"
#include "control/main/order.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "control/main/supplement.h"
#include "proto/err.h"

// What the dataplane does at the tunnel; the session's times are main's own.
#define OF_THE_TUNNEL (CHANGE_RX_RATE | CHANGE_TX_RATE | CHANGE_IDLE_TIMEOUT | CHANGE_FILTER)

// Tokens of the operator's changes, beside those that sec-mod counts.
#define BY_OPERATOR (1u << 31)

struct change {
	uint32_t token;
	struct changes changes;
	struct kept kept;
	uint32_t session_timeout; // with CHANGE_SESSION_TIMEOUT
};

void change_free(struct change *c)
{
	if (c)
		terms_put(c->changes.filter);
	free(c);
}

static void answer(struct gateway *g, uint32_t token, enum change_result result)
{
	const struct msg_session_changed m = { .token = token, .result = (uint8_t)result };

	if (token & BY_OPERATOR)
		limit_done(g, token & ~BY_OPERATOR, result);
	else if (g->secmod)
		LINK_SEND(&g->secmod->link, SESSION_CHANGED, &m);
}

static struct kept with_changes(struct kept k, const struct changes *c)
{
	if (c->what & CHANGE_RX_RATE)
		k.rx_rate = c->rx_rate;
	if (c->what & CHANGE_TX_RATE)
		k.tx_rate = c->tx_rate;
	if (c->what & CHANGE_IDLE_TIMEOUT)
		k.idle_timeout = c->idle_timeout;
	if (c->filter)
		k.where = c->filter;
	return k;
}

struct kept change_kept(const struct session *s, const struct terms *terms, bool mobile)
{
	const struct kept k = {
		.where = terms,
		.rx_rate = terms->rx_rate,
		.tx_rate = terms->tx_rate,
		.idle_timeout = mobile ? terms->mobile_idle_timeout : terms->idle_timeout,
	};

	return with_changes(k, &s->changed);
}

void change_lost(struct tunnel *t)
{
	struct change *c = t->change;

	if (!c)
		return;
	t->change = NULL;
	answer(t->g, c->token, CHANGE_FAILED);
	change_free(c);
}

// ----------------------------------------------------------------------------------------------------------------- filter

// The name of the session's own group takes a filter away: then its own files count again.
static int filter_set(struct change *c, const struct session *s, const char *name)
{
	const struct policy_vhost *v = policy_vhost(&s->g->policy, s->vhost);
	struct terms *filter = NULL;
	int ret = 0;

	if (strcmp(name, s->group) != 0)
		ret = v ? supplement_filter(v->config, name, &filter) : -ENOENT;
	if (ret < 0)
		return ret;
	terms_put(c->changes.filter);
	c->changes.filter = filter;
	return 0;
}

// ------------------------------------------------------------------------------------------------------------------ apply

// It begins with what holds already: a change names some things only.
static struct change *change_new(const struct session *s, const struct msg_session_change *m, uint32_t token)
{
	struct change *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->token = token;
	c->changes = s->changed;
	if (c->changes.filter)
		terms_get(c->changes.filter);
	c->changes.what |= m->what;
	if (m->what & CHANGE_RX_RATE)
		c->changes.rx_rate = m->rx_rate;
	if (m->what & CHANGE_TX_RATE)
		c->changes.tx_rate = m->tx_rate;
	if (m->what & CHANGE_IDLE_TIMEOUT)
		c->changes.idle_timeout = m->idle_timeout;
	c->session_timeout = m->what & CHANGE_SESSION_TIMEOUT ? m->session_timeout : s->timeout;
	return c;
}

// From here on it holds; t: the tunnel that has it in force already, or NULL.
static void apply(struct session *s, struct change *c, struct tunnel *t)
{
	struct terms *before = s->changed.filter;
	bool timeout = c->session_timeout != s->timeout;

	if (c->changes.filter)
		terms_keep(s->g, c->changes.filter);
	session_changed(s);
	if (t)
		tunnel_touched(t);
	s->changed = c->changes;
	c->changes.filter = NULL;
	s->timeout = c->session_timeout;
	if (t)
		t->kept = c->kept;
	if (t && timeout)
		tunnel_retime(t);
	if (timeout)
		keep_lease(s);
	terms_put(before);
	log_info("session %u: user '%s' is changed by %s", s->id, s->user,
	         c->token & BY_OPERATOR ? "the operator" : "an authorization server");
	change_free(c);
}

// *later: it is the dataplane's turn, and the answer comes then.
static enum change_result start(struct session *s, struct change *c, uint8_t what, bool *later)
{
	struct tunnel *t = s->tunnel;
	struct kept own;

	if (!t) {
		apply(s, c, NULL);
		return CHANGE_DONE;
	}
	own = t->kept;
	own.where = t->terms;
	c->kept = with_changes(own, &c->changes);
	if (!(what & OF_THE_TUNNEL)) {
		apply(s, c, t);
		return CHANGE_DONE;
	}
	if (order_change(t, &c->kept, c->token) < 0) {
		change_free(c);
		return CHANGE_FAILED;
	}
	t->change = c;
	*later = true;
	return CHANGE_DONE;
}

static enum change_result change(struct session *s, const struct msg_session_change *m, uint32_t token, bool *later)
{
	struct change *c;
	int ret = 0;

	if (s->tunnel && (s->tunnel->change || s->tunnel->phase == TUNNEL_ADDING || s->tunnel->where != WHERE_DATAPLANE))
		return CHANGE_BUSY;
	c = change_new(s, m, token);
	if (!c)
		return CHANGE_FAILED;
	if (m->what & CHANGE_FILTER)
		ret = filter_set(c, s, m->filter);
	if (ret == 0)
		return start(s, c, m->what, later);
	change_free(c);
	return ret == -ENOENT ? CHANGE_NO_FILTER : CHANGE_FAILED;
}

void change_session(struct gateway *g, const struct msg_session_change *m)
{
	struct session *s = m->sid_len == SID_SIZE ? session_find(g, m->sid) : NULL;
	uint32_t token = m->token & ~BY_OPERATOR;
	enum change_result result = CHANGE_DONE;
	bool later = false;

	if (!s)
		result = CHANGE_NO_SESSION;
	else if (m->end)
		session_terminate(s, END_TERMINATED);
	else
		result = change(s, m, token, &later);
	if (!later)
		answer(g, token, result);
}

void change_by_operator(struct session *s, const struct msg_session_change *m, uint32_t token)
{
	struct gateway *g = s->g;
	bool later = false;
	enum change_result result = change(s, m, token | BY_OPERATOR, &later);

	if (!later)
		answer(g, token | BY_OPERATOR, result);
}

void change_done(struct gateway *g, const struct msg_tunnel_changed *m)
{
	struct tunnel *t = tunnel_find(g, m->tunnel);
	struct change *c = t ? t->change : NULL;

	// its tunnel may have left meanwhile, and its number be another's
	if (!c || c->token != m->token) {
		answer(g, m->token, CHANGE_NO_SESSION);
		return;
	}
	t->change = NULL;
	if (m->ok && t->phase == TUNNEL_UP) {
		apply(t->session, c, t);
		answer(g, m->token, CHANGE_DONE);
		return;
	}
	if (!m->ok)
		log_err("session %u: the dataplane refuses a change: %s", t->session->id, m->text);
	change_free(c);
	answer(g, m->token, CHANGE_FAILED);
}
