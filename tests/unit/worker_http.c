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
	refused("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501);
	refused("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400);
	refused("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400);
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

static void test_bounds(void **state)
{
	char *text = malloc(40000), *p = text;
	int i;

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
		cmocka_unit_test(test_requests), cmocka_unit_test(test_what_others_would_answer),
		cmocka_unit_test(test_desync),   cmocka_unit_test(test_pipelining),
		cmocka_unit_test(test_nul),      cmocka_unit_test(test_headers),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
