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

static int on_kdc_req(void *who, const struct msg_kdc_req *m, const int *fds)
{
	return kdc_ask(who, m);
}

int from_worker_serve(struct conn *conn)
{
	return chan_serve(&conn->chan, from_worker, conn, SERVE_MOST);
}
