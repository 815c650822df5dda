#include "secmod/signing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/err.h"
#include "secmod/clientcert.h"
#include "secmod/key.h"
#include "secmod/pool.h"
#include "secmod/secmod.h"

// A worker waits 15 s: what is further back than this would come too late even where a signature takes 4 ms (RSA-8192: 10 ms).
#define QUEUE_MOST 4096
#define TOKEN_QUEUE_MOST 64 // a token makes some 5 to 50 signatures a second
#define PATIENCE_MS 2000

struct signing_lane {
	struct pool *pool;
	struct event *ready;
};

struct signing {
	struct pool_job job;
	struct conn *conn;         // NULL: it has gone
	struct settings *settings; // a reference, for the key
	const struct key *key;
	int ret;
	struct msg_sign_req req;
	struct msg_sign_rep rep;
};

static struct {
	struct event_base *base;
	struct signing_lane *workers;
	unsigned pending; // in all lanes
} all;

// ----------------------------------------------------------------------------------------------------------------- lanes

static void on_ready(evutil_socket_t fd, short what, void *pool)
{
	pool_reap(pool);
}

static struct signing_lane *lane_new(unsigned threads, unsigned most)
{
	struct signing_lane *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->pool = pool_new_urgent(threads, most, 0);
	l->ready = l->pool != NULL ? event_new(all.base, pool_fd(l->pool), EV_READ | EV_PERSIST, on_ready, l->pool) : NULL;
	if (l->ready != NULL && event_add(l->ready, NULL) == 0)
		return l;
	signing_lane_free(l);
	errno = ENOMEM;
	return NULL;
}

static int lane_stop(struct signing_lane *l)
{
	int ret = l->pool != NULL ? pool_stop(l->pool, PATIENCE_MS) : 0;

	if (l->ready != NULL)
		event_free(l->ready);
	free(l);
	return ret;
}

struct signing_lane *signing_lane_new(void)
{
	return lane_new(1, TOKEN_QUEUE_MOST);
}

void signing_lane_free(struct signing_lane *l)
{
	if (l != NULL)
		lane_stop(l);
}

void signing_init(struct event_base *base)
{
	all.base = base;
}

int signing_start(unsigned threads)
{
	all.workers = lane_new(threads, QUEUE_MOST);
	return all.workers != NULL ? 0 : -errno;
}

int signing_stop(void)
{
	int ret = all.workers != NULL ? lane_stop(all.workers) : 0;

	all.workers = NULL;
	return ret < 0 || all.pending > 0 ? -EBUSY : 0;
}

void signing_health(health_row row, void *who)
{
	struct health h = { .name = "signatures", .state = "made by key workers" };

	if (all.workers == NULL)
		return;
	pool_health(all.workers->pool, &h);
	row(who, &h);
}

// ------------------------------------------------------------------------------------------------------------ signatures

static int refuse(struct conn *conn)
{
	chan_enter(&conn->chan, SW_DONE);
	return CHAN_SEND(&conn->chan, SIGN_REP, &(struct msg_sign_rep){ .ok = 0 });
}

static int answer(struct conn *conn, const struct key *key, const struct msg_sign_req *req, struct msg_sign_rep *rep)
{
	int ret;

	rep->ok = 1;
	ret = clientcert_signed(conn, key, req, rep);
	if (ret < 0)
		return ret;
	chan_enter(&conn->chan, SW_SIGNED);
	return CHAN_SEND(&conn->chan, SIGN_REP, rep);
}

// In a thread.
static void run(struct pool_job *job, void *scratch)
{
	struct signing *s = (struct signing *)job;

	s->ret = key_sign(s->key, s->req.scheme, s->req.tbs, s->req.tbs_len, s->rep.signature, &s->rep.signature_len);
}

static void done(struct pool_job *job)
{
	struct signing *s = (struct signing *)job;
	struct conn *conn = s->conn;

	all.pending--;
	if (conn != NULL) {
		conn->signing = NULL;
		if ((s->ret == 0 ? answer(conn, s->key, &s->req, &s->rep) : refuse(conn)) < 0)
			conn_break(conn);
	}
	settings_put(s->settings);
	free(s);
}

static int hand_over(struct conn *conn, const struct key *key, struct signing_lane *lane, const struct msg_sign_req *m)
{
	struct signing *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->job.run = run;
	s->job.done = done;
	s->conn = conn;
	s->key = key;
	s->req = *m;
	s->ret = -ECANCELED; // that of a job which the end of the process finds waiting
	if (pool_put(lane->pool, &s->job) < 0) {
		free(s);
		return -EAGAIN;
	}
	s->settings = settings_get(conn->settings);
	conn->signing = s;
	all.pending++;
	chan_enter(&conn->chan, SW_BUSY);
	return 0;
}

static int sign_here(struct conn *conn, const struct key *key, const struct msg_sign_req *m)
{
	struct msg_sign_rep rep = { 0 };
	int ret = key_sign(key, m->scheme, m->tbs, m->tbs_len, rep.signature, &rep.signature_len);

	return ret < 0 ? refuse(conn) : answer(conn, key, m, &rep);
}

int signing_begin(struct conn *conn, const struct msg_sign_req *m)
{
	const struct settings *s = conn->settings;
	const struct vhost *v = m->vhost < s->n_vhosts ? &s->vhosts[m->vhost] : NULL;
	const struct key *key = v != NULL && m->key < v->n_keys ? v->key[m->key] : NULL;
	int ret;

	if (key == NULL || !key_may_sign(key, m->scheme, m->tbs, m->tbs_len)) {
		refuse(conn);
		return errno_log(EPERM, "%s: will not sign %u bytes with key %u of vhost %u by scheme 0x%04x", conn->chan.name,
		                 m->tbs_len, m->key, m->vhost, m->scheme);
	}
	conn->vhost = m->vhost;
	if (key_is_quick(key))
		return sign_here(conn, key, m);
	ret = hand_over(conn, key, v->lane[m->key] != NULL ? v->lane[m->key] : all.workers, m);
	if (ret == 0)
		return 0;
	log_warn("%s: no signature: %s", conn->chan.name, ret == -EAGAIN ? "too many wait already" : strerror(-ret));
	return refuse(conn);
}

void signing_forget(struct conn *conn)
{
	if (conn->signing != NULL)
		conn->signing->conn = NULL;
	conn->signing = NULL;
}
