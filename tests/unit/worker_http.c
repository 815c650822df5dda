// HTTP requests: which bytes are one request, and what is wrong with the others.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/worker/http.h"

static int feed(struct http *h, const char *text, size_t step)
{
	size_t len = strlen(text), n;
	int ret = 0;

	for (; len > 0 && ret == 0; text += n, len -= n) {
		n = len < step ? len : step;
		ret = http_feed(h, (const uint8_t *)text, n);
	}
	return ret == 1 && len > 0 ? -1 : ret;
}

// Whole, in halves and byte by byte: the verdict does not depend on where the network cut.
static void refused(const char *text, unsigned status)
{
	size_t steps[] = { 1 << 20, 7, 1 }, i;
	struct http h;

	for (i = 0; i < 3; i++) {
		http_init(&h);
		assert_true(feed(&h, text, steps[i]) < 0);
		assert_int_equal(http_refusal(&h), status);
		assert_true(http_feed(&h, (const uint8_t *)"x", 1) < 0); // and there is no way back
		http_fini(&h);
	}
}

static void accepted(const char *text, enum http_verb verb, const char *path, const char *query, const char *body)
{
	size_t steps[] = { 1 << 20, 7, 1 }, i;
	struct http h;

	for (i = 0; i < 3; i++) {
		http_init(&h);
		assert_int_equal(feed(&h, text, steps[i]), 1);
		assert_int_equal(h.verb, verb);
		assert_string_equal(http_path(&h), path);
		if (query)
			assert_string_equal(http_query(&h), query);
		else
			assert_null(http_query(&h));
		assert_int_equal(h.body_len, strlen(body));
		assert_memory_equal(h.body ? h.body : "", body, strlen(body));
		http_fini(&h);
	}
}

static void test_requests(void **state)
{
	accepted("GET / HTTP/1.1\r\n\r\n", VERB_GET, "/", NULL, "");
	accepted("\r\nGET /auth?secret HTTP/1.1\r\nHost: gw\r\n\r\n", VERB_GET, "/auth", "secret", "");
	accepted("POST /auth HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", VERB_POST, "/auth", NULL, "abc");
	accepted("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", VERB_POST, "/", NULL, "");
	accepted("CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nHost: gw\r\n\r\n", VERB_CONNECT, "/CSCOSSLC/tunnel", NULL, "");
	accepted("CONNECT CSCOSSLC/tunnel HTTP/1.1\r\n\r\n", VERB_CONNECT, "/CSCOSSLC/tunnel", NULL, "");
	accepted("HEAD /x HTTP/1.1\r\n\r\n", VERB_HEAD, "/x", NULL, "");
	accepted("DELETE /x HTTP/1.1\r\n\r\n", VERB_OTHER, "/x", NULL, "");
}

static void understood(const char *text, bool yes)
{
	struct http h;

	http_init(&h);
	assert_true(feed(&h, text, 1 << 20) < 0);
	assert_int_equal(http_is_understood(&h), yes);
	if (yes) {
		assert_string_equal(http_path(&h), "/x");
		assert_string_equal(http_query(&h), "y");
	}
	http_fini(&h);
}

static void test_what_others_would_answer(void **state)
{
	understood("GET /x?y HTTP/1.1\r\n\r\nGET", true);
	understood("POST /x?y HTTP/1.1\r\nContent-Length: 262145\r\n\r\n", true);
	understood("POST /x?y HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", true);
	understood("POST /x?y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", true);
	understood("GET /x?y HTTP/2.0\r\n\r\n", false);
	understood("GET /x?y\r\n\r\n", false);
	understood("nonsense\r\n\r\n", false);
}

static void test_desync(void **state)
{
	refused("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411);
	refused("GET / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 411);
	refused("GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n", 411);
	refused("GET / HTTP/1.1\r\ntransfer-encoding:\r\n\r\n", 411);
	refused("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nContent-Length: 0x3\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc", 400);
	refused("GET / HTTP/1.1\r\nA\tb: c\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nContent-Length: 262145\r\n\r\n", 413);
	refused("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400); // folded
	refused("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", 400);
	refused("GET / HTTP/1.1\nA: b\n\n", 400);             // bare LF
	refused("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", 400); // bare CR
	refused("GET / HTTP/1.1\r\nA: b\x01\r\n\r\n", 400);
	refused(" GET / HTTP/1.1\r\n\r\n", 400);
	refused("GET / HTTP/2.0\r\n\r\n", 505);
	refused("POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", 417);
	refused("\x16\x03\x01", 400);
}

// No chunk is ever looked at, however long it says that it is.
static void test_chunks(void **state)
{
	static const char *const sizes[] = { "ffffffff", "ffffffffffffffffff", "-1", "0", "0x10", "5;a=b", "" };
	char text[200];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\nhello\r\n0\r\n\r\n",
		         sizes[i]);
		refused(text, 411);
	}
}

// The status that a text gets in two parts; 0: one request, whole, with its last byte and not before.
static unsigned in_two(const char *text, size_t len, size_t cut)
{
	struct http h;
	unsigned status;
	int ret;

	http_init(&h);
	ret = cut ? http_feed(&h, (const uint8_t *)text, cut) : 0;
	assert_true(ret <= 0);
	if (ret == 0)
		ret = http_feed(&h, (const uint8_t *)text + cut, len - cut);
	assert_true(ret != 0);
	status = http_refusal(&h);
	assert_int_equal(ret == 1, status == 0);
	http_fini(&h);
	return status;
}

static void cut_everywhere(const char *text, size_t len, unsigned status)
{
	for (size_t cut = 0; cut < len; cut++)
		if (in_two(text, len, cut) != status)
			fail_msg("cut at %zu: %u for %s", cut, in_two(text, len, cut), text);
}
#define CUT(text, status) cut_everywhere(text, sizeof(text) - 1, status)

static void test_cuts_at_every_byte(void **state)
{
	CUT("POST /auth?x HTTP/1.1\r\nHost: gw\r\nCookie: a=b\r\nContent-Length: 12\r\n\r\nusername=me\n", 0);
	CUT("CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nHost: gw\r\nCookie: webvpn=x\r\n\r\n", 0);
	CUT("\r\nHEAD / HTTP/1.0\r\n\r\n", 0);
	CUT("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 411);
	CUT("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
	CUT("GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400);
	CUT("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 400);
	CUT("GET / HTTP/1.1\nA: b\n\n", 400);
	CUT("GET / HTTP/1.1\r\n\rA: b\r\n\r\n", 400);
}

static void test_pipelining(void **state)
{
	struct http h;

	http_init(&h);
	assert_true(http_feed(&h, (const uint8_t *)"GET / HTTP/1.1\r\n\r\nG", 19) < 0);
	http_fini(&h);
	http_init(&h);
	assert_int_equal(http_feed(&h, (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18), 1);
	assert_true(http_feed(&h, (const uint8_t *)"G", 1) < 0); // before the answer
	http_fini(&h);
	http_init(&h);
	assert_int_equal(http_feed(&h, (const uint8_t *)"GET /a HTTP/1.1\r\n\r\n", 19), 1);
	http_next(&h);
	assert_int_equal(http_feed(&h, (const uint8_t *)"GET /b HTTP/1.1\r\n\r\n", 19), 1);
	assert_string_equal(http_path(&h), "/b");
	http_fini(&h);
}

static void test_nul(void **state)
{
	struct http h;

	http_init(&h);
	assert_true(http_feed(&h, (const uint8_t *)"GET / HTTP/1.1\r\nA: \0b\r\n\r\n", 25) < 0);
	http_fini(&h);
}

static void test_headers(void **state)
{
	struct http h;

	http_init(&h);
	assert_int_equal(feed(&h, "GET / HTTP/1.1\r\nCookie: a=b\r\nX-Empty:\r\ncookie:  c=d \r\n\r\n", 3), 1);
	assert_string_equal(http_header(&h, "COOKIE", 0), "a=b");
	assert_string_equal(http_header(&h, "Cookie", 1), "c=d ");
	assert_null(http_header(&h, "Cookie", 2));
	assert_string_equal(http_header(&h, "X-Empty", 0), "");
	assert_null(http_header(&h, "X-None", 0));
	assert_true(h.keep_alive);
	http_fini(&h);
}

// A request of so many bytes of header, the empty line among them, and so many of body.
static char *request_of(size_t header, size_t body)
{
	char *text = malloc(header + body + 1);
	size_t at = (size_t)sprintf(text, "POST / HTTP/1.1\r\nContent-Length: %zu\r\nA: ", body);

	memset(text + at, 'x', header + body - at);
	memcpy(text + header - 4, "\r\n\r\n", 4);
	text[header + body] = 0;
	return text;
}

static void request_is(size_t header, size_t body, unsigned status)
{
	char *text = request_of(header, body);

	if (status)
		refused(text, status);
	else
		accepted(text, VERB_POST, "/", NULL, text + header);
	free(text);
}

static void test_bounds(void **state)
{
	char *text = malloc(40000), *p = text;
	int i;

	request_is(LIMIT_HTTP_HEADERS, 0, 0);
	request_is(LIMIT_HTTP_HEADERS + 1, 0, 431);
	request_is(100, LIMIT_HTTP_BODY, 0);
	request_is(100, LIMIT_HTTP_BODY + 1, 413);
	request_is(LIMIT_HTTP_HEADERS, LIMIT_HTTP_BODY, 0);

	p += sprintf(p, "GET / HTTP/1.1\r\n");
	for (i = 0; i < LIMIT_HTTP_FIELDS + 1; i++)
		p += sprintf(p, "A: b\r\n");
	sprintf(p, "\r\n");
	refused(text, 431);
	p = text + sprintf(text, "GET / HTTP/1.1\r\nA: ");
	memset(p, 'x', 17000);
	sprintf(p + 17000, "\r\n\r\n");
	refused(text, 431);
	p = text + sprintf(text, "GET /");
	memset(p, 'x', 17000);
	sprintf(p + 17000, " HTTP/1.1\r\n\r\n");
	refused(text, 431);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_what_others_would_answer),
		cmocka_unit_test(test_desync),
		cmocka_unit_test(test_pipelining),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_cuts_at_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
