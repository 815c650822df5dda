#include <errno.h>
#include <string.h>

#include "proto/err.h"
#include "proto/text.h"
#include "secmod/behind.h"
#include "secmod/grants.h"
#include "secmod/health.h"
#include "secmod/account.h"
#include "secmod/coa.h"
#include "secmod/method.h"
#include "secmod/resume.h"
#include "secmod/secmod.h"
#include "secmod/store.h"

#define HANDLERS from_main
#define ON_MAIN_SECMOD(...) __VA_ARGS__
#include "proto/handlers.h"

#define SERVE_MOST 64

static int on_worker_open(void *who, const struct msg_worker_open *m, const int *fds)
{
	int ret = conn_open(who, chan_take_fd(fds, 0), m);

	// no violation of main's: that one connection goes without
	if (ret < 0)
		log_err("connection %llu: %s", (unsigned long long)m->conn, strerror(-ret));
	return 0;
}

static void send_grants(struct secmod *sm, const struct record *r, struct msg_session_reply *reply)
{
	struct msg_session_grant grant = { .conn = reply->conn };
	const char *key, *value;

	for (unsigned i = 0; grants_nth(r->grants, i, &key, &value); i++) {
		if (key[0] == GRANT_OWN)
			continue;
		strcpy(grant.key, key);
		strcpy(grant.value, value);
		to_main(sm, MSG_SESSION_GRANT, &grant);
		reply->grants++;
	}
}

static int on_session_open(void *who, const struct msg_session_open *m, const int *fds)
{
	struct secmod *sm = who;
	const struct record *r = cookies_open(sm->cookies, m->cookie, &m->client, monotonic_ms());
	struct msg_session_reply reply = { .conn = m->conn };

	if (r != NULL) {
		reply.ok = 1;
		reply.sid_len = SID_SIZE;
		memcpy(reply.sid, r->sid, SID_SIZE);
		strcpy(reply.user, r->user);
		strcpy(reply.group, r->group);
		strcpy(reply.vhost, r->vhost);
		reply.created = r->created;
		reply.login = r->login;
		reply.certified = r->certified;
		strcpy(reply.method, r->method);
		strcpy(reply.acct_id, r->acct_id);
		send_grants(sm, r, &reply);
	}
	to_main(sm, MSG_SESSION_REPLY, &reply);
	return 0;
}

static int on_session_close(void *who, const struct msg_session_close *m, const int *fds)
{
	struct secmod *sm = who;

	account_closed(sm->accounts, m);
	// a record that is gone already (revoked in the meantime) needs no closing
	cookies_close(sm->cookies, m->sid, m->revoke, m->reason, monotonic_ms());
	expiry_arm(sm);
	return 0;
}

static int on_session_up(void *who, const struct msg_session_up *m, const int *fds)
{
	struct secmod *sm = who;

	account_up(sm->accounts, cookies_find(sm->cookies, m->sid), sm->settings, m);
	return 0;
}

static int on_session_stats(void *who, const struct msg_session_stats *m, const int *fds)
{
	account_stats(((struct secmod *)who)->accounts, m);
	return 0;
}

static int on_session_changed(void *who, const struct msg_session_changed *m, const int *fds)
{
	coa_changed(((struct secmod *)who)->coa, m);
	return 0;
}

static int on_session_revoke(void *who, const struct msg_session_revoke *m, const int *fds)
{
	struct secmod *sm = who;

	if (m->sid_len == SID_SIZE)
		cookies_revoke_sid(sm->cookies, m->sid, END_TERMINATED);
	else if (m->sid_len > 0)
		return errno_log(EPROTO, "%s: SESSION_REVOKE with half a sid", sm->main.name);
	if (m->user[0] != '\0')
		cookies_revoke_user(sm->cookies, m->user, END_TERMINATED);
	return 0;
}

static int on_session_lease(void *who, const struct msg_session_lease *m, const int *fds)
{
	struct secmod *sm = who;
	struct record what = { .ipv4 = m->ipv4, .ipv6 = m->ipv6, .session_timeout = m->timeout };

	if (m->connected != 0)
		what.connected = monotonic_ms() / 1000 - ((int64_t)time(NULL) - (int64_t)m->connected);

	// it may have been revoked in the meantime
	cookies_lease(sm->cookies, m->sid, &what);
	return 0;
}

static int on_session_sync(void *who, const struct msg_session_sync *m, const int *fds)
{
	to_main(who, MSG_SESSION_SYNCED, &(struct msg_session_synced){ .token = m->token });
	return 0;
}

static int on_session_list(void *who, const struct msg_session_list *m, const int *fds)
{
	to_main_list(who, m->token);
	return 0;
}

// ---------------------------------------------------------------------------------------------------------------- health

struct health_answer {
	struct secmod *sm;
	uint32_t token;
};

static void tell_health(void *who, const struct health *h)
{
	const struct health_answer *a = who;
	struct msg_auth_status_row m = { .token = a->token,
		                         .kind = h->kind,
		                         .down = h->down,
		                         .outstanding = h->outstanding,
		                         .room = h->room,
		                         .asked = h->asked,
		                         .timeouts = h->timeouts,
		                         .failures = h->failures,
		                         .answers = h->times.count,
		                         .average = health_average_us(&h->times),
		                         .most = h->times.most_us };

	text_copy(m.name, HEALTH_NAME, h->name);
	text_copy(m.owner, HEALTH_NAME, h->owner);
	text_copy(m.state, HEALTH_STATE, h->state);
	to_main(a->sm, MSG_AUTH_STATUS_ROW, &m);
}

static int on_auth_status(void *who, const struct msg_auth_status *m, const int *fds)
{
	struct secmod *sm = who;
	struct health_answer answer = { sm, m->token };
	struct msg_auth_status_end end = { .token = m->token, .attempts = sm->n_left, .connections = sm->n_conns };
	const struct conn *conn;

	TAILQ_FOREACH(conn, &sm->conns, next)
	end.attempts += conn->attempt != NULL;
	health_report(sm, tell_health, &answer);
	to_main(sm, MSG_AUTH_STATUS_END, &end);
	return 0;
}

// -------------------------------------------------------------------------------------------------------------- restarts

// Main reckons by the wall clock of this moment.
static uint64_t connected_at(const struct record *r)
{
	int64_t at = (int64_t)time(NULL) - (monotonic_ms() / 1000 - r->connected);

	return r->connected == 0 ? 0 : at > 0 ? (uint64_t)at : 1;
}

static void tell_kept(void *who, const struct record *r)
{
	struct msg_session_kept m = { .sid_len = SID_SIZE,
		                      .created = r->created,
		                      .ipv4 = r->ipv4,
		                      .ipv6 = r->ipv6,
		                      .connected = connected_at(r),
		                      .timeout = r->session_timeout };

	memcpy(m.sid, r->sid, SID_SIZE);
	strcpy(m.user, r->user);
	strcpy(m.group, r->group);
	strcpy(m.vhost, r->vhost);
	strcpy(m.method, r->method);
	strcpy(m.acct_id, r->acct_id);
	m.certified = r->certified;
	to_main_wait(who, MSG_SESSION_KEPT, &m);
}

static int on_sessions_restore(void *who, const struct msg_sessions_restore *m, const int *fds)
{
	struct secmod *sm = who;
	struct msg_sessions_restored done = { 0 };

	if (!sm->settings->trial)
		accounts_serve(sm->settings, !m->again);
	if (m->path[0] != '\0')
		sm->store = store_open(m->path, sm->cookies, sm->boot, monotonic_ms(), (uint64_t)time(NULL), done.text);
	done.ok = sm->store != NULL;
	cookies_each(sm->cookies, tell_kept, sm);
	done.count = cookies_count(sm->cookies);
	to_main(sm, MSG_SESSIONS_RESTORED, &done);
	expiry_arm(sm);
	return 0;
}

// Another main, and we have not been started anew: nothing is loaded, and nothing is said of accounts.
static int on_sessions_ask(void *who, const struct msg_sessions_ask *m, const int *fds)
{
	struct secmod *sm = who;

	cookies_each(sm->cookies, tell_kept, sm);
	to_main(sm, MSG_SESSIONS_TOLD, &(struct msg_sessions_told){ .count = cookies_count(sm->cookies) });
	return 0;
}

static int on_session_resume(void *who, const struct msg_session_resume *m, const int *fds)
{
	struct secmod *sm = who;
	struct msg_session_gone gone = { .sid_len = SID_SIZE };

	if (cookies_resume(sm->cookies, m->sid, m->uses, monotonic_ms()) == 0) {
		expiry_arm(sm);
		return 0;
	}
	// its time ran out in the meantime
	memcpy(gone.sid, m->sid, SID_SIZE);
	to_main(sm, MSG_SESSION_GONE, &gone);
	return 0;
}

static int on_secmod_ping(void *who, const struct msg_secmod_ping *m, const int *fds)
{
	to_main(who, MSG_SECMOD_PONG, &(struct msg_secmod_pong){ .number = m->number });
	return 0;
}

// ---------------------------------------------------------------------------------------------------------------- reload

static struct settings *load_beside(int fd, char text[LIMIT_TEXT + 1])
{
	struct snapshot *snap;
	struct settings *s;
	int ret;

	ret = snapshot_open(fd, &snap);
	if (ret < 0) {
		text_format(text, "the configuration cannot be read: %s", strerror(-ret));
		return NULL;
	}
	s = settings_load(snap, text);
	snapshot_free(snap);
	return s;
}

static int on_secmod_reload(void *who, const struct msg_secmod_reload *m, const int *fds)
{
	struct secmod *sm = who;
	struct msg_secmod_reloaded reply = { .token = m->token };

	settings_put(sm->pending);
	sm->pending = load_beside(fds[0], reply.text);
	sm->pending_token = m->token;
	reply.ok = sm->pending != NULL;
	to_main(sm, MSG_SECMOD_RELOADED, &reply);
	return 0;
}

static int on_secmod_switch(void *who, const struct msg_secmod_switch *m, const int *fds)
{
	struct secmod *sm = who;
	char text[LIMIT_TEXT + 1];

	if (sm->pending == NULL || sm->pending_token != m->token)
		return 0; // it was refused, or a later reload has taken its place
	if (m->commit) {
		if (coa_listen(sm->coa, sm->pending->coa, text) < 0)
			log_err("%s", text);
		accounts_serve(sm->pending, true);
		settings_put(sm->settings);
		sm->settings = sm->pending;
		behind_watch(sm);
		cookies_configure(sm->cookies, sm->settings->most_sessions);
		resumes_configure(sm->resumes, sm->settings->most_sessions);
	} else {
		settings_put(sm->pending);
	}
	sm->pending = NULL;
	return 0;
}

int from_main_serve(struct secmod *sm)
{
	return chan_serve(&sm->main, from_main, sm, SERVE_MOST);
}
