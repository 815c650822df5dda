// Workers of a penstock-secmod (secmod_rig.h), played by the test: connections, signatures and logins.
#pragma once
#include <errno.h>

#include "secmod_rig.h"

struct rig_worker {
	struct chan chan;
	struct rig_inbox in;
	uint64_t conn;
};

static RIG_UNUSED void rig_connect(struct rig *r, struct rig_worker *w)
{
	struct msg_worker_open open = { .conn = ++r->conns,
		                        .client = { 4, 32, 1234, { 192, 0, 2, 9 } },
		                        .local = { 4, 32, 443, { 192, 0, 2, 1 } } };
	int fds[2];

	memset(w, 0, sizeof(*w));
	PKI_NEED(chan_pair(fds) == 0);
	PKI_NEED(chan_send(&r->main, MSG_WORKER_OPEN, &open, &fds[1]) == 0);
	close(fds[1]);
	w->conn = open.conn;
	chan_init(&w->chan, fds[0], ROLE_WORKER, ROLE_SECMOD, WS_SIGNING, "secmod of %u", (unsigned)open.conn);
}

static RIG_UNUSED void rig_disconnect(struct rig_worker *w)
{
	chan_fini(&w->chan);
}

static RIG_UNUSED int rig_worker_await(struct rig_worker *w, enum msg_number number)
{
	return chan_await(&w->chan, rig_to_worker, &w->in, number, RIG_PATIENCE);
}

static RIG_UNUSED bool rig_is_dropped(struct rig_worker *w)
{
	struct pollfd p = { .fd = w->chan.fd, .events = POLLIN };
	int ret;

	do {
		PKI_NEED(poll(&p, 1, RIG_PATIENCE) >= 0);
		ret = chan_serve(&w->chan, rig_to_worker, &w->in, 1);
	} while (ret > 0);
	return ret == 0;
}

// 0, or as chan_await; the answer is in the inbox.
static RIG_UNUSED int rig_sign_for(struct rig_worker *w, uint8_t vhost, uint8_t key, uint16_t scheme, const uint8_t *tbs,
                                   size_t len)
{
	struct msg_sign_req req = { .vhost = vhost, .key = key, .scheme = scheme, .tbs_len = len };
	int ret;

	memcpy(req.tbs, tbs, len);
	ret = CHAN_SEND(&w->chan, SIGN_REQ, &req);
	if (ret == 0)
		ret = rig_worker_await(w, MSG_SIGN_REP);
	chan_enter(&w->chan, WS_LOGIN);
	return ret;
}

static RIG_UNUSED int rig_sign(struct rig_worker *w, uint8_t key, uint16_t scheme, const uint8_t *tbs, size_t len)
{
	return rig_sign_for(w, 0, key, scheme, tbs, len);
}

// A connection that has its handshake signed by key 0, a P-256 one.
static RIG_UNUSED void rig_connect_signed(struct rig *r, struct rig_worker *w)
{
	uint8_t tbs[LIMIT_TBS];
	size_t len = pki_tls13(tbs, 32);

	rig_connect(r, w);
	PKI_NEED(rig_sign(w, 0, 0x0403, tbs, len) == 0 && w->in.last[MSG_SIGN_REP].sign_rep.ok);
}

static RIG_UNUSED int rig_auth_init(struct rig_worker *w, const char *user, const char *group)
{
	struct msg_auth_init m = { .user_agent = "rig" };

	strcpy(m.user, user);
	strcpy(m.group, group);
	return CHAN_SEND(&w->chan, AUTH_INIT, &m);
}

static RIG_UNUSED int rig_auth_cont(struct rig_worker *w, const char *password)
{
	struct msg_auth_cont m = { 0 };

	strcpy(m.password, password);
	return CHAN_SEND(&w->chan, AUTH_CONT, &m);
}

// One question, one answer. The message that it came to: AUTH_DONE, AUTH_FAILED, AUTH_ASK, or a negative errno.
static RIG_UNUSED int rig_next(struct rig_worker *w)
{
	static const enum msg_number ends[] = { MSG_AUTH_DONE, MSG_AUTH_FAILED, MSG_AUTH_ASK };
	struct pollfd p = { .fd = w->chan.fd, .events = POLLIN };
	unsigned before[3];
	int ret;

	for (int i = 0; i < 3; i++)
		before[i] = w->in.count[ends[i]];
	PKI_NEED(poll(&p, 1, RIG_PATIENCE) == 1);
	ret = chan_serve(&w->chan, rig_to_worker, &w->in, 1);
	for (int i = 0; i < 3; i++)
		if (w->in.count[ends[i]] != before[i])
			return ends[i];
	return ret == 0 ? -EPIPE : ret;
}

static RIG_UNUSED int rig_login(struct rig_worker *w, const char *user, const char *group, const char *password)
{
	PKI_NEED(rig_auth_init(w, user, group) == 0);
	if (rig_next(w) != MSG_AUTH_ASK)
		return -EPROTO;
	PKI_NEED(rig_auth_cont(w, password) == 0);
	return rig_next(w);
}

// The outcome that main is told of this connection's login.
static RIG_UNUSED int rig_outcome(struct rig *r, uint64_t conn)
{
	do {
		if (rig_await(r, MSG_AUTH_EVENT) < 0)
			return -1;
	} while (r->in.last[MSG_AUTH_EVENT].auth_event.conn != conn);
	return r->in.last[MSG_AUTH_EVENT].auth_event.outcome;
}
