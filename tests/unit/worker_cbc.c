// AES-CBC-SHA against OpenSSL as the client, in DTLS 0.9, 1.0 and 1.2: handshakes, lost flights, records, forgeries.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/err.h>

#include "control/worker/cbc.h"
#include "control/worker/cbc_record.h"
#include "control/worker/hello.h"
#include "proto/log.h"
#include "tests/dtls_client.h"

#define DTLS_0_9 DTLS1_BAD_VER
#define DTLS_1_0 DTLS1_VERSION
#define DTLS_1_2 DTLS1_2_VERSION

struct world {
	struct net net;
	struct dtls_secret secret;
	SSL_CTX *ctx;
	SSL *client;
	struct cbc *server;
	bool client_done;
	uint8_t got[2000];
	size_t got_len;
	int n_got;
};

static void on_send(void *who, uint32_t handshake, const uint8_t *buf, size_t len)
{
	struct world *w = who;

	assert_int_equal(handshake, 7);
	queue_put(&w->net.down, buf, len);
}

static void on_data(void *who, struct cbc *c, const uint8_t *payload, size_t len)
{
	struct world *w = who;

	assert_ptr_equal(c, w->server);
	memcpy(w->got, payload, len);
	w->got_len = len;
	w->n_got++;
}

static const struct cbc_road road = { on_send, on_data };

// What the client speaks may be later than what comes of it.
static void world_init(struct world *w, const char *suite, bool dtls12, int least, int most, int resumed)
{
	memset(w, 0, sizeof(*w));
	w->net.up.lose = w->net.down.lose = NEVER;
	w->secret.kind = DTLS_KIND_CBC;
	w->secret.suite = suite_choose(suite, dtls12, &ciphers_all);
	memcpy(w->secret.id, session_id, sizeof(session_id));
	memcpy(w->secret.master, master, sizeof(master));
	w->ctx = SSL_CTX_new(DTLS_client_method());
	SSL_CTX_set_security_level(w->ctx, 0);
	assert_int_equal(SSL_CTX_set_min_proto_version(w->ctx, least), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(w->ctx, most), 1);
	w->client = client_new(w->ctx, &w->net);
	assert_int_equal(SSL_set_cipher_list(w->client, "AES128-SHA:AES256-SHA"), 1);
	client_resumes(w->client, w->secret.suite, resumed);
	w->server = cbc_new(7, &w->secret, &road, w, now_ms());
	assert_non_null(w->server);
}

static void world_fini(struct world *w)
{
	cbc_free(w->server);
	SSL_free(w->client);
	SSL_CTX_free(w->ctx);
	ERR_clear_error();
}

static void talk(struct world *w)
{
	struct datagram *d;

	do {
		if (!w->client_done && SSL_do_handshake(w->client) == 1)
			w->client_done = true;
		while ((d = queue_get(&w->net.up)))
			assert_true(cbc_input(w->server, d->bytes, d->len, now_ms()) >= 0);
	} while (w->net.down.head != w->net.down.tail && !w->client_done);
}

static void talk_until_up(struct world *w)
{
	uint64_t end = now_ms() + 5000;

	for (;;) {
		talk(w);
		if (w->client_done && cbc_up(w->server))
			return;
		if (now_ms() >= end)
			fail_msg("no handshake: %s", ERR_reason_error_string(ERR_peek_last_error()));
		poll(NULL, 0, 20);
		assert_int_equal(cbc_tick(w->server, now_ms()), 0);
		if (!w->client_done)
			DTLSv1_handle_timeout(w->client);
		else
			SSL_read(w->client, &(uint8_t){ 0 }, 1); // a repeated flight is answered by its own
	}
}

// Of every length that pads differently, both ways.
static void records_pass(struct world *w)
{
	uint8_t text[1400], got[1500];
	struct datagram *d;
	int len;

	memset(text, 0x5a, sizeof(text));
	for (len = 1; len <= 1392; len += len < 40 ? 1 : 13) {
		text[0] = (uint8_t)len;
		assert_int_equal(SSL_write(w->client, text, len), len);
		d = queue_get(&w->net.up);
		assert_int_equal(cbc_input(w->server, d->bytes, d->len, now_ms()), 1);
		assert_int_equal(w->got_len, len);
		assert_memory_equal(w->got, text, (size_t)len);
		assert_int_equal(cbc_send(w->server, text, (size_t)len), 0);
		assert_int_equal(SSL_read(w->client, got, sizeof(got)), len);
		assert_memory_equal(got, text, (size_t)len);
	}
}

// --------------------------------------------------------------------------------------------------------------- facts

static void connects(const char *suite, bool dtls12, int least, int most, int version, const char *name)
{
	struct world w;
	char text[LIMIT_CIPHER + 1];

	world_init(&w, suite, dtls12, least, most, version);
	talk_until_up(&w);
	assert_true(SSL_session_reused(w.client));
	assert_int_equal(SSL_version(w.client), version);
	cbc_cipher_name(w.server, text, sizeof(text));
	assert_string_equal(text, name);
	assert_int_equal(cbc_number(w.server), 7);
	assert_int_equal(cbc_wait_ms(w.server, now_ms()), -1);
	records_pass(&w);
	world_fini(&w);
}

static void test_versions_and_suites(void **state)
{
	connects("AES128-SHA", false, DTLS_0_9, DTLS_0_9, DTLS_0_9, "(DTLS0.9)-(RSA)-(AES-128-CBC)-(SHA1)");
	connects("AES256-SHA", false, DTLS_0_9, DTLS_0_9, DTLS_0_9, "(DTLS0.9)-(RSA)-(AES-256-CBC)-(SHA1)");
	connects("AES128-SHA", false, DTLS_1_0, DTLS_1_0, DTLS_1_0, "(DTLS1.0)-(RSA)-(AES-128-CBC)-(SHA1)");
	connects("AES256-SHA", false, DTLS_1_0, DTLS_1_0, DTLS_1_0, "(DTLS1.0)-(RSA)-(AES-256-CBC)-(SHA1)");
	connects("AES128-SHA", true, DTLS_1_2, DTLS_1_2, DTLS_1_2, "(DTLS1.2)-(RSA)-(AES-128-CBC)-(SHA1)");
	connects("AES256-SHA", true, DTLS_1_2, DTLS_1_2, DTLS_1_2, "(DTLS1.2)-(RSA)-(AES-256-CBC)-(SHA1)");
}

static void loss_heals(int lose_up, int lose_down, int version)
{
	struct world w;

	world_init(&w, "AES256-SHA", version == DTLS_1_2, version, version, version);
	w.net.up.lose = lose_up;
	w.net.down.lose = lose_down;
	talk_until_up(&w);
	records_pass(&w);
	world_fini(&w);
}

static void test_lost_flights(void **state)
{
	static const int versions[] = { DTLS_0_9, DTLS_1_0, DTLS_1_2 };
	int i;

	for (i = 0; i < 3; i++) {
		loss_heals(0, NEVER, versions[i]); // ClientHello
		loss_heals(NEVER, 0, versions[i]); // HelloVerifyRequest
		loss_heals(1, NEVER, versions[i]); // ClientHello with its cookie
		loss_heals(NEVER, 1, versions[i]); // our only flight
		loss_heals(2, NEVER, versions[i]); // the client's Finished
	}
}

static void test_no_louder_than_its_sender(void **state)
{
	struct datagram hello;
	struct world w;
	size_t out = 0;
	int i;

	world_init(&w, "AES256-SHA", false, DTLS_0_9, DTLS_0_9, DTLS_0_9);
	SSL_do_handshake(w.client);
	hello = w.net.up.d[0];
	for (i = 0; i < 20; i++)
		assert_int_equal(cbc_input(w.server, hello.bytes, hello.len, now_ms()), 0);
	assert_int_equal(cbc_tick(w.server, now_ms() + DTLS_LIFE_MS - 1000), 0);
	for (i = 0; i < w.net.down.tail; i++)
		out += w.net.down.d[i].len;
	assert_true(out > 0 && out <= 20 * hello.len);
	assert_int_equal(cbc_tick(w.server, now_ms() + DTLS_LIFE_MS), -ETIMEDOUT);
	world_fini(&w);
}

static void never_up(struct world *w)
{
	struct datagram *d;
	int i;

	for (i = 0; i < 5; i++) {
		SSL_do_handshake(w->client);
		while ((d = queue_get(&w->net.up)))
			cbc_input(w->server, d->bytes, d->len, now_ms());
	}
	assert_false(cbc_up(w->server));
	assert_int_equal(cbc_send(w->server, (const uint8_t *)"\0", 1), -ENOTCONN);
	world_fini(w);
}

static void test_who_does_not_come_in(void **state)
{
	struct world w;

	world_init(&w, "AES256-SHA", false, DTLS_1_0, DTLS_1_0, DTLS_1_0);
	w.secret.id[0] ^= 1;
	never_up(&w);
	world_init(&w, "AES256-SHA", false, DTLS_1_0, DTLS_1_0, DTLS_1_0);
	SSL_set_cipher_list(w.client, "AES128-SHA");
	never_up(&w);
	world_init(&w, "AES256-SHA", true, DTLS_1_0, DTLS_1_0, DTLS_1_0); // X-DTLS12-CipherSuite is DTLS 1.2
	never_up(&w);
	world_init(&w, "AES256-SHA", false, DTLS_1_0, DTLS_1_0, DTLS_1_0); // another secret
	w.secret.master[0] ^= 1;
	never_up(&w);
}

static void test_replays_and_forgeries(void **state)
{
	struct datagram d[70];
	struct world w;
	int i;

	world_init(&w, "AES128-SHA", false, DTLS_0_9, DTLS_0_9, DTLS_0_9);
	talk_until_up(&w);
	for (i = 0; i < 70; i++) {
		assert_int_equal(SSL_write(w.client, &(uint8_t){ (uint8_t)i }, 1), 1);
		d[i] = *queue_get(&w.net.up);
	}
	for (i = 0; i < (int)d[9].len;
	     i++) { // each byte of it, but for those of the header that nobody looks at: in clear is no data
		struct datagram forged = d[9];

		forged.bytes[i] ^= 0x40;
		cbc_input(w.server, forged.bytes, forged.len, 0);
		assert_int_equal(w.n_got, 0);
	}
	for (i = 69; i >= 0; i--) {                                                      // late is fine, too late is not
		assert_int_equal(cbc_input(w.server, d[i].bytes, d[i].len, 0), i == 69); // only the first is the newest
		assert_int_equal(w.n_got, i > 69 - 64 ? 70 - i : 64);
	}
	for (i = 0; i < 70; i++) // twice is never
		assert_int_equal(cbc_input(w.server, d[i].bytes, d[i].len, 0), 0);
	assert_int_equal(w.n_got, 64);
	world_fini(&w);
}

static void test_an_alert_ends_it(void **state)
{
	uint8_t buf[16];
	struct datagram *d;
	struct world w;

	world_init(&w, "AES256-SHA", false, DTLS_1_0, DTLS_1_0, DTLS_1_0);
	talk_until_up(&w);
	assert_int_equal(SSL_write(w.client, "late", 4), 4);
	cbc_close(w.server);
	assert_int_equal(cbc_send(w.server, (const uint8_t *)"no more", 7), -ENOTCONN);
	assert_true(SSL_read(w.client, buf, sizeof(buf)) <= 0);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_USER_CANCELLED);
	d = queue_get(&w.net.up);
	assert_int_equal(cbc_input(w.server, d->bytes, d->len, now_ms()), 1);
	assert_int_equal(w.n_got, 1); // what was on its way is heard
	world_fini(&w);

	world_init(&w, "AES256-SHA", false, DTLS_1_0, DTLS_1_0, DTLS_1_0);
	talk_until_up(&w);
	SSL_shutdown(w.client);
	d = queue_get(&w.net.up);
	assert_int_equal(cbc_input(w.server, d->bytes, d->len, now_ms()), -EPROTO);
	world_fini(&w);
}

static void test_too_long(void **state)
{
	uint8_t payload[LIMIT_DATAGRAM] = { 0 };
	struct world w;

	world_init(&w, "AES256-SHA", false, DTLS_1_0, DTLS_1_0, DTLS_1_0);
	talk_until_up(&w);
	assert_int_equal(cbc_send(w.server, payload, LIMIT_DATAGRAM - CBC_RECORD_GROWS), 0);
	assert_int_equal(cbc_send(w.server, payload, LIMIT_DATAGRAM - CBC_RECORD_GROWS + 1), -EMSGSIZE);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions_and_suites),
		cmocka_unit_test(test_lost_flights),
		cmocka_unit_test(test_no_louder_than_its_sender),
		cmocka_unit_test(test_who_does_not_come_in),
		cmocka_unit_test(test_replays_and_forgeries),
		cmocka_unit_test(test_an_alert_ends_it),
		cmocka_unit_test(test_too_long),
	};

	log_init("worker_cbc", LOG_LEVEL_WARN, LOG_FORM_PLAIN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
