#include "control/main/tunnel.h"

#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "control/main/change.h"
#include "control/main/events.h"
#include "control/main/hook.h"
#include "control/main/keep.h"
#include "control/main/order.h"
#include "control/main/placeholder.h"
#include "control/main/recover.h"
#include "control/main/refill.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "control/main/tally.h"
#include "control/main/usage.h"
#include "control/main/utmp.h"
#include "proto/err.h"
#include "proto/lane.h"
#include "proto/secret.h"

#define REKEY_FUZZ 30 // seconds

// --------------------------------------------------------------------------------------------------------------- numbers

int tunnel_table_open(struct gateway *g, uint32_t tunnels_max)
{
	g->tunnels = calloc(tunnels_max, sizeof(*g->tunnels));
	g->tunnels_free = calloc(tunnels_max, sizeof(*g->tunnels_free));
	if (!g->tunnels || !g->tunnels_free) {
		tunnel_table_close(g);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < tunnels_max; i++)
		g->tunnels_free[i] = i;
	g->tunnels_max = tunnels_max;
	g->tunnels_free_first = 0;
	g->tunnels_free_count = tunnels_max;
	return 0;
}

void tunnel_table_close(struct gateway *g)
{
	free(g->tunnels);
	free(g->tunnels_free);
	g->tunnels = NULL;
	g->tunnels_free = NULL;
	g->tunnels_max = g->tunnels_free_count = 0;
}

// Its own numbers those that are in use keep.
int tunnel_table_fit(struct gateway *g, uint32_t tunnels_max)
{
	struct gateway fresh = { 0 };
	int ret = tunnel_table_open(&fresh, tunnels_max);

	if (ret < 0)
		return ret;
	fresh.tunnels_free_count = 0;
	for (uint32_t i = 0; i < tunnels_max; i++) {
		fresh.tunnels[i] = i < g->tunnels_max ? g->tunnels[i] : NULL;
		if (!fresh.tunnels[i])
			fresh.tunnels_free[fresh.tunnels_free_count++] = i;
	}
	tunnel_table_close(g);
	g->tunnels = fresh.tunnels;
	g->tunnels_free = fresh.tunnels_free;
	g->tunnels_max = tunnels_max;
	g->tunnels_free_first = 0;
	g->tunnels_free_count = fresh.tunnels_free_count;
	return 0;
}

static int number_take(struct gateway *g, uint32_t *number)
{
	if (!g->tunnels_free_count)
		return -EMFILE;
	*number = g->tunnels_free[g->tunnels_free_first];
	g->tunnels_free_first = (g->tunnels_free_first + 1) % g->tunnels_max;
	g->tunnels_free_count--;
	return 0;
}

static void number_return(struct gateway *g, uint32_t number)
{
	g->tunnels_free[(g->tunnels_free_first + g->tunnels_free_count) % g->tunnels_max] = number;
	g->tunnels_free_count++;
}

struct tunnel *tunnel_find(struct gateway *g, uint32_t number)
{
	return number < g->tunnels_max ? g->tunnels[number] : NULL;
}

// ------------------------------------------------------------------------------------------------------------------- end

static void totals_add(struct tunnel_totals *sum, const struct tunnel_totals *t)
{
	sum->packets_in += t->packets_in;
	sum->bytes_in += t->bytes_in;
	sum->packets_out += t->packets_out;
	sum->bytes_out += t->bytes_out;
	sum->dropped += t->dropped;
	sum->datagrams += t->datagrams;
	sum->cstp_bytes_in += t->cstp_bytes_in;
	sum->cstp_bytes_out += t->cstp_bytes_out;
}

const char *end_reason_text(enum end_reason reason)
{
	static const char *const texts[] = {
		[END_NONE] = "ended",
		[END_BY_USER] = "disconnected by the user",
		[END_TEMPORARY] = "the client has gone",
		[END_BY_ADMIN] = "disconnected by the administrator",
		[END_TERMINATED] = "terminated",
		[END_REPLACED] = "replaced by a newer connection",
		[END_IDLE] = "idle-timeout",
		[END_SESSION_TIMEOUT] = "session-timeout",
		[END_AUTH_TIMEOUT] = "auth-timeout",
		[END_QUOTA] = "the user's quota is used up",
		[END_EXPIRED] = "valid-until is over",
		[END_DEAD_PEER] = "dead peer",
		[END_FROZEN] = "the client has stopped reading",
		[END_SHUTDOWN] = "the gateway stops",
		[END_ERROR] = "error",
		[END_WORKER] = "its worker has died",
		[END_NURSERY] = "the nursery of its worker has died",
		[END_DATAPLANE] = "the dataplane has died",
		[END_MAIN] = "main has died meanwhile",
	};

	return texts[reason];
}

void tunnel_touched(struct tunnel *t)
{
	deposit_changed(t->g, &t->mark);
}

void tunnel_over(struct tunnel *t)
{
	struct gateway *g = t->g;

	if (t->was_up)
		events_disconnect(t);
	t->session->left = t->session->left || t->revoke;
	if (t->was_up || t->greeted)
		hook_disconnect(t);
	usage_end(t);
	tally_over(t);
	stats_tunnel_over(g, t);
	figures_tunnel_over(g, t);
	totals_add(&t->session->ended, &t->now);
	deposit_leave(g, &t->mark);
	g->tunnels[t->number] = NULL;
	number_return(g, t->number);
	session_tunnel_over(t->session);
	evtimer_del(&t->timer);
	if (t->lane_fd >= 0)
		close(t->lane_fd);
	change_free(t->change);
	terms_put(t->terms);
	free(t->info);
	free(t);
}

static void detach(struct tunnel *t, enum end_reason reason, bool revoke)
{
	struct gateway *g = t->g;
	struct session *s = t->session;

	tunnel_touched(t);
	t->was_up = t->phase == TUNNEL_UP;
	g->sessions_active -= t->was_up;
	snprintf(t->from, sizeof(t->from), "%s", t->conn->link.chan.name);
	t->phase = TUNNEL_DELETING;
	t->reason = reason;
	t->revoke = revoke;
	t->conn->tunnel = NULL;
	t->conn = NULL;
	if (s->tunnel == t)
		s->tunnel = NULL;
	iroute_release(t);
	utmp_logout(t);
	evtimer_del(&t->timer);
	tally_stop(t);
}

void tunnel_end(struct tunnel *t, enum end_reason reason, bool revoke)
{
	struct gateway *g = t->g;

	if (t->phase == TUNNEL_DELETING)
		return;
	detach(t, reason, revoke);
	if (g->dataplane && g->dataplane->ready && t->where != WHERE_NOWHERE)
		LINK_SEND(&g->dataplane->link, TUNNEL_DEL, &(struct msg_tunnel_del){ .tunnel = t->number });
	else
		tunnel_over(t);
}

// ---------------------------------------------------------------------------------------------------------------- timers

#define CLOCK_LOOK_SECONDS 60
#define MOVE_QUIET_MS 1000

// Milliseconds of session-timeout that are left: they go on while no client is connected.
static uint64_t left_ms(const struct session *s)
{
	uint64_t end = s->since_ms + s->timeout * 1000ULL, now = clock_ms();

	return end > now ? end - now : 0;
}

// Until valid-until: by a clock that may be set meanwhile, so it is looked at again and again.
static uint64_t valid_ms(const struct tunnel *t)
{
	time_t now = time(NULL), until = t->terms->valid_until;

	if (until <= now)
		return 0;
	return until - now < CLOCK_LOOK_SECONDS ? (uint64_t)(until - now) * 1000 : CLOCK_LOOK_SECONDS * 1000;
}

static void timer_set(struct tunnel *t)
{
	uint64_t left = t->session->timeout ? left_ms(t->session) : UINT64_MAX;
	uint64_t valid = t->terms->valid_until ? valid_ms(t) : UINT64_MAX;
	struct timeval tv;

	left = valid < left ? valid : left;
	tv = (struct timeval){ .tv_sec = (time_t)(left / 1000), .tv_usec = (suseconds_t)(left % 1000 * 1000) };
	if (left < UINT64_MAX)
		evtimer_add(&t->timer, &tv);
	else
		evtimer_del(&t->timer);
}

void tunnel_retime(struct tunnel *t)
{
	timer_set(t);
}

static void on_timer(evutil_socket_t fd, short what, void *arg);

void tunnel_time(struct tunnel *t)
{
	evtimer_assign(&t->timer, t->g->base, on_timer, t);
	if (t->phase == TUNNEL_UP)
		timer_set(t);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct tunnel *t = arg;

	if (t->session->timeout && left_ms(t->session) == 0)
		session_terminate(t->session, END_SESSION_TIMEOUT);
	else if (t->terms->valid_until && valid_ms(t) == 0)
		session_terminate(t->session, END_EXPIRED);
	else
		timer_set(t);
}

// ------------------------------------------------------------------------------------------------------------------- add

static int lane_buffer(int fd, int size)
{
	static const int options[][2] = { { SO_SNDBUFFORCE, SO_SNDBUF }, { SO_RCVBUFFORCE, SO_RCVBUF } };

	for (size_t i = 0; i < 2; i++)
		if (setsockopt(fd, SOL_SOCKET, options[i][0], &size, sizeof(size)) < 0 &&
		    setsockopt(fd, SOL_SOCKET, options[i][1], &size, sizeof(size)) < 0)
			return -errno;
	return 0;
}

// Where the operator does not want packets to wait they do not wait here either; but messages have to have room.
static int lane_size(const struct terms *terms, uint16_t mtu)
{
	uint32_t size = (uint32_t)terms->output_buffer * mtu;

	if (size == 0 || size > LANE_SOCKET_BUFFER)
		return LANE_SOCKET_BUFFER;
	return size < LANE_SOCKET_LEAST ? LANE_SOCKET_LEAST : (int)size;
}

static int lane_pair(int lane[2], int size)
{
	int ret = chan_pair(lane);

	if (ret < 0)
		return ret;
	ret = lane_buffer(lane[0], LANE_SOCKET_BUFFER);
	if (ret == 0)
		ret = lane_buffer(lane[1], size);
	if (ret == 0)
		return 0;
	close(lane[0]);
	close(lane[1]);
	return ret;
}

int tunnel_order(struct tunnel *t)
{
	int lane[2], ret = lane_pair(lane, lane_size(t->terms, t->mtu));

	if (ret < 0)
		return ret;
	ret = order_send(t, lane[1]);
	close(lane[1]);
	if (ret < 0)
		close(lane[0]);
	else
		t->lane_fd = lane[0];
	return ret;
}

// A user's own value, or a virtual host's, is no more than the inner interface takes.
static uint16_t mtu_configured(const struct gateway *g, const struct terms *terms)
{
	uint16_t inner = session_mtu_inner(g->policy.vhost[0].terms->mtu);

	return terms->mtu < inner ? terms->mtu : inner;
}

static uint16_t mtu_of(const struct session *s, const struct conn *c, const struct terms *terms, enum dtls_kind dtls)
{
	const struct mtu_facts facts = {
		.configured = mtu_configured(s->g, terms),
		.base = c->info->base_mtu,
		.wanted = c->info->mtu,
		.outer = c->client.family,
		.inner_ipv6 = s->ipv6.family == 6,
		.dtls = dtls,
	};

	return session_mtu(&facts);
}

// As AnyConnect's platform header says it.
static bool is_mobile(const struct connect_info *info)
{
	return strncasecmp(info->device_platform, "apple-ios", 9) == 0 || strncasecmp(info->device_platform, "android", 7) == 0;
}

// Sessions that began together are not to change keys together.
static uint32_t rekey_time_of(const struct terms *t)
{
	uint32_t random;

	if (t->rekey_time <= REKEY_FUZZ || secret_random(&random, sizeof(random)) < 0)
		return t->rekey_time;
	return t->rekey_time + random % (2 * REKEY_FUZZ + 1) - REKEY_FUZZ;
}

static void times_set(struct tunnel *t, const struct terms *terms, bool mobile)
{
	t->rekey_time = rekey_time_of(terms);
	t->dpd = mobile ? terms->mobile_dpd : terms->dpd;
	t->kept = change_kept(t->session, terms, mobile);
}

// The client's best offer that the operator allows.
static enum dtls_kind dtls_of(const struct conn *c, const struct terms *terms)
{
	const struct policy *p = &c->g->policy;
	uint8_t offers = c->info->dtls_offers;

	if (terms->no_udp || !p->udp_port)
		return DTLS_KIND_NONE;
	if ((offers & DTLS_OFFER_PSK) && p->dtls_psk)
		return DTLS_KIND_PSK;
	if (!terms->dtls_legacy)
		return DTLS_KIND_NONE;
	return offers & DTLS_OFFER_RESUMED ? DTLS_KIND_RESUMED : offers & DTLS_OFFER_CBC ? DTLS_KIND_CBC : DTLS_KIND_NONE;
}

static void compression_set(struct tunnel *t, const struct connect_info *info)
{
	const struct packing *p = &t->terms->packing;

	t->compress_above = p->above;
	t->cstp_compress = packing_choose(p, info->cstp_encodings);
	if (t->dtls && t->dtls != DTLS_KIND_CBC) // a worker has packets enough to do there
		t->dtls_compress = packing_choose(p, info->dtls_encodings);
}

static struct tunnel *tunnel_new(struct session *s, struct conn *c, struct terms *terms, uint32_t number)
{
	struct tunnel *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (secret_random(t->app_id, APP_ID_SIZE) < 0) {
		free(t);
		return NULL;
	}
	t->g = s->g;
	t->number = number;
	t->session = s;
	t->conn = c;
	t->terms = terms_get(terms);
	TAILQ_INIT(&t->iroutes);
	t->client = c->client;
	t->local = c->local;
	t->dtls = dtls_of(c, terms);
	t->mtu = mtu_of(s, c, terms, t->dtls);
	t->lane_fd = -1;
	t->since_ms = clock_ms();
	times_set(t, terms, is_mobile(c->info));
	compression_set(t, c->info);
	evtimer_assign(&t->timer, s->g->base, on_timer, t);
	return t;
}

// While a dataplane is being started in the place of one that has died, it waits as those do that were there (refill.c).
static int begin(struct tunnel *t)
{
	const struct child *dataplane = t->g->dataplane;
	int ret = iroute_claim(t);

	if (ret < 0)
		return ret;
	if (dataplane && dataplane->ready)
		return tunnel_order(t);
	t->where = WHERE_NOWHERE;
	return 0;
}

int tunnel_add(struct session *s, struct conn *c, struct terms *terms)
{
	struct gateway *g = s->g;
	struct tunnel *t;
	uint32_t number;
	int ret;

	if (g->policy.max_clients && g->clients_count >= g->policy.max_clients)
		return -EXFULL;
	ret = number_take(g, &number);
	if (ret < 0)
		return ret;
	t = tunnel_new(s, c, terms, number);
	ret = t ? begin(t) : -ENOMEM;
	if (ret < 0)
		goto give_back;
	t->info = c->info;
	c->info = NULL;
	c->tunnel = t;
	conn_join(c);
	s->tunnel = t;
	s->tunnels++;
	g->tunnels[number] = t;
	terms_keep(g, terms);
	deposit_enter(g, &t->mark, VAULT_TUNNEL, number, t);
	session_changed(s);
	usage_begin(t);
	return 0;
give_back:
	if (t) {
		iroute_release(t);
		terms_put(t->terms);
	}
	free(t);
	number_return(g, number);
	return ret;
}

// --------------------------------------------------------------------------------------------------------------- opening

bool tunnel_grants(const struct tunnel *t, const struct terms_item *item)
{
	switch (item->kind) {
	case ITEM_DNS:
	case ITEM_NBNS:
	case ITEM_ROUTE:
	case ITEM_NO_ROUTE:
		if (strcmp(item->text, "default") == 0)
			return true;
		if (strchr(item->text, ':'))
			return t->info->want_ipv6 && t->session->ipv6.family;
		return t->info->want_ipv4 && t->session->ipv4.family;
	default:
		return true;
	}
}

// What is the same for everybody, but for the names in it.
static int item_text(const struct session *s, const struct terms_item *item, char out[LIMIT_TEXT + 1])
{
	int ret;

	if (item->kind != ITEM_PROXY_URL && item->kind != ITEM_HEADER) {
		snprintf(out, LIMIT_TEXT + 1, "%s", item->text);
		return 0;
	}
	ret = placeholder_fill(item->text, s->user, s->group, item->kind == ITEM_PROXY_URL, out, LIMIT_TEXT + 1);
	if (ret < 0)
		log_warn("%s is not told \"%s\": with the names in it is too long", s->user, item->text);
	return ret;
}

static int send_items(const struct tunnel *t)
{
	int ret = 0;

	for (size_t i = 0; i < t->terms->n_items && ret == 0; i++) {
		const struct terms_item *item = &t->terms->items[i];
		struct msg_session_item m = { .kind = (uint8_t)item->kind };

		if (!tunnel_grants(t, item) || item_text(t->session, item, m.text) < 0)
			continue;
		ret = LINK_SEND(&t->conn->link, SESSION_ITEM, &m);
	}
	return ret;
}

static int send_reply(struct tunnel *t)
{
	const struct session *s = t->session;
	const struct terms *terms = t->terms;
	struct msg_auth_cookie_rep m = {
		.ipv4 = address_told(s, 4),
		.ipv6 = address_told(s, 6),
		.mtu = t->mtu,
		.base_mtu = t->info->base_mtu,
		.app_id_len = APP_ID_SIZE,
		.dtls = (uint8_t)t->dtls,
		.udp_port = t->dtls ? t->g->policy.udp_port : 0,
		.dpd = t->dpd,
		.keepalive = terms->keepalive,
		.idle_timeout = t->kept.idle_timeout,
		.session_timeout = s->timeout,
		.session_left = (uint32_t)(s->timeout ? left_ms(s) / 1000 : 0),
		.udp_silence = terms->udp_silence,
		.rekey_time = t->rekey_time,
		.rekey_method = (uint8_t)terms->rekey_method,
		.tunnel_all_dns = terms->tunnel_all_dns,
		.client_bypass = terms->client_bypass,
		.cstp_compress = (uint8_t)t->cstp_compress,
		.dtls_compress = (uint8_t)t->dtls_compress,
		.compress_above = t->compress_above,
		.tos = terms->tos,
		.priority = terms->priority,
		.output_buffer = terms->output_buffer,
	};

	snprintf(m.user, sizeof(m.user), "%s", s->user);
	snprintf(m.group, sizeof(m.group), "%s", s->group);
	memcpy(m.app_id, t->app_id, APP_ID_SIZE);
	return link_send(&t->conn->link, MSG_AUTH_COOKIE_REP, &m, &t->lane_fd);
}

static void tunnel_up(struct tunnel *t)
{
	struct session *s = t->session;

	t->phase = TUNNEL_UP;
	tunnel_touched(t);
	session_changed(s);
	if (!s->since_ms) {
		s->since_ms = t->since_ms;
		s->timeout = t->terms->session_timeout;
	}
	s->left = false;
	keep_lease(s);
	t->g->sessions_active++;
	stats_tunnel_up(t->g, t);
	figures_tunnel_up(t->g, t->session->vhost);
	conn_up(t->conn);
	timer_set(t);
	tally_up(t);
	iroute_up(t);
	events_connect(t);
	hook_host_update(t);
	utmp_login(t);
	// a worker that cannot take them loses its channel, and the tunnel ends there
	if (send_items(t) == 0 && send_reply(t) == 0) {
		close(t->lane_fd);
		t->lane_fd = -1;
	}
}

// The dataplane has nothing to delete.
static void tunnel_refused(struct tunnel *t)
{
	struct conn *c = t->conn;
	char user[LIMIT_USER + 1];

	snprintf(user, sizeof(user), "%s", t->session->user);
	stats_refused(t->g, REFUSED_TUNNEL);
	detach(t, END_ERROR, false);
	tunnel_over(t);
	conn_deny(c, 503, user, "no tunnel");
}

void tunnel_replied(struct gateway *g, const struct msg_tunnel_reply *m)
{
	struct tunnel *t = tunnel_find(g, m->tunnel);

	if (t && t->where == WHERE_ASKED) {
		bool was_up = t->phase == TUNNEL_UP;

		refill_replied(t, m);
		if (was_up)
			return;
	}
	if (t && t->phase == TUNNEL_UP && !m->ok) {
		log_warn("session %u: the dataplane closes its lane: %s", t->session->id, m->text);
		conn_break(t->conn);
		return;
	}
	if (!t || t->phase == TUNNEL_UP) {
		log_warn("dataplane: TUNNEL_REPLY for tunnel %u, which was not asked for", m->tunnel);
		return;
	}
	if (t->phase == TUNNEL_DELETING) // its last counters are on their way
		return;
	if (m->ok) {
		tunnel_up(t);
		return;
	}
	log_err("session %u: the dataplane refuses its tunnel: %s", t->session->id, m->text);
	tunnel_refused(t);
}

// The dataplane has it no more.
static void tunnel_left(struct tunnel *t)
{
	if (t->phase == TUNNEL_DELETING)
		tunnel_over(t);
}

void tunnel_counted(struct gateway *g, const struct msg_tunnel_counters *m)
{
	struct tunnel *t = tunnel_find(g, m->tunnel);
	uint64_t bytes, more;

	if (!t) {
		if (recover_counted(g, m))
			return;
		log_warn("dataplane: counters of tunnel %u, which does not exist", m->tunnel);
		return;
	}
	// one that had left before a question reached it has none
	if (m->last && m->packets_in + m->packets_out + t->before.packets_in + t->before.packets_out <
	                       t->now.packets_in + t->now.packets_out) {
		tunnel_left(t);
		return;
	}
	bytes = t->now.bytes_in + t->now.bytes_out;
	t->now = (struct tunnel_totals){ m->packets_in, m->bytes_in,  m->packets_out,   m->bytes_out,
		                         m->dropped,    m->datagrams, m->cstp_bytes_in, m->cstp_bytes_out };
	totals_add(&t->now, &t->before);
	more = t->recount ? 0 : t->now.bytes_in + t->now.bytes_out - bytes;
	t->recount = false;
	usage_count(t, more);
	// it may have been too much
	t = tunnel_find(g, m->tunnel);
	if (!t)
		return;
	if (m->last)
		tunnel_left(t);
	else if (t->phase == TUNNEL_UP && t->kept.idle_timeout && m->idle_ms >= t->kept.idle_timeout * 1000ULL)
		conn_end(t->conn, END_IDLE);
}

const char *channel_why_text(enum channel_why why)
{
	static const char *const texts[] = {
		[WHY_NO_DTLS] = "no DTLS yet",
		[WHY_KEYS] = "a handshake has ended",
		[WHY_HEARD] = "UDP is heard again",
		[WHY_CLIENT] = "the client sends there",
		[WHY_SILENCE] = "nothing over UDP for switch-to-tcp-timeout",
		[WHY_DEAD_UDP] = "dead peer detection has no answer over UDP",
		[WHY_ALERT] = "the client has ended its DTLS",
		[WHY_REKEY] = "its keys were old",
		[WHY_REFILL] = "the dataplane that had its keys has died",
	};

	return texts[why];
}

// A NAT may choose another port for each datagram: nobody wants a line for each.
static void tell_move(struct tunnel *t, const struct addr *path)
{
	uint64_t now = clock_ms();
	char text[ADDR_TEXT], more[64] = "";

	t->moves++;
	if (t->moved_ms && now - t->moved_ms < MOVE_QUIET_MS)
		return;
	if (t->moves > 1)
		snprintf(more, sizeof(more), " (%u moves since the last such line)", t->moves);
	log_info("session %u: user '%s' has moved to %s%s", t->session->id, t->session->user, addr_text_port(path, text), more);
	t->moved_ms = now;
	t->moves = 0;
}

void tunnel_changed(struct gateway *g, const struct msg_tunnel_state *m)
{
	struct tunnel *t = tunnel_find(g, m->tunnel);
	char text[ADDR_TEXT];

	if (!t || t->phase != TUNNEL_UP)
		return;
	if (t->channel != m->channel)
		log_info("session %u: user '%s' is on %s %s: %s", t->session->id, t->session->user,
		         m->channel == CHANNEL_DTLS ? "DTLS" : "CSTP", addr_text_port(&m->path, text), channel_why_text(m->why));
	else if (t->path.family && m->path.family && (!addr_equal(&t->path, &m->path) || t->path.port != m->path.port))
		tell_move(t, &m->path);
	tunnel_touched(t);
	t->channel = m->channel;
	t->why = m->why;
	t->cipher = m->cipher;
	t->path = m->path;
	t->ours = m->ours;
}
