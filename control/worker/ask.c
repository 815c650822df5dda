#include <errno.h>
#include <string.h>

#include "ask.h"
#include "proto/log.h"
#include "proto/secret.h"

#define HANDLERS from_secmod
#define ON_SECMOD_WORKER(...) __VA_ARGS__
#include "proto/handlers.h"

static int on_sign_rep(void *who, const struct msg_sign_rep *m, const int *fds)
{
	struct ask *a = who;

	chan_enter(&a->chan, WS_QUIET);
	if (!m->ok || m->signature_len > a->room)
		return 0;
	memcpy(a->signature, m->signature, m->signature_len);
	a->signature_len = m->signature_len;
	return 0;
}

static int on_cert_result(void *who, const struct msg_cert_result *m, const int *fds)
{
	struct ask *a = who;

	chan_enter(&a->chan, WS_QUIET);
	a->certified = m->ok;
	return 0;
}

static int on_resume_rep(void *who, const struct msg_resume_rep *m, const int *fds)
{
	struct ask *a = who;

	chan_enter(&a->chan, WS_QUIET);
	*a->rep = *m;
	return 0;
}

static int on_auth_ask(void *who, const struct msg_auth_ask *m, const int *fds)
{
	struct ask *a = who;

	a->events->asked(a->who, m);
	return 0;
}

static int on_auth_done(void *who, const struct msg_auth_done *m, const int *fds)
{
	struct ask *a = who;

	chan_enter(&a->chan, WS_QUIET);
	a->events->done(a->who, m);
	return 0;
}

static int on_auth_failed(void *who, const struct msg_auth_failed *m, const int *fds)
{
	struct ask *a = who;

	chan_enter(&a->chan, WS_QUIET);
	a->events->failed(a->who, m);
	return 0;
}

static int on_groups_list(void *who, const struct msg_groups_list *m, const int *fds)
{
	struct ask *a = who;

	chan_enter(&a->chan, WS_QUIET);
	a->events->groups(a->who, m->names);
	return 0;
}

static int on_kdc_rep(void *who, const struct msg_kdc_rep *m, const int *fds)
{
	struct ask *a = who;

	chan_enter(&a->chan, WS_QUIET);
	a->events->kdc(a->who, m);
	return 0;
}

static int on_cookie_seen(void *who, const struct msg_cookie_seen *m, const int *fds)
{
	struct ask *a = who;

	chan_enter(&a->chan, WS_QUIET);
	a->events->seen(a->who, m->ok);
	return 0;
}

void ask_init(struct ask *a, int fd, const struct ask_events *events, void *who)
{
	memset(a, 0, sizeof(*a));
	chan_init(&a->chan, fd, ROLE_WORKER, ROLE_SECMOD, WS_QUIET, "sec-mod");
	a->events = events;
	a->who = who;
}

void ask_fini(struct ask *a)
{
	chan_fini(&a->chan);
}

int ask_sign(void *who, uint8_t vhost, uint8_t key, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t *signature,
             size_t room)
{
	struct msg_sign_req m = { .vhost = vhost, .key = key, .scheme = scheme, .tbs_len = (uint16_t)tbs_len };
	struct ask *a = who;
	int ret;

	if (tbs_len > sizeof(m.tbs))
		return -EMSGSIZE;
	memcpy(m.tbs, tbs, tbs_len);
	a->signature = signature;
	a->room = room;
	a->signature_len = -EPERM;
	ret = CHAN_SEND(&a->chan, SIGN_REQ, &m);
	if (ret < 0)
		return ret;
	chan_enter(&a->chan, WS_SIGNING);
	ret = chan_await(&a->chan, from_secmod, a, MSG_SIGN_REP, ASK_SIGN_MS);
	if (ret < 0)
		log_warn("sec-mod does not sign: %s", strerror(-ret));
	return ret < 0 ? ret : a->signature_len;
}

static int send_parts(struct ask *a, const uint8_t *messages, size_t len)
{
	struct msg_cert_prove all = { .len = (uint32_t)len };
	struct msg_cert_part part;
	size_t at, n;
	int ret = 0;

	for (at = 0; ret == 0 && at < len; at += n) {
		n = len - at < sizeof(part.messages) ? len - at : sizeof(part.messages);
		memcpy(part.messages, messages + at, n);
		part.messages_len = (uint16_t)n;
		ret = CHAN_SEND(&a->chan, CERT_PART, &part);
	}
	return ret < 0 ? ret : CHAN_SEND(&a->chan, CERT_PROVE, &all);
}

int ask_certificate(struct ask *a, const uint8_t *messages, size_t len)
{
	int ret = send_parts(a, messages, len);

	a->certified = false;
	if (ret == 0) {
		chan_enter(&a->chan, WS_PROVING);
		ret = chan_await(&a->chan, from_secmod, a, MSG_CERT_RESULT, ASK_SIGN_MS);
	}
	if (ret < 0)
		log_warn("sec-mod does not look at the client's certificate: %s", strerror(-ret));
	return ret < 0 ? ret : a->certified;
}

int ask_resume(struct ask *a, const struct msg_resume_fetch *m, struct msg_resume_rep *rep)
{
	int ret = CHAN_SEND(&a->chan, RESUME_FETCH, m);

	rep->ok = 0;
	a->rep = rep;
	if (ret < 0)
		return ret;
	chan_enter(&a->chan, WS_RESUMING);
	ret = chan_await(&a->chan, from_secmod, a, MSG_RESUME_REP, ASK_SIGN_MS);
	if (ret < 0)
		log_warn("sec-mod does not say what a client may resume: %s", strerror(-ret));
	return ret;
}

int ask_keep(struct ask *a, const struct msg_resume_store *m)
{
	return CHAN_SEND(&a->chan, RESUME_STORE, m);
}

int ask_forget(struct ask *a, const struct msg_resume_delete *m)
{
	return CHAN_SEND(&a->chan, RESUME_DELETE, m);
}

int ask_login(struct ask *a, const struct msg_auth_init *m)
{
	int ret = CHAN_SEND(&a->chan, AUTH_INIT, m);

	if (ret == 0)
		chan_enter(&a->chan, WS_LOGIN);
	return ret;
}

int ask_answer(struct ask *a, const struct msg_auth_cont *m)
{
	return CHAN_SEND(&a->chan, AUTH_CONT, m);
}

int ask_token(struct ask *a, const struct msg_auth_token *m)
{
	return CHAN_SEND(&a->chan, AUTH_TOKEN, m);
}

int ask_cookie(struct ask *a, const uint8_t cookie[COOKIE_SIZE])
{
	struct msg_cookie_show m = { .cookie_len = COOKIE_SIZE };
	int ret;

	memcpy(m.cookie, cookie, COOKIE_SIZE);
	ret = CHAN_SEND(&a->chan, COOKIE_SHOW, &m);
	secret_wipe(&m, sizeof(m));
	if (ret == 0)
		chan_enter(&a->chan, WS_SHOWING);
	return ret;
}

int ask_groups(struct ask *a, uint8_t kind)
{
	const struct msg_groups_ask m = { .kind = kind };
	int ret = CHAN_SEND(&a->chan, GROUPS_ASK, &m);

	if (ret == 0)
		chan_enter(&a->chan, WS_LOGIN);
	return ret;
}

int ask_kdc(struct ask *a, const struct msg_kdc_req *m)
{
	int ret = CHAN_SEND(&a->chan, KDC_REQ, m);

	if (ret == 0)
		chan_enter(&a->chan, WS_KDC);
	return ret;
}

int ask_serve(struct ask *a)
{
	int ret = chan_serve(&a->chan, from_secmod, a, 1);

	if (ret == 0)
		return -EPIPE;
	return ret < 0 && ret != -EAGAIN ? ret : 0;
}
