// Datagrams for a connection with AES-CBC-SHA, two bytes of length before each; and a record for one that is up. Nobody comes in
// without the cookie, nothing opens without the keys.
#include <stdlib.h>
#include <string.h>

#include "control/worker/cbc.h"
#include "control/worker/cbc_record.h"
#include "proto/log.h"

static void on_send(void *who, uint32_t handshake, const uint8_t *buf, size_t len)
{
	*(size_t *)who += len;
}

static void on_data(void *who, struct cbc *c, const uint8_t *payload, size_t len)
{
	abort();
}

static void open_one(const uint8_t *data, size_t size)
{
	static const uint8_t key[32] = { 1 };
	static struct cbc_way ways[4];
	uint8_t plain[LIMIT_DATAGRAM];
	struct record r;
	int i;

	for (i = 0; i < 4 && record_parse(data, size, &r) == 0 && r.len <= sizeof(plain); i++) {
		if (!ways[i].cipher && cbc_way_init(&ways[i], i & 1 ? 0xfefd : 0x0100, false, key, i & 2 ? 16 : 32, key) < 0)
			abort();
		if (cbc_open(&ways[i], &r, plain) >= 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cbc_road road = { on_send, on_data };
	static struct dtls_secret secret = { .kind = DTLS_KIND_CBC, .id = "the id of the ClientHello", .master = { 1 } };
	size_t len, in = 0, out = 0;
	struct cbc *c;

	if (!secret.suite) {
		log_init("fuzz", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
		secret.suite = suite_choose("AES128-SHA", false, &ciphers_all);
	}
	open_one(data, size);
	c = cbc_new(1, &secret, &road, &out, 0);
	while (size > 2) {
		len = (size_t)(data[0] << 8 | data[1]);
		data += 2;
		size -= 2;
		len = len < size ? len : size;
		len = len < LIMIT_DATAGRAM ? len : LIMIT_DATAGRAM;
		in += len;
		if (cbc_input(c, data, len, 0) != 0 || cbc_up(c) || out > in)
			abort();
		data += len;
		size -= len;
	}
	cbc_free(c);
	return 0;
}
