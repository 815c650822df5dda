// Datagrams for a DTLS handshake, with a pre-shared key or (first byte odd) resumed: two bytes of length before each. Nothing of
// them makes keys.
#include <stdlib.h>

#include "control/worker/dtls.h"
#include "proto/log.h"

static void on_send(void *who, uint32_t handshake, const uint8_t *buf, size_t len) {}
static int on_keys(void *who, const struct msg_dtls_keys *keys)
{
	abort();
}
static void on_seal(void *who, uint32_t handshake, uint8_t type, const uint8_t *plain, size_t len)
{
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dtls_road road = { on_send, on_keys, on_seal };
	static struct dtls_secret secrets[] = {
		{ .kind = DTLS_KIND_PSK, .psk = { 1 } },
		{ .kind = DTLS_KIND_RESUMED, .id = "the id of the ClientHello", .master = { 1 } },
	};
	static SSL_CTX *ctx;
	struct dtls *d;
	size_t len;
	int ret = 0;

	if (!ctx) {
		log_init("fuzz", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
		ctx = dtls_ctx_new();
		secrets[1].suite = suite_choose("OC-DTLS1_2-AES256-GCM", false, &ciphers_all);
		secrets[0].ciphers = ciphers_all;
	}
	if (size == 0)
		return 0;
	d = dtls_new(ctx, 1, &secrets[*data & 1], 1400, &road, NULL, 0);
	data++;
	size--;
	while (size > 2 && ret == 0) {
		len = (size_t)(data[0] << 8 | data[1]);
		data += 2;
		size -= 2;
		len = len < size ? len : size;
		ret = dtls_input(d, data, len < LIMIT_DATAGRAM ? len : LIMIT_DATAGRAM);
		data += len;
		size -= len;
	}
	dtls_free(d);
	return 0;
}
