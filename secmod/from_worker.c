#include <errno.h>
#include <string.h>

#include "proto/err.h"
#include "secmod/attempt.h"
#include "secmod/clientcert.h"
#include "secmod/key.h"
#include "secmod/secmod.h"

#define HANDLERS from_worker
#define ON_WORKER_SECMOD(...) __VA_ARGS__
#include "proto/handlers.h"

// A worker can have no more than these in its life; the bound keeps one from holding up the loop.
#define SERVE_MOST 4

static int on_sign_req(void *who, const struct msg_sign_req *m, const int *fds)
{
	struct conn *conn = who;
	const struct vhost *v = &conn->sm->settings->vhosts[conn->vhost];
	struct msg_sign_rep rep = { .ok = 1 };
	int ret;

	ret = m->vhost == 0 && m->key < v->n_keys
	              ? key_sign(v->key[m->key], m->scheme, m->tbs, m->tbs_len, rep.signature, &rep.signature_len)
	              : -ENOENT;
	if (ret < 0) {
		rep = (struct msg_sign_rep){ .ok = 0 };
		CHAN_SEND(&conn->chan, SIGN_REP, &rep);
		return errno_log(-ret, "%s: will not sign %u bytes with key %u by scheme 0x%04x", conn->chan.name, m->tbs_len,
		                 m->key, m->scheme);
	}
	ret = clientcert_signed(conn, v->key[m->key], m, &rep);
	if (ret < 0)
		return ret;
	chan_enter(&conn->chan, SW_SIGNED);
	return CHAN_SEND(&conn->chan, SIGN_REP, &rep);
}

static int on_auth_init(void *who, const struct msg_auth_init *m, const int *fds)
{
	return attempt_begin(who, m);
}

static int on_auth_cont(void *who, const struct msg_auth_cont *m, const int *fds)
{
	struct conn *conn = who;

	return attempt_answer(conn->attempt, m);
}

static int on_auth_token(void *who, const struct msg_auth_token *m, const int *fds)
{
	struct conn *conn = who;

	return attempt_token(conn->attempt, m);
}

static int on_groups_ask(void *who, const struct msg_groups_ask *m, const int *fds)
{
	struct conn *conn = who;
	const struct way *way = vhost_way(&conn->sm->settings->vhosts[conn->vhost], m->kind);
	struct msg_groups_list list = { 0 };

	if (way != NULL && way->groups != NULL)
		strcpy(list.names, way->groups);
	return CHAN_SEND(&conn->chan, GROUPS_LIST, &list);
}

static int on_cert_part(void *who, const struct msg_cert_part *m, const int *fds)
{
	return clientcert_part(who, m);
}

static int on_cert_prove(void *who, const struct msg_cert_prove *m, const int *fds)
{
	return clientcert_prove(who, m);
}

int from_worker_serve(struct conn *conn)
{
	return chan_serve(&conn->chan, from_worker, conn, SERVE_MOST);
}
