// When a core trusts the interrupts of its NICs, and how long it then sleeps.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/interrupts.h"

#define SHORT 5000000
#define LONG 100000000

static struct interrupts none, two;

static int fresh(void **state)
{
	two = (struct interrupts){ .n = 2 };
	return 0;
}

static void prove_all(void)
{
	two.of[0].proven = two.of[1].proven = true;
}

// A sleep, and the round after it.
static void woken(void)
{
	interrupts_judge(&two, false, true);
}
static void over(void)
{
	interrupts_judge(&two, true, false);
}
static void missed(void)
{
	interrupts_judge(&two, true, true);
}

static void sleeps_are_short_until_each_has_come_once(void **state)
{
	assert_int_equal(interrupts_sleep_ns(&none), LONG);
	assert_int_equal(interrupts_sleep_ns(&two), SHORT);
	two.of[0].proven = true;
	assert_int_equal(interrupts_sleep_ns(&two), SHORT);
	two.of[1].proven = true;
	assert_int_equal(interrupts_sleep_ns(&two), LONG);
}

static void those_that_do_not_come_are_not_trusted(void **state)
{
	missed();
	over(); // nothing came, so nothing was missed
	missed();
	woken(); // by the other one
	assert_false(two.distrusted);
	missed();
	assert_true(two.distrusted);
}

static void frames_may_come_in_the_moment_a_sleep_ends(void **state)
{
	prove_all();
	for (unsigned i = 0; i < 100; i++) {
		missed();
		missed();
		woken();
	}
	assert_false(two.distrusted);
	missed();
	missed();
	missed();
	assert_true(two.distrusted);
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sleeps_are_short_until_each_has_come_once),
		TEST(those_that_do_not_come_are_not_trusted),
		TEST(frames_may_come_in_the_moment_a_sleep_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
