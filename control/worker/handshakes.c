#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "handshakes.h"
#include "proto/log.h"
#include "proto/secret.h"

// Half of what messages.def allows a second, since its receiver's seconds are not ours.
#define SENDS_A_SECOND 100
#define KEYS_EVERY_MS 1000
#define SEALS_A_SECOND 25

// ---------------------------------------------------------------------------------------------------------------- road

static struct handshake_rates *rates_of(struct bridge *b)
{
	uint64_t second = b->now_ms / 1000;

	if (b->rates.second != second)
		b->rates = (struct handshake_rates){ .second = second };
	return &b->rates;
}

static void on_send(void *who, uint32_t handshake, const uint8_t *datagram, size_t len)
{
	struct msg_dtls_send m = { .handshake = handshake, .datagram_len = (uint16_t)len };
	struct bridge *b = who;

	if (len < 13 || len > sizeof(m.datagram) || rates_of(b)->sends++ >= SENDS_A_SECOND)
		return;
	memcpy(m.datagram, datagram, len);
	CHAN_SEND(&b->lane, DTLS_SEND, &m); // a full lane is a lost datagram
}

static int on_keys(void *who, const struct msg_dtls_keys *keys)
{
	struct bridge *b = who;
	int ret;

	// New keys put those of the handshake before out of use, unless they are confirmed: it gets the time for that.
	if (b->keys_ms && b->now_ms - b->keys_ms < KEYS_EVERY_MS)
		return -EBUSY;
	ret = CHAN_SEND(&b->lane, DTLS_KEYS, keys);
	if (ret == 0)
		b->keys_ms = b->now_ms;
	return ret == -EAGAIN ? -EBUSY : ret;
}

static void on_seal(void *who, uint32_t handshake, uint8_t type, const uint8_t *plain, size_t len)
{
	struct msg_dtls_seal m = { .handshake = handshake, .type = type, .plaintext_len = (uint16_t)len };
	struct bridge *b = who;

	if (len > sizeof(m.plaintext) || rates_of(b)->seals++ >= SEALS_A_SECOND)
		return;
	memcpy(m.plaintext, plain, len);
	CHAN_SEND(&b->lane, DTLS_SEAL, &m);
	secret_wipe(&m, sizeof(m));
}

// --------------------------------------------------------------------------------------------------------------- table

static void drop(struct dtls **slot)
{
	dtls_free(*slot);
	*slot = NULL;
}

static struct dtls **find(struct bridge *b, uint32_t number)
{
	int i;

	for (i = 0; i < BRIDGE_HANDSHAKES; i++)
		if (b->handshakes[i] && dtls_number(b->handshakes[i]) == number)
			return &b->handshakes[i];
	return NULL;
}

// A free place, or that of the one least worth keeping: without keys before with, older before newer. So a flood of replayed
// ClientHellos cannot push out the handshake whose keys are in force.
static struct dtls **place(struct bridge *b)
{
	struct dtls **worst = NULL, **slot;
	int i;

	for (i = 0; i < BRIDGE_HANDSHAKES; i++) {
		slot = &b->handshakes[i];
		if (!*slot)
			return slot;
		if (!worst || dtls_keyed(*slot) < dtls_keyed(*worst) ||
		    (dtls_keyed(*slot) == dtls_keyed(*worst) && dtls_number(*slot) < dtls_number(*worst)))
			worst = slot;
	}
	drop(worst);
	return worst;
}

static struct dtls **begin(struct bridge *b, uint32_t number)
{
	static const struct dtls_road road = { on_send, on_keys, on_seal };
	struct dtls **slot;

	if (number <= b->last_handshake || b->dtls.kind == DTLS_KIND_NONE)
		return NULL;
	slot = place(b);
	*slot = dtls_new(b->dtls_ctx, number, &b->dtls, b->mtu, &road, b, b->now_ms);
	if (!*slot) {
		log_warn("dtls: no memory for a handshake");
		return NULL;
	}
	b->last_handshake = number;
	return slot;
}

static void announce(struct bridge *b, const struct dtls *d)
{
	struct msg_session_info m = { 0 };

	snprintf(m.dtls_cipher, sizeof(m.dtls_cipher), "%s", dtls_cipher_name(d));
	log_debug("dtls: %s", m.dtls_cipher);
	CHAN_SEND(b->main, SESSION_INFO, &m);
}

int handshakes_record(struct bridge *b, const struct msg_dtls_record *m)
{
	struct dtls **slot = find(b, m->handshake);
	bool keyed;

	if (!slot)
		slot = begin(b, m->handshake);
	if (!slot)
		return 0;
	keyed = dtls_keyed(*slot);
	if (dtls_input(*slot, m->datagram, m->datagram_len) < 0)
		drop(slot);
	else if (!keyed && dtls_keyed(*slot))
		announce(b, *slot);
	return 0;
}

void handshakes_confirmed(struct bridge *b, uint32_t number)
{
	struct dtls **slot = find(b, number);

	if (!slot)
		return;
	if (dtls_keyed(*slot))
		b->farewells = *dtls_farewells(*slot);
	drop(slot);
}

// Keys that wait for their client's first data are the ones that it has, in all likelihood.
static void learn_farewells(struct bridge *b)
{
	const struct dtls *last = NULL;

	for (int i = 0; i < BRIDGE_HANDSHAKES; i++) {
		const struct dtls *d = b->handshakes[i];

		if (d && dtls_keyed(d) && (!last || dtls_number(d) > dtls_number(last)))
			last = d;
	}
	if (last)
		b->farewells = *dtls_farewells(last);
}

void handshakes_restart(struct bridge *b)
{
	struct msg_dtls_farewell m = { 0 };

	learn_farewells(b);
	handshakes_fini(b);
	b->last_handshake = 0;
	b->keys_ms = 0;
	if (farewells_take(&b->farewells, &m) == 0)
		CHAN_SEND(&b->lane, DTLS_FAREWELL, &m);
}

void handshakes_tick(struct bridge *b)
{
	int i;

	for (i = 0; i < BRIDGE_HANDSHAKES; i++)
		if (b->handshakes[i] && dtls_tick(b->handshakes[i], b->now_ms) < 0)
			drop(&b->handshakes[i]);
}

int handshakes_wait_ms(const struct bridge *b, uint64_t now_ms)
{
	int i, ms, least = -1;

	for (i = 0; i < BRIDGE_HANDSHAKES; i++) {
		if (!b->handshakes[i])
			continue;
		ms = dtls_wait_ms(b->handshakes[i], now_ms);
		if (least < 0 || ms < least)
			least = ms;
	}
	return least;
}

void handshakes_fini(struct bridge *b)
{
	int i;

	for (i = 0; i < BRIDGE_HANDSHAKES; i++)
		drop(&b->handshakes[i]);
}
