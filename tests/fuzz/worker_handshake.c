// DTLS with a real client, whose datagrams are lost, altered, repeated or followed by others, as an input says: three bytes a
// datagram. The first byte picks the kind of DTLS. However that ends, nobody but who knows the keys is heard; and once it is up,
// records of any content and time pass.
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "control/worker/cbc.h"
#include "proto/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define assert_true(truth) ((truth) ? (void)0 : abort())
#include "tests/dtls_client.h"

enum kind { PSK, RESUMED, RESUMED_CHACHA, CBC_12, CBC_10, CBC_09, KINDS };

static const struct {
	enum dtls_kind kind;
	const char *suite, *ciphers;
	bool dtls12;
	int version;
} kinds[KINDS] = {
	[PSK] = { DTLS_KIND_PSK, NULL, "PSK-AES256-GCM-SHA384:PSK-CHACHA20-POLY1305", true, DTLS1_2_VERSION },
	[RESUMED] = { DTLS_KIND_RESUMED, "OC-DTLS1_2-AES256-GCM", "AES256-GCM-SHA384", false, DTLS1_2_VERSION },
	[RESUMED_CHACHA] = { DTLS_KIND_RESUMED, "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", true,
	                     DTLS1_2_VERSION },
	[CBC_12] = { DTLS_KIND_CBC, "AES256-SHA", "AES256-SHA", true, DTLS1_2_VERSION },
	[CBC_10] = { DTLS_KIND_CBC, "AES128-SHA", "AES128-SHA", false, DTLS1_VERSION },
	[CBC_09] = { DTLS_KIND_CBC, "AES128-SHA", "AES128-SHA", false, DTLS1_BAD_VER },
};

static const uint8_t psk[DTLS_PSK_SIZE] = "a key from the TLS exporter ....";

static struct {
	const uint8_t *at, *end;
	struct net net;
	struct dtls_secret secret;
	SSL_CTX *ctx;
	SSL *client;
	struct dtls *dtls;
	struct cbc *cbc;
	uint64_t now;
} w;

static uint8_t next(void)
{
	return w.at < w.end ? *w.at++ : 0;
}

static unsigned client_psk(SSL *ssl, const char *hint, char *identity, unsigned id_room, unsigned char *out, unsigned room)
{
	snprintf(identity, id_room, "psk");
	memcpy(out, psk, sizeof(psk));
	return sizeof(psk);
}

static void on_send(void *who, uint32_t handshake, const uint8_t *buf, size_t len)
{
	if (w.net.down.tail - w.net.down.head < QUEUE)
		queue_put(&w.net.down, buf, len);
}

static int on_keys(void *who, const struct msg_dtls_keys *keys)
{
	return next() & 1 ? -EBUSY : 0;
}

static void on_seal(void *who, uint32_t handshake, uint8_t type, const uint8_t *plain, size_t len) {}

// What was said under the keys, and by nobody else: all of it is the same byte.
static void on_data(void *who, struct cbc *c, const uint8_t *payload, size_t len)
{
	for (size_t i = 1; i < len; i++)
		if (payload[i] != payload[0])
			abort();
}

static void begin(enum kind kind)
{
	static const struct dtls_road road = { on_send, on_keys, on_seal };
	static const struct cbc_road cbc_road = { on_send, on_data };
	static SSL_CTX *server, *clients[KINDS];

	if (!server) {
		log_init("fuzz", (enum log_level)(LOG_LEVEL_ERR - 1), LOG_FORM_PLAIN);
		server = dtls_ctx_new();
	}
	if (!clients[kind]) {
		clients[kind] = SSL_CTX_new(DTLS_client_method());
		SSL_CTX_set_security_level(clients[kind], 0);
		assert_true(SSL_CTX_set_min_proto_version(clients[kind], kinds[kind].version) == 1);
		assert_true(SSL_CTX_set_max_proto_version(clients[kind], kinds[kind].version) == 1);
		SSL_CTX_set_psk_client_callback(clients[kind], client_psk);
		assert_true(SSL_CTX_set_cipher_list(clients[kind], kinds[kind].ciphers) == 1);
	}
	w.net.up.lose = w.net.down.lose = NEVER;
	w.secret = (struct dtls_secret){ .kind = kinds[kind].kind, .ciphers = ciphers_all };
	memcpy(w.secret.psk, psk, sizeof(psk));
	memcpy(w.secret.id, session_id, sizeof(session_id));
	memcpy(w.secret.master, master, sizeof(master));
	w.client = client_new(clients[kind], &w.net);
	if (kinds[kind].suite) {
		w.secret.suite = suite_choose(kinds[kind].suite, kinds[kind].dtls12, &ciphers_all);
		assert_true(w.secret.suite != NULL);
		client_resumes(w.client, w.secret.suite, kinds[kind].version);
	}
	if (w.secret.kind == DTLS_KIND_CBC)
		w.cbc = cbc_new(7, &w.secret, &cbc_road, &w, w.now);
	else
		w.dtls = dtls_new(server, 7, &w.secret, 1400, &road, &w, w.now);
	assert_true(w.cbc || w.dtls);
}

static int input(const uint8_t *bytes, size_t len)
{
	return w.cbc ? cbc_input(w.cbc, bytes, len, w.now) : dtls_input(w.dtls, bytes, len);
}

// As it is, lost, twice, with another byte, cut off, or with rubbish after it.
static int pass(struct datagram *d)
{
	const uint8_t how = next(), where = next(), what = next();
	size_t at = (size_t)where * 4 % d->len;
	int ret;

	switch (how % 8) {
	case 0:
		return 0;
	case 1:
		ret = input(d->bytes, d->len);
		return ret < 0 ? ret : input(d->bytes, d->len);
	case 2:
		d->bytes[at] ^= what;
		break;
	case 3:
		d->len = at;
		break;
	case 4:
		memset(d->bytes + d->len, what, d->len + 64 < sizeof(d->bytes) ? 64 : 0);
		d->len += d->len + 64 < sizeof(d->bytes) ? 64 : 0;
		break;
	case 5:
		d->bytes[where % d->len] ^= what;
		break;
	}
	return input(d->bytes, d->len);
}

// Until nobody has anything more to say.
static int talk(void)
{
	struct datagram *d;
	int ret = 0, rounds = 0;

	do {
		SSL_do_handshake(w.client);
		while (ret >= 0 && (d = queue_get(&w.net.up)))
			ret = pass(d);
	} while (ret >= 0 && w.net.down.head != w.net.down.tail && rounds++ < 16);
	ERR_clear_error();
	return ret < 0 ? ret : 0;
}

static int records_pass(void)
{
	uint8_t text[1200];
	struct datagram *d;
	int ret = 0;

	memset(text, next(), sizeof(text));
	SSL_write(w.client, text, 1 + next() * 4);
	while (ret >= 0 && (d = queue_get(&w.net.up)))
		ret = pass(d);
	if (w.cbc && ret >= 0) {
		cbc_send(w.cbc, text, 1 + next());
		if (next() == 1)
			cbc_close(w.cbc);
	}
	SSL_read(w.client, text, sizeof(text));
	ERR_clear_error();
	return ret < 0 ? ret : 0;
}

static int time_passes(void)
{
	w.now += next() * 40;
	DTLSv1_handle_timeout(w.client);
	return w.cbc ? cbc_tick(w.cbc, w.now) : dtls_tick(w.dtls, w.now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[LIMIT_CIPHER + 1];
	int ret = 0;

	if (size < 1 || size > 400)
		return 0;
	memset(&w, 0, sizeof(w));
	w.now = 1000;
	w.at = data + 1;
	w.end = data + size;
	begin((enum kind)(data[0] % KINDS));
	while (ret >= 0 && w.at < w.end) {
		ret = talk();
		if (ret >= 0 && (w.cbc ? cbc_up(w.cbc) : dtls_done(w.dtls)))
			ret = records_pass();
		if (ret >= 0)
			ret = time_passes();
		if (ret >= 0)
			(void)(w.cbc ? cbc_wait_ms(w.cbc, w.now) : dtls_wait_ms(w.dtls, w.now));
	}
	if (w.cbc) {
		cbc_cipher_name(w.cbc, name, sizeof(name));
		cbc_free(w.cbc);
	} else {
		dtls_cipher_name(w.dtls);
		dtls_free(w.dtls);
	}
	SSL_free(w.client);
	ERR_clear_error();
	return 0;
}
