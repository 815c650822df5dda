#include <string.h>
#include <sys/socket.h>

#include "cbc_record.h"
#include "clock.h"
#include "cstp.h"
#include "proto/lane.h"
#include "proto/log.h"
#include "relay.h"

// Half of what messages.def allows a second, since its receiver's seconds are not ours.
#define TELL_EVERY_MS 200
// A client that is heard so long after its keys were ended has not got our alert.
#define END_AGAIN_MS 500

// --------------------------------------------------------------------------------------------------------------- telling

static void tell(struct bridge *b)
{
	struct relay *r = &b->relay;
	struct msg_dtls_channel m = {
		.handshake = r->number,
		.channel = r->udp ? CHANNEL_DTLS : CHANNEL_CSTP,
		.why = (uint8_t)r->why,
	};

	if (!r->untold || (r->told_ms && b->now_ms - r->told_ms < TELL_EVERY_MS))
		return;
	r->told_ms = b->now_ms;
	r->untold = CHAN_SEND(&b->lane, DTLS_CHANNEL, &m) < 0;
}

static void change(struct bridge *b, bool udp, enum channel_why why)
{
	b->relay.udp = udp;
	b->relay.why = why;
	b->relay.untold = true;
	tell(b);
}

void relay_leave(struct bridge *b)
{
	if (b->relay.udp)
		change(b, false, WHY_CLIENT);
}

// ----------------------------------------------------------------------------------------------------------- connections

static void drop(struct bridge *b, struct cbc **slot)
{
	struct relay *r = &b->relay;

	if (r->in_force == *slot) {
		r->in_force = NULL;
		if (r->udp)
			change(b, false, WHY_ALERT);
	}
	cbc_free(*slot);
	*slot = NULL;
}

static void on_send(void *who, uint32_t handshake, const uint8_t *datagram, size_t len)
{
	struct msg_dtls_relay m = { .handshake = handshake, .datagram_len = (uint16_t)len };
	struct bridge *b = who;

	memcpy(m.datagram, datagram, len);
	CHAN_SEND(&b->lane, DTLS_RELAY, &m); // a full lane is a lost datagram
}

// Its first data: the client has our Finished, and what came before it is out of use.
static void take_over(struct bridge *b, struct cbc *c)
{
	struct relay *r = &b->relay;
	struct msg_session_info m = { 0 };
	int i;

	r->in_force = c;
	r->number = cbc_number(c);
	r->keyed_ms = b->now_ms;
	r->ended_ms = 0;
	for (i = 0; i < BRIDGE_HANDSHAKES; i++)
		if (r->all[i] && r->all[i] != c && cbc_born(r->all[i]) < cbc_born(c))
			drop(b, &r->all[i]);
	cbc_cipher_name(c, m.dtls_cipher, sizeof(m.dtls_cipher));
	log_debug("dtls: %s", m.dtls_cipher);
	CHAN_SEND(b->main, SESSION_INFO, &m);
	change(b, true, WHY_KEYS);
}

// As the dataplane does it (dtls_in): CSTP is where a session ends, the rest is heard and that is all.
static void on_payload(struct bridge *b, struct cbc *c, const uint8_t *payload, size_t len)
{
	uint8_t answer[LIMIT_DATAGRAM];

	if (payload[0] == CSTP_DATA && lane_is_packet(payload + 1, len - 1)) {
		send(b->lane.fd, payload + 1, len - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else if (payload[0] == CSTP_DPD_REQUEST) {
		memcpy(answer, payload, len);
		answer[0] = CSTP_DPD_RESPONSE;
		cbc_send(c, answer, len);
	}
}

static void on_data(void *who, struct cbc *c, const uint8_t *payload, size_t len)
{
	struct bridge *b = who;
	struct relay *r = &b->relay;

	if (r->in_force != c && (!r->in_force || cbc_born(c) > cbc_born(r->in_force)))
		take_over(b, c);
	if (r->in_force == c) {
		r->heard_ms = b->now_ms;
		if (!r->udp && cbc_up(c))
			change(b, true, WHY_HEARD);
	}
	on_payload(b, c, payload, len);
}

static struct cbc **find(struct bridge *b, uint32_t number)
{
	int i;

	for (i = 0; i < BRIDGE_HANDSHAKES; i++)
		if (b->relay.all[i] && cbc_number(b->relay.all[i]) == number)
			return &b->relay.all[i];
	return NULL;
}

// A free place, or that of the handshake that came first of those that are not in force.
static struct cbc **place(struct bridge *b)
{
	struct cbc **worst = NULL, **slot;
	int i;

	for (i = 0; i < BRIDGE_HANDSHAKES; i++) {
		slot = &b->relay.all[i];
		if (!*slot)
			return slot;
		if (*slot != b->relay.in_force && (!worst || cbc_born(*slot) < cbc_born(*worst)))
			worst = slot;
	}
	drop(b, worst);
	return worst;
}

static struct cbc **begin(struct bridge *b, uint32_t number)
{
	static const struct cbc_road road = { on_send, on_data };
	struct cbc **slot;

	if (number <= b->last_handshake)
		return NULL;
	slot = place(b);
	*slot = cbc_new(number, &b->dtls, &road, b, b->now_ms);
	if (!*slot) {
		log_warn("dtls: no memory for a handshake");
		return NULL;
	}
	b->last_handshake = number;
	return slot;
}

// Records that are not those of the path's own handshake: of the connection in force, whose client has roamed or whose new
// handshake came by the same path. One that is newer than all before it shows where the client is now.
static void record_elsewhere(struct bridge *b, const struct msg_dtls_record *m, bool new_path)
{
	struct cbc *c = b->relay.in_force;
	struct cbc **slot = c ? find(b, cbc_number(c)) : NULL;
	int ret;

	if (!slot)
		return;
	ret = cbc_input(c, m->datagram, m->datagram_len, b->now_ms);
	if (ret < 0) {
		drop(b, slot);
	} else if (ret > 0 && new_path && m->handshake > b->relay.number && b->relay.in_force == c) {
		cbc_renumber(c, m->handshake);
		b->relay.number = m->handshake;
		if (b->last_handshake < m->handshake)
			b->last_handshake = m->handshake;
		change(b, true, WHY_HEARD);
	}
}

int relay_record(struct bridge *b, const struct msg_dtls_record *m)
{
	struct cbc **slot = find(b, m->handshake);
	bool sealed = m->datagram[3] || m->datagram[4]; // its epoch
	int ret;

	if (!slot && sealed) {
		record_elsewhere(b, m, true);
		return 0;
	}
	if (!slot)
		slot = begin(b, m->handshake);
	if (!slot)
		return 0;
	ret = cbc_input(*slot, m->datagram, m->datagram_len, b->now_ms);
	if (ret < 0)
		drop(b, slot);
	else if (ret == 0 && sealed && *slot != b->relay.in_force)
		record_elsewhere(b, m, false);
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- packets

bool relay_packet(struct bridge *b, uint8_t *packet, size_t len)
{
	struct relay *r = &b->relay;

	if (!r->udp || !r->in_force)
		return false;
	if (r->silence_ms && b->now_ms - r->heard_ms > r->silence_ms) {
		change(b, false, WHY_SILENCE);
		return false;
	}
	packet[-1] = CSTP_DATA;
	return cbc_send(r->in_force, packet - 1, len + 1) == 0;
}

// ------------------------------------------------------------------------------------------------------------------ time

static void check_liveness(struct bridge *b)
{
	static const uint8_t question[] = { CSTP_DPD_REQUEST };
	struct relay *r = &b->relay;

	if (!r->in_force)
		return;
	switch (dpd_step(&r->dpd, b->now_ms, r->heard_ms)) {
	case DPD_ASK:
		cbc_send(r->in_force, question, sizeof(question));
		break;
	case DPD_GIVE_UP:
		if (r->udp)
			change(b, false, WHY_DEAD_UDP);
		break;
	default:
		break;
	}
}

// As the dataplane does it with keys that it holds (sweep.c).
static void check_keys(struct bridge *b)
{
	struct relay *r = &b->relay;

	if (b->rekey_ms == 0 || !r->in_force || b->now_ms - r->keyed_ms < b->rekey_ms)
		return;
	if (r->ended_ms && (r->heard_ms < r->ended_ms + END_AGAIN_MS || b->now_ms - r->ended_ms < END_AGAIN_MS))
		return;
	r->ended_ms = b->now_ms;
	cbc_close(r->in_force);
	if (r->udp)
		change(b, false, WHY_REKEY);
}

void relay_tick(struct bridge *b)
{
	int i;

	for (i = 0; i < BRIDGE_HANDSHAKES; i++)
		if (b->relay.all[i] && cbc_tick(b->relay.all[i], b->now_ms) < 0)
			drop(b, &b->relay.all[i]);
	check_keys(b);
	check_liveness(b);
	tell(b);
}

int relay_wait_ms(const struct bridge *b, uint64_t now_ms)
{
	const struct relay *r = &b->relay;
	int i, ms, least = -1;

	for (i = 0; i < BRIDGE_HANDSHAKES; i++) {
		ms = r->all[i] ? cbc_wait_ms(r->all[i], now_ms) : -1;
		if (ms >= 0 && (least < 0 || ms < least))
			least = ms;
	}
	if (r->untold)
		least = clock_sooner(least, r->told_ms + TELL_EVERY_MS, now_ms);
	if (r->in_force && b->rekey_ms && !r->ended_ms)
		least = clock_sooner(least, r->keyed_ms + b->rekey_ms, now_ms);
	if (r->in_force && r->dpd.interval)
		least = clock_sooner(least, dpd_due(&r->dpd, r->heard_ms), now_ms);
	return least;
}

// Our keys and their numbers are as good as before, but until the client is heard nobody knows the way to it; then
// record_elsewhere() does.
void relay_restart(struct bridge *b)
{
	struct relay *r = &b->relay;

	for (int i = 0; i < BRIDGE_HANDSHAKES; i++) {
		if (!r->all[i] || r->all[i] == r->in_force)
			continue;
		cbc_free(r->all[i]);
		r->all[i] = NULL;
	}
	if (r->in_force)
		cbc_outlive(r->in_force);
	r->number = 0;
	r->udp = false;
	r->untold = false;
}

void relay_fini(struct bridge *b)
{
	int i;

	b->relay.in_force = NULL;
	for (i = 0; i < BRIDGE_HANDSHAKES; i++) {
		cbc_free(b->relay.all[i]);
		b->relay.all[i] = NULL;
	}
}
