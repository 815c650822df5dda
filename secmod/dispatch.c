#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/log.h"
#include "secmod/account.h"
#include "secmod/attempt.h"
#include "secmod/behind.h"
#include "secmod/clientcert.h"
#include "secmod/coa.h"
#include "secmod/resume.h"
#include "secmod/secmod.h"
#include "secmod/signing.h"
#include "secmod/spawn.h"
#include "secmod/store.h"

// --------------------------------------------------------------------------------------------------------- connections

static void conn_free(struct conn *conn)
{
	clientcert_drop(conn);
	settings_put(conn->settings);
	free(conn);
}

static void conn_close(struct conn *conn)
{
	struct secmod *sm = conn->sm;

	kdc_drop(conn);
	event_free(conn->readable);
	chan_fini(&conn->chan);
	signing_forget(conn);
	TAILQ_REMOVE(&sm->conns, conn, next);
	sm->n_conns--;
	if (conn->attempt != NULL && attempt_is_pending(conn->attempt) && sm->n_left < LEFT_MAX) {
		conn->left = true;
		TAILQ_INSERT_TAIL(&sm->left, conn, next);
		sm->n_left++;
		return;
	}
	if (conn->attempt != NULL)
		attempt_abandon(conn->attempt);
	conn_free(conn);
}

void conn_attempt_over(struct conn *conn)
{
	conn->attempt = NULL;
	if (!conn->left)
		return;
	TAILQ_REMOVE(&conn->sm->left, conn, next);
	conn->sm->n_left--;
	conn_free(conn);
}

static void on_worker_readable(evutil_socket_t fd, short what, void *who)
{
	struct conn *conn = who;
	int ret = conn->broken ? 0 : from_worker_serve(conn);

	// its own reply may have found the worker gone or deaf
	if (conn->broken || (ret <= 0 && ret != -EAGAIN))
		conn_close(conn);
}

// Numbers are those of one snapshot; what a reload leaves of a virtual host is found by its name.
const struct vhost *conn_vhost(const struct conn *conn)
{
	return settings_vhost(conn->sm->settings, conn->settings->vhosts[conn->vhost].name);
}

void conn_break(struct conn *conn)
{
	conn->broken = true;
	event_active(conn->readable, EV_READ, 0);
}

int conn_open(struct secmod *sm, int fd, const struct msg_worker_open *m)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	char client[ADDR_TEXT];
	struct chan *ch;
	int ret = -ENOMEM;

	if (conn == NULL)
		goto close_fd;
	conn->readable = event_new(sm->base, fd, EV_READ | EV_PERSIST, on_worker_readable, conn);
	if (conn->readable == NULL)
		goto free_conn;
	ret = evutil_make_socket_nonblocking(fd) < 0 || event_add(conn->readable, NULL) < 0 ? -EIO : 0;
	if (ret < 0)
		goto free_event;
	ch = &conn->chan;
	chan_init(ch, fd, ROLE_SECMOD, ROLE_WORKER, SW_HELLO, "worker %llu (%s)", (unsigned long long)m->conn,
	          addr_text(&m->client, client));
	conn->sm = sm;
	// main switches sec-mod and the nursery at one point of its stream of messages: a connection has the same of both
	conn->settings = settings_get(sm->settings);
	conn->id = m->conn;
	conn->client = m->client;
	conn->local = m->local;
	TAILQ_INSERT_TAIL(&sm->conns, conn, next);
	sm->n_conns++;
	behind_watch(sm);
	return 0;
free_event:
	event_free(conn->readable);
free_conn:
	free(conn);
close_fd:
	close(fd);
	return ret;
}

// ---------------------------------------------------------------------------------------------------------------- timers

void expiry_arm(struct secmod *sm)
{
	int64_t now = monotonic_ms(), ms = cookies_expire(sm->cookies, now), other = resumes_expire(sm->resumes, now);
	struct timeval in;

	if (ms < 0 || (other >= 0 && other < ms))
		ms = other;
	store_tidy(sm->store, now, (uint64_t)time(NULL));
	other = store_due(sm->store, now);
	if (ms < 0 || (other >= 0 && other < ms))
		ms = other;
	in = (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	if (ms < 0)
		evtimer_del(sm->expiry);
	else
		evtimer_add(sm->expiry, &in);
}

static void on_expiry(evutil_socket_t fd, short what, void *who)
{
	expiry_arm(who);
}

static void on_record_gone(void *who, const struct record *r, uint8_t reason)
{
	struct secmod *sm = who;
	struct msg_session_gone gone = { .sid_len = SID_SIZE, .reason = reason };

	memcpy(gone.sid, r->sid, SID_SIZE);
	// nobody hears of it before it is so for whoever comes after us
	store_drop(sm->store, r->sid);
	to_main(sm, MSG_SESSION_GONE, &gone);
	account_gone(sm->accounts, r->sid, (enum end_reason)reason);
}

static void on_record_changed(void *who, const struct record *r)
{
	struct secmod *sm = who;

	store_put(sm->store, r, monotonic_ms(), (uint64_t)time(NULL));
}

static void on_account_denied(void *who, const uint8_t sid[SID_SIZE])
{
	cookies_revoke_sid(((struct secmod *)who)->cookies, sid, END_TERMINATED);
}

// ------------------------------------------------------------------------------------------------------------------ main

static void on_main_readable(evutil_socket_t fd, short what, void *who)
{
	struct secmod *sm = who;
	int ret = from_main_serve(sm);

	if (ret <= 0 && ret != -EAGAIN)
		event_base_loopbreak(sm->base);
}

static void on_main_writable(evutil_socket_t fd, short what, void *who)
{
	to_main_flush(who);
}

// A request of another thread for a helper may wait for its answer just now: then it is alive.
static void on_spawner(evutil_socket_t fd, short what, void *who)
{
	if (spawner_is_alive())
		return;
	log_err("the process that starts helpers has died");
	event_base_loopbreak(((struct secmod *)who)->base);
}

static int set_up(struct secmod *sm)
{
	const struct settings *s = sm->settings;

	TAILQ_INIT(&sm->conns);
	TAILQ_INIT(&sm->left);
	STAILQ_INIT(&sm->out);
	sm->cookies = cookies_new(s->most_sessions, on_record_gone, on_record_changed, sm);
	sm->resumes = resumes_new(s->most_sessions);
	sm->accounts = accounts_new(on_account_denied, sm);
	sm->main_readable = event_new(sm->base, sm->main.fd, EV_READ | EV_PERSIST, on_main_readable, sm);
	sm->main_writable = event_new(sm->base, sm->main.fd, EV_WRITE, on_main_writable, sm);
	sm->spawner = event_new(sm->base, spawner_fd(), EV_READ | EV_PERSIST, on_spawner, sm);
	sm->expiry = evtimer_new(sm->base, on_expiry, sm);
	if (sm->cookies == NULL || sm->resumes == NULL || sm->accounts == NULL || sm->main_readable == NULL ||
	    sm->main_writable == NULL || sm->spawner == NULL || sm->expiry == NULL)
		return -ENOMEM;
	return event_add(sm->main_readable, NULL) < 0 || event_add(sm->spawner, NULL) < 0 ? -EIO : 0;
}

static void tear_down(struct secmod *sm)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&sm->conns)) != NULL)
		conn_close(conn);
	while ((conn = TAILQ_FIRST(&sm->left)) != NULL)
		attempt_abandon(conn->attempt);
	to_main_fini(sm);
	coa_free(sm->coa);
	cookies_free(sm->cookies);
	accounts_free(sm->accounts);
	store_close(sm->store);
	resumes_free(sm->resumes);
	proofs_free(sm->proofs);
	behind_fini(sm);
	if (sm->expiry != NULL)
		event_free(sm->expiry);
	if (sm->spawner != NULL)
		event_free(sm->spawner);
	if (sm->main_writable != NULL)
		event_free(sm->main_writable);
	if (sm->main_readable != NULL)
		event_free(sm->main_readable);
}

int dispatch_run(struct secmod *sm)
{
	int ret = set_up(sm);

	if (ret == 0 && event_base_dispatch(sm->base) < 0)
		ret = -EIO;
	tear_down(sm);
	return ret;
}
