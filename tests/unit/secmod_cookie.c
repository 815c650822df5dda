// Session records: time stands still unless a test moves it.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/sha.h>

#include "proto/states.h"
#include "secmod/cookie.h"

#define TIMEOUT 300000
#define WALL 1700000000

static const struct addr here = { 4, 32, 0, { 192, 0, 2, 1 } }, there = { 4, 32, 0, { 198, 51, 100, 7 } };

static struct {
	int n;
	uint8_t sid[SID_SIZE], reason;
} gone;

static void on_gone(void *who, const struct record *r, uint8_t reason)
{
	gone.n++;
	memcpy(gone.sid, r->sid, SID_SIZE);
	gone.reason = reason;
}

static int changes;

static void on_changed(void *who, const struct record *r)
{
	changes++;
}

static struct cookies *make(unsigned most)
{
	memset(&gone, 0, sizeof(gone));
	changes = 0;
	return cookies_new(most, on_gone, on_changed, NULL);
}

static int issue_for(struct cookies *c, const char *user, int64_t timeout, bool persistent, uint8_t cookie[COOKIE_SIZE])
{
	struct record who = {
		.client = here, .group = "staff", .user_agent = "test", .timeout_ms = timeout, .persistent = persistent
	};

	strcpy(who.user, user);
	return cookies_issue(c, &who, 0, WALL, cookie);
}

static int issue(struct cookies *c, const char *user, int64_t now, uint8_t cookie[COOKIE_SIZE])
{
	struct record who = { .client = here, .group = "staff", .user_agent = "test", .timeout_ms = TIMEOUT };

	strcpy(who.user, user);
	return cookies_issue(c, &who, now, WALL, cookie);
}

static void opens_what_was_issued(void **state)
{
	struct cookies *c = make(10);
	uint8_t a[COOKIE_SIZE], b[COOKIE_SIZE], sid[SID_SIZE];
	const struct record *r;

	assert_int_equal(issue(c, "joe", 0, a), 0);
	assert_int_equal(issue(c, "joe", 0, b), 0);
	assert_memory_not_equal(a, b, COOKIE_SIZE);
	r = cookies_open(c, a, &there, 1);
	assert_non_null(r);
	SHA256(a, COOKIE_SIZE, sid);
	assert_memory_equal(r->sid, sid, SID_SIZE);
	assert_string_equal(r->user, "joe");
	assert_string_equal(r->group, "staff");
	assert_int_equal(r->created, WALL);
	assert_true(addr_equal(&r->client, &there));
	assert_int_equal(r->uses, 1);
	a[31] ^= 1;
	assert_null(cookies_open(c, a, &here, 1));
	assert_null(cookies_open(c, sid, &here, 1)); // the sid names a session, it does not open one
	assert_int_equal(cookies_count(c), 2);
	assert_int_equal(gone.n, 0);
	cookies_free(c);
}

static void looks_without_opening(void **state)
{
	struct cookies *c = make(10);
	uint8_t a[COOKIE_SIZE];
	const struct record *r;

	issue(c, "joe", 0, a);
	r = cookies_look(c, a, 1);
	assert_non_null(r);
	assert_string_equal(r->user, "joe");
	assert_int_equal(r->uses, 0);
	assert_int_equal(cookies_expire(c, 1), TIMEOUT - 1); // it lives no longer for that
	assert_null(cookies_look(c, a, TIMEOUT));
	assert_int_equal(cookies_count(c), 0);
	a[0] ^= 1;
	assert_null(cookies_look(c, a, 1));
	cookies_free(c);
}

static void expires_when_not_in_use(void **state)
{
	struct cookies *c = make(10);
	uint8_t a[COOKIE_SIZE], b[COOKIE_SIZE];

	issue(c, "joe", 0, a);
	issue(c, "ann", 1000, b);
	assert_int_equal(cookies_expire(c, 1000), TIMEOUT - 1000);
	assert_non_null(cookies_open(c, b, &here, 2000));
	assert_int_equal(cookies_expire(c, TIMEOUT - 1), 1);
	assert_int_equal(gone.n, 0);
	assert_int_equal(cookies_expire(c, TIMEOUT), -1); // b is in use: never due
	assert_int_equal(gone.n, 1);
	assert_int_equal(gone.reason, END_NONE);
	assert_null(cookies_open(c, a, &here, TIMEOUT));
	assert_int_equal(cookies_expire(c, 100 * TIMEOUT), -1);
	assert_non_null(cookies_open(c, b, &here, 100 * TIMEOUT));
	cookies_free(c);
}

static void is_not_opened_late_by_a_late_timer(void **state)
{
	struct cookies *c = make(10);
	uint8_t a[COOKIE_SIZE];

	issue(c, "joe", 0, a);
	assert_null(cookies_open(c, a, &here, TIMEOUT));
	assert_int_equal(gone.n, 1);
	assert_int_equal(cookies_count(c), 0);
	cookies_free(c);
}

static void closing_starts_the_clock_again(void **state)
{
	struct cookies *c = make(10);
	uint8_t a[COOKIE_SIZE], sid[SID_SIZE];

	issue(c, "joe", 0, a);
	SHA256(a, COOKIE_SIZE, sid);
	cookies_open(c, a, &here, 1);
	assert_non_null(cookies_open(c, a, &there, 2));                     // a newer connection takes it over
	assert_int_equal(cookies_close(c, sid, false, END_REPLACED, 3), 0); // the older one's end is told later
	assert_int_equal(cookies_expire(c, 500000), -1);
	assert_int_equal(cookies_close(c, sid, false, END_DEAD_PEER, 1000000), 0);
	assert_int_equal(cookies_close(c, sid, false, END_TEMPORARY, 2000000), 0); // once too often changes nothing
	assert_int_equal(cookies_expire(c, 1000000), TIMEOUT);
	assert_non_null(cookies_open(c, a, &here, 1000000 + TIMEOUT - 1));
	cookies_close(c, sid, false, END_DEAD_PEER, 2000000);
	assert_int_equal(cookies_expire(c, 2000000 + TIMEOUT), -1);
	assert_int_equal(gone.n, 1);
	assert_int_equal(gone.reason, END_DEAD_PEER);
	assert_int_equal(cookies_close(c, sid, false, END_TEMPORARY, 0), -ENOENT);
	cookies_free(c);
}

static void revoking(void **state)
{
	struct cookies *c = make(10);
	uint8_t a[COOKIE_SIZE], b[COOKIE_SIZE], d[COOKIE_SIZE], e[COOKIE_SIZE], sid[SID_SIZE];

	issue(c, "joe", 0, a);
	issue(c, "ann", 0, b);
	issue(c, "ann", 0, d);
	issue(c, "anna", 0, e);
	SHA256(a, COOKIE_SIZE, sid);
	cookies_open(c, a, &here, 1);
	assert_int_equal(cookies_close(c, sid, true, END_BY_USER, 2), 0); // logged out: at once
	assert_int_equal(gone.n, 1);
	assert_int_equal(gone.reason, END_BY_USER);
	assert_memory_equal(gone.sid, sid, SID_SIZE);
	assert_null(cookies_open(c, a, &here, 3));
	assert_int_equal(cookies_revoke_sid(c, sid, END_TERMINATED), 0);
	cookies_open(c, b, &here, 3); // in use or not
	assert_int_equal(cookies_revoke_user(c, "ann", END_TERMINATED), 2);
	assert_int_equal(gone.n, 3);
	assert_int_equal(gone.reason, END_TERMINATED);
	assert_null(cookies_open(c, b, &here, 4));
	assert_null(cookies_open(c, d, &here, 4));
	assert_non_null(cookies_open(c, e, &here, 4));
	SHA256(e, COOKIE_SIZE, sid);
	assert_int_equal(cookies_revoke_sid(c, sid, END_TERMINATED), 1);
	assert_int_equal(cookies_count(c), 0);
	cookies_free(c);
}

static void the_oldest_unused_makes_room(void **state)
{
	struct cookies *c = make(3);
	uint8_t a[COOKIE_SIZE], b[COOKIE_SIZE], d[COOKIE_SIZE], e[COOKIE_SIZE];

	issue(c, "a", 0, a);
	issue(c, "b", 1, b);
	issue(c, "c", 2, d);
	cookies_open(c, a, &here, 3);
	assert_int_equal(issue(c, "d", 4, e), 0);
	assert_int_equal(gone.n, 1);
	assert_null(cookies_open(c, b, &here, 5));
	assert_non_null(cookies_open(c, d, &here, 5));
	assert_non_null(cookies_open(c, e, &here, 5));
	memset(b, 7, sizeof(b));
	assert_int_equal(issue(c, "e", 6, b), -ENOSPC); // all in use
	assert_int_equal(b[0], 7);
	assert_int_equal(cookies_count(c), 3);
	cookies_free(c);
}

static void a_shorter_timeout_is_for_new_ones(void **state)
{
	struct cookies *c = make(10);
	uint8_t a[COOKIE_SIZE], b[COOKIE_SIZE];

	issue_for(c, "old", TIMEOUT, false, a);
	issue_for(c, "new", 1000, false, b);
	assert_int_equal(cookies_expire(c, 0), 1000);
	assert_int_equal(cookies_expire(c, 1000), TIMEOUT - 1000);
	assert_null(cookies_open(c, b, &here, 1000));
	assert_non_null(cookies_open(c, a, &here, 1000));
	cookies_free(c);
}

static void a_persistent_one_outlives_a_goodbye(void **state)
{
	struct cookies *c = make(10);
	uint8_t a[COOKIE_SIZE], sid[SID_SIZE];

	issue_for(c, "joe", TIMEOUT, true, a);
	SHA256(a, COOKIE_SIZE, sid);
	cookies_open(c, a, &here, 1);
	assert_int_equal(cookies_close(c, sid, true, END_BY_USER, 1000), 0);
	assert_int_equal(gone.n, 0);
	assert_int_equal(cookies_expire(c, 1000), TIMEOUT); // but not its time
	assert_non_null(cookies_open(c, a, &here, 2000));
	assert_int_equal(cookies_revoke_sid(c, sid, END_TERMINATED), 1); // nor the operator
	assert_null(cookies_open(c, a, &here, 2001));
	cookies_free(c);
}

static void changes_are_told(void **state)
{
	const struct record lease = { .ipv4 = there, .connected = WALL, .session_timeout = 60 };
	struct cookies *c = make(10);
	uint8_t a[COOKIE_SIZE], sid[SID_SIZE];

	issue(c, "joe", 0, a);
	SHA256(a, COOKIE_SIZE, sid);
	assert_int_equal(changes, 1);
	cookies_open(c, a, &here, 1);
	assert_int_equal(changes, 2);
	cookies_lease(c, sid, &lease);
	assert_int_equal(changes, 3);
	cookies_lease(c, sid, &lease); // says nothing new
	cookies_open(c, a, &here, 2);
	assert_int_equal(changes, 3);
	cookies_close(c, sid, false, END_REPLACED, 3);
	assert_int_equal(changes, 3);
	cookies_close(c, sid, false, END_DEAD_PEER, 4);
	assert_int_equal(changes, 4);
	cookies_resume(c, sid, 2, 0);
	assert_int_equal(changes, 5);
	assert_int_equal(cookies_expire(c, INT32_MAX), -1); // in use again
	assert_int_equal(cookies_close(c, sid, false, END_DEAD_PEER, 5), 0);
	assert_int_equal(cookies_close(c, sid, false, END_DEAD_PEER, 5), 0);
	assert_int_equal(cookies_expire(c, 5), TIMEOUT);
	cookies_revoke_sid(c, sid, END_TERMINATED);
	assert_int_equal(cookies_resume(c, sid, 1, 0), -ENOENT);
	assert_int_equal(cookies_lease(c, sid, &lease), -ENOENT);
	cookies_free(c);
}

static void a_walk_survives_changes(void **state)
{
	struct cookies *c = make(2000);
	uint8_t cookie[1000][COOKIE_SIZE], sid[SID_SIZE];
	int seen = 0;

	for (int i = 0; i < 1000; i++)
		issue(c, "joe", i, cookie[i]);
	cookies_walk(c);
	for (const struct record *r; (r = cookies_peek(c)) != NULL; seen++) {
		memcpy(sid, r->sid, SID_SIZE);
		if (seen % 3 == 0) {
			cookies_revoke_sid(c, sid, END_TERMINATED); // the one under our feet
			continue;
		}
		cookies_next(c);
	}
	assert_int_equal(seen, 1000);
	assert_int_equal(cookies_count(c), 666);
	cookies_walk(c);
	cookies_revoke_user(c, "joe", END_TERMINATED);
	assert_null(cookies_peek(c));
	cookies_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_was_issued),
		cmocka_unit_test(looks_without_opening),
		cmocka_unit_test(expires_when_not_in_use),
		cmocka_unit_test(is_not_opened_late_by_a_late_timer),
		cmocka_unit_test(closing_starts_the_clock_again),
		cmocka_unit_test(revoking),
		cmocka_unit_test(the_oldest_unused_makes_room),
		cmocka_unit_test(a_shorter_timeout_is_for_new_ones),
		cmocka_unit_test(a_persistent_one_outlives_a_goodbye),
		cmocka_unit_test(changes_are_told),
		cmocka_unit_test(a_walk_survives_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
