#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "bridge.h"
#include "clock.h"
#include "cstp.h"
#include "egress.h"
#include "handshakes.h"
#include "memory.h"
#include "proto/compress.h"
#include "proto/lane.h"
#include "proto/log.h"
#include "proto/rekey.h"
#include "proto/secret.h"
#include "relay.h"

// One burst. The scratch holds slots of one size for the lane's packets, or packets back to back from the client.
#define BURST 32
#define SLOT_LEAST (CSTP_HEADER + LIMIT_DATAGRAM + 128) // the longest message from the dataplane
#define SCRATCH_SIZE ((size_t)BURST * (LIMIT_PACKET + CSTP_HEADER))
#define RECORD_MAX (LIMIT_PACKET + CSTP_HEADER)
#define BURSTS_A_TURN 4     // then the other side gets its turn
#define LANE_PATIENCE_MS 20 // a full lane slows its client down rather than losing packets; a dead one does not hold it up
#define CALM_AFTER_MS 5000
#define RECORD_SIZE 29 // that TLS adds: header, nonce, tag

struct packer {
	union compress_memory memory;
	uint8_t frame[CSTP_HEADER + LIMIT_PACKET];
};

static int over(struct bridge *b, enum end_reason reason)
{
	b->end = reason;
	return -ESHUTDOWN;
}

static int send_frame(struct bridge *b, enum cstp_type type, const uint8_t *payload, size_t len)
{
	uint8_t frame[CSTP_HEADER + LIMIT_PACKET];

	if (len > LIMIT_PACKET)
		return -EMSGSIZE;
	cstp_header(frame, type, len);
	if (len > 0)
		memcpy(frame + CSTP_HEADER, payload, len);
	return tls_write(b->tls, frame, CSTP_HEADER + len);
}

// -------------------------------------------------------------------------------------------------------- client to lane

struct burst {
	struct mmsghdr msgs[BURST];
	struct iovec iovs[BURST];
	unsigned n;
	size_t used; // of the scratch
};

// What the lane does not take is lost, as on any link.
static void burst_send(struct bridge *b, struct burst *u)
{
	struct pollfd p = { .fd = b->lane.fd, .events = POLLOUT };
	unsigned sent = 0;
	bool waited = false;
	int n;

	while (sent < u->n) {
		n = sendmmsg(b->lane.fd, u->msgs + sent, u->n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			sent += (unsigned)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EMSGSIZE) {
			sent++;
			continue;
		}
		if (waited || (errno != EAGAIN && errno != ENOBUFS))
			break;
		waited = true;
		poll(&p, 1, LANE_PATIENCE_MS);
	}
	u->n = 0;
	u->used = 0;
}

static void burst_add(struct burst *u, const uint8_t *packet, size_t len)
{
	u->iovs[u->n] = (struct iovec){ (void *)packet, len };
	u->msgs[u->n].msg_hdr = (struct msghdr){ .msg_iov = &u->iovs[u->n], .msg_iovlen = 1 };
	u->n++;
}

// The nibble keeps a client's bytes from ever being a message to the dataplane.
static void on_data(struct burst *u, const uint8_t *packet, size_t len)
{
	if (lane_is_packet(packet, len))
		burst_add(u, packet, len);
}

// Behind what has come there is room for one more (read_burst).
static void on_compressed(struct bridge *b, struct burst *u, const struct cstp_frame *f)
{
	uint8_t *packet = b->scratch + u->used;
	int n;

	if (!b->packer)
		return;
	n = compress_unpack(b->compress, f->payload, f->len, packet, b->mtu);
	if (n < 0) {
		if (!b->broken_told)
			log_info("cstp: a compressed packet of %zu bytes is broken", f->len);
		b->broken_told = true;
		return;
	}
	u->used += (size_t)n;
	on_data(u, packet, (size_t)n);
}

static int on_frame(struct bridge *b, struct burst *u, const struct cstp_frame *f)
{
	int ret;

	switch (f->type) {
	case CSTP_DATA:
		on_data(u, f->payload, f->len);
		relay_leave(b);
		return 0;
	case CSTP_COMPRESSED:
		on_compressed(b, u, f);
		relay_leave(b);
		return 0;
	case CSTP_DPD_REQUEST:
		ret = send_frame(b, CSTP_DPD_RESPONSE, f->payload, f->len);
		return ret == -ENOBUFS ? 0 : ret;
	case CSTP_DISCONNECT:
		return over(b, cstp_goodbye(f));
	case CSTP_TERMINATE:
		return over(b, END_TEMPORARY);
	default: // a DPD response or a keepalive has been heard, that is all; unknown types are ignored
		return 0;
	}
}

static int read_burst(struct bridge *b, struct burst *u)
{
	struct cstp_frame f;
	uint8_t *at;
	int n, ret;

	while (u->n < BURST && SCRATCH_SIZE - u->used >= RECORD_MAX + LIMIT_PACKET) {
		at = b->scratch + u->used;
		n = tls_read(b->tls, at, RECORD_MAX);
		if (n == -EAGAIN)
			return -EAGAIN;
		if (n <= 0)
			return over(b, n == 0 ? END_TEMPORARY : END_ERROR);
		if (cstp_parse(at, (size_t)n, &f) < 0) {
			log_info("cstp: a record of %d bytes is no frame", n);
			return over(b, END_ERROR);
		}
		u->used += (size_t)n;
		b->heard_ms = b->now_ms;
		ret = on_frame(b, u, &f);
		if (ret < 0)
			return b->end ? ret : over(b, END_ERROR);
	}
	return 0;
}

int bridge_from_client(struct bridge *b, uint64_t now_ms)
{
	struct burst u = { .n = 0 };
	int i, ret = 0;

	b->now_ms = b->busy_ms = now_ms;
	b->calm = false;
	for (i = 0; ret == 0 && i < BURSTS_A_TURN; i++) {
		ret = read_burst(b, &u);
		burst_send(b, &u);
	}
	b->more = ret == 0;
	return ret == -EAGAIN ? 0 : ret;
}

// -------------------------------------------------------------------------------------------------------- lane to client

#define HANDLERS from_dataplane
#define ON_DATAPLANE_WORKER(...) __VA_ARGS__
#include "proto/handlers.h"

static int on_dtls_record(void *who, const struct msg_dtls_record *m, const int *fds)
{
	struct bridge *b = who;

	return b->dtls.kind == DTLS_KIND_CBC ? relay_record(b, m) : handshakes_record(b, m);
}

static int on_dtls_confirmed(void *who, const struct msg_dtls_confirmed *m, const int *fds)
{
	handshakes_confirmed(who, m->handshake);
	return 0;
}

static int on_dtls_alert(void *who, const struct msg_dtls_alert *m, const int *fds)
{
	handshakes_confirmed(who, m->handshake);
	log_debug("dtls: the client sent alert %u", m->description);
	return 0;
}

static size_t slot_size(const struct bridge *b)
{
	size_t size = CSTP_HEADER + b->mtu + 128;

	return ((size < SLOT_LEAST ? SLOT_LEAST : size) + 63) & ~(size_t)63;
}

static int lane_recv(struct bridge *b, struct mmsghdr msgs[BURST], struct iovec iovs[BURST])
{
	size_t slot = slot_size(b);
	int i, n;

	memset(msgs, 0, BURST * sizeof(msgs[0]));
	for (i = 0; i < BURST; i++) {
		iovs[i] = (struct iovec){ b->scratch + i * slot + CSTP_HEADER, slot - CSTP_HEADER };
		msgs[i].msg_hdr.msg_iov = &iovs[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	do
		n = recvmmsg(b->lane.fd, msgs, b->burst, MSG_DONTWAIT, NULL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

// Before the packet there is room for a header.
static int send_packet(struct bridge *b, uint8_t *packet, size_t len)
{
	size_t room = len - 1 < LIMIT_PACKET ? len - 1 : LIMIT_PACKET;
	uint8_t *frame = packet - CSTP_HEADER;
	int n = -ENOSPC;

	if (b->packer && len > b->compress_above)
		n = compress_pack(b->compress, &b->packer->memory, packet, len, b->packer->frame + CSTP_HEADER, room);
	if (n > 0) {
		frame = b->packer->frame;
		len = (size_t)n;
	}
	cstp_header(frame, n > 0 ? CSTP_COMPRESSED : CSTP_DATA, len);
	return tls_write(b->tls, frame, CSTP_HEADER + len);
}

static int from_lane(struct bridge *b, uint8_t *packet, size_t len)
{
	int ret;

	if (!lane_is_packet(packet, len)) {
		ret = chan_serve_packet(&b->lane, from_dataplane, b, packet, len, NULL, 0);
		return ret < 0 ? ret : 0;
	}
	if (relay_packet(b, packet, len))
		return 0;
	ret = send_packet(b, packet, len);
	return ret == -ENOBUFS ? 0 : ret;
}

// The dataplane's end: it was restarted, or main took the tunnel away and will tell us more. Without a lane the session waits.
static int lane_gone(struct bridge *b)
{
	log_debug("the lane has closed");
	chan_fini(&b->lane);
	return 0;
}

int bridge_from_lane(struct bridge *b, uint64_t now_ms)
{
	struct mmsghdr msgs[BURST];
	struct iovec iovs[BURST];
	int i, n, turn, ret = 0;

	b->now_ms = b->busy_ms = now_ms;
	b->calm = false;
	for (turn = 0; turn < BURSTS_A_TURN && ret == 0 && bridge_has_room(b); turn++) {
		n = lane_recv(b, msgs, iovs);
		if (n == -EAGAIN)
			return 0;
		if (n < 0 || msgs[0].msg_len == 0)
			return lane_gone(b);
		for (i = 0; i < n && ret == 0 && msgs[i].msg_len > 0; i++)
			if (!(msgs[i].msg_hdr.msg_flags & MSG_TRUNC))
				ret = from_lane(b, iovs[i].iov_base, msgs[i].msg_len);
		if (n < (int)b->burst)
			break;
	}
	return ret < 0 ? over(b, END_ERROR) : 0;
}

bool bridge_has_room(const struct bridge *b)
{
	return tls_waiting(b->tls) < b->room;
}

// ---------------------------------------------------------------------------------------------------------------- time

// A client that lives on UDP answers here too: without its TCP it can neither say goodbye nor be told anything.
static int check_liveness(struct bridge *b, uint64_t now_ms)
{
	switch (dpd_step(&b->dpd, now_ms, b->heard_ms)) {
	case DPD_ASK:
		return send_frame(b, CSTP_DPD_REQUEST, NULL, 0) == -EPROTO ? over(b, END_ERROR) : 0;
	case DPD_GIVE_UP:
		log_info("the client is silent for %llu s", (unsigned long long)(now_ms - b->heard_ms) / 1000);
		return over(b, END_DEAD_PEER);
	default:
		return 0;
	}
}

// A client that has rekey-method ssl does it itself, a little earlier; one that has not learns nothing of it. Before TLS 1.3 it is
// for the client alone, by a new connection.
static int check_keys(struct bridge *b)
{
	if (b->rekey_ms == 0 || b->now_ms - b->tls_keyed_ms < b->rekey_ms)
		return 0;
	b->tls_keyed_ms = b->now_ms;
	return tls_rekey(b->tls) == -EPROTO ? over(b, END_ERROR) : 0;
}

static void calm_down(struct bridge *b)
{
	tls_calm(b->tls);
	madvise(b->scratch, SCRATCH_SIZE, MADV_DONTNEED);
	if (b->packer)
		madvise(b->packer, sizeof(*b->packer), MADV_DONTNEED);
	memory_trim();
	b->calm = true;
}

int bridge_tick(struct bridge *b, uint64_t now_ms)
{
	b->now_ms = now_ms;
	handshakes_tick(b);
	relay_tick(b);
	if (!b->calm && now_ms - b->busy_ms >= CALM_AFTER_MS)
		calm_down(b);
	if (tls_is_frozen(b->tls, now_ms)) {
		log_info("the client has stopped reading");
		return over(b, END_FROZEN);
	}
	if (check_keys(b) < 0)
		return -ESHUTDOWN;
	return check_liveness(b, now_ms);
}

int bridge_wait_ms(const struct bridge *b, uint64_t now_ms)
{
	int ms = handshakes_wait_ms(b, now_ms), relay = relay_wait_ms(b, now_ms);

	if (relay >= 0 && (ms < 0 || relay < ms))
		ms = relay;
	if (!b->calm)
		ms = clock_sooner(ms, b->busy_ms + CALM_AFTER_MS, now_ms);
	ms = tls_wait_ms(b->tls, ms, now_ms);
	if (b->dpd.interval)
		ms = clock_sooner(ms, dpd_due(&b->dpd, b->heard_ms), now_ms);
	if (b->rekey_ms)
		ms = clock_sooner(ms, b->tls_keyed_ms + b->rekey_ms, now_ms);
	return ms;
}

// ------------------------------------------------------------------------------------------------------------- beginning

static void secret_init(struct dtls_secret *s, const struct tls *tls, const struct msg_auth_cookie_rep *rep,
                        const struct connect *c)
{
	static const char label[] = "EXPORTER-openconnect-psk";

	s->kind = (enum dtls_kind)rep->dtls;
	s->ciphers = c->ciphers;
	s->suite = c->suite;
	memcpy(s->id, rep->app_id, sizeof(s->id));
	memcpy(s->master, c->master, sizeof(s->master));
	if (s->kind == DTLS_KIND_PSK &&
	    SSL_export_keying_material(tls->ssl, s->psk, sizeof(s->psk), label, sizeof(label) - 1, NULL, 0, 0) != 1)
		s->kind = DTLS_KIND_NONE;
}

// output-buffer: few packets wait for a slow client, here and in its socket (main sees to the lane), so that the last is not old.
static void buffer_init(struct bridge *b, unsigned packets)
{
	size_t bytes = (size_t)packets * (CSTP_HEADER + b->mtu + RECORD_SIZE);

	b->burst = packets && packets < BURST ? packets : BURST;
	b->room = TLS_OUT_MAX / 2;
	if (packets == 0 || bytes >= b->room)
		return;
	b->room = bytes;
	b->tls->piece = bytes / packets;
	egress_limit(b->tls->fd, bytes);
}

int bridge_init(struct bridge *b, struct tls *tls, struct chan *main, int lane_fd, SSL_CTX *dtls_ctx,
                const struct msg_auth_cookie_rep *rep, const struct connect *c, uint64_t now_ms)
{
	memset(b, 0, sizeof(*b));
	chan_init(&b->lane, lane_fd, ROLE_WORKER, ROLE_DATAPLANE, CHAN_PLAIN, "lane");
	b->tls = tls;
	b->main = main;
	b->dtls_ctx = dtls_ctx;
	b->mtu = rep->mtu;
	buffer_init(b, rep->output_buffer);
	b->dpd.interval = (uint64_t)rep->dpd * 1000;
	b->rekey_ms = rekey_deadline(rep->rekey_time) * 1000;
	b->heard_ms = b->busy_ms = b->tls_keyed_ms = now_ms;
	tls_widen(tls);
	secret_init(&b->dtls, tls, rep, c);
	b->relay.silence_ms = (uint64_t)rep->udp_silence * 1000;
	b->relay.dpd.interval = b->dpd.interval;
	b->scratch = mmap(NULL, SCRATCH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->scratch != MAP_FAILED)
		return 0;
	b->scratch = NULL;
	bridge_fini(b);
	return -ENOMEM;
}

void bridge_lane(struct bridge *b, int fd)
{
	chan_fini(&b->lane);
	chan_init(&b->lane, fd, ROLE_WORKER, ROLE_DATAPLANE, CHAN_PLAIN, "lane");
	handshakes_restart(b);
	relay_restart(b);
}

int bridge_compress(struct bridge *b, enum compressor how, uint16_t above)
{
	b->packer = mmap(NULL, sizeof(*b->packer), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->packer == MAP_FAILED) {
		b->packer = NULL;
		return -ENOMEM;
	}
	b->compress = how;
	b->compress_above = above;
	return 0;
}

void bridge_fini(struct bridge *b)
{
	handshakes_fini(b);
	relay_fini(b);
	chan_fini(&b->lane);
	secret_wipe(&b->dtls, sizeof(b->dtls));
	if (b->scratch)
		munmap(b->scratch, SCRATCH_SIZE);
	b->scratch = NULL;
	if (b->packer)
		munmap(b->packer, sizeof(*b->packer));
	b->packer = NULL;
}

// What is worth telling: openconnect ends on either frame, and comes back with its cookie when the connection just closes.
void bridge_goodbye(struct bridge *b, enum end_reason reason)
{
	static const struct {
		enum end_reason reason;
		enum cstp_type type;
		const char *text;
	} words[] = {
		{ END_BY_ADMIN, CSTP_DISCONNECT, "disconnected by the administrator" },
		{ END_TERMINATED, CSTP_TERMINATE, "terminated by the administrator" },
		{ END_REPLACED, CSTP_DISCONNECT, "replaced by another connection" },
		{ END_IDLE, CSTP_DISCONNECT, "idle timeout" },
		{ END_SESSION_TIMEOUT, CSTP_TERMINATE, "session timeout" },
		{ END_QUOTA, CSTP_DISCONNECT, "your quota is used up" },
		{ END_EXPIRED, CSTP_DISCONNECT, "your account has expired" },
		{ END_SHUTDOWN, CSTP_DISCONNECT, "the gateway is shutting down" },
	};
	uint8_t payload[64];
	size_t i, len;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].reason != reason)
			continue;
		len = strlen(words[i].text);
		payload[0] = 0;
		memcpy(payload + 1, words[i].text, len);
		send_frame(b, words[i].type, payload, len + 1);
		return;
	}
}
