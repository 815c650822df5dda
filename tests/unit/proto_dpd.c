#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/dpd.h"

static struct dpd dpd;

#define FRESH(seconds)                     \
	dpd = (struct dpd)                 \
	{                                  \
		.interval = (seconds)*1000 \
	}
// At this moment, last heard at that one: what is to be done?
#define T(now, heard, step) assert_int_equal(dpd_step(&dpd, now, heard), DPD_##step)
#define DUE(heard, at) assert_int_equal(dpd_due(&dpd, heard), at)

static void test_silence(void **state)
{
	FRESH(10);
	DUE(1000, 21000);
	T(1000, 1000, WAIT);
	T(11000, 1000, WAIT); // once its dpd is the client's own turn
	T(20999, 1000, WAIT);
	T(21000, 1000, ASK);
	DUE(1000, 23500);
	T(21001, 1000, WAIT);
	T(23499, 1000, WAIT);
	T(23500, 1000, ASK); // the question may have been lost
	T(26000, 1000, ASK);
	T(28500, 1000, ASK);
	DUE(1000, 31000);
	T(30999, 1000, WAIT);
	T(31000, 1000, GIVE_UP);
	T(99000, 1000, GIVE_UP); // until it is heard again
	T(99000, 98000, WAIT);
	DUE(98000, 118000);
	T(118000, 98000, ASK);
}

static void test_an_answer_begins_anew(void **state)
{
	FRESH(10);
	T(21000, 1000, ASK);
	T(21100, 21050, WAIT);
	T(40000, 21050, WAIT);
	T(41050, 21050, ASK);
	T(51049, 21050, ASK);
	T(51050, 21050, GIVE_UP);
}

// We slept, the machine was stopped, the loop was held up: the peer could not have answered what nobody asked.
static void test_nobody_is_given_up_unasked(void **state)
{
	FRESH(10);
	T(500000, 1000, ASK);
	DUE(1000, 502500);
	T(509999, 1000, ASK);
	DUE(1000, 510000);
	T(510000, 1000, GIVE_UP);
	FRESH(10);
	T(21000, 1000, ASK);
	T(500000, 400000, ASK); // what was asked in an older silence does not count
	T(510000, 400000, GIVE_UP);
}

static void test_never(void **state)
{
	FRESH(0);
	T(0, 0, WAIT);
	T(UINT64_MAX, 1, WAIT);
	DUE(1, UINT64_MAX);
}

static void test_clocks_of_two_cores(void **state)
{
	FRESH(10);
	T(1000, 1003, WAIT);
	T(21003, 1003, ASK);
	T(21004, 21009, WAIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_an_answer_begins_anew),
		cmocka_unit_test(test_nobody_is_given_up_unasked),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_clocks_of_two_cores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
