// The running penstock-dataplane against hostile workers on their lanes, in a network namespace of its own:
//
//   UDP client ── lo (outer, net_af_packet) ── dataplane ── vpns0 (inner, TAP, 10.99.0.1/16) ── the kernel, which answers pings
//                                                 │
//                              lanes of workers ──┘
//
// Each attack costs the offender its lane and nobody else anything: the same process pings for an honest worker afterwards.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>
#include <cmocka.h>

#include "door.h"
#include "measure.h"
#include "netns.h"
#include "ping.h"
#include "proto/lane.h"
#include "proto/log.h"
#include "victim.h"

#define UDP_PORT 4443
#define OFFENDER 7
#define HONEST 8
#define BYSTANDER 9

static struct victim dataplane;
static int udp_client = -1, udp_main = -1;
static uint8_t hellos;
static long attacks;

// -------------------------------------------------------------------------------------------------------------- main's side

static struct {
	struct msg_dataplane_ready ready;
	int accepted, violated, gone; // of the tunnel with that number
	uint64_t counter;             // of the name that is looked for
} seen;
static const char *counter_wanted = "";

static int on_ready(void *who, const void *m, const int *fds)
{
	seen.ready = *(const struct msg_dataplane_ready *)m;
	return 0;
}

static int on_reply(void *who, const void *m, const int *fds)
{
	const struct msg_tunnel_reply *r = m;

	if (r->ok)
		seen.accepted = (int)r->tunnel;
	else
		seen.violated = (int)r->tunnel;
	return 0;
}

static int on_counters(void *who, const void *m, const int *fds)
{
	const struct msg_tunnel_counters *c = m;

	if (c->last)
		seen.gone = (int)c->tunnel;
	return 0;
}

static int on_counter(void *who, const void *m, const int *fds)
{
	const struct msg_dp_counter *c = m;

	if (strcmp(c->name, counter_wanted) == 0)
		seen.counter = c->value;
	return 0;
}

static int on_any(void *who, const void *m, const int *fds)
{
	return 0;
}

static const chan_handler from_dataplane[MSG_NUMBERS] = {
	[MSG_DATAPLANE_READY] = on_ready, [MSG_TUNNEL_REPLY] = on_reply,
	[MSG_TUNNEL_STATE] = on_any,      [MSG_TUNNEL_COUNTERS] = on_counters,
	[MSG_DP_PORT] = on_any,           [MSG_DP_CORE] = on_any,
	[MSG_DP_COUNTER] = on_counter,    [MSG_DATAPLANE_STATS_END] = on_any,
	[MSG_DP_LATENCY] = on_any,        [MSG_DP_POOL] = on_any,
	[MSG_DP_RING] = on_any,           [MSG_WATCH_PACKET] = on_any,
	[MSG_WATCH_END] = on_any,
};

// Serve what comes to main until *word is number; whether it came to that within 5 s.
static bool main_waits(const int *word, int number)
{
	struct pollfd p = { .fd = dataplane.chan.fd, .events = POLLIN };
	int ret, i;

	for (i = 0; i < 500 && *word != number; i++) {
		ret = chan_serve(&dataplane.chan, from_dataplane, NULL, 100);
		if (ret <= 0 && ret != -EAGAIN)
			return false;
		if (ret == -EAGAIN)
			poll(&p, 1, 10);
	}
	return *word == number;
}

static uint64_t counter(const char *name)
{
	counter_wanted = name;
	seen.counter = UINT64_MAX;
	assert_int_equal(CHAN_SEND(&dataplane.chan, DATAPLANE_STATS, &(struct msg_dataplane_stats){ .token = 1 }), 0);
	assert_int_equal(chan_await(&dataplane.chan, from_dataplane, NULL, MSG_DATAPLANE_STATS_END, 5000), 0);
	assert_int_not_equal(seen.counter, UINT64_MAX);
	return seen.counter;
}

static void client_address(uint32_t tunnel, uint8_t ip[4])
{
	memcpy(ip, (uint8_t[]){ 10, 99, 1, (uint8_t)tunnel }, 4);
}

// A worker's end of a new tunnel's lane.
static struct addr relay; // of the tunnels that are added

static int tunnel_add(uint32_t tunnel)
{
	struct msg_tunnel_add m = { .tunnel = tunnel, .ipv4 = { .family = 4, .prefix = 32 }, .mtu = 1400, .udp_silence = 60 };
	int fds[2];

	m.relay = relay;
	client_address(tunnel, m.ipv4.ip);
	m.app_id_len = APP_ID_SIZE;
	memset(m.app_id, (int)tunnel, APP_ID_SIZE);
	assert_int_equal(chan_pair(fds), 0);
	seen.accepted = seen.violated = seen.gone = -1;
	assert_int_equal(chan_send(&dataplane.chan, MSG_TUNNEL_ADD, &m, &fds[1]), 0);
	close(fds[1]);
	assert_true(main_waits(&seen.accepted, (int)tunnel));
	return fds[0];
}

static void tunnel_del(uint32_t tunnel)
{
	assert_int_equal(CHAN_SEND(&dataplane.chan, TUNNEL_DEL, &(struct msg_tunnel_del){ .tunnel = tunnel }), 0);
	assert_true(main_waits(&seen.gone, (int)tunnel));
}

// -------------------------------------------------------------------------------------------------------- an honest worker

static const uint8_t gateway[4] = { 10, 99, 0, 1 };

static bool ping_from(int lane, uint32_t tunnel)
{
	uint8_t from[4];

	client_address(tunnel, from);
	return ping(lane, from, gateway);
}

static void honest_tunnel_works(void)
{
	int lane = tunnel_add(HONEST);

	assert_true(ping_from(lane, HONEST));
	tunnel_del(HONEST);
	close(lane);
}

// --------------------------------------------------------------------------------------------------------- its handshakes

static int on_record(void *who, const void *m, const int *fds)
{
	*(uint32_t *)who = ((const struct msg_dtls_record *)m)->handshake;
	return 0;
}

static const chan_handler to_worker[MSG_NUMBERS] = {
	[MSG_DTLS_RECORD] = on_record, [MSG_DTLS_CONFIRMED] = on_any, [MSG_DTLS_ALERT] = on_any
};

// A ClientHello from the UDP client with this tunnel's App-ID.
static void hello_send(uint32_t tunnel)
{
	static const uint8_t head[] = { 22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0,  0,    87,  1,
		                        0,  0,    75,   0, 0, 0, 0, 0, 0, 0, 75, 0xfe, 0xfd };
	uint8_t packet[100] = { 0 };

	memcpy(packet, head, sizeof(head));
	memset(packet + 27, ++hellos, 32);
	packet[59] = 32;
	memset(packet + 60, (int)tunnel, 32);
	memcpy(packet + 92, (uint8_t[]){ 0, 0, 2, 0xc0, 0xa8, 1, 0 }, 7);
	assert_int_equal(send(udp_client, packet, 100, 0), 100);
}

// The number of the handshake that it begins.
static uint32_t hello(int lane, uint32_t tunnel)
{
	uint32_t handshake = 0;
	struct chan c;

	hello_send(tunnel);
	chan_init(&c, lane, ROLE_WORKER, ROLE_DATAPLANE, CHAN_PLAIN, "lane");
	assert_int_equal(chan_await(&c, to_worker, &handshake, MSG_DTLS_RECORD, 5000), 0);
	assert_true(handshake > 0);
	return handshake;
}

static void keys_make(struct msg_dtls_keys *m, uint32_t handshake)
{
	*m = (struct msg_dtls_keys){ .handshake = handshake, .cipher = AEAD_AES_128_GCM, .epoch = 1, .next_sequence = 1 };
	m->client_key_len = m->server_key_len = 16;
	m->client_iv_len = m->server_iv_len = 4;
}

static void lane_send(int lane, enum msg_number number, const void *msg)
{
	struct chan c;

	chan_init(&c, lane, ROLE_WORKER, ROLE_DATAPLANE, CHAN_PLAIN, "lane");
	assert_int_equal(chan_send(&c, number, msg, NULL), 0);
}

static void datagrams_go_both_ways(void **state)
{
	struct msg_dtls_send m = { .datagram_len = 20, .datagram = "twenty bytes of DTLS" };
	struct pollfd p = { .fd = udp_client, .events = POLLIN };
	int lane = tunnel_add(HONEST);
	uint8_t buf[64];

	m.handshake = hello(lane, HONEST);
	lane_send(lane, MSG_DTLS_SEND, &m);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(recv(udp_client, buf, sizeof(buf), 0), 20);
	assert_memory_equal(buf, m.datagram, 20);
	tunnel_del(HONEST);
	close(lane);
}

// ---------------------------------------------------------------------------------------------------------------- attacks

static void expect_offender_dropped(int lane, const char *what)
{
	measure_attack();
	if (!victim_drops(lane))
		fail_msg("%s: the offender keeps its lane", what);
	if (!main_waits(&seen.violated, OFFENDER))
		fail_msg("%s: main is not told", what);
	measure_ended();
	tunnel_del(OFFENDER);
	close(lane);
	if (!victim_lives(&dataplane))
		fail_msg("%s: the dataplane died", what);
	if (!victim_fds_settle(&dataplane))
		fail_msg("%s: %d descriptors, not %d", what, probe_count_fds(dataplane.pid), dataplane.fds);
	attacks++;
}

static void expect_offender_dropped_beside(int lane, const char *what)
{
	dataplane.fds++; // the honest one's lane
	expect_offender_dropped(lane, what);
	dataplane.fds--;
}

static void attack_lane(void *arg, const struct attack *a)
{
	int lane = tunnel_add(OFFENDER);

	assert_int_equal(probe_send(lane, a->packet.buf, a->packet.len, a->fds), 0);
	expect_offender_dropped(lane, a->name);
	honest_tunnel_works();
}

static const int lane_messages[] = { MSG_DTLS_SEND, MSG_DTLS_KEYS, MSG_DTLS_SEAL };
static const uint32_t states[] = { CHAN_PLAIN };

static void out_of_place(void **state)
{
	measure_begin("lane: messages of others");
	attacks_out_of_place(ROLE_WORKER, ROLE_DATAPLANE, CHAN_PLAIN, attack_lane, NULL);
	measure_end();
}

static void without_head(void **state)
{
	measure_begin("lane: what is no message and no packet");
	attacks_without_head(attack_lane, NULL);
	measure_end();
}

static void malformed(void **state)
{
	door_malformed(&(struct door){ "lane", ROLE_DATAPLANE, states, 1, attack_lane });
}

// ------------------------------------------------------------------------------------------- what the table cannot forbid

static void handshakes_that_do_not_exist(void **state)
{
	struct msg_dtls_send send = { .datagram_len = 20 };
	struct msg_dtls_seal seal = { .type = 21, .plaintext_len = 2 };
	const void *msgs[] = { &send, NULL, &seal };
	struct msg_dtls_keys keys;
	uint32_t next;
	int i, lane;

	measure_begin("lane: DTLS of handshakes that do not exist");
	for (i = 0; i < 6; i++) { // before any, and the one after the only
		lane = tunnel_add(OFFENDER);
		next = i < 3 ? 1 : hello(lane, OFFENDER) + 1;
		send.handshake = seal.handshake = next;
		keys_make(&keys, next);
		msgs[1] = &keys;
		lane_send(lane, (enum msg_number)lane_messages[i % 3], msgs[i % 3]);
		expect_offender_dropped(lane, "a handshake that does not exist");
		honest_tunnel_works();
	}
	measure_end();
}

// Whose records are the dataplane's has nothing to relay; whose records are its own has no keys to hand over, and relays to the
// handshakes that there are.
static void relays_that_are_none(void **state)
{
	struct msg_dtls_relay datagram = { .datagram_len = 20 };
	struct msg_dtls_channel channel = { .channel = CHANNEL_DTLS };
	struct msg_dtls_keys keys;
	int i, lane;

	measure_begin("lane: relays that are none");
	for (i = 0; i < 2; i++) {
		lane = tunnel_add(OFFENDER);
		datagram.handshake = channel.handshake = hello(lane, OFFENDER);
		lane_send(lane, i ? MSG_DTLS_CHANNEL : MSG_DTLS_RELAY, i ? (void *)&channel : &datagram);
		expect_offender_dropped(lane, "a relay of nothing");
		honest_tunnel_works();
	}
	for (i = 0; i < 3; i++) {
		relay = (struct addr){ .family = 4, .prefix = 32, .ip = { 127, 0, 0, 1 } };
		lane = tunnel_add(OFFENDER);
		relay = (struct addr){ .family = 0 };
		datagram.handshake = channel.handshake = hello(lane, OFFENDER) + 1;
		keys_make(&keys, channel.handshake - 1);
		lane_send(lane,
		          i == 0   ? MSG_DTLS_KEYS
		          : i == 1 ? MSG_DTLS_CHANNEL
		                   : MSG_DTLS_RELAY,
		          i == 0   ? (void *)&keys
		          : i == 1 ? (void *)&channel
		                   : &datagram);
		expect_offender_dropped(lane, "a relay to nobody");
		honest_tunnel_works();
	}
	measure_end();
}

static void farewell_make(struct msg_dtls_farewell *m)
{
	uint8_t *records[] = { m->first, m->second };

	m->first_len = m->second_len = LIMIT_FAREWELL;
	for (int i = 0; i < 2; i++) {
		memset(records[i], 0xff, LIMIT_FAREWELL);
		memcpy(records[i], (uint8_t[]){ 21, 0xfe, 0xfd, 0, 1 }, 5);
		records[i][10] = (uint8_t)(0xfc + i);
		records[i][11] = 0;
		records[i][12] = LIMIT_FAREWELL - 13;
	}
}

// Whatever stands under the seal: alerts by their heads, with numbers that no dataplane uses, whole, and once.
static void farewells_that_are_none(void **state)
{
	static const struct {
		uint8_t at, byte;
	} rows[] = {
		{ 0, 23 }, { 0, 22 }, { 4, 0 }, { 5, 0 }, { 10, 0xfb }, { 12, LIMIT_FAREWELL - 14 }, { 12, LIMIT_FAREWELL - 12 },
		{ 1, 3 }
	};
	struct msg_dtls_farewell m;
	int lane;

	measure_begin("lane: farewells that are none");
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		farewell_make(&m);
		(i % 2 ? m.second : m.first)[rows[i / 2].at] = rows[i / 2].byte;
		lane = tunnel_add(OFFENDER);
		lane_send(lane, MSG_DTLS_FAREWELL, &m);
		expect_offender_dropped(lane, "a farewell that is none");
		honest_tunnel_works();
	}
	farewell_make(&m);
	lane = tunnel_add(OFFENDER);
	lane_send(lane, MSG_DTLS_FAREWELL, &m);
	assert_true(ping_from(lane, OFFENDER)); // its client had no DTLS: nobody is told anything
	lane_send(lane, MSG_DTLS_FAREWELL, &m);
	expect_offender_dropped(lane, "a farewell again");
	honest_tunnel_works();
	measure_end();
}

// Until the offender is dropped, which may be before the flood is over.
static void flood(int lane, const uint8_t *packet, size_t len)
{
	int ret = 0;

	for (int i = 0; i < 1000000 && ret != -EPIPE && ret != -ECONNRESET; i++)
		ret = probe_send(lane, packet, len, 0);
}

static void floods_of_channels(void **state)
{
	struct msg_dtls_channel m = { .channel = CHANNEL_DTLS };
	uint8_t buf[64];
	int lane, len;

	measure_begin("lane: DTLS_CHANNEL at full speed");
	relay = (struct addr){ .family = 4, .prefix = 32, .ip = { 127, 0, 0, 1 } };
	lane = tunnel_add(OFFENDER);
	relay = (struct addr){ .family = 0 };
	m.handshake = hello(lane, OFFENDER);
	len = msg_encode(MSG_DTLS_CHANNEL, &m, buf, sizeof(buf));
	flood(lane, buf, (size_t)len);
	expect_offender_dropped(lane, "a flood of channels");
	honest_tunnel_works();
	measure_end();
}

static void keys_are_installed_once(void **state)
{
	int lane = tunnel_add(OFFENDER);
	struct msg_dtls_keys keys;

	measure_begin("lane: keys again");
	keys_make(&keys, hello(lane, OFFENDER));
	lane_send(lane, MSG_DTLS_KEYS, &keys);
	keys.next_sequence = 0; // a nonce again
	lane_send(lane, MSG_DTLS_KEYS, &keys);
	expect_offender_dropped(lane, "keys again");
	honest_tunnel_works();
	measure_end();
}

static void keys_have_their_ciphers_length(void **state)
{
	static const struct {
		uint8_t cipher, key, iv;
	} rows[] = { { AEAD_AES_128_GCM, 32, 4 },        { AEAD_AES_256_GCM, 16, 4 },       { AEAD_AES_128_GCM, 16, 12 },
		     { AEAD_CHACHA20_POLY1305, 16, 12 }, { AEAD_CHACHA20_POLY1305, 32, 4 }, { AEAD_AES_256_GCM, 31, 4 } };
	struct msg_dtls_keys keys;
	size_t i;
	int lane;

	measure_begin("lane: keys of another length");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lane = tunnel_add(OFFENDER);
		keys_make(&keys, hello(lane, OFFENDER));
		keys.cipher = rows[i].cipher;
		keys.client_key_len = rows[i].key;
		keys.server_iv_len = rows[i].iv;
		lane_send(lane, MSG_DTLS_KEYS, &keys);
		expect_offender_dropped(lane, "keys of another length");
		honest_tunnel_works();
	}
	measure_end();
}

static void floods_of_messages(void **state)
{
	struct msg_dtls_send m = { .datagram_len = 13 };
	int lane = tunnel_add(OFFENDER), len;
	uint8_t buf[64];

	measure_begin("lane: DTLS_SEND at full speed");
	m.handshake = hello(lane, OFFENDER);
	len = msg_encode(MSG_DTLS_SEND, &m, buf, sizeof(buf));
	flood(lane, buf, (size_t)len);
	expect_offender_dropped(lane, "a flood of datagrams");
	honest_tunnel_works();
	measure_end();
}

// What a client sends under keys_make()'s keys: is it there? Answered in a record of the same kind.
static bool dpd_answered(uint64_t sequence, int timeout_ms)
{
	static const uint8_t zeros[16];
	uint8_t record[13 + 8 + 1 + 16] = { 23, 0xfe, 0xfd, 0, 1 }, nonce[12] = { 0 }, aad[13];
	struct pollfd p = { .fd = udp_client, .events = POLLIN };
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t answer[64];
	int n;

	for (int i = 0; i < 6; i++)
		record[5 + i] = (uint8_t)(sequence >> (40 - 8 * i));
	record[12] = 8 + 1 + 16;
	memcpy(record + 13, record + 3, 8);
	memcpy(nonce + 4, record + 13, 8);
	memcpy(aad, record + 3, 8);
	memcpy(aad + 8, (uint8_t[]){ 23, 0xfe, 0xfd, 0, 1 }, 5);
	record[21] = 3; // DPD request
	EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, zeros, nonce);
	EVP_EncryptUpdate(ctx, NULL, &n, aad, sizeof(aad));
	EVP_EncryptUpdate(ctx, record + 21, &n, record + 21, 1);
	EVP_EncryptFinal_ex(ctx, record + 22, &n);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, record + 22);
	EVP_CIPHER_CTX_free(ctx);
	while (recv(udp_client, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
	for (int waited = 0; waited < timeout_ms; waited += 100) { // again: the first may come before its keys do
		assert_int_equal(send(udp_client, record, sizeof(record), 0), sizeof(record));
		if (poll(&p, 1, 100) == 1)
			return recv(udp_client, answer, sizeof(answer), 0) == sizeof(record) && answer[0] == 23;
	}
	return false;
}

// Somebody sends ClientHellos of his own session with the source address of a client who is there, so that his worker could have
// keys for that client's path.
static void keys_for_somebody_elses_path(void **state)
{
	int lane = tunnel_add(OFFENDER), honest = tunnel_add(HONEST);
	struct pollfd p = { .fd = lane, .events = POLLIN };
	struct msg_dtls_keys keys;

	measure_begin("lane: keys for the path of somebody else");
	keys_make(&keys, hello(honest, HONEST));
	lane_send(honest, MSG_DTLS_KEYS, &keys);
	assert_true(dpd_answered(1, 5000));
	for (int i = 0; i < 10; i++)
		hello_send(OFFENDER);
	assert_int_equal(poll(&p, 1, 300), 0); // no handshake has begun
	assert_true(dpd_answered(2, 5000));
	keys_make(&keys, 1);
	lane_send(lane, MSG_DTLS_KEYS, &keys);
	expect_offender_dropped_beside(lane, "keys for somebody else's path");
	assert_true(dpd_answered(3, 5000));

	// Who has been silent for ten seconds may have left that address to others, and so one begins; but what he sends is still
	// his.
	p.fd = lane = tunnel_add(OFFENDER);
	for (int i = 0; i < 60 && poll(&p, 1, 500) == 0; i++)
		hello_send(OFFENDER);
	assert_true(dpd_answered(4, 5000));
	keys_make(&keys, 1);
	memset(keys.client_key, 0x11, keys.client_key_len);
	lane_send(lane, MSG_DTLS_KEYS, &keys);
	for (int i = 0; i < 10; i++)
		assert_true(dpd_answered((uint64_t)5 + (uint64_t)i, 5000));
	tunnel_del(OFFENDER);
	close(lane);
	tunnel_del(HONEST);
	close(honest);
	measure_end();
}

// Packets are no messages: whatever they hold, they are dropped and counted, and the lane stays.
static void garbage_packets(void **state)
{
	int lane = tunnel_add(OFFENDER), honest = tunnel_add(HONEST), i;
	uint8_t packet[1600];
	size_t len;

	measure_begin("lane: 50,000 packets of garbage");
	srandom(1);
	for (i = 0; i < 50000; i++) {
		len = 20 + (size_t)random() % (sizeof(packet) - 20);
		memset(packet, (int)random(), len);
		packet[0] = (uint8_t)((random() % 2 ? 0x40 : 0x60) | (random() & 15));
		packet[1 + random() % 19] = (uint8_t)random();
		send(lane, packet, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (i % 5000 == 0)
			assert_true(ping_from(honest, HONEST));
	}
	assert_true(ping_from(honest, HONEST));
	assert_true(ping_from(lane, OFFENDER));
	tunnel_del(OFFENDER);
	tunnel_del(HONEST);
	close(lane);
	close(honest);
	measure_end();
}

static void nobody_speaks_for_another(void **state)
{
	int lane = tunnel_add(OFFENDER), honest = tunnel_add(HONEST);
	uint64_t before = counter("drop_spoof");
	uint8_t packet[PING_SIZE], from[4];

	client_address(HONEST, from);
	ping_make(packet, from, gateway);
	assert_int_equal(send(lane, packet, PING_SIZE, 0), PING_SIZE);
	assert_false(ping_answered(honest, 300));
	assert_int_equal(counter("drop_spoof"), before + 1);
	assert_true(ping_from(honest, HONEST));
	tunnel_del(OFFENDER);
	tunnel_del(HONEST);
	close(lane);
	close(honest);
}

static void a_worker_that_never_reads(void **state)
{
	int lane = tunnel_add(OFFENDER), honest = tunnel_add(HONEST), i;
	uint8_t packet[PING_SIZE], from[4];

	client_address(OFFENDER, from);
	ping_make(packet, from, gateway);
	for (i = 0; i < 20000; i++)
		send(lane, packet, PING_SIZE, MSG_NOSIGNAL | MSG_DONTWAIT);
	assert_true(ping_from(honest, HONEST));
	tunnel_del(OFFENDER);
	tunnel_del(HONEST);
	close(lane);
	close(honest);
	assert_true(victim_fds_settle(&dataplane));
}

static void leaving_in_the_middle(void **state)
{
	struct msg_dtls_keys keys;
	int stage, lane;

	for (stage = 0; stage < 3; stage++) {
		lane = tunnel_add(OFFENDER);
		if (stage > 0)
			keys_make(&keys, hello(lane, OFFENDER));
		if (stage > 1)
			lane_send(lane, MSG_DTLS_KEYS, &keys);
		close(lane);
		honest_tunnel_works();
		tunnel_del(OFFENDER);
	}
	assert_true(victim_fds_settle(&dataplane));
}

static void it_is_still_the_same(void **state)
{
	assert_true(victim_lives(&dataplane));
	bystander_stop();
	close(bystander.lane);
	print_message("%ld attacks; peak of the dataplane's memory %ld KiB\n", attacks, probe_status_kib(dataplane.pid, "VmHWM:"));
	assert_int_equal(victim_stop(&dataplane), 0);
}

// ----------------------------------------------------------------------------------------------------------------- set-up

// The dataplane hears the client on lo; main's socket keeps the kernel from saying that nobody is there.
static int open_udp(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(UDP_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	udp_main = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	udp_client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(udp_main, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -1;
	return connect(udp_client, (struct sockaddr *)&to, sizeof(to));
}

static int setup(void **state)
{
	struct snapshot_writer *w = snapshot_writer_new();
	int bystander_lane;
	uint8_t from[4];

	log_init("dataplane_lane", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	signal(SIGPIPE, SIG_IGN);
	alarm(900); // a hang is a failure
	if (!w || netns_enter() < 0 || open_udp() < 0)
		return -1;
	snapshot_put(w, "outer", "lo");
	snapshot_put(w, "inner", "tap");
	snapshot_put(w, "device", "vpns");
	snapshot_put(w, "udp-port", "4443");
	snapshot_put(w, "mtu", "1400");
	snapshot_put(w, "max-clients", "64");
	snapshot_put(w, "huge-pages", "no");
	snapshot_put(w, "poll-mode", "adaptive");
	snapshot_put(w, "@log-level", "2");
	snapshot_put(w, "@log-form", "plain");
	if (victim_start(&dataplane, "penstock-dataplane", ROLE_DATAPLANE, w) < 0)
		return -1;
	if (chan_await(&dataplane.chan, from_dataplane, NULL, MSG_DATAPLANE_READY, 60000) < 0)
		return -1;
	if (!seen.ready.ok || netns_interface_up(seen.ready.inner, "10.99.0.1", "255.255.0.0") < 0) {
		print_error("dataplane: %s\n", seen.ready.text);
		return -1;
	}
	honest_tunnel_works();
	bystander_lane = tunnel_add(BYSTANDER);
	client_address(BYSTANDER, from);
	dataplane.fds = probe_count_fds(dataplane.pid);
	measure_process("dataplane", dataplane.pid);
	return bystander_start(bystander_lane, from, gateway, NULL, NULL);
}

static int teardown(void **state)
{
	bystander_stop();
	if (dataplane.chan.fd > 0)
		victim_stop(&dataplane);
	close(udp_client);
	close(udp_main);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_go_both_ways),
		cmocka_unit_test(out_of_place),
		cmocka_unit_test(without_head),
		cmocka_unit_test(malformed),
		cmocka_unit_test(handshakes_that_do_not_exist),
		cmocka_unit_test(relays_that_are_none),
		cmocka_unit_test(farewells_that_are_none),
		cmocka_unit_test(floods_of_channels),
		cmocka_unit_test(keys_are_installed_once),
		cmocka_unit_test(keys_have_their_ciphers_length),
		cmocka_unit_test(keys_for_somebody_elses_path),
		cmocka_unit_test(floods_of_messages),
		cmocka_unit_test(garbage_packets),
		cmocka_unit_test(nobody_speaks_for_another),
		cmocka_unit_test(a_worker_that_never_reads),
		cmocka_unit_test(leaving_in_the_middle),
		cmocka_unit_test(it_is_still_the_same),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "dataplane_lane: needs root, for a network namespace of its own\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
