// How much CPU time a worker may use, and for what.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/main/cputime.h"

#define SECOND 1000000

static struct cputime t;
static uint64_t used, packets;

static int begin(void **unused)
{
	cputime_init(&t);
	used = packets = 0;
	return 0;
}

// For how many looks, two seconds apart, such a worker lives; 1000: for ever.
static unsigned lives(uint64_t us_a_look, uint64_t packets_a_look)
{
	unsigned n;

	for (n = 0; n < 1000; n++) {
		used += us_a_look;
		packets += packets_a_look;
		if (!cputime_spend(&t, 2000, used, packets))
			break;
	}
	return n;
}

static void who_works_for_packets_lives(void **unused)
{
	assert_int_equal(lives(2 * SECOND, 10000), 1000);   // a whole CPU for 60 Mbit/s: a very slow machine
	assert_int_equal(lives(2 * SECOND, 1000000), 1000); // for 6 Gbit/s
	assert_int_equal(lives(SECOND / 20, 0), 1000);      // some time is anybody's
}

static void who_does_not_is_found(void **unused)
{
	assert_in_range(lives(2 * SECOND, 0), 1, 3);
}

static void nor_are_a_few_packets_an_excuse(void **unused)
{
	assert_in_range(lives(2 * SECOND, 100), 1, 3);
	begin(NULL);
	assert_in_range(lives(SECOND / 2, 100), 5, 20);
}

static void time_cannot_be_saved_up(void **unused)
{
	assert_int_equal(lives(0, 1000000), 1000);
	assert_in_range(lives(2 * SECOND, 0), 1, 3);
}

static void packets_may_be_told_late(void **unused)
{
	for (int i = 0; i < 100; i++) {
		used += 2 * SECOND;
		packets += i % 2 ? 20000 : 0;
		assert_true(cputime_spend(&t, 2000, used, packets));
	}
	packets = 0; // its tunnel has ended
	assert_true(cputime_spend(&t, 2000, used, packets));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_works_for_packets_lives, begin),
		cmocka_unit_test_setup(who_does_not_is_found, begin),
		cmocka_unit_test_setup(nor_are_a_few_packets_an_excuse, begin),
		cmocka_unit_test_setup(time_cannot_be_saved_up, begin),
		cmocka_unit_test_setup(packets_may_be_told_late, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
