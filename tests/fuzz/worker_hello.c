// A record with a ClientHello, as those handshakes see it that OpenSSL does not do: whatever is found lies inside of it.
#include <stdlib.h>

#include "control/worker/hello.h"

static void inside(const struct record *r, const uint8_t *at, size_t len)
{
	if (at < r->body || len > r->len || at + len > r->body + r->len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record r;
	struct hello h;

	if (record_parse(data, size, &r) < 0 || hello_parse(&r, &h) < 0)
		return 0;
	inside(&r, h.message, h.len);
	inside(&r, h.random, HELLO_RANDOM);
	inside(&r, h.session_id, h.session_id_len);
	inside(&r, h.cookie, h.cookie_len);
	inside(&r, h.suites, h.suites_len);
	hello_offers(&h, (const uint8_t[]){ 0, 0x2f });
	return 0;
}
