// How long packets took, from a histogram.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/latency.h"

static struct latency now, before;

static void near(double value, double want)
{
	if (value < want * 0.93 || value > want * 1.07)
		fail_msg("%g is not near %g", value, want);
}

static void every_value_has_its_bucket(void **state)
{
	unsigned last = 0;

	for (uint64_t v = 0; v < 100000; v++) {
		unsigned b = latency_bucket(v);

		assert_in_range(b, last, last + 1); // none is left out, none comes back
		last = b;
		if (v > 0)
			near(latency_of(b), (double)v);
	}
	assert_int_equal(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
	near(latency_of(LATENCY_BUCKETS - 1), 1.8e19);
}

static int fresh(void **state)
{
	memset(&now, 0, sizeof(now));
	memset(&before, 0, sizeof(before));
	return 0;
}

static void of_nothing(void **state)
{
	struct latency_figures f = latency_figures(&now, &before);

	assert_int_equal(f.packets, 0);
	assert_true(f.median == 0 && f.stdev == 0);
}

static void of_some(void **state)
{
	struct latency_figures f;

	latency_count(&now, 1000, 32);
	latency_count(&now, 1000, 30);
	latency_count(&now, 9000, 30);
	latency_count(&now, 9000, 8);
	f = latency_figures(&now, &before);
	assert_int_equal(f.packets, 100);
	near(f.median, 1000);
	near(f.stdev, 3883); // 8000 * sqrt(0.62 * 0.38)
}

static void since_the_last_time(void **state)
{
	struct latency_figures f;

	latency_count(&now, 1000, 1000);
	before = now;
	latency_count(&now, 5000, 10);
	f = latency_figures(&now, &before);
	assert_int_equal(f.packets, 10);
	near(f.median, 5000);
	assert_true(f.stdev < 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_has_its_bucket),
		cmocka_unit_test_setup(of_nothing, fresh),
		cmocka_unit_test_setup(of_some, fresh),
		cmocka_unit_test_setup(since_the_last_time, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
