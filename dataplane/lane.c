#include "proto/lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <rte_malloc.h>

#include "control.h"
#include "proto/err.h"
#include "proto/secret.h"
#include "record.h"
#include "stray.h"

// The largest packet, and more than the largest message for us.
#define LANE_ROOM RTE_ALIGN_CEIL(LIMIT_PACKET + 1, 64)
#define TURN_BURST 64
// Packets of lanes that may wait for a core: a millisecond's work, and others' wait behind them.
#define WAITING_MAX 512
// A handshake takes some ten datagrams, and a client makes one in minutes. Anybody may have seen the App-ID.
#define HANDSHAKES_A_SECOND 100
#define HANDSHAKES_BURST 200

struct lane_io {
	uint8_t buf[LANE_BURST][LANE_ROOM];
	struct iovec iov[LANE_BURST];
	struct mmsghdr msg[LANE_BURST];
	struct rte_mbuf *in[LANE_BURST]; // to the core, in the order in which they came
	unsigned n_in;
	struct msg_dtls_record record;
};

// What a handler is told of.
struct lane_call {
	struct control *c;
	struct tunnel *t;
};

int lane_init(struct control *c)
{
	c->lane_io = calloc(1, sizeof(*c->lane_io));
	return c->lane_io ? 0 : -ENOMEM;
}

int lane_open(struct control *c, struct tunnel *t, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = t->number };

	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		return -errno;
	chan_init(&t->lane, fd, ROLE_DATAPLANE, ROLE_WORKER, CHAN_PLAIN, "lane of tunnel %u", t->number);
	return 0;
}

void lane_close(struct control *c, struct tunnel *t)
{
	if (t->lane.fd < 0)
		return;
	epoll_ctl(c->epoll, EPOLL_CTL_DEL, t->lane.fd, NULL);
	chan_fini(&t->lane);
}

// ------------------------------------------------------------------------------------------------------------ to the core

bool lane_congested(const struct control *c, const struct tunnel *t)
{
	const struct rte_ring *r = c->dp.cores[t->owner]->from_control;

	return rte_ring_count(r) >= WAITING_MAX || rte_ring_free_count(r) < LANE_BURST;
}

static void flush_in(struct control *c, const struct tunnel *t)
{
	struct lane_io *io = c->lane_io;
	unsigned sent = rte_ring_sp_enqueue_burst(c->dp.cores[t->owner]->from_control, (void **)io->in, io->n_in, NULL);

	if (sent < io->n_in) {
		c->count.value[COUNT_drop_ring_full] += io->n_in - sent;
		rte_pktmbuf_free_bulk(io->in + sent, io->n_in - sent);
	}
	io->n_in = 0;
}

// A packet of this kind with these bytes on its way to the core; its description, for what else it needs.
static struct packet *pass_in(struct lane_call *call, enum packet_kind kind, const uint8_t *buf, size_t len)
{
	struct lane_io *io = call->c->lane_io;
	struct rte_mbuf *m;
	char *data;

	if (io->n_in == LANE_BURST)
		flush_in(call->c, call->t);
	m = rte_pktmbuf_alloc(call->c->dp.cores[call->t->owner]->pool);
	data = m ? rte_pktmbuf_append(m, (uint16_t)len) : NULL;
	if (!data) {
		call->c->count.value[m ? COUNT_drop_too_big : COUNT_drop_no_mbuf]++;
		rte_pktmbuf_free(m);
		return NULL;
	}
	memcpy(data, buf, len);
	*packet_of(m) = (struct packet){ .tunnel = call->t->number, .kind = (uint8_t)kind };
	io->in[io->n_in++] = m;
	return packet_of(m);
}

void lane_seal(struct control *c, struct tunnel *t, uint32_t handshake, uint8_t type, const void *plain, size_t len)
{
	struct lane_call call = { c, t };
	struct packet *p = pass_in(&call, PACKET_SEAL, plain, len);

	if (p) {
		p->handshake = handshake;
		p->type = type;
	}
	flush_in(c, t);
}

void lane_datagram(struct control *c, struct tunnel *t, const struct path *to, const void *datagram, size_t len)
{
	struct lane_call call = { c, t };
	struct packet *p = pass_in(&call, PACKET_DATAGRAM, datagram, len);

	if (p)
		p->path = *to;
	flush_in(c, t);
}

// ---------------------------------------------------------------------------------------------------------- from a worker

static bool known_handshake(const struct tunnel *t, uint32_t number)
{
	return number <= t->handshakes.last;
}

static int on_dtls_send(void *who, const struct msg_dtls_send *m, const int *fds)
{
	struct lane_call *call = who;
	struct handshake *s = handshake_find(&call->t->handshakes, m->handshake);
	struct packet *p;

	if (!known_handshake(call->t, m->handshake))
		return errno_log(EPROTO, "%s: DTLS_SEND: there is no handshake %u yet", call->t->lane.name, m->handshake);
	call->c->count.value[COUNT_worker_rx]++;
	if (!s) {
		call->c->count.value[COUNT_drop_no_path]++;
		return 0;
	}
	p = pass_in(call, PACKET_DATAGRAM, m->datagram, m->datagram_len);
	if (p) {
		p->handshake = s->number;
		p->path = s->path;
	}
	return 0;
}

static int keys_fill(struct tunnel_keys *k, const struct msg_dtls_keys *m, const struct path *path)
{
	int ret;

	k->cipher = m->cipher;
	k->epoch = rte_cpu_to_be_16(m->epoch);
	k->handshake = m->handshake;
	k->next_sequence = m->next_sequence;
	k->path = *path;
	memcpy(k->in_iv, m->client_iv, m->client_iv_len);
	memcpy(k->out_iv, m->server_iv, m->server_iv_len);
	ret = aead_key_set(&k->in, m->cipher, m->client_key, m->client_key_len);
	return ret < 0 ? ret : aead_key_set(&k->out, m->cipher, m->server_key, m->server_key_len);
}

static bool lengths_fit(const struct msg_dtls_keys *m)
{
	unsigned key = aead_key_len(m->cipher), iv = aead_iv_len(m->cipher);

	return m->client_key_len == key && m->server_key_len == key && m->client_iv_len == iv && m->server_iv_len == iv;
}

static int on_dtls_keys(void *who, const struct msg_dtls_keys *m, const int *fds)
{
	struct lane_call *call = who;
	struct control *c = call->c;
	struct tunnel *t = call->t;
	struct handshake *s = handshake_find(&t->handshakes, m->handshake);
	struct tunnel_keys *k;
	int ret;

	if (t->relay.family)
		return errno_log(EPROTO, "%s: DTLS_KEYS: its records are its own", t->lane.name);
	if (!known_handshake(t, m->handshake) || (s && s->cipher) || m->handshake == t->handshakes.confirmed)
		return errno_log(EPROTO, "%s: DTLS_KEYS: not the first for handshake %u", t->lane.name, m->handshake);
	if (!lengths_fit(m))
		return errno_log(EPROTO, "%s: DTLS_KEYS: lengths do not fit the cipher", t->lane.name);
	k = s ? key_pool_take(&c->keys) : NULL;
	if (!k) {
		c->count.value[s ? COUNT_keys_full : COUNT_keys_gone]++;
		return 0;
	}
	// Where its records come is where its owner should be; now is the cheapest moment.
	if (!c->dp.in[t->number].keys)
		tunnel_move(c, t, cores_choose(c, s->path.port, s->core));
	ret = keys_fill(k, m, &s->path);
	if (ret == 0)
		ret = tunnel_install(c, t, k);
	if (ret < 0) {
		c->count.value[COUNT_keys_late] += ret == -EAGAIN;
		key_pool_give(&c->keys, k);
		return 0;
	}
	handshake_keyed(&c->paths, &t->handshakes, t->number, s, m->cipher);
	return 0;
}

static int on_dtls_seal(void *who, const struct msg_dtls_seal *m, const int *fds)
{
	struct lane_call *call = who;
	struct tunnel *t = call->t;
	struct handshake *s = handshake_find(&t->handshakes, m->handshake);
	struct packet *p;

	if (!known_handshake(t, m->handshake))
		return errno_log(EPROTO, "%s: DTLS_SEAL: there is no handshake %u yet", t->lane.name, m->handshake);
	call->c->count.value[COUNT_worker_rx]++;
	if (!(s && s->cipher) && m->handshake != t->handshakes.confirmed) {
		call->c->count.value[COUNT_drop_no_path]++;
		return 0;
	}
	p = pass_in(call, PACKET_SEAL, m->plaintext, m->plaintext_len);
	if (p) {
		p->handshake = m->handshake;
		p->type = m->type;
	}
	return 0;
}

static int on_dtls_relay(void *who, const struct msg_dtls_relay *m, const int *fds)
{
	struct lane_call *call = who;
	const struct path *path = handshake_path(&call->t->handshakes, m->handshake);
	struct packet *p;

	if (!call->t->relay.family || !known_handshake(call->t, m->handshake))
		return errno_log(EPROTO, "%s: DTLS_RELAY: nothing to relay", call->t->lane.name);
	call->c->count.value[COUNT_worker_rx]++;
	if (!path) {
		call->c->count.value[COUNT_drop_no_path]++;
		return 0;
	}
	p = pass_in(call, PACKET_DATAGRAM, m->datagram, m->datagram_len);
	if (p)
		p->path = *path;
	return 0;
}

static int on_dtls_channel(void *who, const struct msg_dtls_channel *m, const int *fds)
{
	struct lane_call *call = who;

	if (!call->t->relay.family || !known_handshake(call->t, m->handshake))
		return errno_log(EPROTO, "%s: DTLS_CHANNEL: nothing to relay", call->t->lane.name);
	tunnel_relays(call->c, call->t, m);
	return 0;
}

static int on_dtls_farewell(void *who, const struct msg_dtls_farewell *m, const int *fds)
{
	struct lane_call *call = who;

	return farewell_take(call->c, call->t, m);
}

#define HANDLERS from_worker
#define ON_WORKER_DATAPLANE(...) __VA_ARGS__
#include "proto/handlers.h"

// A worker that breaks a rule loses its lane. Main is told by a refusal that it did not ask for, and ends the worker.
static void lane_break(struct control *c, struct tunnel *t)
{
	struct msg_tunnel_reply m = { .tunnel = t->number, .ok = 0, .text = "lane violation" };

	lane_close(c, t);
	MAIN_SEND(c, TUNNEL_REPLY, &m);
}

// 0, or what the lane is to end for.
static int serve(struct lane_call *call, struct mmsghdr *msg, uint8_t *buf)
{
	size_t len = msg->msg_len;
	int ret;

	if (len == 0)
		return -EPIPE;
	if (msg->msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return errno_log(EPROTO, "%s: %s", call->t->lane.name,
		                 msg->msg_hdr.msg_flags & MSG_CTRUNC ? "descriptors" : "packet too long");
	if (lane_is_packet(buf, len)) {
		call->c->count.value[COUNT_worker_rx]++;
		pass_in(call, PACKET_OPENED, buf, len);
		return 0;
	}
	ret = chan_serve_packet(&call->t->lane, from_worker, call, buf, len, NULL, 0);
	// Not only DTLS_KEYS: what was refused may have held a secret too.
	secret_wipe(buf, len);
	return ret < 0 ? ret : 0;
}

static int receive(struct control *c, struct tunnel *t)
{
	struct lane_io *io = c->lane_io;
	int n;

	for (unsigned i = 0; i < LANE_BURST; i++) {
		io->iov[i] = (struct iovec){ io->buf[i], LANE_ROOM };
		io->msg[i].msg_hdr = (struct msghdr){ .msg_iov = &io->iov[i], .msg_iovlen = 1 };
	}
	do
		n = recvmmsg(t->lane.fd, io->msg, LANE_BURST, MSG_DONTWAIT, NULL);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	return n < 0 ? -errno : n;
}

unsigned lane_read(struct control *c, struct tunnel *t)
{
	struct lane_call call = { c, t };
	int n, ret = 0;

	if (t->lane.fd < 0)
		return 0;
	n = receive(c, t);
	if (n < 0) {
		if (n != -EAGAIN)
			lane_close(c, t);
		return 0;
	}
	for (int i = 0; i < n && ret == 0; i++)
		ret = serve(&call, &c->lane_io->msg[i], c->lane_io->buf[i]);
	flush_in(c, t);
	if (ret == -EPIPE)
		lane_close(c, t);
	else if (ret < 0)
		lane_break(c, t);
	return (unsigned)n;
}

// ------------------------------------------------------------------------------------------------------------ to a worker

// Its core has counted them as sent; they have been neither. Main may not use the number again before all are back from there.
static void lose(struct control *c, struct rte_mbuf **pkts, unsigned n, enum counter why)
{
	struct tunnel *t = &c->tunnels[packet_of(pkts[0])->tunnel];

	c->count.value[why] += n;
	for (unsigned i = 0; i < n && packet_of(pkts[i])->kind == PACKET_CSTP; i++) {
		t->lost++;
		t->lost_bytes += pkts[i]->data_len;
	}
}

// CSTP packets of one tunnel. What its worker does not read is lost, as on any link.
static void send_cstp(struct control *c, struct tunnel *t, struct rte_mbuf **pkts, unsigned n)
{
	struct lane_io *io = c->lane_io;
	int sent;

	for (unsigned i = 0; i < n; i++) {
		io->iov[i] = (struct iovec){ rte_pktmbuf_mtod(pkts[i], void *), pkts[i]->data_len };
		io->msg[i].msg_hdr = (struct msghdr){ .msg_iov = &io->iov[i], .msg_iovlen = 1 };
	}
	do
		sent = sendmmsg(t->lane.fd, io->msg, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	sent = sent < 0 ? 0 : sent;
	c->count.value[COUNT_lane_tx] += (unsigned)sent;
	if ((unsigned)sent < n)
		lose(c, pkts + sent, n - (unsigned)sent, COUNT_drop_lane_full);
	rte_pktmbuf_free_bulk(pkts, n);
}

// A worker that sends by itself must not be brought to send to others than its client.
static bool may_relay(const struct tunnel *t, const struct path *p)
{
	return t->relay.family == 0 ||
	       (t->relay.family == p->key.family && memcmp(t->relay.ip, p->key.peer_ip, t->relay.family == 4 ? 4 : 16) == 0);
}

// Records that are the worker's come as the client sends them; whatever else is for it strangers may have sent.
static bool is_too_much(const struct control *c, struct tunnel *t, const struct packet *p)
{
	if (t->relay.family && p->type == CONTENT_DATA)
		return false;
	return !bucket_take(&t->handshake_rate, c->now, c->dp.tsc_hz / HANDSHAKES_A_SECOND, HANDSHAKES_BURST);
}

// The number of the handshake that a datagram belongs to; 0: none.
static uint32_t number_of(struct control *c, struct tunnel *t, struct rte_mbuf *m)
{
	const struct packet *p = packet_of(m);
	const uint8_t *random;
	struct handshake *s;

	if (!may_relay(t, &p->path))
		return 0;
	if (!p->hello && t->relay.family)
		return handshake_number(&t->handshakes, &p->path);
	if (!p->hello) {
		s = handshake_of_path(&t->handshakes, &p->path);
	} else {
		random = hello_random(rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
		s = random ? handshake_hello(&c->paths, &t->handshakes, t->number, &p->path, random, c->now) : NULL;
	}
	if (s)
		s->core = p->core;
	return s ? s->number : 0;
}

static void send_record(struct control *c, struct tunnel *t, struct rte_mbuf *m, uint32_t number)
{
	struct msg_dtls_record *r = &c->lane_io->record;

	if (number == 0 || m->data_len > sizeof(r->datagram)) {
		c->count.value[COUNT_drop_no_handshake]++;
		return;
	}
	t->heard = c->now;
	r->handshake = number;
	r->datagram_len = m->data_len;
	memcpy(r->datagram, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
	t->datagrams++;
	c->count.value[CHAN_SEND(&t->lane, DTLS_RECORD, r) < 0 ? COUNT_drop_lane_full : COUNT_lane_tx]++;
}

// What tells one path from another here is the first record that came by it, as a ClientHello's random does elsewhere.
bool lane_stray(struct control *c, struct tunnel *t, struct rte_mbuf *m)
{
	const struct path *from = &packet_of(m)->path;
	struct handshake *s;

	if (t->lane.fd < 0 || m->data_len < HELLO_RANDOM || !may_relay(t, from))
		return false;
	s = handshake_hello(&c->paths, &t->handshakes, t->number, from, rte_pktmbuf_mtod(m, uint8_t *), c->now);
	if (s)
		send_record(c, t, m, s->number);
	return s != NULL;
}

// So many packets from the front are CSTP's of the same tunnel.
static unsigned run_length(struct rte_mbuf **pkts, unsigned n)
{
	unsigned i = 0;

	while (i < n && i < LANE_BURST && packet_of(pkts[i])->kind == PACKET_CSTP &&
	       packet_of(pkts[i])->tunnel == packet_of(pkts[0])->tunnel)
		i++;
	return i;
}

static unsigned deliver(struct control *c, struct rte_mbuf **pkts, unsigned n)
{
	const struct packet *p = packet_of(pkts[0]);
	struct tunnel *t = tunnel_of(c, p->tunnel);
	unsigned run = run_length(pkts, n);

	if (p->kind == PACKET_STRAY) {
		stray_deliver(c, pkts[0]);
		return 1;
	}
	if (run > 0 && t && t->lane.fd >= 0) {
		send_cstp(c, t, pkts, run);
		return run;
	}
	if (p->kind == PACKET_EVENT)
		tunnel_on_event(c, p);
	else if (!t || t->lane.fd < 0)
		lose(c, pkts, 1, COUNT_drop_tunnel_gone);
	else if (is_too_much(c, t, p))
		c->count.value[COUNT_drop_handshake_rate]++;
	else
		send_record(c, t, pkts[0], number_of(c, t, pkts[0]));
	rte_pktmbuf_free(pkts[0]);
	return 1;
}

// As much as the ring holds: nobody else is served in between, but no more can come in the same turn.
static unsigned turn_core(struct control *c, struct lcore *lc)
{
	struct rte_mbuf *pkts[TURN_BURST];
	unsigned n, i, moved = 0, waiting = rte_ring_count(lc->to_control);

	c->to_control_most[lc->index] = RTE_MAX(c->to_control_most[lc->index], waiting);
	while (moved < waiting) {
		n = rte_ring_sc_dequeue_burst(lc->to_control, (void **)pkts, TURN_BURST, NULL);
		for (i = 0; i < n;)
			i += deliver(c, pkts + i, n - i);
		moved += n;
	}
	return moved;
}

unsigned lane_turn(struct control *c)
{
	unsigned moved = 0;

	for (unsigned i = 0; i < c->dp.n_cores; i++)
		moved += turn_core(c, c->dp.cores[i]);
	c->emptied++;
	return moved;
}
