// A session whose DTLS records are the worker's, seen from the dataplane's end of its lane: packets, channels, new handshakes, and
// a client that roams. OpenSSL is the client.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/worker/cstp.h"
#include "control/worker/relay.h"
#include "proto/lane.h"
#include "proto/log.h"
#include "tests/dtls_client.h"

struct world {
	struct bridge b;
	struct chan lane, main; // the other ends
	struct net net;
	SSL_CTX *ctx;
	SSL *client;
	uint32_t number; // what the client's datagrams go by
	struct msg_dtls_channel channel;
	int n_channels, n_infos;
	uint32_t relayed; // the number of the last datagram
	uint8_t packet[2000];
	size_t packet_len;
};

static int on_relay(void *who, const void *m, const int *fds)
{
	const struct msg_dtls_relay *r = m;
	struct world *w = who;

	queue_put(&w->net.down, r->datagram, r->datagram_len);
	w->relayed = r->handshake;
	return 0;
}

static int on_channel(void *who, const void *m, const int *fds)
{
	struct world *w = who;

	w->channel = *(const struct msg_dtls_channel *)m;
	w->n_channels++;
	return 0;
}

static const chan_handler from_worker[MSG_NUMBERS] = { [MSG_DTLS_RELAY] = on_relay, [MSG_DTLS_CHANNEL] = on_channel };

static void lane_serve(struct world *w)
{
	uint8_t buf[LIMIT_MESSAGE];
	ssize_t n;

	while ((n = recv(w->lane.fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		if (!lane_is_packet(buf, (size_t)n)) {
			assert_true(chan_serve_packet(&w->lane, from_worker, w, buf, (size_t)n, NULL, 0) >= 0);
			continue;
		}
		memcpy(w->packet, buf, (size_t)n);
		w->packet_len = (size_t)n;
	}
}

static void client_begin(struct world *w, uint32_t number)
{
	SSL_free(w->client);
	w->net.up.head = w->net.up.tail = w->net.down.head = w->net.down.tail = 0;
	w->client = client_new(w->ctx, &w->net);
	assert_int_equal(SSL_set_cipher_list(w->client, "AES128-SHA"), 1);
	client_resumes(w->client, w->b.dtls.suite, DTLS1_BAD_VER);
	w->number = number;
}

static void world_init(struct world *w)
{
	struct dtls_secret secret = { .kind = DTLS_KIND_CBC, .suite = suite_choose("AES128-SHA", false, &ciphers_all) };
	int lane[2], main[2];

	memset(w, 0, sizeof(*w));
	w->net.up.lose = w->net.down.lose = NEVER;
	assert_int_equal(chan_pair(lane), 0);
	assert_int_equal(chan_pair(main), 0);
	memcpy(secret.id, session_id, sizeof(session_id));
	memcpy(secret.master, master, sizeof(master));
	w->b.dtls = secret;
	w->b.now_ms = 100000;
	w->b.relay.silence_ms = 25000;
	chan_init(&w->b.lane, lane[0], ROLE_WORKER, ROLE_DATAPLANE, CHAN_PLAIN, "lane");
	chan_init(&w->lane, lane[1], ROLE_DATAPLANE, ROLE_WORKER, CHAN_PLAIN, "lane");
	chan_init(&w->main, main[0], ROLE_WORKER, ROLE_MAIN, WM_UP, "main");
	w->b.main = &w->main;
	close(main[1]);
	w->ctx = SSL_CTX_new(DTLS_client_method());
	SSL_CTX_set_security_level(w->ctx, 0);
	SSL_CTX_set_min_proto_version(w->ctx, DTLS1_BAD_VER);
	SSL_CTX_set_max_proto_version(w->ctx, DTLS1_BAD_VER);
	client_begin(w, 1);
}

static void world_fini(struct world *w)
{
	relay_fini(&w->b);
	chan_fini(&w->b.lane);
	chan_fini(&w->lane);
	chan_fini(&w->main);
	SSL_free(w->client);
	SSL_CTX_free(w->ctx);
	ERR_clear_error();
}

static void deliver(struct world *w, const struct datagram *d, uint32_t number)
{
	struct msg_dtls_record m = { .handshake = number, .datagram_len = (uint16_t)d->len };

	memcpy(m.datagram, d->bytes, d->len);
	assert_int_equal(relay_record(&w->b, &m), 0);
	lane_serve(w);
}

static void up(struct world *w)
{
	struct datagram *d;

	while ((d = queue_get(&w->net.up)))
		deliver(w, d, w->number);
}

static void shake(struct world *w)
{
	int i;

	ERR_clear_error();
	for (i = 0; i < 10 && SSL_do_handshake(w->client) != 1; i++)
		up(w);
	up(w);
	assert_true(SSL_is_init_finished(w->client));
}

// An IP packet as a DTLS payload; the text makes it one packet or another.
static void client_writes(struct world *w, const char *text)
{
	uint8_t payload[1 + 20 + 16] = { CSTP_DATA, 0x45 };

	assert_true(strlen(text) < 16);
	strcpy((char *)payload + 21, text);
	w->packet_len = 0;
	assert_int_equal(SSL_write(w->client, payload, sizeof(payload)), sizeof(payload));
}

static void client_sends(struct world *w, const char *text)
{
	client_writes(w, text);
	up(w);
}

static void lane_got(struct world *w, const char *text)
{
	assert_int_equal(w->packet_len, 36);
	assert_string_equal((char *)w->packet + 20, text);
}

static bool client_gets(struct world *w)
{
	uint8_t packet[1 + 20 + 16] = { 0, 0x45 }, got[100];

	if (!relay_packet(&w->b, packet + 1, sizeof(packet) - 1))
		return false;
	lane_serve(w);
	assert_int_equal(SSL_read(w->client, got, sizeof(got)), sizeof(packet));
	assert_memory_equal(got, packet, sizeof(packet));
	return true;
}

static void told(struct world *w, uint32_t number, enum tunnel_channel channel, enum channel_why why)
{
	w->b.now_ms += 1000; // what is told in between waits a little
	relay_tick(&w->b);
	lane_serve(w);
	assert_int_equal(w->channel.handshake, number);
	assert_int_equal(w->channel.channel, channel);
	assert_int_equal(w->channel.why, why);
}

// --------------------------------------------------------------------------------------------------------------- facts

static void test_packets_both_ways(void **state)
{
	struct world w;

	world_init(&w);
	assert_false(client_gets(&w)); // no DTLS yet
	shake(&w);
	assert_false(client_gets(&w)); // the client has not said a word yet
	client_sends(&w, "first");
	lane_got(&w, "first");
	told(&w, 1, CHANNEL_DTLS, WHY_KEYS);
	assert_true(client_gets(&w));
	assert_int_equal(w.relayed, 1);
	client_sends(&w, "second");
	lane_got(&w, "second");
	world_fini(&w);
}

static void test_questions(void **state)
{
	uint8_t got[100];
	struct world w;

	world_init(&w);
	shake(&w);
	assert_int_equal(SSL_write(w.client, "\x03question", 9), 9);
	up(&w);
	assert_int_equal(SSL_read(w.client, got, sizeof(got)), 9);
	assert_memory_equal(got, "\x04question", 9);
	assert_int_equal(SSL_write(w.client, "\x00\x60 no packet", 12), 12);
	up(&w);
	assert_int_equal(w.packet_len, 0);
	w.b.relay.dpd.interval = 10000; // silent for twice that: it is asked
	w.b.now_ms += 20000;
	relay_tick(&w.b);
	lane_serve(&w);
	assert_int_equal(SSL_read(w.client, got, sizeof(got)), 1);
	assert_int_equal(got[0], CSTP_DPD_REQUEST);
	w.b.now_ms += 10000; // and given up after three times
	told(&w, 1, CHANNEL_CSTP, WHY_DEAD_UDP);
	assert_false(client_gets(&w));
	client_sends(&w, "here again");
	told(&w, 1, CHANNEL_DTLS, WHY_HEARD);
	world_fini(&w);
}

static void test_channels(void **state)
{
	struct world w;
	int i;

	world_init(&w);
	shake(&w);
	client_sends(&w, "here");
	told(&w, 1, CHANNEL_DTLS, WHY_KEYS);
	relay_leave(&w.b); // a packet came over CSTP
	assert_false(client_gets(&w));
	told(&w, 1, CHANNEL_CSTP, WHY_CLIENT);
	client_sends(&w, "back");
	assert_true(client_gets(&w));
	told(&w, 1, CHANNEL_DTLS, WHY_HEARD);
	w.b.now_ms += 25001;
	assert_false(client_gets(&w));
	told(&w, 1, CHANNEL_CSTP, WHY_SILENCE);
	w.n_channels = 0; // a client that flaps is not told of more often than the dataplane listens
	for (i = 0; i < 100; i++) {
		client_sends(&w, "flap");
		relay_leave(&w.b);
		w.b.now_ms += 10;
	}
	assert_in_range(w.n_channels, 1, 6);
	assert_in_range(relay_wait_ms(&w.b, w.b.now_ms), 0, 200);
	told(&w, 1, CHANNEL_CSTP, WHY_CLIENT);
	world_fini(&w);
}

static void test_new_handshake(void **state)
{
	struct datagram late;
	struct world w;

	world_init(&w);
	shake(&w);
	client_sends(&w, "old");
	client_writes(&w, "old and late");
	late = *queue_get(&w.net.up);
	client_begin(&w, 2);
	shake(&w);
	assert_true(w.b.relay.number == 1); // the old keys are in force until the first data under the new ones
	deliver(&w, &late, 2);              // even by the new handshake's path
	lane_got(&w, "old and late");
	client_sends(&w, "new");
	lane_got(&w, "new");
	told(&w, 2, CHANNEL_DTLS, WHY_KEYS);
	assert_true(client_gets(&w));
	assert_int_equal(w.relayed, 2);
	w.packet_len = 0;
	deliver(&w, &late, 1); // what was before is gone
	assert_int_equal(w.packet_len, 0);
	world_fini(&w);
}

static void test_roaming(void **state)
{
	struct datagram old, forged;
	struct world w;

	world_init(&w);
	shake(&w);
	client_sends(&w, "at home");
	told(&w, 1, CHANNEL_DTLS, WHY_KEYS);
	client_writes(&w, "before, later");
	old = *queue_get(&w.net.up);
	client_sends(&w, "in between");
	forged = old;
	forged.bytes[forged.len - 1] ^= 1;
	deliver(&w, &forged, 5); // another path: what does not authenticate moves nothing
	deliver(&w, &old, 6);    // what is older moves nothing, but is heard
	lane_got(&w, "before, later");
	assert_true(client_gets(&w));
	assert_int_equal(w.relayed, 1);
	w.number = 7;
	client_sends(&w, "abroad");
	lane_got(&w, "abroad");
	told(&w, 7, CHANNEL_DTLS, WHY_HEARD);
	assert_true(client_gets(&w));
	assert_int_equal(w.relayed, 7);
	client_begin(&w, 8); // and the next handshake comes from anywhere
	shake(&w);
	client_sends(&w, "again");
	told(&w, 8, CHANNEL_DTLS, WHY_KEYS);
	world_fini(&w);
}

static void test_old_keys(void **state)
{
	struct world w;
	uint8_t got[100];

	world_init(&w);
	w.b.rekey_ms = 60000;
	shake(&w);
	client_sends(&w, "here");
	told(&w, 1, CHANNEL_DTLS, WHY_KEYS);
	assert_in_range(relay_wait_ms(&w.b, w.b.now_ms), 1, 60000);
	w.b.now_ms += 60000;
	client_writes(&w, "under way");
	told(&w, 1, CHANNEL_CSTP, WHY_REKEY);
	assert_false(client_gets(&w));
	up(&w); // still opened
	lane_got(&w, "under way");
	assert_true(SSL_read(w.client, got, sizeof(got)) <= 0);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_USER_CANCELLED);
	ERR_clear_error();
	w.b.relay.heard_ms = w.b.now_ms; // as if it had not: it is told again, but not at once
	relay_tick(&w.b);
	lane_serve(&w);
	assert_int_equal(w.net.down.head, w.net.down.tail);
	w.b.now_ms += 1000;
	w.b.relay.heard_ms = w.b.now_ms;
	relay_tick(&w.b);
	lane_serve(&w);
	assert_int_equal(w.net.down.head + 1, w.net.down.tail);
	client_begin(&w, 2);
	shake(&w);
	client_sends(&w, "new");
	told(&w, 2, CHANNEL_DTLS, WHY_KEYS);
	assert_true(client_gets(&w));
	world_fini(&w);
}

static void test_hellos_do_not_push_out_what_is_in_force(void **state)
{
	struct world w;
	uint32_t i;

	world_init(&w);
	shake(&w);
	client_sends(&w, "here");
	for (i = 2; i < 20; i++) {
		client_begin(&w, i);
		SSL_do_handshake(w.client);
		up(&w);
		assert_non_null(w.b.relay.in_force);
		assert_int_equal(w.b.relay.number, 1);
	}
	world_fini(&w);
}

static void test_the_client_ends_it(void **state)
{
	struct world w;

	world_init(&w);
	shake(&w);
	client_sends(&w, "here");
	told(&w, 1, CHANNEL_DTLS, WHY_KEYS);
	SSL_shutdown(w.client);
	up(&w);
	told(&w, 1, CHANNEL_CSTP, WHY_ALERT);
	assert_false(client_gets(&w));
	world_fini(&w);
}

// Its keys are the worker's: they go on as soon as the client is heard by the new lane.
static void test_another_dataplane(void **state)
{
	struct world w;
	int lane[2];

	world_init(&w);
	w.number = 9; // higher than any that the next dataplane will give
	shake(&w);
	client_sends(&w, "before");
	told(&w, 9, CHANNEL_DTLS, WHY_KEYS);
	assert_int_equal(chan_pair(lane), 0);
	chan_fini(&w.lane);
	chan_init(&w.lane, lane[1], ROLE_DATAPLANE, ROLE_WORKER, CHAN_PLAIN, "lane");
	bridge_lane(&w.b, lane[0]);
	assert_false(client_gets(&w));
	w.b.now_ms += 1000;
	w.n_channels = 0;
	relay_tick(&w.b);
	lane_serve(&w);
	assert_int_equal(w.n_channels, 0); // there is no handshake that it could speak of
	w.number = 1;
	client_sends(&w, "after");
	lane_got(&w, "after");
	told(&w, 1, CHANNEL_DTLS, WHY_HEARD);
	assert_true(client_gets(&w));
	assert_int_equal(w.relayed, 1);
	client_begin(&w, 2);
	shake(&w);
	client_sends(&w, "new keys");
	told(&w, 2, CHANNEL_DTLS, WHY_KEYS);
	assert_true(client_gets(&w));
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets_both_ways), cmocka_unit_test(test_questions),
		cmocka_unit_test(test_channels),          cmocka_unit_test(test_new_handshake),
		cmocka_unit_test(test_roaming),           cmocka_unit_test(test_hellos_do_not_push_out_what_is_in_force),
		cmocka_unit_test(test_old_keys),          cmocka_unit_test(test_the_client_ends_it),
		cmocka_unit_test(test_another_dataplane),
	};

	log_init("worker_relay", LOG_LEVEL_WARN, LOG_FORM_PLAIN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
