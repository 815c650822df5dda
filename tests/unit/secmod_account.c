// One account a login session: connections are added up, its end comes once, and says why.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "secmod/account.h"
#include "secmod/grants.h"

// What the method was told, a word each.
static char told[256];

static void say(const char *what, const struct account *a)
{
	const struct traffic t = account_total(a);

	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%s %llu/%llu %us", told[0] ? ", " : "", what,
	         (unsigned long long)t.bytes_in, (unsigned long long)t.packets_out, a->seconds);
}

static void begin(struct account *a)
{
	say("begin", a);
}

static void report(struct account *a)
{
	say("report", a);
}

static void end(struct account *a)
{
	char what[16];

	snprintf(what, sizeof(what), "end:%d", a->reason);
	say(what, a);
}

static const struct accounting method = { .name = "test", .begin = begin, .report = report, .end = end };
static struct acct acct = { .refs = 1, .how = &method };
static struct vhost vhost = { .acct = &acct };
static const struct settings settings = { .refs = 1, .n_vhosts = 1, .vhosts = &vhost };
static const uint8_t sid[SID_SIZE] = { 1 };
static struct accounts *as;

static void up(void)
{
	struct record r = { .user = "anna", .acct_id = "0123456789abcdef" };
	struct msg_session_up m = { .sid_len = SID_SIZE, .id = 1, .hostname = "laptop" };

	memcpy(r.sid, sid, SID_SIZE);
	memcpy(m.sid, sid, SID_SIZE);
	account_up(as, &r, &settings, &m);
}

static void stats(uint64_t bytes, uint64_t packets, uint32_t seconds)
{
	struct msg_session_stats m = { .sid_len = SID_SIZE, .bytes_in = bytes, .packets_out = packets, .seconds = seconds };

	memcpy(m.sid, sid, SID_SIZE);
	account_stats(as, &m);
}

static void closed(bool was_up, enum end_reason reason, uint64_t bytes, uint64_t packets, uint32_t seconds)
{
	struct msg_session_close m = { .sid_len = SID_SIZE,
		                       .up = was_up,
		                       .reason = (uint8_t)reason,
		                       .bytes_in = bytes,
		                       .packets_out = packets,
		                       .seconds = seconds };

	memcpy(m.sid, sid, SID_SIZE);
	account_closed(as, &m);
}

#define TOLD(text)                               \
	do {                                     \
		assert_string_equal(told, text); \
		told[0] = '\0';                  \
	} while (0)

static int fresh(void **unused)
{
	told[0] = '\0';
	as = accounts_new(NULL, NULL);
	return as ? 0 : -1;
}

static int over(void **unused)
{
	accounts_free(as);
	return acct.refs == 1 ? 0 : -1;
}

static void from_beginning_to_end(void **unused)
{
	up();
	TOLD("begin 0/0 0s");
	stats(100, 5, 60);
	TOLD("report 100/5 60s");
	stats(150, 7, 120);
	TOLD("report 150/7 120s");
	closed(true, END_BY_USER, 160, 8, 130); // the last word counts, not the sum of all
	TOLD("");
	account_gone(as, sid, END_BY_USER);
	TOLD("end:1 160/8 130s");
	account_gone(as, sid, END_BY_USER);
	closed(true, END_BY_USER, 1, 1, 1);
	stats(1, 1, 1);
	TOLD(""); // once
}

static void reconnects_are_one_session(void **unused)
{
	up();
	closed(true, END_TEMPORARY, 100, 10, 60);
	up();
	TOLD("begin 0/0 0s");
	stats(5, 1, 90);
	TOLD("report 105/11 90s");
	closed(true, END_DEAD_PEER, 7, 2, 100);
	account_gone(as, sid, END_DEAD_PEER); // its cookie has expired
	TOLD("end:9 107/12 100s");
}

// The newer connection is there before the end of the older one is told.
static void connections_may_overlap(void **unused)
{
	up();
	up();
	told[0] = '\0';
	stats(5, 1, 90); // of the newer one, and the older has not been added yet
	TOLD("");
	closed(true, END_REPLACED, 100, 10, 60);
	stats(6, 2, 91);
	TOLD("report 106/12 91s");
	closed(true, END_BY_USER, 9, 3, 95);
	account_gone(as, sid, END_BY_USER);
	TOLD("end:1 109/13 95s");
}

static void a_void_cookie_waits_for_the_counters(void **unused)
{
	up();
	told[0] = '\0';
	account_gone(as, sid, END_TERMINATED);
	TOLD("");
	closed(true, END_SESSION_TIMEOUT, 100, 10, 60); // why it was voided
	TOLD("end:7 100/10 60s");
}

static void what_was_never_up_does_not_count(void **unused)
{
	closed(false, END_ERROR, 0, 0, 0);
	account_gone(as, sid, END_NONE);
	TOLD("");
	up();
	told[0] = '\0';
	closed(false, END_ERROR, 0, 0, 0); // a second connection that got no tunnel
	TOLD("");
	stats(1, 1, 1);
	TOLD("report 1/1 1s");
	closed(true, END_IDLE, 2, 2, 2);
	account_gone(as, sid, END_NONE); // its cookie had to make room
	TOLD("end:6 2/2 2s");
}

static void ends_with_the_gateway(void **unused)
{
	up();
	told[0] = '\0';
	accounts_free(as);
	TOLD("end:11 0/0 0s");
	as = accounts_new(NULL, NULL);
	up();
	closed(true, END_TEMPORARY, 3, 3, 3); // it had gone before
	told[0] = '\0';
	accounts_free(as);
	TOLD("end:2 3/3 3s");
	as = NULL;
}

static void another_sec_mod_goes_on(void **unused)
{
	struct record r = { .user = "anna", .acct_id = "0123456789abcdef", .restored = true };
	struct msg_session_up m = { .sid_len = SID_SIZE, .id = 1, .again = 1, .bytes_in = 100, .packets_out = 10, .seconds = 60 };

	memcpy(r.sid, sid, SID_SIZE);
	memcpy(m.sid, sid, SID_SIZE);
	account_up(as, &r, &settings, &m);
	TOLD(""); // it has begun long ago
	assert_string_equal(account_next(as, NULL)->acct_id, "0123456789abcdef");
	stats(5, 1, 70);
	TOLD("report 105/11 70s");
	closed(true, END_BY_USER, 7, 2, 80);
	account_gone(as, sid, END_BY_USER);
	TOLD("end:1 107/12 80s");
}

static void after_a_restart_it_is_another_one(void **unused)
{
	struct record r = { .user = "anna", .acct_id = "0123456789abcdef", .restored = true };
	struct msg_session_up m = { .sid_len = SID_SIZE, .id = 1 };

	account_up(as, &r, &settings, &m);
	TOLD("begin 0/0 0s");
	assert_int_equal(strlen(account_next(as, NULL)->acct_id), LIMIT_ACCT_ID);
	assert_string_not_equal(account_next(as, NULL)->acct_id, "0123456789abcdef");
}

static void classes_come_back_as_they_were(void **unused)
{
	static const uint8_t expect[] = { 3, 'O', 'U', 0, 0, 1, 0xff };
	struct record r = { .user = "anna" };
	struct msg_session_up m = { .sid_len = SID_SIZE, .id = 1 };
	const struct account *a;

	assert_int_equal(grants_add(&r.grants, "route", "10.0.0.0/8"), 0);
	assert_int_equal(grants_add(&r.grants, GRANT_CLASS, "4f5500"), 0);
	assert_int_equal(grants_add(&r.grants, GRANT_CLASS, ""), 0);
	assert_int_equal(grants_add(&r.grants, GRANT_CLASS, "ff"), 0);
	account_up(as, &r, &settings, &m);
	grants_free(r.grants);
	a = account_next(as, NULL);
	assert_int_equal(a->classes_len, sizeof(expect));
	assert_memory_equal(a->classes, expect, sizeof(expect));
}

static void without_a_record_there_is_none(void **unused)
{
	struct msg_session_up m = { .sid_len = SID_SIZE, .id = 1 };

	account_up(as, NULL, &settings, &m);
	TOLD("");
	assert_null(account_next(as, NULL));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, over)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(from_beginning_to_end),
		TEST(reconnects_are_one_session),
		TEST(connections_may_overlap),
		TEST(a_void_cookie_waits_for_the_counters),
		TEST(what_was_never_up_does_not_count),
		TEST(ends_with_the_gateway),
		TEST(another_sec_mod_goes_on),
		TEST(after_a_restart_it_is_another_one),
		TEST(classes_come_back_as_they_were),
		TEST(without_a_record_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
