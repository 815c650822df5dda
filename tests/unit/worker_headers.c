// What the operator adds to every answer, and what it takes the place of.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/worker/headers.h"
#include "control/worker/pages.h"

static struct headers *load(const char *const *texts)
{
	static struct headers h;
	struct snapshot_writer *w = snapshot_writer_new();
	struct snapshot *conf;
	int fd;

	assert_non_null(w);
	for (; *texts; texts++)
		snapshot_put(w, "included-http-headers", *texts);
	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(snapshot_open(fd, &conf), 0);
	close(fd);
	headers_free(&h);
	assert_int_equal(headers_load(&h, conf, 0), 0);
	snapshot_free(conf);
	page_include(&h);
	return &h;
}

static unsigned times(const struct reply *r, const char *text)
{
	unsigned n = 0;

	for (const char *p = r->text; (p = strstr(p, text)); p++)
		n++;
	return n;
}

static const struct form form = { .message = "m", .label = "l", .name = "n" };

static void test_none(void **state)
{
	const char *const none[] = { NULL };
	struct headers *h = load(none);
	struct reply r = { 0 };

	assert_false(headers_have(h, "X"));
	page_form(&r, &form, false);
	assert_int_equal(times(&r, "\r\nCache-Control: no-store\r\n"), 1);
	assert_int_equal(times(&r, "\r\nStrict-Transport-Security: max-age=31536000\r\n"), 1);
	assert_int_equal(times(&r, "\r\nX-Content-Type-Options: nosniff\r\n"), 1);
	reply_clear(&r);
	headers_free(h);
}

static void test_some(void **state)
{
	const char *const some[] = { "Server: nginx",        "cache-control: no-store, no-cache",
		                     "X-Frame-Options:deny", "no header",
		                     "A: b\r\nC: d",         NULL };
	struct headers *h = load(some);
	struct reply r = { 0 };

	assert_true(headers_have(h, "SERVER"));
	assert_true(headers_have(h, "X-Frame-Options"));
	assert_false(headers_have(h, "X-Frame"));
	assert_false(headers_have(h, "C"));
	page_form(&r, &form, false);
	assert_int_equal(times(&r, "\r\nServer: nginx\r\ncache-control: no-store, no-cache\r\nX-Frame-Options:deny\r\n"), 1);
	assert_int_equal(times(&r, "Cache-Control"), 0);
	assert_int_equal(times(&r, "nosniff"), 1);
	assert_int_equal(times(&r, "no header"), 0);
	reply_clear(&r);
	page_status(&r, 404, true);
	assert_int_equal(times(&r, "\r\nServer: nginx\r\n"), 1);
	assert_int_equal(times(&r, "nosniff"), 0);
	reply_clear(&r);
	page_decoy(&r, "x", true);
	assert_int_equal(times(&r, "\r\nServer: nginx\r\n"), 1);
	reply_clear(&r);
	page_include(NULL);
	page_status(&r, 404, true);
	assert_int_equal(times(&r, "nginx"), 0);
	reply_clear(&r);
	headers_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
