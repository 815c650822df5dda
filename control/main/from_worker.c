// A worker is as hostile as its client: it may ask for its user's profile and show a cookie once, and say how its session ends.
#include "control/main/conn.h"
#include "control/main/peers.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "proto/err.h"
#include "proto/secret.h"

#include <stdlib.h>

#define HANDLERS from_worker
#define ON_WORKER_MAIN(...) __VA_ARGS__
#include "proto/handlers.h"

const chan_handler *const from_worker_handlers = from_worker;

#define COPY(to, from) snprintf((to), sizeof(to), "%s", (from))

static struct connect_info *info_new(const struct msg_auth_cookie_req *m)
{
	struct connect_info *info = calloc(1, sizeof(*info));

	if (!info)
		return NULL;
	COPY(info->hostname, m->hostname);
	COPY(info->user_agent, m->user_agent);
	COPY(info->device_type, m->device_type);
	COPY(info->device_platform, m->device_platform);
	COPY(info->tls_cipher, m->tls_cipher);
	info->base_mtu = m->base_mtu;
	info->mtu = m->mtu;
	info->cstp_encodings = m->cstp_encodings;
	info->dtls_encodings = m->dtls_encodings;
	info->want_ipv4 = m->want_ipv4;
	info->want_ipv6 = m->want_ipv6;
	info->dtls_offers = m->dtls_offers;
	return info;
}

static int on_proxy_source(void *who, const struct msg_proxy_source *m, const int *fds)
{
	conn_source(who, &m->client, &m->local);
	return 0;
}

static int on_auth_cookie_req(void *who, const struct msg_auth_cookie_req *m, const int *fds)
{
	struct conn *c = who;
	struct child *secmod = c->g->secmod;
	struct msg_session_open open = { .conn = c->id, .client = c->client, .cookie_len = COOKIE_SIZE };

	chan_enter(&c->link.chan, MW_OPENING);
	profile_forget(c);
	c->info = info_new(m);
	if (!c->info || !secmod || !secmod->ready || c->g->phase != GATEWAY_UP) {
		conn_deny(c, 503, "", c->info ? "not ready" : "out of memory");
		return 0;
	}
	memcpy(open.cookie, m->cookie, COOKIE_SIZE);
	LINK_SEND(&secmod->link, SESSION_OPEN, &open);
	secret_wipe(&open, sizeof(open));
	return 0;
}

static int on_first_answer(void *who, const struct msg_first_answer *m, const int *fds)
{
	lobby_answered(who);
	return 0;
}

static int on_profile_ask(void *who, const struct msg_profile_ask *m, const int *fds)
{
	profile_ask(who);
	return 0;
}

static int on_session_info(void *who, const struct msg_session_info *m, const int *fds)
{
	struct conn *c = who;

	if (c->tunnel)
		COPY(c->tunnel->info->dtls_cipher, m->dtls_cipher);
	return 0;
}

static int on_session_end(void *who, const struct msg_session_end *m, const int *fds)
{
	conn_leave(who, (enum end_reason)m->reason);
	return 0;
}
