// The pool of threads: what it is asked to end it ends in its own time, whatever the wall clock says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "secmod/pool.h"

static time_t set_by; // what somebody has set the wall clock by

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	const int ret = (int)syscall(SYS_clock_gettime, clock, ts);

	if (ret == 0 && clock == CLOCK_REALTIME)
		ts->tv_sec += set_by;
	return ret;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int wait_ms;

static void run(struct pool_job *job, void *scratch)
{
	poll(NULL, 0, wait_ms);
}

static bool is_done;

static void done(struct pool_job *job)
{
	is_done = true;
}

static void the_end_waits_as_long_as_it_says(void **unused)
{
	static const struct {
		time_t set_by;
		int takes_ms, ret;
	} facts[] = {
		{ 0, 200, 0 },
		{ -315360000, 200, 0 },          // long over, by that clock
		{ 315360000, 2500, -ETIMEDOUT }, // ten years to come
	};

	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		static struct pool_job job;
		struct pool *p = pool_new(1, 8, 0);
		int64_t begun = now_ms();

		assert_non_null(p);
		job = (struct pool_job){ .run = run, .done = done };
		wait_ms = facts[i].takes_ms;
		is_done = false;
		assert_int_equal(pool_put(p, &job), 0);
		poll(NULL, 0, 50); // it is at work
		set_by = facts[i].set_by;
		assert_int_equal(pool_stop(p, 1000), facts[i].ret);
		set_by = 0;
		assert_int_equal(is_done, facts[i].ret == 0);
		assert_true(now_ms() - begun < 2400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_waits_as_long_as_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
