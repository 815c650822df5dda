// When a core lies down between rounds that bring something.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/rest.h"

#define HZ 2600000000ull
#define MS (HZ / 1000)
#define US (HZ / 1000000)
#define NAP 80000

static struct rest r;
static uint64_t now;

static int fresh(void **state)
{
	now = 1000 * MS;
	r = (struct rest){ .since = now };
	return 0;
}

// A round of so many packets, and how long the core may lie down after it.
#define ROUND(ticks, moved, ns) assert_int_equal(rest_stream(&r, now += (ticks), HZ, moved), ns)

// Rounds for a millisecond, each of so many microseconds and packets; the nap after the last.
static long millisecond(unsigned us, unsigned moved)
{
	long ns = 0;

	for (unsigned t = 0; t < 1000; t += us)
		ns = rest_stream(&r, now += us * US, HZ, moved);
	return ns;
}

static void a_few_packets_are_served_at_once(void **state)
{
	ROUND(1, 1, 0);
	ROUND(MS, 1, 0);
	ROUND(MS, 23, 0);
	ROUND(MS, 0, 0);
	ROUND(100 * MS, 32, 0); // a burst after a silence
}

static void a_stream_is_taken_in_bursts(void **state)
{
	ROUND(MS, 24, NAP);
	ROUND(1, 1, NAP); // until the window is over
	ROUND(1, 0, NAP);
	assert_int_equal(millisecond(10, 1), NAP);  // 100,000 a second: 8 in a nap
	assert_int_equal(millisecond(2, 2), 64000); // 1 million: naps end when 64 should be there
	assert_int_equal(millisecond(1, 10), 6400);
	assert_int_equal(millisecond(1, 32), 0); // nothing to wait for
}

static void it_ends_with_the_stream(void **state)
{
	assert_int_equal(millisecond(10, 1), NAP);
	assert_int_equal(millisecond(100, 1), 0);
	assert_int_equal(millisecond(10, 1), NAP);
	ROUND(MS, 0, 0);
	ROUND(50 * MS, 20, 0);
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_few_packets_are_served_at_once),
		TEST(a_stream_is_taken_in_bursts),
		TEST(it_ends_with_the_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
