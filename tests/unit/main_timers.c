// Timers are added where there is no memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdlib.h>

#include "control/main/timers.h"

static bool no_memory;
static unsigned refused, ended;

static void *take(size_t size)
{
	refused += no_memory;
	return no_memory ? NULL : malloc(size);
}

static void *take_more(void *p, size_t size)
{
	refused += no_memory;
	return no_memory ? NULL : realloc(p, size);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	ended++;
}

static int add_many(struct event_base *base, struct event *timers, unsigned n)
{
	const struct timeval at_once = { 0 };
	int failed = 0;

	no_memory = true;
	for (unsigned i = 0; i < n; i++) {
		evtimer_assign(&timers[i], base, on_timer, NULL);
		failed += evtimer_add(&timers[i], &at_once) < 0;
	}
	no_memory = false;
	return failed;
}

static void as_many_as_are_reserved(void **state)
{
	struct event *timers = calloc(TIMERS_RESERVED, sizeof(*timers));
	struct event_base *base = event_base_new();

	assert_int_equal(timers_reserve(base), 0);
	assert_int_equal(add_many(base, timers, TIMERS_RESERVED), 0);
	assert_int_equal(refused, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(ended, TIMERS_RESERVED);
	event_base_free(base);
	base = event_base_new(); // it is that which does it
	assert_true(add_many(base, timers, 100) > 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_free(base);
	free(timers);
}

static void without_memory(void **state)
{
	struct event_base *base = event_base_new();

	no_memory = true;
	assert_true(timers_reserve(base) < 0);
	no_memory = false;
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(as_many_as_are_reserved), cmocka_unit_test(without_memory) };

	event_set_mem_functions(take, take_more, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
