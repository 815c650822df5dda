// An OpenSSL DTLS client against dtls.c over an in-memory lane, with a pre-shared key and as the resumption of a session that never
// was. This test plays the dataplane: it opens the client's records and seals ours with the keys that the handshake handed over.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "control/worker/record.h"
#include "proto/log.h"
#include "tests/dtls_client.h"

struct world {
	SSL_CTX *server_ctx, *client_ctx;
	struct dtls *server;
	SSL *client;
	struct net net;
	struct dtls_secret secret;
	struct msg_dtls_keys keys;
	int n_keys, n_seals, down_when_keyed;
	int busy; // so many times keys are not taken
	bool client_done;
};

// ---------------------------------------------------------------------------------------------- the test as dataplane

static int aead(const struct msg_dtls_keys *k, uint64_t sequence, uint8_t type, const uint8_t *plain, size_t len, uint8_t *out)
{
	const EVP_CIPHER *evp = k->cipher == AEAD_AES_128_GCM   ? EVP_aes_128_gcm()
	                        : k->cipher == AEAD_AES_256_GCM ? EVP_aes_256_gcm()
	                                                        : EVP_chacha20_poly1305();
	bool chacha = k->cipher == AEAD_CHACHA20_POLY1305;
	size_t explicit_len = chacha ? 0 : 8, body = explicit_len + len + 16;
	uint8_t nonce[12], aad[13];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int i, n;

	out[0] = type;
	out[1] = 0xfe;
	out[2] = 0xfd;
	out[3] = (uint8_t)(k->epoch >> 8);
	out[4] = (uint8_t)k->epoch;
	for (i = 0; i < 6; i++)
		out[5 + i] = (uint8_t)(sequence >> (8 * (5 - i)));
	out[11] = (uint8_t)(body >> 8);
	out[12] = (uint8_t)body;
	memcpy(aad, out + 3, 8);
	memcpy(aad + 8, out, 3);
	aad[11] = (uint8_t)(len >> 8);
	aad[12] = (uint8_t)len;
	memcpy(nonce, k->server_iv, k->server_iv_len);
	if (chacha)
		for (i = 0; i < 8; i++)
			nonce[4 + i] ^= out[3 + i];
	else
		memcpy(nonce + 4, memcpy(out + 13, out + 3, 8), 8);
	EVP_EncryptInit_ex(ctx, evp, NULL, k->server_key, nonce);
	EVP_EncryptUpdate(ctx, NULL, &n, aad, 13);
	EVP_EncryptUpdate(ctx, out + 13 + explicit_len, &n, plain, (int)len);
	EVP_EncryptFinal_ex(ctx, out + 13 + explicit_len + len, &n);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out + 13 + explicit_len + len);
	EVP_CIPHER_CTX_free(ctx);
	return (int)(13 + body);
}

static void on_send(void *who, uint32_t handshake, const uint8_t *buf, size_t len)
{
	struct world *w = who;
	struct record r;
	size_t at;

	assert_int_equal(handshake, 7);
	for (at = 0; at < len; at += r.whole) {
		assert_int_equal(record_parse(buf + at, len - at, &r), 0);
		if (r.epoch > 0) // the keys were here first, and only one flight goes out under them as it is
			assert_true(w->n_keys == 1 && r.sequence < w->keys.next_sequence && w->net.down.sent == w->down_when_keyed);
	}
	queue_put(&w->net.down, buf, len);
}

static int on_keys(void *who, const struct msg_dtls_keys *keys)
{
	struct world *w = who;

	if (w->busy > 0) {
		w->busy--;
		return -EBUSY;
	}
	w->keys = *keys;
	w->n_keys++;
	w->down_when_keyed = w->net.down.sent;
	return 0;
}

static void on_seal(void *who, uint32_t handshake, uint8_t type, const uint8_t *plain, size_t len)
{
	struct world *w = who;
	uint8_t out[LIMIT_DATAGRAM];
	int n;

	assert_int_equal(handshake, 7);
	w->n_seals++;
	n = aead(&w->keys, w->keys.next_sequence++, type, plain, len, out);
	queue_put(&w->net.down, out, (size_t)n);
}

static const struct dtls_road road = { on_send, on_keys, on_seal };

// ---------------------------------------------------------------------------------------------------------- the client

static const uint8_t psk[DTLS_PSK_SIZE] = "a key from the TLS exporter ....";

static unsigned int client_psk(SSL *ssl, const char *hint, char *identity, unsigned int id_room, unsigned char *out,
                               unsigned int room)
{
	(void)ssl;
	(void)hint;
	(void)room;
	snprintf(identity, id_room, "psk");
	memcpy(out, psk, sizeof(psk));
	return sizeof(psk);
}

// ciphers NULL: the suite of the resumed session.
static void client_start(struct world *w, const char *ciphers)
{
	SSL_free(w->client);
	w->client = client_new(w->client_ctx, &w->net);
	SSL_set_cipher_list(w->client, ciphers ? ciphers : "ECDHE+AESGCM:RSA+AESGCM");
	if (!ciphers)
		client_resumes(w->client, w->secret.suite, DTLS1_2_VERSION);
	w->client_done = false;
}

static void world_begin(struct world *w, const char *ciphers)
{
	w->net.up.lose = w->net.down.lose = NEVER;
	w->server_ctx = dtls_ctx_new();
	w->client_ctx = SSL_CTX_new(DTLS_client_method());
	SSL_CTX_set_psk_client_callback(w->client_ctx, client_psk);
	client_start(w, ciphers);
	w->server = dtls_new(w->server_ctx, 7, &w->secret, 1400, &road, w, now_ms());
	assert_non_null(w->server);
}

static void world_init(struct world *w, const char *ciphers, enum aead_cipher first)
{
	memset(w, 0, sizeof(*w));
	w->secret.kind = DTLS_KIND_PSK;
	w->secret.ciphers = ciphers_beside(&ciphers_all, first);
	memcpy(w->secret.psk, psk, sizeof(psk));
	world_begin(w, ciphers);
}

static void world_init_resumed(struct world *w, const char *suite, bool dtls12)
{
	memset(w, 0, sizeof(*w));
	w->secret.kind = DTLS_KIND_RESUMED;
	w->secret.suite = suite_choose(suite, dtls12, &ciphers_all);
	memcpy(w->secret.id, session_id, sizeof(session_id));
	memcpy(w->secret.master, master, sizeof(master));
	world_begin(w, NULL);
}

static void world_fini(struct world *w)
{
	dtls_free(w->server);
	SSL_free(w->client);
	SSL_CTX_free(w->client_ctx);
	SSL_CTX_free(w->server_ctx);
}

static bool is_application(const struct datagram *d)
{
	return d->bytes[0] == 23;
}

// Both sides until they have nothing to say; application records stay in the queue for the dataplane.
static void talk(struct world *w)
{
	struct datagram *d;

	do {
		if (!w->client_done && SSL_do_handshake(w->client) == 1)
			w->client_done = true;
		while (w->net.up.head != w->net.up.tail && !is_application(&w->net.up.d[w->net.up.head % QUEUE])) {
			d = queue_get(&w->net.up);
			assert_int_equal(dtls_input(w->server, d->bytes, d->len), 0);
		}
	} while (w->net.down.head != w->net.down.tail && !w->client_done);
}

static void talk_until_done(struct world *w)
{
	uint64_t end = now_ms() + 5000;

	for (;;) {
		talk(w);
		if (w->client_done && dtls_done(w->server))
			return;
		assert_true(now_ms() < end);
		poll(NULL, 0, 20);
		assert_int_equal(dtls_tick(w->server, now_ms()), 0);
		if (!w->client_done)
			DTLSv1_handle_timeout(w->client);
		else
			SSL_read(w->client, &(uint8_t){ 0 }, 1); // a repeated flight is answered by its own
	}
}

// The keys really are the connection's: one record each way.
static void records_pass(struct world *w)
{
	uint8_t plain[100], out[200];
	struct datagram *d;
	struct record r;
	int n;

	assert_int_equal(SSL_write(w->client, "\0from the client", 16), 16);
	d = queue_get(&w->net.up);
	assert_non_null(d);
	assert_int_equal(record_parse(d->bytes, d->len, &r), 0);
	assert_int_equal(r.epoch, w->keys.epoch);
	assert_int_equal(record_open(&w->keys, w->keys.client_key, w->keys.client_iv, &r, plain, sizeof(plain)), 16);
	assert_memory_equal(plain, "\0from the client", 16);

	n = aead(&w->keys, w->keys.next_sequence++, 23, (const uint8_t *)"\0from the server", 16, out);
	queue_put(&w->net.down, out, (size_t)n);
	assert_int_equal(SSL_read(w->client, plain, sizeof(plain)), 16);
	assert_memory_equal(plain, "\0from the server", 16);
}

// --------------------------------------------------------------------------------------------------------------- facts

static void cipher_is(const char *offer, enum aead_cipher first, enum aead_cipher want, const char *name)
{
	struct world w;

	world_init(&w, offer, first);
	assert_string_equal(dtls_cipher_name(w.server), "");
	talk_until_done(&w);
	assert_int_equal(w.keys.cipher, want);
	assert_string_equal(dtls_cipher_name(w.server), name);
	assert_int_equal(w.n_keys, 1);
	assert_int_equal(w.keys.epoch, 1);
	assert_int_equal(w.keys.next_sequence, 1); // our Finished had 0
	records_pass(&w);
	world_fini(&w);
}

#define ALL "PSK-AES128-GCM-SHA256:PSK-CHACHA20-POLY1305:PSK-AES256-GCM-SHA384"

static void test_ciphers(void **state)
{
	(void)state;
	cipher_is("PSK-AES128-GCM-SHA256", AEAD_NONE, AEAD_AES_128_GCM, "(DTLS1.2)-(PSK)-(AES-128-GCM)");
	cipher_is("PSK-AES256-GCM-SHA384", AEAD_NONE, AEAD_AES_256_GCM, "(DTLS1.2)-(PSK)-(AES-256-GCM)");
	cipher_is("PSK-CHACHA20-POLY1305", AEAD_NONE, AEAD_CHACHA20_POLY1305, "(DTLS1.2)-(PSK)-(CHACHA20-POLY1305)");
	cipher_is(ALL, AEAD_NONE, AEAD_AES_256_GCM, "(DTLS1.2)-(PSK)-(AES-256-GCM)"); // ours is the preference
	cipher_is(ALL, AEAD_AES_128_GCM, AEAD_AES_128_GCM, "(DTLS1.2)-(PSK)-(AES-128-GCM)");
	cipher_is(ALL, AEAD_CHACHA20_POLY1305, AEAD_CHACHA20_POLY1305, "(DTLS1.2)-(PSK)-(CHACHA20-POLY1305)");
}

// What a client is told when the dataplane has died, without a key: each by a number that is used for nothing else.
static void farewells_under(const char *offer, size_t len)
{
	struct msg_dtls_farewell m[3] = { 0 };
	struct farewells f;
	uint8_t plain[100];
	struct record r;
	struct world w;

	world_init(&w, offer, AEAD_NONE);
	talk_until_done(&w);
	records_pass(&w);
	f = *dtls_farewells(w.server);
	assert_int_equal(farewells_take(&f, &m[0]), 0);
	assert_int_equal(farewells_take(&f, &m[1]), 0);
	assert_int_equal(farewells_take(&f, &m[2]), -ENOENT);
	for (unsigned i = 0; i < DTLS_FAREWELLS; i++) {
		const uint8_t *record = i % 2 ? m[i / 2].second : m[i / 2].first;

		assert_int_equal(record_parse(record, len, &r), 0);
		assert_int_equal(r.whole, len);
		assert_int_equal(r.sequence, DTLS_SEQUENCE_LAST + 1 + i);
		assert_int_equal(record_open(&w.keys, w.keys.server_key, w.keys.server_iv, &r, plain, sizeof(plain)), 2);
		assert_memory_equal(plain, "\x02\x5a", 2);
	}
	assert_int_equal(m[0].first_len, len);
	queue_put(&w.net.down, m[0].second, len); // the first one may be lost
	assert_true(SSL_read(w.client, plain, sizeof(plain)) <= 0);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_USER_CANCELLED);
	ERR_clear_error();
	world_fini(&w);
}

static void test_farewells(void **state)
{
	(void)state;
	farewells_under("PSK-AES128-GCM-SHA256", 39);
	farewells_under("PSK-AES256-GCM-SHA384", 39);
	farewells_under("PSK-CHACHA20-POLY1305", 31);
}

static void test_no_farewell_without_keys(void **state)
{
	struct msg_dtls_farewell m;
	struct farewells f;
	struct world w;

	(void)state;
	world_init(&w, ALL, AEAD_NONE);
	w.busy = 1000; // the dataplane has never had them
	talk(&w);
	f = *dtls_farewells(w.server);
	assert_int_equal(farewells_take(&f, &m), -ENOENT);
	world_fini(&w);
}

static void loss_heals(int lose_up, int lose_down, int seals)
{
	struct world w;

	world_init(&w, ALL, AEAD_NONE);
	w.net.up.lose = lose_up;
	w.net.down.lose = lose_down;
	talk_until_done(&w);
	assert_int_equal(w.n_keys, 1);
	if (seals)
		assert_true(w.n_seals >= seals);
	records_pass(&w);
	world_fini(&w);
}

static void test_lost_flights(void **state)
{
	(void)state;
	loss_heals(0, NEVER, 0); // ClientHello
	loss_heals(NEVER, 0, 0); // ServerHello, ServerHelloDone
	loss_heals(1, NEVER, 0); // ClientKeyExchange, Finished
	loss_heals(NEVER, 1, 1); // our Finished: the repeated one is sealed by the dataplane
}

// Nor is it late because somebody sets the machine's clock: what OpenSSL asks for in this program only runs.
static void test_timers_know_no_wall_clock(void **state)
{
	struct timeval tv;

	(void)state;
	assert_int_equal(gettimeofday(&tv, NULL), 0);
	assert_in_range((uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000, now_ms() - 1000, now_ms());
}

static void test_repeated_finished(void **state)
{
	struct datagram finished;
	uint8_t plain[100];
	struct world w;
	int i;

	(void)state;
	world_init(&w, ALL, AEAD_NONE);
	w.net.down.lose = 1;
	while (w.n_keys == 0)
		talk(&w);
	assert_true(dtls_done(w.server));
	assert_false(w.client_done);
	for (i = 0; i < 3; i++) { // each repetition of the client's is answered by one sealed record
		poll(NULL, 0, 110 << i);
		DTLSv1_handle_timeout(w.client);
		while (w.net.up.head != w.net.up.tail) {
			finished = *queue_get(&w.net.up);
			assert_int_equal(dtls_input(w.server, finished.bytes, finished.len), 0);
		}
		assert_int_equal(w.n_seals, i + 1);
	}
	assert_int_equal(dtls_input(w.server, finished.bytes, finished.len), 0); // a copy is a replay: silence
	assert_int_equal(w.n_seals, 3);
	talk_until_done(&w);
	assert_int_equal(w.keys.next_sequence, 4);
	records_pass(&w);
	assert_int_equal(SSL_read(w.client, plain, sizeof(plain)), -1);
	world_fini(&w);
}

static void test_second_handshake(void **state)
{
	struct msg_dtls_keys first;
	struct world w;

	(void)state;
	world_init(&w, ALL, AEAD_NONE);
	talk_until_done(&w);
	first = w.keys;
	dtls_free(w.server);
	client_start(&w, ALL);
	w.n_keys = 0;
	w.server = dtls_new(w.server_ctx, 7, &w.secret, 1400, &road, &w, now_ms());
	talk_until_done(&w);
	assert_int_equal(w.n_keys, 1);
	assert_memory_not_equal(first.server_key, w.keys.server_key, first.server_key_len);
	records_pass(&w);
	world_fini(&w);
}

static void test_no_louder_than_its_sender(void **state)
{
	struct world w;
	size_t in, out = 0;
	int i;

	(void)state;
	world_init(&w, ALL, AEAD_NONE);
	SSL_do_handshake(w.client);
	in = w.net.up.d[0].len;
	assert_int_equal(dtls_input(w.server, w.net.up.d[0].bytes, in), 0);
	for (i = 0; i < 150; i++) {
		poll(NULL, 0, 10);
		assert_int_equal(dtls_tick(w.server, now_ms()), 0);
	}
	for (i = 0; i < w.net.down.tail; i++)
		out += w.net.down.d[i].len;
	assert_true(out > 0 && out <= in);
	world_fini(&w);
}

static void test_wrong_key_ends(void **state)
{
	struct world w;
	int i, ret = 0;

	(void)state;
	world_init(&w, ALL, AEAD_NONE);
	w.secret.psk[0] ^= 1;
	for (i = 0; i < 5 && ret == 0; i++) {
		struct datagram *d;

		SSL_do_handshake(w.client);
		while ((d = queue_get(&w.net.up)))
			ret = dtls_input(w.server, d->bytes, d->len);
	}
	// A Finished that cannot be opened is no record at all (RFC 6347 4.1.2.7): silence until it is too old.
	assert_int_equal(w.n_keys, 0);
	assert_false(dtls_done(w.server));
	assert_int_equal(dtls_tick(w.server, now_ms() + DTLS_LIFE_MS), -ETIMEDOUT);
	world_fini(&w);
}

static void test_rubbish_is_lost(void **state)
{
	uint8_t buf[64] = { 22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 51 };
	struct world w;

	(void)state;
	world_init(&w, ALL, AEAD_NONE);
	buf[13] = 1;
	buf[14] = 0xff; // a 16 MB ClientHello
	assert_int_equal(dtls_input(w.server, buf, sizeof(buf)), 0);
	buf[12] = 52; // longer than its datagram
	assert_int_equal(dtls_input(w.server, buf, sizeof(buf)), 0);
	assert_int_equal(dtls_input(w.server, buf, 5), 0);
	talk_until_done(&w);
	records_pass(&w);
	world_fini(&w);
}

// ------------------------------------------------------------------------------------------------ what is held of a flood

// Bytes that OpenSSL has from malloc now.
static size_t held;

static void *count_malloc(size_t size, const char *file, int line)
{
	void *p = malloc(size);

	(void)file, (void)line;
	held += p ? malloc_usable_size(p) : 0;
	return p;
}

static void count_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	held -= p ? malloc_usable_size(p) : 0;
	free(p);
}

static void *count_realloc(void *p, size_t size, const char *file, int line)
{
	size_t before = p ? malloc_usable_size(p) : 0;
	void *fresh = realloc(p, size);

	(void)file, (void)line;
	if (fresh || size == 0)
		held += (fresh ? malloc_usable_size(fresh) : 0) - before;
	return fresh;
}

// One record of a flood: so many handshake messages in it, each a fragment of one byte, the last one of a message of so many bytes.
struct flood {
	uint8_t type, epoch;
	unsigned messages;
	uint32_t message;
};

static size_t flood_record(const struct flood *f, unsigned n, uint8_t *out)
{
	size_t len = 13;

	memset(out, 0, LIMIT_DATAGRAM);
	for (unsigned i = 0; i < f->messages; i++, len += 13) {
		uint32_t whole = i + 1 == f->messages ? f->message : 1;

		out[len] = 11; // a certificate
		out[len + 1] = (uint8_t)(whole >> 16), out[len + 2] = (uint8_t)(whole >> 8), out[len + 3] = (uint8_t)whole;
		out[len + 5] = (uint8_t)(n + i); // its number
		out[len + 7] = (uint8_t)(whole > 1 ? n / 256 : 0);
		out[len + 11] = 1;
	}
	if (f->messages == 0)
		len += 40;
	memcpy(out, "\x16\xfe\xfd", 3);
	out[0] = f->type, out[4] = f->epoch;
	out[9] = (uint8_t)(n >> 8), out[10] = (uint8_t)n; // the sequence
	out[11] = (uint8_t)((len - 13) >> 8), out[12] = (uint8_t)(len - 13);
	return len;
}

static void flooded(struct world *w, const struct flood *f)
{
	uint8_t record[LIMIT_DATAGRAM];

	for (unsigned n = 0; n < 2000; n++) // none of them is the message that comes next, which everybody can spoil
		assert_int_equal(dtls_input(w->server, record, flood_record(f, n % 200 + 2, record)), 0);
}

// At most 64 KiB of whatever a flood brings, all of it together. Records of later epochs spoil nothing either; those in clear can,
// as in every DTLS, and the client begins another handshake.
static void test_a_flood_holds_little(void **state)
{
	static const struct flood floods[] = {
		{ 22, 0, 1, 1 },     { 22, 0, 1, 2048 },  { 22, 0, 1, 2049 }, { 22, 0, 1, 16000 }, { 22, 0, 2, 2048 },
		{ 22, 0, 2, 16000 }, { 22, 0, 5, 16000 }, { 22, 1, 0, 0 },    { 23, 1, 0, 0 },     { 21, 1, 0, 0 },
		{ 20, 1, 0, 0 },     { 22, 2, 0, 0 },     { 22, 255, 0, 0 },  { 0, 1, 0, 0 },      { 255, 1, 0, 0 },
	};
	const struct datagram *hello;
	struct world w;
	size_t before;

	(void)state;
	for (size_t i = 0; i <= sizeof(floods) / sizeof(*floods); i++) {
		world_init(&w, ALL, AEAD_NONE);
		SSL_do_handshake(w.client);
		hello = queue_get(&w.net.up);
		assert_int_equal(dtls_input(w.server, hello->bytes, hello->len), 0);
		before = held;
		for (size_t j = 0; j < sizeof(floods) / sizeof(*floods); j++)
			if (j == i || i == sizeof(floods) / sizeof(*floods))
				flooded(&w, &floods[j]);
		if (held > before + 65536)
			fail_msg("flood %zu: %zu bytes", i, held - before);
		if (i < sizeof(floods) / sizeof(*floods) && floods[i].epoch > 0) {
			talk_until_done(&w);
			records_pass(&w);
		}
		world_fini(&w);
	}
}

// ---------------------------------------------------------------------------------------- a session that never was

static void resumes(const char *suite, bool dtls12, enum aead_cipher want, const char *name)
{
	struct world w;

	world_init_resumed(&w, suite, dtls12);
	talk_until_done(&w);
	assert_true(SSL_session_reused(w.client));
	assert_int_equal(w.keys.cipher, want);
	assert_string_equal(dtls_cipher_name(w.server), name);
	assert_int_equal(w.n_keys, 1);
	assert_int_equal(w.keys.epoch, 1);
	records_pass(&w);
	world_fini(&w);
}

static void test_resumed_suites(void **state)
{
	resumes("OC-DTLS1_2-AES256-GCM", false, AEAD_AES_256_GCM, "(DTLS1.2)-(RSA)-(AES-256-GCM)");
	resumes("OC-DTLS1_2-AES128-GCM", false, AEAD_AES_128_GCM, "(DTLS1.2)-(RSA)-(AES-128-GCM)");
	resumes("AES256-GCM-SHA384", true, AEAD_AES_256_GCM, "(DTLS1.2)-(RSA)-(AES-256-GCM)");
	resumes("AES128-GCM-SHA256", true, AEAD_AES_128_GCM, "(DTLS1.2)-(RSA)-(AES-128-GCM)");
	resumes("ECDHE-RSA-AES256-GCM-SHA384", true, AEAD_AES_256_GCM, "(DTLS1.2)-(ECDHE-RSA)-(AES-256-GCM)");
	resumes("ECDHE-RSA-AES128-GCM-SHA256", true, AEAD_AES_128_GCM, "(DTLS1.2)-(ECDHE-RSA)-(AES-128-GCM)");
}

#define OC256 "OC-DTLS1_2-AES256-GCM"

static void resumption_heals(int lose_up, int lose_down, int busy, int seals)
{
	struct world w;

	world_init_resumed(&w, OC256, false);
	w.net.up.lose = lose_up;
	w.net.down.lose = lose_down;
	w.busy = busy;
	talk_until_done(&w);
	assert_int_equal(w.n_keys, 1);
	if (seals)
		assert_true(w.n_seals >= seals);
	records_pass(&w);
	world_fini(&w);
}

static void test_resumption_heals(void **state)
{
	resumption_heals(0, NEVER, 0, 0);     // ClientHello
	resumption_heals(NEVER, 0, 0, 0);     // HelloVerifyRequest
	resumption_heals(1, NEVER, 0, 0);     // ClientHello with its cookie
	resumption_heals(NEVER, 1, 0, 1);     // ServerHello, Finished: the repeated Finished is sealed by the dataplane
	resumption_heals(2, NEVER, 0, 1);     // the client's Finished: it repeats it when ours is repeated
	resumption_heals(NEVER, NEVER, 1, 0); // keys come too soon after the last ones: the flight is held back
	resumption_heals(NEVER, NEVER, 2, 0);
}

// Where the client is has to be proven before keys are made and before we are louder than it.
static void test_no_keys_for_a_replayed_hello(void **state)
{
	struct datagram hello;
	struct world w;
	size_t out = 0;
	int i;

	world_init_resumed(&w, OC256, false);
	SSL_do_handshake(w.client);
	hello = w.net.up.d[0];
	for (i = 0; i < 20; i++)
		assert_int_equal(dtls_input(w.server, hello.bytes, hello.len), 0);
	for (i = 0; i < 40; i++) {
		poll(NULL, 0, 10);
		assert_int_equal(dtls_tick(w.server, now_ms()), 0);
	}
	for (i = 0; i < w.net.down.tail; i++)
		out += w.net.down.d[i].len;
	assert_true(out > 0 && out <= 20 * hello.len);
	assert_int_equal(w.n_keys, 0);
	world_fini(&w);
}

static void never_resumes(struct world *w)
{
	struct datagram *d;
	int i;

	for (i = 0; i < 5; i++) {
		SSL_do_handshake(w->client);
		while ((d = queue_get(&w->net.up)))
			dtls_input(w->server, d->bytes, d->len);
	}
	assert_false(dtls_done(w->server));
	ERR_clear_error();
	world_fini(w);
}

static void test_another_session(void **state)
{
	struct world w;

	world_init_resumed(&w, OC256, false); // no such session: there is no other way in
	w.secret.id[0] ^= 1;
	never_resumes(&w);
	assert_int_equal(w.n_keys, 0);

	world_init_resumed(&w, OC256, false); // the suite that CONNECT has agreed on is not offered
	client_start(&w, NULL);
	SSL_set_cipher_list(w.client, "AES128-GCM-SHA256");
	never_resumes(&w);
	assert_int_equal(w.n_keys, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ciphers),
		cmocka_unit_test(test_farewells),
		cmocka_unit_test(test_no_farewell_without_keys),
		cmocka_unit_test(test_lost_flights),
		cmocka_unit_test(test_timers_know_no_wall_clock),
		cmocka_unit_test(test_repeated_finished),
		cmocka_unit_test(test_second_handshake),
		cmocka_unit_test(test_no_louder_than_its_sender),
		cmocka_unit_test(test_wrong_key_ends),
		cmocka_unit_test(test_rubbish_is_lost),
		cmocka_unit_test(test_a_flood_holds_little),
		cmocka_unit_test(test_resumed_suites),
		cmocka_unit_test(test_resumption_heals),
		cmocka_unit_test(test_no_keys_for_a_replayed_hello),
		cmocka_unit_test(test_another_session),
	};

	log_init("worker_dtls", LOG_LEVEL_WARN, LOG_FORM_PLAIN);
	if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
