// Accounting-Requests: what RFC 2866 and 2869 have them say of a session, read from the packet as a server reads it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "secmod/account_record.h"

#define NOW 1800000000u
#define ABSENT UINT64_MAX

static const struct radius_config nas = { .nas_identifier = "gate" };
static struct account acc;

static struct radius_packet packet(const struct radius_attributes *a)
{
	struct radius_packet p;
	size_t len;

	assert_false(a->full);
	assert_int_equal(radius_build_accounting(&p, 7, a, "secret"), 0);
	len = p.len;
	assert_null(radius_check(p.bytes, &len));
	assert_int_equal(len, p.len);
	assert_int_equal(p.bytes[0], RADIUS_ACCOUNTING_REQUEST);
	return p;
}

// A number that stands in it once, or ABSENT.
static uint64_t number(const struct radius_packet *p, uint8_t type)
{
	uint64_t found = ABSENT;
	struct radius_attribute a;
	struct radius_walk w;

	radius_walk_begin(&w, p->bytes, p->len);
	while (radius_walk_next(&w, &a)) {
		if (a.type != type)
			continue;
		assert_true(found == ABSENT);
		assert_int_equal(a.len, 4);
		found = radius_number(&a);
	}
	return found;
}

static struct radius_packet told(enum account_status status)
{
	struct radius_attributes a;

	account_record(&a, &acc, &nas, status, NOW);
	return packet(&a);
}

static int fresh(void **unused)
{
	acc = (struct account){ .acct_id = "0123456789abcdef", .user = "anna", .method = "radius", .id = 3, .seconds = 61 };
	return 0;
}

static void every_end_has_its_cause(void **unused)
{
	static const struct {
		enum end_reason reason;
		unsigned cause;
	} table[] = {
		{ END_NONE, 10 },           // NAS Request
		{ END_BY_USER, 1 },         // User Request
		{ END_TEMPORARY, 2 },       // Lost Carrier
		{ END_BY_ADMIN, 6 },        // Admin Reset
		{ END_TERMINATED, 6 },      // Admin Reset
		{ END_REPLACED, 10 },       // NAS Request
		{ END_IDLE, 4 },            // Idle Timeout
		{ END_SESSION_TIMEOUT, 5 }, // Session Timeout
		{ END_AUTH_TIMEOUT, 10 },   // NAS Request
		{ END_DEAD_PEER, 2 },       // Lost Carrier
		{ END_FROZEN, 2 },          // Lost Carrier
		{ END_SHUTDOWN, 7 },        // Admin Reboot
		{ END_QUOTA, 5 },           // Session Timeout
		{ END_EXPIRED, 5 },         // Session Timeout
		{ END_ERROR, 8 },           // Port Error
		{ END_WORKER, 9 },          // NAS Error
		{ END_NURSERY, 9 },         // NAS Error
		{ END_DATAPLANE, 9 },       // NAS Error
		{ END_MAIN, 9 },            // NAS Error
	};

	assert_int_equal(sizeof(table) / sizeof(table[0]), END_REASON_LAST + 1);
	for (unsigned i = 0; i <= END_REASON_LAST; i++) {
		struct radius_packet p;

		assert_int_equal(table[i].reason, i);
		acc.reason = table[i].reason;
		p = told(ACCOUNT_STOP);
		assert_int_equal(number(&p, RADIUS_ACCT_TERMINATE_CAUSE), table[i].cause);
	}
}

static void octets_have_gigawords(void **unused)
{
	static const struct {
		uint64_t octets, low, high;
	} table[] = {
		{ 0, 0, 0 },           { 0xffffffff, 0xffffffff, 0 },      { 0x100000000, 0, 1 },
		{ 0x100000001, 1, 1 }, { 0x2fffffffff, 0xffffffff, 0x2f }, { 0x7fffffffffffffff, 0xffffffff, 0x7fffffff },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct radius_packet in, out;

		acc.now = (struct traffic){ .bytes_in = table[i].octets };
		in = told(ACCOUNT_INTERIM);
		acc.now = (struct traffic){ .bytes_out = table[i].octets };
		out = told(ACCOUNT_STOP);
		assert_int_equal(number(&in, RADIUS_ACCT_INPUT_OCTETS), table[i].low);
		assert_int_equal(number(&in, RADIUS_ACCT_INPUT_GIGAWORDS), table[i].high);
		assert_int_equal(number(&in, RADIUS_ACCT_OUTPUT_OCTETS), 0);
		assert_int_equal(number(&in, RADIUS_ACCT_OUTPUT_GIGAWORDS), 0);
		assert_int_equal(number(&out, RADIUS_ACCT_OUTPUT_OCTETS), table[i].low);
		assert_int_equal(number(&out, RADIUS_ACCT_OUTPUT_GIGAWORDS), table[i].high);
		assert_int_equal(number(&out, RADIUS_ACCT_INPUT_OCTETS), 0);
	}
}

// The word is full in the sum of connections only.
static void connections_are_added_up(void **unused)
{
	struct radius_packet p;

	acc.ended = (struct traffic){ .bytes_in = 0xfffffff0, .bytes_out = 5, .packets_in = 7, .packets_out = 9 };
	acc.now = (struct traffic){ .bytes_in = 0x20, .bytes_out = 6, .packets_in = 1, .packets_out = 2 };
	p = told(ACCOUNT_INTERIM);
	assert_int_equal(number(&p, RADIUS_ACCT_INPUT_OCTETS), 0x10);
	assert_int_equal(number(&p, RADIUS_ACCT_INPUT_GIGAWORDS), 1);
	assert_int_equal(number(&p, RADIUS_ACCT_OUTPUT_OCTETS), 11);
	assert_int_equal(number(&p, RADIUS_ACCT_OUTPUT_GIGAWORDS), 0);
	assert_int_equal(number(&p, RADIUS_ACCT_INPUT_PACKETS), 8);
	assert_int_equal(number(&p, RADIUS_ACCT_OUTPUT_PACKETS), 11);
}

// RFC 2866 5.3 to 5.10: a Start knows of no traffic, and only a Stop has a cause.
static void each_status_says_what_it_may(void **unused)
{
	static const struct {
		enum account_status status;
		uint64_t number, seconds;
		bool traffic, cause;
	} table[] = {
		{ ACCOUNT_START, 1, ABSENT, false, false },
		{ ACCOUNT_STOP, 2, 61, true, true },
		{ ACCOUNT_INTERIM, 3, 61, true, false },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct radius_packet p = told(table[i].status);

		assert_int_equal(number(&p, RADIUS_ACCT_STATUS_TYPE), table[i].number);
		assert_int_equal(number(&p, RADIUS_EVENT_TIMESTAMP), NOW);
		assert_int_equal(number(&p, RADIUS_NAS_PORT), 3);
		assert_int_equal(number(&p, RADIUS_ACCT_SESSION_TIME), table[i].seconds);
		assert_int_equal(number(&p, RADIUS_ACCT_INPUT_OCTETS) != ABSENT, table[i].traffic);
		assert_int_equal(number(&p, RADIUS_ACCT_OUTPUT_GIGAWORDS) != ABSENT, table[i].traffic);
		assert_int_equal(number(&p, RADIUS_ACCT_TERMINATE_CAUSE) != ABSENT, table[i].cause);
	}
}

static void delay_is_what_it_has_waited(void **unused)
{
	static const uint32_t table[] = { 0, 1, 86400 * 30 };

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct radius_attributes a;
		struct radius_packet p;

		account_record(&a, &acc, &nas, ACCOUNT_STOP, NOW);
		account_record_delay(&a, table[i]);
		p = packet(&a);
		assert_int_equal(number(&p, RADIUS_ACCT_DELAY_TIME), table[i]);
		assert_int_equal(number(&p, RADIUS_EVENT_TIMESTAMP), NOW); // stays what it was
	}
}

static void on_and_off_are_of_no_session(void **unused)
{
	struct radius_attributes a;
	struct radius_packet p;

	account_record_of_all(&a, &nas, ACCOUNT_ON, NOW);
	p = packet(&a);
	assert_int_equal(number(&p, RADIUS_ACCT_STATUS_TYPE), 7);
	assert_int_equal(number(&p, RADIUS_NAS_PORT), ABSENT);
	account_record_of_all(&a, &nas, ACCOUNT_OFF, NOW);
	p = packet(&a);
	assert_int_equal(number(&p, RADIUS_ACCT_STATUS_TYPE), 8);
	assert_int_equal(number(&p, RADIUS_ACCT_TERMINATE_CAUSE), ABSENT);
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_end_has_its_cause),      TEST(octets_have_gigawords),       TEST(connections_are_added_up),
		TEST(each_status_says_what_it_may), TEST(delay_is_what_it_has_waited), TEST(on_and_off_are_of_no_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
