#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cbc.h"
#include "cbc_record.h"
#include "hello.h"
#include "proto/log.h"
#include "proto/secret.h"

#define DTLS_0_9 0x0100
#define DTLS_1_0 0xfeff
#define DTLS_1_2 0xfefd

#define HELLO_MAX 1024 // a ClientHello that resumes has some 100 bytes
#define COOKIE_BYTES 16
#define VERIFY_DATA 12
#define SERVER_HELLO (2 + HELLO_RANDOM + 1 + APP_ID_SIZE + 2 + 1 + 2 + 5) // with the extension of RFC 5746
#define SERVER_HELLO_TYPE 2
#define HELLO_VERIFY_TYPE 3
#define FINISHED_TYPE 20
#define EPOCH 1
#define FIRST_TIMEOUT_MS 250
#define LAST_TIMEOUT_MS 8000
#define KEY_BLOCK (2 * (CBC_MAC + 32))
#define ALERT_FATAL 2
#define ALERT_CLOSE_NOTIFY 0
#define ALERT_USER_CANCELED 90 // "for some reason unrelated to a protocol failure"

enum state {
	STATE_HELLO,    // no ClientHello with our cookie yet
	STATE_FINISHED, // our flight is out, the client's is awaited
	STATE_UP,
	STATE_CLOSED, // we have sent a fatal alert
	STATE_OVER,   // the client has ended it, or cannot come in
};

struct cbc {
	const struct cbc_road *road;
	void *who;
	const struct dtls_secret *secret;
	uint32_t born, handshake;
	enum state state;
	uint16_t version; // of the records; 0: no ClientHello yet
	uint8_t cookie[COOKIE_BYTES];
	uint8_t client_random[HELLO_RANDOM], server_random[HELLO_RANDOM];
	uint16_t message; // number of our next handshake message
	uint8_t server_hello[HANDSHAKE_HEADER + SERVER_HELLO], finished[HANDSHAKE_HEADER + VERIFY_DATA];
	size_t server_hello_len;
	uint16_t ccs_message;
	uint8_t awaited[VERIFY_DATA]; // in the client's Finished
	struct cbc_way in, out;
	uint64_t sequence[EPOCH + 1]; // next to send
	uint64_t top, seen;           // replay window: the highest + 1 of epoch 1, one bit for each of the 64 below
	uint64_t born_ms, resend_ms;
	unsigned timeout_ms;
	size_t bytes_in, bytes_out; // until the cookie has come back
};

static void store(uint8_t *p, uint64_t v, int bytes)
{
	while (bytes-- > 0) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

// ------------------------------------------------------------------------------------------------------------- secrets

static const char *digest_of(const struct cbc *c)
{
	return c->version == DTLS_1_2 ? "SHA256" : "MD5-SHA1";
}

static int prf(const struct cbc *c, const char *label, const uint8_t *seed, size_t seed_len, uint8_t *out, size_t len)
{
	return record_prf(digest_of(c), c->secret->master, sizeof(c->secret->master), label, seed, seed_len, out, len);
}

// Handshake messages as the hash of Finished sees them: DTLS 0.9 without their headers.
struct transcript {
	uint8_t buf[HELLO_MAX + sizeof(((struct cbc *)0)->server_hello) + sizeof(((struct cbc *)0)->finished)];
	size_t len;
};

static void transcript_add(const struct cbc *c, struct transcript *t, const uint8_t *message, size_t len)
{
	size_t skip = c->version == DTLS_0_9 ? HANDSHAKE_HEADER : 0;

	memcpy(t->buf + t->len, message + skip, len - skip);
	t->len += len - skip;
}

static int verify_data(const struct cbc *c, const char *label, const struct transcript *t, uint8_t out[VERIFY_DATA])
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	size_t len;

	if (EVP_Q_digest(NULL, digest_of(c), NULL, t->buf, t->len, hash, &len) != 1)
		return -EIO;
	return prf(c, label, hash, len, out, VERIFY_DATA);
}

// RFC 5246 6.3: MAC keys, then keys; the IVs are in the records.
static int keys_make(struct cbc *c)
{
	uint8_t randoms[2 * HELLO_RANDOM], block[KEY_BLOCK];
	size_t key = c->secret->suite->aes;
	int ret;

	memcpy(randoms, c->server_random, HELLO_RANDOM);
	memcpy(randoms + HELLO_RANDOM, c->client_random, HELLO_RANDOM);
	ret = prf(c, "key expansion", randoms, sizeof(randoms), block, 2 * (CBC_MAC + key));
	if (ret == 0)
		ret = cbc_way_init(&c->in, c->version, false, block + 2 * CBC_MAC, key, block);
	if (ret == 0)
		ret = cbc_way_init(&c->out, c->version, true, block + 2 * CBC_MAC + key, key, block + CBC_MAC);
	secret_wipe(block, sizeof(block));
	return ret;
}

// -------------------------------------------------------------------------------------------------------------- output

static void message_header(struct cbc *c, uint8_t *out, uint8_t type, size_t len)
{
	out[0] = type;
	store(out + 1, len, 3);
	store(out + 4, c->message++, 2);
	store(out + 6, 0, 3);
	store(out + 9, len, 3);
}

// A record in clear; how long it is.
static size_t put_clear(struct cbc *c, uint8_t *out, uint8_t type, uint16_t version, const uint8_t *body, size_t len)
{
	out[0] = type;
	store(out + 1, version, 2);
	store(out + 3, c->sequence[0]++, 8);
	store(out + 11, len, 2);
	memcpy(out + RECORD_HEADER, body, len);
	return RECORD_HEADER + len;
}

static size_t put_sealed(struct cbc *c, uint8_t *out, uint8_t type, const uint8_t *body, size_t len)
{
	int n = c->sequence[EPOCH] > DTLS_SEQUENCE_MAX ? -EIO
	                                               : cbc_seal(&c->out, type, EPOCH, c->sequence[EPOCH]++, body, len, out);

	return n < 0 ? 0 : (size_t)n;
}

// Whoever can say our cookie is where it says it is. No longer than the ClientHello that it answers.
static void send_hello_verify(struct cbc *c)
{
	uint16_t version = c->version == DTLS_0_9 ? DTLS_0_9 : DTLS_1_0; // RFC 6347 4.2.1
	uint8_t message[HANDSHAKE_HEADER + 3 + COOKIE_BYTES], out[RECORD_HEADER + sizeof(message)];
	size_t len;

	c->message = 0;
	message_header(c, message, HELLO_VERIFY_TYPE, 3 + COOKIE_BYTES);
	store(message + HANDSHAKE_HEADER, version, 2);
	message[HANDSHAKE_HEADER + 2] = COOKIE_BYTES;
	memcpy(message + HANDSHAKE_HEADER + 3, c->cookie, COOKIE_BYTES);
	len = put_clear(c, out, RECORD_HANDSHAKE, version, message, sizeof(message));
	if (c->bytes_out + len > c->bytes_in)
		return;
	c->bytes_out += len;
	c->road->send(c->who, c->handshake, out, len);
}

// ServerHello, ChangeCipherSpec and Finished in one datagram. In DTLS 0.9 a ChangeCipherSpec counts as a handshake message.
static void send_flight(struct cbc *c, uint64_t now_ms)
{
	uint8_t out[3 * RECORD_HEADER + sizeof(c->server_hello) + 3 + sizeof(c->finished) + CBC_RECORD_GROWS], ccs[3] = { 1 };
	size_t len;

	store(ccs + 1, c->ccs_message, 2);
	len = put_clear(c, out, RECORD_HANDSHAKE, c->version, c->server_hello, c->server_hello_len);
	len += put_clear(c, out + len, RECORD_CCS, c->version, ccs, c->version == DTLS_0_9 ? 3 : 1);
	len += put_sealed(c, out + len, RECORD_HANDSHAKE, c->finished, sizeof(c->finished));
	c->road->send(c->who, c->handshake, out, len);
	c->timeout_ms = c->timeout_ms == 0 ? FIRST_TIMEOUT_MS : 2 * c->timeout_ms;
	if (c->timeout_ms > LAST_TIMEOUT_MS)
		c->timeout_ms = LAST_TIMEOUT_MS;
	c->resend_ms = now_ms + c->timeout_ms;
}

static void server_hello_make(struct cbc *c, bool secure_renegotiation)
{
	static const uint8_t renegotiation_info[] = { 0x00, 0x05, 0xff, 0x01, 0x00, 0x01, 0x00 };
	uint8_t *body = c->server_hello + HANDSHAKE_HEADER, *at = body;

	store(at, c->version, 2);
	memcpy(at += 2, c->server_random, HELLO_RANDOM);
	at += HELLO_RANDOM;
	*at++ = APP_ID_SIZE;
	memcpy(at, c->secret->id, APP_ID_SIZE);
	memcpy(at += APP_ID_SIZE, c->secret->suite->id, 2);
	at += 2;
	*at++ = 0; // no compression
	if (secure_renegotiation) {
		memcpy(at, renegotiation_info, sizeof(renegotiation_info));
		at += sizeof(renegotiation_info);
	}
	message_header(c, c->server_hello, SERVER_HELLO_TYPE, (size_t)(at - body));
	c->server_hello_len = (size_t)(at - c->server_hello);
}

// --------------------------------------------------------------------------------------------------------------- input

static int over(struct cbc *c, const char *why)
{
	log_info("dtls handshake: %s", why);
	c->state = STATE_OVER;
	return -EPROTO;
}

static int begin(struct cbc *c, const struct hello *h, uint64_t now_ms)
{
	struct transcript t = { .len = 0 };
	int ret;

	memcpy(c->client_random, h->random, HELLO_RANDOM);
	ret = secret_random(c->server_random, HELLO_RANDOM);
	if (ret == 0)
		ret = keys_make(c);
	c->message = (uint16_t)(h->message[4] << 8 | h->message[5]);
	server_hello_make(c, h->secure_renegotiation);
	c->ccs_message = c->message;
	if (c->version == DTLS_0_9)
		c->message++;
	message_header(c, c->finished, FINISHED_TYPE, VERIFY_DATA);
	transcript_add(c, &t, h->message, h->len);
	transcript_add(c, &t, c->server_hello, c->server_hello_len);
	if (ret == 0)
		ret = verify_data(c, "server finished", &t, c->finished + HANDSHAKE_HEADER);
	transcript_add(c, &t, c->finished, sizeof(c->finished));
	if (ret == 0)
		ret = verify_data(c, "client finished", &t, c->awaited);
	if (ret < 0)
		return over(c, "out of memory");
	c->state = STATE_FINISHED;
	send_flight(c, now_ms);
	return 0;
}

// Cisco's own version stands for itself; who knows a later one may be given an earlier. 0: none that fits.
static uint16_t version_for(const struct cbc *c, const struct hello *h)
{
	if (c->secret->suite->dtls12)
		return h->version == DTLS_1_2 ? DTLS_1_2 : 0;
	if (h->version == DTLS_0_9)
		return DTLS_0_9;
	return h->version == DTLS_1_0 || h->version == DTLS_1_2 ? DTLS_1_0 : 0;
}

static int on_hello(struct cbc *c, const struct record *r, uint64_t now_ms)
{
	struct hello h;

	if (hello_parse(r, &h) < 0 || h.len > HELLO_MAX)
		return 0; // as if lost
	if (c->state == STATE_FINISHED && memcmp(h.random, c->client_random, HELLO_RANDOM) == 0 && h.cookie_len > 0)
		send_flight(c, now_ms);
	if (c->state != STATE_HELLO)
		return 0;
	c->version = version_for(c, &h);
	if (h.session_id_len != APP_ID_SIZE || memcmp(h.session_id, c->secret->id, APP_ID_SIZE) != 0 || !c->version ||
	    !h.uncompressed || !hello_offers(&h, c->secret->suite->id))
		return 0; // not what CONNECT has agreed on: whoever sends that is not our client
	if (h.cookie_len == COOKIE_BYTES && secret_equal(h.cookie, c->cookie, COOKIE_BYTES))
		return begin(c, &h, now_ms);
	send_hello_verify(c);
	return 0;
}

static bool replayed(const struct cbc *c, uint64_t sequence)
{
	uint64_t below = c->top - 1 - sequence;

	return sequence < c->top && (below >= 64 || c->seen >> below & 1);
}

// True: newer than all before.
static bool take_sequence(struct cbc *c, uint64_t sequence)
{
	uint64_t ahead;

	if (sequence < c->top) {
		c->seen |= 1ULL << (c->top - 1 - sequence);
		return false;
	}
	ahead = sequence + 1 - c->top;
	c->seen = (ahead < 64 ? c->seen << ahead : 0) | 1;
	c->top = sequence + 1;
	return true;
}

static int on_finished(struct cbc *c, const uint8_t *plain, size_t len)
{
	if (len != HANDSHAKE_HEADER + VERIFY_DATA || plain[0] != FINISHED_TYPE ||
	    !secret_equal(plain + HANDSHAKE_HEADER, c->awaited, VERIFY_DATA))
		return over(c, "its end does not fit its beginning");
	c->state = STATE_UP;
	secret_wipe(c->finished, sizeof(c->finished));
	return 0;
}

static int on_alert(struct cbc *c, const uint8_t *plain, size_t len)
{
	if (len != 2 || (plain[0] != ALERT_FATAL && plain[1] != ALERT_CLOSE_NOTIFY))
		return 0;
	log_debug("dtls: the client sent alert %u", plain[1]);
	c->state = STATE_OVER;
	return -EPROTO;
}

static int on_opened(struct cbc *c, uint8_t type, const uint8_t *plain, size_t len)
{
	if (type == RECORD_ALERT)
		return on_alert(c, plain, len);
	if (type == RECORD_HANDSHAKE && c->state == STATE_FINISHED)
		return on_finished(c, plain, len);
	if (type == RECORD_DATA && (c->state == STATE_UP || c->state == STATE_CLOSED))
		c->road->data(c->who, c, plain, len);
	return 0;
}

static int on_sealed(struct cbc *c, const struct record *r)
{
	uint8_t plain[LIMIT_DATAGRAM];
	bool newest = false;
	int len, ret = 0;

	if (c->state == STATE_HELLO || r->epoch != EPOCH || r->len > sizeof(plain) || replayed(c, r->sequence))
		return 0;
	len = cbc_open(&c->in, r, plain);
	if (len > 0) {
		newest = take_sequence(c, r->sequence);
		ret = on_opened(c, r->type, plain, (size_t)len);
	}
	secret_wipe(plain, sizeof(plain));
	return ret < 0 ? ret : newest;
}

int cbc_input(struct cbc *c, const uint8_t *datagram, size_t len, uint64_t now_ms)
{
	int ret = c->state == STATE_OVER ? -EPROTO : 0, newest = 0;
	struct record r;
	size_t at;

	c->bytes_in += c->state == STATE_HELLO ? len : 0;
	for (at = 0; at < len && ret >= 0 && record_parse(datagram + at, len - at, &r) == 0; at += r.whole) {
		if (r.epoch > 0)
			ret = on_sealed(c, &r);
		else if (r.type == RECORD_HANDSHAKE)
			ret = on_hello(c, &r, now_ms);
		newest |= ret > 0;
	}
	return ret < 0 ? ret : newest;
}

// ----------------------------------------------------------------------------------------------------------------- use

int cbc_send(struct cbc *c, const uint8_t *payload, size_t len)
{
	uint8_t out[LIMIT_DATAGRAM];
	size_t n;

	if (c->state != STATE_UP)
		return -ENOTCONN;
	if (len > sizeof(out) - CBC_RECORD_GROWS)
		return -EMSGSIZE;
	n = put_sealed(c, out, RECORD_DATA, payload, len);
	if (n == 0)
		return -EIO;
	c->road->send(c->who, c->handshake, out, n);
	return 0;
}

void cbc_close(struct cbc *c)
{
	static const uint8_t alert[] = { ALERT_FATAL, ALERT_USER_CANCELED };
	uint8_t out[sizeof(alert) + CBC_RECORD_GROWS];
	size_t n;

	if (c->state != STATE_UP && c->state != STATE_CLOSED)
		return;
	n = put_sealed(c, out, RECORD_ALERT, alert, sizeof(alert));
	c->state = STATE_CLOSED;
	if (n > 0)
		c->road->send(c->who, c->handshake, out, n);
}

static bool shakes(const struct cbc *c)
{
	return c->state == STATE_HELLO || c->state == STATE_FINISHED;
}

int cbc_tick(struct cbc *c, uint64_t now_ms)
{
	if (!shakes(c))
		return 0;
	if (now_ms - c->born_ms >= DTLS_LIFE_MS)
		return -ETIMEDOUT;
	if (c->state == STATE_FINISHED && now_ms >= c->resend_ms)
		send_flight(c, now_ms);
	return 0;
}

int cbc_wait_ms(const struct cbc *c, uint64_t now_ms)
{
	uint64_t due = c->born_ms + DTLS_LIFE_MS;

	if (!shakes(c))
		return -1;
	if (c->state == STATE_FINISHED && c->resend_ms < due)
		due = c->resend_ms;
	return due > now_ms ? (int)(due - now_ms) : 0;
}

struct cbc *cbc_new(uint32_t handshake, const struct dtls_secret *secret, const struct cbc_road *road, void *who, uint64_t now_ms)
{
	struct cbc *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct cbc){
		.road = road, .who = who, .secret = secret, .born = handshake, .handshake = handshake, .born_ms = now_ms
	};
	if (secret_random(c->cookie, sizeof(c->cookie)) == 0)
		return c;
	free(c);
	errno = EIO;
	return NULL;
}

void cbc_free(struct cbc *c)
{
	if (!c)
		return;
	cbc_way_fini(&c->in);
	cbc_way_fini(&c->out);
	secret_wipe(c, sizeof(*c));
	free(c);
}

uint32_t cbc_born(const struct cbc *c)
{
	return c->born;
}

uint32_t cbc_number(const struct cbc *c)
{
	return c->handshake;
}

void cbc_renumber(struct cbc *c, uint32_t handshake)
{
	c->handshake = handshake;
}

void cbc_outlive(struct cbc *c)
{
	c->born = c->handshake = 0;
}

bool cbc_up(const struct cbc *c)
{
	return c->state == STATE_UP;
}

void cbc_cipher_name(const struct cbc *c, char *out, size_t room)
{
	const char *version = c->version == DTLS_0_9 ? "0.9" : c->version == DTLS_1_0 ? "1.0" : "1.2";

	snprintf(out, room, "(DTLS%s)-%s", version, c->secret->suite->text);
}
