#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "dtls.h"
#include "proto/log.h"
#include "proto/secret.h"
#include "record.h"

// The largest message of these handshakes is the ClientHello, which fits into one datagram. OpenSSL keeps ten that come before
// their turn, and records of the next epoch, each of which takes it a buffer of 17 KiB: so at most 64 KiB are held for a client
// that proves nothing.
#define HANDSHAKE_MESSAGE_MAX LIMIT_DATAGRAM
#define EARLY_MAX 2
#define CLIENT_EPOCH 1
#define COOKIE_BYTES 16 // of a HelloVerifyRequest
#define FIRST_TIMEOUT_US 250000
#define LAST_TIMEOUT_US 8000000
#define DATAGRAM_OVERHEAD 28 // IPv4 and UDP headers, for OpenSSL's own arithmetic

struct dtls {
	SSL *ssl;
	const struct dtls_road *road;
	void *who;
	uint64_t born_ms;
	size_t bytes_in, bytes_out;
	const uint8_t *in; // the datagram that OpenSSL has not read yet
	size_t in_len;
	bool keyed; // keys are with the dataplane
	bool done, failed;
	unsigned early;            // records of the client's epoch from before its ChangeCipherSpec
	struct msg_dtls_keys keys; // handshake number and our write keys; the client's are wiped after the hand-over
	struct farewells farewells;
	const struct dtls_secret *secret;
	SSL_SESSION *resumed; // the session that never was
	uint8_t cookie[COOKIE_BYTES];
};

// ------------------------------------------------------------------------------------------------------------- output

static void seal_record(struct dtls *d, const struct record *r)
{
	uint8_t plain[LIMIT_DATAGRAM];
	int len = record_open(&d->keys, d->keys.server_key, d->keys.server_iv, r, plain, sizeof(plain));
	bool close_notify = len == 2 && r->type == RECORD_ALERT && plain[1] == 0;

	if (len > 0 && !close_notify)
		d->road->seal(d->who, d->keys.handshake, r->type, plain, (size_t)len);
	secret_wipe(plain, sizeof(plain));
}

// A flight under keys that are not ours any more: what is in clear goes as it is, the rest to be sealed anew.
static void send_later_flight(struct dtls *d, const uint8_t *buf, size_t len)
{
	size_t at, clear = 0;
	struct record r;

	for (at = 0; at < len && record_parse(buf + at, len - at, &r) == 0; at += r.whole)
		if (r.epoch == 0)
			clear = at + r.whole;
		else
			break;
	if (clear > 0)
		d->road->send(d->who, d->keys.handshake, buf, clear);
	for (; at < len && record_parse(buf + at, len - at, &r) == 0; at += r.whole)
		if (r.epoch == d->keys.epoch)
			seal_record(d, &r);
}

int farewells_take(struct farewells *f, struct msg_dtls_farewell *out)
{
	uint8_t *const to[FAREWELLS_A_LANE] = { out->first, out->second };

	if (f->left < FAREWELLS_A_LANE)
		return -ENOENT;
	for (unsigned i = 0; i < FAREWELLS_A_LANE; i++, f->left--)
		memcpy(to[i], f->record[DTLS_FAREWELLS - f->left], f->len);
	out->first_len = out->second_len = f->len;
	return 0;
}

// In the order of their numbers, so that none is behind a client's replay window.
static void farewells_seal(struct farewells *f, const struct msg_dtls_keys *keys)
{
	int len = 0;

	for (unsigned i = 0; i < DTLS_FAREWELLS && len >= 0; i++)
		len = record_alert(keys, DTLS_SEQUENCE_LAST + 1 + i, f->record[i]);
	f->len = (uint8_t)(len > 0 ? len : 0);
	f->left = len > 0 ? DTLS_FAREWELLS : 0;
}

// Datagram with our Finished: hold it, hand the keys over, then let it go, so that no record of the client is ever early.
static void send_final_flight(struct dtls *d, const uint8_t *buf, size_t len, uint16_t epoch, uint64_t highest)
{
	int ret = record_keys_derive(d->ssl, &d->keys);

	d->keys.epoch = epoch;
	d->keys.next_sequence = highest + 1;
	if (ret == 0)
		ret = d->road->keys(d->who, &d->keys);
	if (ret == -EBUSY)
		return; // it is repeated, by OpenSSL or upon the client's
	if (ret < 0) {
		log_warn("dtls: cannot hand over keys: %s", strerror(-ret));
		d->failed = true;
		return;
	}
	d->keyed = true;
	farewells_seal(&d->farewells, &d->keys);
	secret_wipe(d->keys.client_key, sizeof(d->keys.client_key));
	secret_wipe(d->keys.client_iv, sizeof(d->keys.client_iv));
	d->road->send(d->who, d->keys.handshake, buf, len);
}

static void send_datagram(struct dtls *d, const uint8_t *buf, size_t len)
{
	uint64_t highest = 0;
	uint16_t epoch = 0;
	struct record r;
	size_t at;

	if (d->keyed) {
		send_later_flight(d, buf, len);
		return;
	}
	for (at = 0; at < len && record_parse(buf + at, len - at, &r) == 0; at += r.whole) {
		if (r.epoch > 0 && r.sequence >= highest) {
			epoch = r.epoch;
			highest = r.sequence;
		}
	}
	if (epoch > 0) {
		send_final_flight(d, buf, len, epoch, highest);
		return;
	}
	// Until the client's Finished proves where it is, a replayed ClientHello must not make us louder than its sender. A client
	// that lost our flight repeats its own, and that pays for ours.
	if (d->bytes_out + len > d->bytes_in)
		return;
	d->bytes_out += len;
	d->road->send(d->who, d->keys.handshake, buf, len);
}

// ---------------------------------------------------------------------------------------------------------------- BIO

static int bio_write(BIO *b, const char *buf, int len)
{
	struct dtls *d = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (len > 0 && !d->failed)
		send_datagram(d, (const uint8_t *)buf, (size_t)len);
	return len;
}

static int bio_read(BIO *b, char *buf, int room)
{
	struct dtls *d = BIO_get_data(b);
	size_t len = d->in_len;

	BIO_clear_retry_flags(b);
	if (!d->in) {
		BIO_set_retry_read(b);
		return -1;
	}
	if (len > (size_t)room)
		len = (size_t)room; // as a socket would: the rest of a datagram is lost
	memcpy(buf, d->in, len);
	d->in = NULL;
	return (int)len;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b;
	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_FLUSH)
		return 1;
	return cmd == BIO_CTRL_DGRAM_GET_MTU_OVERHEAD ? DATAGRAM_OVERHEAD : 0;
}

static BIO *bio_new(struct dtls *d)
{
	static BIO_METHOD *method; // made before the fork, shared by all handshakes
	BIO *b;

	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lane");
		if (!method)
			return NULL;
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	b = BIO_new(method);
	if (!b)
		return NULL;
	BIO_set_data(b, d);
	BIO_set_init(b, 1);
	return b;
}

// ---------------------------------------------------------------------------------------------------------- handshake

// The identity is always "psk": the App-ID has chosen the tunnel, and with it the key.
static unsigned int psk_find(SSL *ssl, const char *identity, unsigned char *psk, unsigned int room)
{
	struct dtls *d = SSL_get_app_data(ssl);

	(void)identity;
	if (room < DTLS_PSK_SIZE)
		return 0;
	memcpy(psk, d->secret->psk, DTLS_PSK_SIZE);
	return DTLS_PSK_SIZE;
}

// Nobody has made that session: both sides know of it by CONNECT.
static SSL_SESSION *session_find(SSL *ssl, const unsigned char *id, int len, int *copy)
{
	const struct dtls *d = SSL_get_app_data(ssl);

	if (!d->resumed || len != APP_ID_SIZE || memcmp(id, d->secret->id, APP_ID_SIZE) != 0)
		return NULL;
	*copy = 1;
	return d->resumed;
}

static int cookie_make(SSL *ssl, unsigned char *cookie, unsigned int *len)
{
	const struct dtls *d = SSL_get_app_data(ssl);

	memcpy(cookie, d->cookie, sizeof(d->cookie));
	*len = sizeof(d->cookie);
	return 1;
}

static int cookie_check(SSL *ssl, const unsigned char *cookie, unsigned int len)
{
	const struct dtls *d = SSL_get_app_data(ssl);

	return len == sizeof(d->cookie) && secret_equal(cookie, d->cookie, len);
}

static unsigned int next_timeout(SSL *ssl, unsigned int last_us)
{
	(void)ssl;
	if (last_us == 0)
		return FIRST_TIMEOUT_US;
	return last_us > LAST_TIMEOUT_US / 2 ? LAST_TIMEOUT_US : 2 * last_us;
}

SSL_CTX *dtls_ctx_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(DTLS_server_method());

	if (!ctx)
		return NULL;
	if (SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) != 1 || SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE |
	                                 SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_get_cb(ctx, session_find);
	SSL_CTX_set_cookie_generate_cb(ctx, cookie_make);
	SSL_CTX_set_cookie_verify_cb(ctx, cookie_check);
	SSL_CTX_set_psk_server_callback(ctx, psk_find);
	SSL_CTX_set_max_cert_list(ctx, HANDSHAKE_MESSAGE_MAX);
	return ctx;
}

static int prepare_psk(struct dtls *d)
{
	char list[CIPHERS_TEXT];

	ciphers_psk(&d->secret->ciphers, list);
	return SSL_set_cipher_list(d->ssl, list) == 1 ? 0 : -ENOMEM;
}

// Our first flight is our last here: it goes out under new keys before the client has proven anything. So its address has to, by a
// cookie; and the session has no extended master secret (RFC 7627 5.3), since it has no handshake to bind it to.
static int prepare_resumed(struct dtls *d)
{
	const struct dtls_secret *s = d->secret;
	const SSL_CIPHER *cipher = SSL_CIPHER_find(d->ssl, s->suite->id);

	d->resumed = SSL_SESSION_new();
	if (!cipher || !d->resumed || secret_random(d->cookie, sizeof(d->cookie)) < 0)
		return -ENOMEM;
	if (SSL_SESSION_set1_id(d->resumed, s->id, sizeof(s->id)) != 1 ||
	    SSL_SESSION_set1_master_key(d->resumed, s->master, sizeof(s->master)) != 1 ||
	    SSL_SESSION_set_cipher(d->resumed, cipher) != 1 || SSL_SESSION_set_protocol_version(d->resumed, DTLS1_2_VERSION) != 1 ||
	    SSL_set_cipher_list(d->ssl, SSL_CIPHER_get_name(cipher)) != 1)
		return -ENOMEM;
	SSL_set_options(d->ssl, SSL_OP_COOKIE_EXCHANGE | SSL_OP_NO_EXTENDED_MASTER_SECRET);
	return 0;
}

struct dtls *dtls_new(SSL_CTX *ctx, uint32_t handshake, const struct dtls_secret *secret, unsigned mtu,
                      const struct dtls_road *road, void *who, uint64_t now_ms)
{
	struct dtls *d = calloc(1, sizeof(*d));
	BIO *bio;

	if (!d)
		return NULL;
	d->road = road;
	d->who = who;
	d->born_ms = now_ms;
	d->keys.handshake = handshake;
	d->secret = secret;
	d->ssl = SSL_new(ctx);
	bio = d->ssl ? bio_new(d) : NULL;
	if (!bio || (secret->kind == DTLS_KIND_PSK ? prepare_psk(d) : prepare_resumed(d)) < 0)
		goto fail;
	SSL_set_bio(d->ssl, bio, bio);
	SSL_set_app_data(d->ssl, d);
	SSL_set_mtu(d->ssl, mtu);
	DTLS_set_timer_cb(d->ssl, next_timeout);
	SSL_set_accept_state(d->ssl);
	return d;
fail:
	BIO_free(bio);
	dtls_free(d);
	errno = ENOMEM;
	return NULL;
}

void dtls_free(struct dtls *d)
{
	if (!d)
		return;
	SSL_free(d->ssl); // without SSL_shutdown: no close_notify
	SSL_SESSION_free(d->resumed);
	secret_wipe(d, sizeof(*d));
	free(d);
}

// No record is cut short, and no message in one is longer than any of ours.
static bool fits(const uint8_t *buf, size_t len)
{
	uint32_t message, end;
	struct record r;
	size_t at, within;

	for (at = 0; at < len; at += r.whole) {
		if (record_parse(buf + at, len - at, &r) < 0)
			return false;
		within = 0;
		while (record_handshake_span(&r, &within, &message, &end) == 0)
			if (message > HANDSHAKE_MESSAGE_MAX || end > message)
				return false;
	}
	return true;
}

// OpenSSL would keep a hundred records of the epoch to come.
static bool is_timely(struct dtls *d, const struct record *r)
{
	if (r->epoch == 0 || d->done)
		return true;
	if (r->epoch != CLIENT_EPOCH)
		return false;
	return SSL_get_state(d->ssl) == TLS_ST_SR_CHANGE || d->early++ < EARLY_MAX;
}

static int ended(struct dtls *d, int code, const char *what)
{
	const char *reason;

	if (d->failed)
		return -EPROTO;
	code = SSL_get_error(d->ssl, code);
	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
		return 0;
	reason = ERR_reason_error_string(ERR_peek_last_error());
	log_info("dtls %s: %s", what, reason ? reason : "closed by the client");
	d->failed = true;
	return -EPROTO;
}

static int take_record(struct dtls *d, const uint8_t *record, size_t len)
{
	uint8_t scrap[LIMIT_DATAGRAM];
	int n;

	d->in = record;
	d->in_len = len;
	ERR_clear_error();
	n = d->done ? SSL_read(d->ssl, scrap, sizeof(scrap)) : SSL_accept(d->ssl);
	if (!d->done && n == 1)
		d->done = true;
	d->in = NULL;
	return n > 0 ? 0 : ended(d, n, d->done ? "after its handshake" : "handshake");
}

// Record by record: what may be kept depends on what came just before.
int dtls_input(struct dtls *d, const uint8_t *datagram, size_t len)
{
	struct record r;
	size_t at;
	int ret = 0;

	if (d->failed)
		return -EPROTO;
	if (!fits(datagram, len))
		return 0; // as if lost
	d->bytes_in += len;
	for (at = 0; at < len && ret == 0; at += r.whole) {
		record_parse(datagram + at, len - at, &r);
		if (is_timely(d, &r))
			ret = take_record(d, datagram + at, r.whole);
	}
	return ret;
}

// OpenSSL reckons the timers of DTLS by gettimeofday(), which somebody may set: an hour back, and a lost flight would be repeated
// an hour late. In this program, and so for that library, it is the clock that only runs; nobody else here asks for it.
int gettimeofday(struct timeval *restrict tv, __attribute__((unused)) void *restrict zone)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0)
		return -1;
	*tv = (struct timeval){ .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000 };
	return 0;
}

int dtls_tick(struct dtls *d, uint64_t now_ms)
{
	struct timeval left;

	if (d->failed)
		return -EPROTO;
	if (now_ms - d->born_ms >= DTLS_LIFE_MS)
		return -ETIMEDOUT;
	if (!d->done && DTLSv1_get_timeout(d->ssl, &left) && left.tv_sec == 0 && left.tv_usec == 0) {
		ERR_clear_error();
		if (DTLSv1_handle_timeout(d->ssl) < 0)
			return ended(d, -1, "retransmission");
	}
	return 0;
}

int dtls_wait_ms(const struct dtls *d, uint64_t now_ms)
{
	uint64_t age = now_ms - d->born_ms;
	int wait = age < DTLS_LIFE_MS ? (int)(DTLS_LIFE_MS - age) : 0;
	struct timeval left;
	long ms;

	if (!d->done && DTLSv1_get_timeout(d->ssl, &left)) {
		ms = left.tv_sec * 1000 + (left.tv_usec + 999) / 1000;
		if (ms < wait)
			wait = (int)ms;
	}
	return wait;
}

uint32_t dtls_number(const struct dtls *d)
{
	return d->keys.handshake;
}

bool dtls_keyed(const struct dtls *d)
{
	return d->keyed;
}

const struct farewells *dtls_farewells(const struct dtls *d)
{
	return &d->farewells;
}

bool dtls_done(const struct dtls *d)
{
	return d->done;
}

const char *dtls_cipher_name(const struct dtls *d)
{
	static const char *const names[AEAD_LAST + 1] = {
		[AEAD_NONE] = "",
		[AEAD_AES_128_GCM] = "(DTLS1.2)-(PSK)-(AES-128-GCM)",
		[AEAD_AES_256_GCM] = "(DTLS1.2)-(PSK)-(AES-256-GCM)",
		[AEAD_CHACHA20_POLY1305] = "(DTLS1.2)-(PSK)-(CHACHA20-POLY1305)",
	};

	return d->keyed && d->secret->kind == DTLS_KIND_RESUMED ? d->secret->suite->text : names[d->keys.cipher];
}
