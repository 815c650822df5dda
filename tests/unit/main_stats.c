// What `show status` counts: since the start, and since the last reset.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/main/gateway.h"
#include "control/main/tunnel.h"

static struct gateway g;
static struct tunnel t;
static struct tunnel *table[1];

static int begin(void **unused)
{
	memset(&g, 0, sizeof(g));
	g.base = event_base_new();
	g.policy.stats_seconds = 1;
	g.tunnels = table;
	g.tunnels_max = 1;
	stats_begin(&g);
	return 0;
}

static int end(void **unused)
{
	stats_end(&g);
	event_base_free(g.base);
	return 0;
}

static void tunnel_up(uint16_t mtu)
{
	t = (struct tunnel){ .since_ms = clock_ms() - 60000, .mtu = mtu };
	table[0] = &t;
	stats_tunnel_up(&g, &t);
}

static void tunnel_ends(enum end_reason reason)
{
	t.reason = reason;
	stats_tunnel_over(&g, &t);
	table[0] = NULL;
}

static void counts_from_the_start(void **unused)
{
	stats_login(&g, true, 30);
	stats_login(&g, false, 50);
	stats_refused(&g, REFUSED_ADDRESS);
	tunnel_up(1400);
	t.now.bytes_in = 1000;
	assert_int_equal(stats_total(&g).bytes_in, 1000); // while it is up
	tunnel_ends(END_IDLE);
	tunnel_up(1300);
	tunnel_ends(END_SESSION_TIMEOUT);
	tunnel_up(1350);
	tunnel_ends(END_ERROR);
	assert_int_equal(stats_total(&g).bytes_in, 1000);
	assert_int_equal(stats_period(&g).sessions, 3);
	assert_int_equal(stats_period(&g).ended, 3);
	assert_int_equal(stats_period(&g).ended_idle, 1);
	assert_int_equal(stats_period(&g).ended_timeout, 1);
	assert_int_equal(stats_period(&g).ended_error, 1);
	assert_int_equal(stats_period(&g).session_seconds, 180);
	assert_int_equal(stats_period(&g).logins, 2);
	assert_int_equal(stats_period(&g).logins_failed, 1);
	assert_int_equal(stats_period(&g).login_ms, 80);
	assert_int_equal(stats_period(&g).refused[REFUSED_ADDRESS], 1);
	assert_int_equal(stats_period(&g).refused[REFUSED_CLIENTS], 0);
	assert_int_equal(g.stats.login_ms_max, 50);
	assert_int_equal(g.stats.mtu_min, 1300);
	assert_int_equal(g.stats.mtu_max, 1400);
}

static void a_reset_begins_anew(void **unused)
{
	stats_login(&g, true, 30);
	stats_refused(&g, REFUSED_CLIENTS);
	tunnel_up(1400);
	t.now.bytes_in = 1000;
	stats_reset(&g);
	assert_int_equal(stats_period(&g).refused[REFUSED_CLIENTS], 0);
	assert_int_equal(stats_total(&g).refused[REFUSED_CLIENTS], 1);
	assert_int_equal(stats_period(&g).logins, 0);
	assert_int_equal(stats_period(&g).sessions, 0);
	assert_int_equal(stats_period(&g).bytes_in, 0);
	assert_int_equal(g.stats.login_ms_max, 0);
	assert_int_equal(g.stats.mtu_min, 0);
	t.now.bytes_in = 1500;
	assert_int_equal(stats_period(&g).bytes_in, 500); // of a tunnel that was up before
	tunnel_ends(END_BY_USER);
	assert_int_equal(stats_period(&g).bytes_in, 500);
	assert_int_equal(stats_period(&g).ended, 1);
	assert_int_equal(stats_total(&g).bytes_in, 1500);
	assert_int_equal(stats_total(&g).sessions, 1);
	assert_int_equal(stats_total(&g).logins_failed, 1);
}

static void comes_by_itself(void **unused)
{
	stats_login(&g, true, 30);
	event_base_loop(g.base, EVLOOP_ONCE); // a second
	assert_int_equal(stats_period(&g).logins, 0);
	stats_login(&g, true, 30);
	event_base_loop(g.base, EVLOOP_ONCE);
	assert_int_equal(stats_period(&g).logins, 0);
	g.policy.stats_seconds = 0;
	stats_rearm(&g);
	assert_false(evtimer_pending(&g.stats.timer, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_from_the_start, begin, end),
		cmocka_unit_test_setup_teardown(a_reset_begins_anew, begin, end),
		cmocka_unit_test_setup_teardown(comes_by_itself, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
