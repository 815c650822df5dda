#include <string.h>

#include "secmod/attempt.h"
#include "secmod/clientcert.h"
#include "secmod/resumption.h"
#include "secmod/secmod.h"
#include "secmod/signing.h"

#define HANDLERS from_worker
#define ON_WORKER_SECMOD(...) __VA_ARGS__
#include "proto/handlers.h"

// A worker can have no more than these in its life; the bound keeps one from holding up the loop.
#define SERVE_MOST 4

static int on_sign_req(void *who, const struct msg_sign_req *m, const int *fds)
{
	return signing_begin(who, m);
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
	const struct vhost *vhost = conn_vhost(conn);
	const struct way *way = vhost != NULL ? vhost_way(vhost, m->kind) : NULL;
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

static int on_resume_fetch(void *who, const struct msg_resume_fetch *m, const int *fds)
{
	return resumption_fetch(who, m);
}

static int on_resume_store(void *who, const struct msg_resume_store *m, const int *fds)
{
	return resumption_store(who, m);
}

static int on_resume_delete(void *who, const struct msg_resume_delete *m, const int *fds)
{
	return resumption_delete(who, m);
}

static void tell_shown(const struct conn *conn, const struct record *r)
{
	struct msg_cookie_shown m = { .conn = conn->id };

	strcpy(m.user, r->user);
	strcpy(m.group, r->group);
	strcpy(m.vhost, r->vhost);
	to_main(conn->sm, MSG_COOKIE_SHOWN, &m);
}

// A profile is no session: main, who alone knows who may roam, is not asked, so nobody may.
static int on_cookie_show(void *who, const struct msg_cookie_show *m, const int *fds)
{
	struct conn *conn = who;
	const struct vhost *vhost = conn_vhost(conn);
	const struct record *r = cookies_look(conn->sm->cookies, m->cookie, monotonic_ms());
	struct msg_cookie_seen seen = { 0 };

	seen.ok = r != NULL && vhost != NULL && strcmp(r->vhost, vhost->name) == 0 &&
	          (addr_equal(&conn->client, &r->client) || addr_equal(&conn->client, &r->login));
	if (seen.ok)
		tell_shown(conn, r);
	return CHAN_SEND(&conn->chan, COOKIE_SEEN, &seen);
}

static int on_kdc_req(void *who, const struct msg_kdc_req *m, const int *fds)
{
	return kdc_ask(who, m);
}

int from_worker_serve(struct conn *conn)
{
	return chan_serve(&conn->chan, from_worker, conn, SERVE_MOST);
}
