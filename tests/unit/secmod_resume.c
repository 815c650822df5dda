// TLS sessions that may be resumed: by whom, how often, how long. Tables of facts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "secmod/resume.h"
#include "secmod/trust.h"

static const struct addr here = { 4, 32, 1111, { 192, 0, 2, 1 } }, here_again = { 4, 32, 2222, { 192, 0, 2, 1 } },
                         there = { 4, 32, 1111, { 192, 0, 2, 2 } }, six = { 6, 128, 1, { 0x20, 1, 0xd, 0xb8, 1 } },
                         six_beside = { 6, 128, 1, { 0x20, 1, 0xd, 0xb8, 1, [15] = 1 } };
static uint8_t room[LIMIT_RESUME_STATE];

static int store(struct resumes *r, const char *id, bool once, const struct addr *client, int64_t deadline, int64_t now)
{
	const struct resume what = { .id = (const uint8_t *)id, .id_len = strlen(id), .once = once, .client = *client };
	struct resume full = what;

	full.vhost = "one";
	full.state = (const uint8_t *)id;
	full.state_len = strlen(id);
	return resumes_store(r, &full, deadline, now);
}

static bool fetch(struct resumes *r, const char *id, const struct addr *client, const char *vhost, int64_t now)
{
	struct resume out;

	memset(room, 0, sizeof(room));
	if (resumes_fetch(r, (const uint8_t *)id, strlen(id), client, vhost, now, room, &out) < 0)
		return false;
	assert_int_equal(out.state_len, strlen(id));
	assert_memory_equal(out.state, id, strlen(id));
	return true;
}

static void for_whom(void **state)
{
	struct resumes *r = resumes_new(10);

	assert_int_equal(store(r, "a", false, &here, 100, 0), 0);
	assert_int_equal(store(r, "six", false, &six, 100, 0), 0);
	assert_true(fetch(r, "a", &here, "one", 1));
	assert_true(fetch(r, "a", &here_again, "one", 1)); // the port is nobody's
	assert_false(fetch(r, "a", &there, "one", 1));
	assert_false(fetch(r, "a", &six, "one", 1));
	assert_false(fetch(r, "a", &here, "two", 1));
	assert_false(fetch(r, "a", &here, "", 1));
	assert_false(fetch(r, "b", &here, "one", 1));
	assert_false(fetch(r, "", &here, "one", 1));
	assert_true(fetch(r, "six", &six, "one", 1));
	assert_false(fetch(r, "six", &six_beside, "one", 1));
	// by nobody else is it taken away or written over either
	assert_int_equal(resumes_delete(r, (const uint8_t *)"a", 1, &there, "one"), -ENOENT);
	assert_int_equal(resumes_delete(r, (const uint8_t *)"a", 1, &here, "two"), -ENOENT);
	assert_int_equal(store(r, "a", false, &there, 100, 0), -EEXIST);
	assert_true(fetch(r, "a", &here, "one", 1));
	assert_int_equal(resumes_delete(r, (const uint8_t *)"a", 1, &here_again, "one"), 0);
	assert_false(fetch(r, "a", &here, "one", 1));
	assert_int_equal(resumes_count(r), 1);
	resumes_free(r);
}

static void how_often(void **state)
{
	struct resumes *r = resumes_new(10);

	assert_int_equal(store(r, "ticket", true, &here, 100, 0), 0);
	assert_int_equal(store(r, "session", false, &here, 100, 0), 0);
	assert_false(fetch(r, "ticket", &there, "one", 1)); // which does not use it up
	assert_true(fetch(r, "ticket", &here, "one", 1));
	assert_false(fetch(r, "ticket", &here, "one", 1));
	assert_true(fetch(r, "session", &here, "one", 1));
	assert_true(fetch(r, "session", &here, "one", 1));
	resumes_free(r);
}

static void how_long(void **state)
{
	struct resumes *r = resumes_new(10);

	assert_int_equal(resumes_expire(r, 0), -1);
	assert_int_equal(store(r, "a", false, &here, 100, 0), 0);
	assert_int_equal(store(r, "b", false, &here, 50, 0), 0);
	assert_int_equal(store(r, "c", false, &here, 200, 0), 0);
	assert_int_equal(resumes_expire(r, 10), 40);
	assert_true(fetch(r, "b", &here, "one", 49));
	assert_false(fetch(r, "b", &here, "one", 50));
	assert_true(fetch(r, "a", &here, "one", 50));
	assert_int_equal(resumes_expire(r, 100), 100);
	assert_int_equal(resumes_count(r), 1);
	assert_int_equal(resumes_expire(r, 1000), -1);
	assert_int_equal(resumes_count(r), 0);
	assert_int_equal(store(r, "a", false, &there, 2000, 1000), 0); // its name is free again
	resumes_free(r);
}

static void how_many(void **state)
{
	struct resumes *r = resumes_new(3);

	assert_int_equal(store(r, "a", false, &here, 100, 0), 0);
	assert_int_equal(store(r, "b", false, &here, 90, 0), 0);
	assert_int_equal(store(r, "c", false, &here, 110, 0), 0);
	assert_int_equal(store(r, "d", false, &here, 120, 0), 0);
	assert_false(fetch(r, "b", &here, "one", 1)); // would have gone first
	assert_true(fetch(r, "a", &here, "one", 1));
	assert_int_equal(resumes_count(r), 3);
	resumes_configure(r, 1);
	assert_int_equal(store(r, "e", false, &here, 130, 0), 0);
	assert_int_equal(resumes_count(r), 1);
	assert_true(fetch(r, "e", &here, "one", 1));
	resumes_free(r);
}

static void whose_certificate(void **state)
{
	struct resumes *r = resumes_new(3);
	struct certified *c = calloc(1, sizeof(*c));
	struct resume what = { .id = (const uint8_t *)"a", .id_len = 1, .once = true, .client = here, .vhost = "one", .cert = c },
	              out;

	c->refs = 1;
	what.state = room;
	assert_int_equal(resumes_store(r, &what, 100, 0), 0);
	assert_int_equal(c->refs, 2);
	assert_int_equal(resumes_fetch(r, what.id, 1, &here, "one", 1, room, &out), 0);
	assert_ptr_equal(out.cert, c);
	assert_int_equal(c->refs, 2); // the fetcher's
	certified_put(out.cert);
	assert_int_equal(resumes_store(r, &what, 100, 0), 0);
	assert_int_equal(c->refs, 2);
	resumes_free(r);
	assert_int_equal(c->refs, 1);
	certified_put(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(for_whom), cmocka_unit_test(how_often),         cmocka_unit_test(how_long),
		cmocka_unit_test(how_many), cmocka_unit_test(whose_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
