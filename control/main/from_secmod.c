// sec-mod says whose a cookie is, which sessions are no more, and how logins end.
#include "control/main/admin.h"
#include "control/main/conn.h"
#include "control/main/events.h"
#include "control/main/keep.h"
#include "control/main/opening.h"
#include "control/main/metrics.h"
#include "control/main/peers.h"
#include "control/main/recover.h"
#include "control/main/reload.h"
#include "control/main/renew.h"
#include "control/main/session.h"
#include "control/main/supplement.h"
#include "control/main/supervise.h"
#include "control/main/tally.h"
#include "proto/err.h"

#define HANDLERS from_secmod
#define ON_SECMOD_MAIN(...) __VA_ARGS__
#include "proto/handlers.h"

const chan_handler *const from_secmod_handlers = from_secmod;

static int on_secmod_ready(void *who, const struct msg_secmod_ready *m, const int *fds)
{
	if (((struct child *)who)->next)
		renew_tried(who, m->ok, m->text);
	else if (m->ok)
		keep_ask(who, m->text);
	else
		child_ready(who, false, m->text);
	return 0;
}

static int on_session_kept(void *who, const struct msg_session_kept *m, const int *fds)
{
	struct gateway *g = ((struct child *)who)->g;

	if (g->recovery)
		recover_session(g, m);
	else
		keep_session(g, m);
	return 0;
}

static int on_sessions_told(void *who, const struct msg_sessions_told *m, const int *fds)
{
	recover_told(who);
	return 0;
}

static int on_sessions_restored(void *who, const struct msg_sessions_restored *m, const int *fds)
{
	keep_done(who, m);
	return 0;
}

// -------------------------------------------------------------------------------------------------------------- sessions

static int on_session_grant(void *who, const struct msg_session_grant *m, const int *fds)
{
	struct conn *c = conn_find(((struct child *)who)->g, m->conn);

	if (!c || c->link.chan.state != MW_OPENING || c->opening || c->tunnel)
		return 0;
	if (c->grants == LIMIT_GRANTS)
		return errno_log(EPROTO, "sec-mod: more than %d SESSION_GRANTs for a connection", LIMIT_GRANTS);
	c->grants++;
	if (config_grant(&c->granted, m->key, m->value, NULL, NULL) < 0)
		c->grants_bad = true;
	return 0;
}

// What its login brought has to be whole, and fit: something that is missing could be a restriction.
static bool is_granted(const struct conn *c, const struct msg_session_reply *m)
{
	return !c->grants_bad && c->grants == m->grants && (!c->granted || config_granted(c->granted, NULL, NULL) == 0);
}

static int session_connect(struct conn *c, const struct msg_session_reply *m)
{
	const struct policy_vhost *vhost = policy_vhost(&c->g->policy, m->vhost);
	struct session *s = vhost ? session_get(c->g, m) : NULL;
	struct terms *terms;
	int ret;

	if (!s)
		return vhost ? -ENOMEM : -ENOENT;
	if (!is_granted(c, m))
		return -EACCES;
	ret = supplement_terms(vhost->config, vhost->terms,
	                       &(struct supplement_of){ s->user, s->group, c->granted, &vhost->exposed }, &terms);
	if (ret < 0)
		return ret;
	ret = (terms->rules & RULE_DENY_ROAMING) && !addr_equal(&m->login, &c->client) ? -EPERM : opening_start(s, c, terms);
	terms_put(terms);
	return ret;
}

static int on_session_reply(void *who, const struct msg_session_reply *m, const int *fds)
{
	struct child *secmod = who;
	struct conn *c = conn_find(secmod->g, m->conn);
	int ret;

	if (m->ok && m->sid_len != SID_SIZE)
		return errno_log(EPROTO, "sec-mod: SESSION_REPLY without a sid");
	if (!c || c->link.chan.state != MW_OPENING || c->opening || c->tunnel) {
		if (m->ok)
			tally_unused(secmod->g, m->sid);
		return 0;
	}
	if (!m->ok) {
		conn_deny(c, 401, "", "the cookie is unknown or has expired");
		return 0;
	}
	ret = session_connect(c, m);
	config_free(c->granted);
	c->granted = NULL;
	if (ret == 0)
		return 0;
	tally_unused(secmod->g, m->sid);
	opening_refuse(c, ret, m->user);
	return 0;
}

static int on_session_change(void *who, const struct msg_session_change *m, const int *fds)
{
	change_session(((struct child *)who)->g, m);
	return 0;
}

static int on_session_gone(void *who, const struct msg_session_gone *m, const int *fds)
{
	struct child *secmod = who;
	struct session *s = session_find(secmod->g, m->sid);

	events_session_end(secmod->g, m, s);
	if (s)
		session_gone(s, (enum end_reason)m->reason);
	return 0;
}

// ---------------------------------------------------------------------------------------------------------------- logins

static int on_cookie_shown(void *who, const struct msg_cookie_shown *m, const int *fds)
{
	struct conn *c = conn_find(((struct child *)who)->g, m->conn);

	if (c)
		profile_login(c, m->user, m->group, m->vhost);
	return 0;
}

static int on_kdc_used(void *who, const struct msg_kdc_used *m, const int *fds)
{
	abuse_score(((struct child *)who)->g, &m->client, ABUSE_KKDCP);
	return 0;
}

static int on_auth_event(void *who, const struct msg_auth_event *m, const int *fds)
{
	static const char *const outcomes[] = { "logged in", "wrong user or password",    "the method failed",
		                                "went away", "went away after an answer", "certificate refused" };
	struct gateway *g = ((struct child *)who)->g;
	bool guess = m->outcome == AUTH_BAD || m->outcome == AUTH_HUNG_UP;
	struct conn *c;

	events_login(g, m, outcomes[m->outcome]);
	figures_login(g, m);
	stats_login(g, guess || m->outcome == AUTH_ERROR || m->outcome == AUTH_REFUSED, m->milliseconds);
	if (guess)
		abuse_guess(g, &m->client, m->user);
	c = m->outcome == AUTH_OK ? conn_find(g, m->conn) : NULL;
	if (c)
		profile_login(c, m->user, m->group, m->vhost);
	return 0;
}

// ------------------------------------------------------------------------------------------------------- lists, reload

static int on_session_row(void *who, const struct msg_session_row *m, const int *fds)
{
	admin_session_row(((struct child *)who)->g, m);
	return 0;
}

static int on_session_rows_end(void *who, const struct msg_session_rows_end *m, const int *fds)
{
	admin_session_rows_end(((struct child *)who)->g, m);
	return 0;
}

static int on_session_synced(void *who, const struct msg_session_synced *m, const int *fds)
{
	admin_session_synced(((struct child *)who)->g, m);
	return 0;
}

static int on_secmod_behind(void *who, const struct msg_secmod_behind *m, const int *fds)
{
	struct gateway *g = ((struct child *)who)->g;

	g->logins_wait = m->behind;
	if (m->behind)
		log_notice("logins wait: a connection every %u ms until they do not", g->policy.rate_limit_ms);
	else
		log_notice("logins do not wait any more");
	return 0;
}

static int on_auth_status_row(void *who, const struct msg_auth_status_row *m, const int *fds)
{
	struct gateway *g = ((struct child *)who)->g;

	if (metrics_asked(m->token))
		samples_auth_row(metrics_samples(g, m->token), m);
	else
		admin_auth_status_row(g, m);
	return 0;
}

static int on_auth_status_end(void *who, const struct msg_auth_status_end *m, const int *fds)
{
	struct gateway *g = ((struct child *)who)->g;

	if (!metrics_asked(m->token)) {
		admin_auth_status_end(g, m);
		return 0;
	}
	samples_auth_end(metrics_samples(g, m->token), m);
	metrics_answered(g, m->token, PART_SECMOD);
	return 0;
}

static int on_secmod_reloaded(void *who, const struct msg_secmod_reloaded *m, const int *fds)
{
	reload_secmod_ready(((struct child *)who)->g, m);
	return 0;
}

// That anything came at all is what counts (pulse.h).
static int on_secmod_pong(void *who, const struct msg_secmod_pong *m, const int *fds)
{
	return 0;
}
