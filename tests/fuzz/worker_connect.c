// A CONNECT request's headers: what main is asked must encode, and what the client is told must be clean lines.
#include <stdlib.h>
#include <string.h>

#include "control/worker/connect.h"
#include "proto/msg.h"

static void check_lines(const struct reply *r)
{
	size_t i;

	for (i = 0; i < r->len; i++)
		if (((unsigned char)r->text[i] < 0x20 && r->text[i] != '\r' && r->text[i] != '\n') ||
		    (r->text[i] == '\n') != (i > 0 && r->text[i - 1] == '\r'))
			abort();
	if (strstr(r->text, "\r\n\r\n") != r->text + r->len - 4)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct msg_auth_cookie_rep rep = { .user = "anna", .mtu = 1400, .udp_port = 443, .app_id_len = APP_ID_SIZE };
	struct msg_auth_cookie_req req;
	struct connect c = { .suite = NULL };
	struct reply r = { .text = NULL };
	uint8_t wire[LIMIT_MESSAGE];
	struct http h;

	http_init(&h);
	if (http_feed(&h, data, size) == 1 && connect_request(&c, &h, 1500, &ciphers_all, &req) == 0) {
		rep.dtls = req.dtls_offers & DTLS_OFFER_PSK       ? DTLS_KIND_PSK
		           : req.dtls_offers & DTLS_OFFER_RESUMED ? DTLS_KIND_RESUMED
		           : req.dtls_offers & DTLS_OFFER_CBC     ? DTLS_KIND_CBC
		                                                  : DTLS_KIND_NONE;
		if (msg_encode(MSG_AUTH_COOKIE_REQ, &req, wire, sizeof(wire)) < 0)
			abort();
		connect_answer(&c, &rep, &r);
		check_lines(&r);
	}
	reply_clear(&r);
	connect_fini(&c);
	http_fini(&h);
	return 0;
}
