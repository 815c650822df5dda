// When the gateway's ports refuse, and when they are open again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/resource.h>

#include "control/main/door.h"
#include "control/main/gateway.h"
#include "proto/log.h"

static struct gateway g;

static void up(uint32_t max_clients)
{
	g.door = (struct door){ 0 };
	door_init(&g);
	g.phase = GATEWAY_UP;
	g.policy.max_clients = max_clients;
	g.policy.drain_ms = 600000;
	g.tunnels_max = 0;
	assert_int_equal(door_begin(&g), 0);
}

// With so many clients the door is in that state.
#define T(clients, state)                                       \
	do {                                                    \
		g.conns_count = g.clients_count = clients;      \
		door_settle(&g);                                \
		assert_string_equal(door_state(&g), state);     \
		assert_int_equal(g.door.shut, state[0] != 'n'); \
	} while (0)
#define OPEN "not accepting clients" // there are no children here that could serve any

static void a_full_gateway(void **state)
{
	up(100);
	T(0, OPEN);
	T(99, OPEN);
	T(100, "full");
	T(99, "full"); // a place that is free for a moment
	T(91, "full");
	T(100, "full");
	T(90, OPEN);
	T(99, OPEN);
	T(101, "full");
	up(2);
	T(1, OPEN);
	T(2, "full");
	T(1, OPEN);
	up(1);
	T(1, "full");
	T(0, OPEN);
	up(0);
	g.tunnels_max = 10; // as many as there are tunnels
	T(9, OPEN);
	T(10, "full");
	g.policy.max_clients = 20; // a reload allows more
	T(10, OPEN);
	assert_int_equal(g.stats.total.refused[REFUSED_CLIENTS], 5);
}

static void descriptors_are_a_bound_too(void **state)
{
	struct rlimit before, few;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 1056; // 256 for the gateway, 132 for who waits, two for each of 334 connections
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	up(1000);
	assert_int_equal(door_files(&g), 334);
	assert_int_equal(lobby_startups_most(&g), 83);
	T(250, OPEN);
	T(251, "full"); // but for those that have no session yet
	T(226, "full");
	T(225, OPEN);
	T(251, "full");
	g.sessions_active = 100; // each has one that it needs no more
	T(251, OPEN);
	g.sessions_active = 600;
	T(474, OPEN);
	T(476, "full");
	g.sessions_active = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void strangers_do_not_fill_it(void **state)
{
	up(100);
	g.conns_count = 5000;
	g.clients_count = 99;
	door_settle(&g);
	assert_string_equal(door_state(&g), OPEN);
	g.clients_count = 0;
}

static void maintenance(void **state)
{
	up(10);
	T(5, OPEN);
	door_maintain(&g, true);
	T(5, "maintenance");
	T(10, "maintenance");
	door_maintain(&g, true);
	T(9, "maintenance");
	door_maintain(&g, false);
	T(9, OPEN);
	T(10, "full");
	door_maintain(&g, true);
	door_maintain(&g, false); // does not make room
	T(10, "full");
	T(9, OPEN);
	// before it is up
	g.phase = GATEWAY_STARTING;
	door_maintain(&g, true);
	g.phase = GATEWAY_UP;
	assert_int_equal(door_begin(&g), 0);
	T(0, "maintenance");
}

static void draining(void **state)
{
	up(10);
	T(5, OPEN);
	door_drain(&g, "a test");
	T(5, "draining");
	door_maintain(&g, true);
	door_maintain(&g, false);
	T(1, "draining");
	assert_int_equal(g.phase, GATEWAY_UP);
	assert_true(evtimer_pending(&g.door.timer, NULL));
	door_end(&g);
	assert_false(evtimer_pending(&g.door.timer, NULL));
}

static int set_up(void **state)
{
	log_init("main_door", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	g.base = event_base_new();
	return gateway_tables_init(&g);
}

static int tear_down(void **state)
{
	gateway_tables_fini(&g);
	event_base_free(g.base);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_gateway),
		cmocka_unit_test(descriptors_are_a_bound_too),
		cmocka_unit_test(strangers_do_not_fill_it),
		cmocka_unit_test(maintenance),
		cmocka_unit_test(draining),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
