// Sums that only metrics tell, and where they may be told.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/main/endpoint.h"
#include "control/main/gateway.h"
#include "control/main/tunnel.h"

static struct gateway g;
static struct tunnel t;
static struct tunnel *table[1];

static int begin(void **unused)
{
	memset(&g, 0, sizeof(g));
	t = (struct tunnel){ .was_up = true };
	table[0] = &t;
	g.tunnels = table;
	g.tunnels_max = 1;
	return 0;
}

static void login(const char *method, enum auth_outcome outcome, uint32_t ms)
{
	struct msg_auth_event m = { .outcome = (uint8_t)outcome, .milliseconds = ms };

	snprintf(m.method, sizeof(m.method), "%s", method);
	figures_login(&g, &m);
}

static void logins_by_method_result_and_time(void **unused)
{
	const struct figures_logins *plain = &g.figures.logins[0], *radius = &g.figures.logins[1];

	login("plain", AUTH_OK, 5);
	login("plain", AUTH_BAD, 6);
	login("plain", AUTH_ABANDONED, 7);
	login("radius", AUTH_OK, 1000000);
	assert_int_equal(g.figures.n_logins, 2);
	assert_string_equal(plain->method, "plain");
	assert_int_equal(plain->ended[AUTH_OK], 1);
	assert_int_equal(plain->ended[AUTH_BAD], 1);
	assert_int_equal(plain->ended[AUTH_ABANDONED], 1);
	assert_int_equal(plain->within[0], 1); // a bound is in its bucket
	assert_int_equal(plain->within[1], 1);
	assert_int_equal(plain->ms, 11); // who goes away has taken his time, not ours
	assert_string_equal(radius->method, "radius");
	for (unsigned i = 0; i < METRIC_BOUNDS; i++)
		assert_int_equal(radius->within[i], 0); // beyond all of them
}

static void more_methods_than_there_is_room_for(void **unused)
{
	uint64_t all = 0;
	char name[16];

	for (unsigned i = 0; i < 2 * FIGURES_METHODS; i++) {
		snprintf(name, sizeof(name), "method%u", i);
		login(name, AUTH_OK, 1);
		figures_tunnel_up(&g, name);
	}
	assert_int_equal(g.figures.n_logins, FIGURES_METHODS);
	for (unsigned i = 0; i < g.figures.n_logins; i++)
		all += g.figures.logins[i].ended[AUTH_OK];
	assert_int_equal(all, 2 * FIGURES_METHODS);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%u.example", i);
		figures_tunnel_up(&g, name);
	}
	all = 0;
	for (unsigned i = 0; i < g.figures.n_vhosts; i++)
		all += g.figures.vhosts[i].sessions;
	assert_int_equal(all, 1000 + 2 * FIGURES_METHODS);
}

static void traffic_by_channel(void **unused)
{
	t.now = (struct tunnel_totals){
		.packets_in = 3, .bytes_in = 300, .bytes_out = 70, .cstp_bytes_in = 100, .cstp_bytes_out = 70
	};
	assert_int_equal(figures_traffic(&g).cstp_in, 100);
	assert_int_equal(figures_traffic(&g).dtls_in, 200);
	assert_int_equal(figures_traffic(&g).cstp_out, 70);
	assert_int_equal(figures_traffic(&g).dtls_out, 0);
	t.reason = END_IDLE;
	figures_tunnel_over(&g, &t);
	table[0] = NULL;
	assert_int_equal(figures_traffic(&g).dtls_in, 200);
	assert_int_equal(figures_traffic(&g).packets_in, 3);
	assert_int_equal(g.figures.ends[END_IDLE], 1);
}

static void what_is_taken_back_is_not_told(void **unused)
{
	t.now.bytes_out = t.now.cstp_bytes_out = 1000;
	assert_int_equal(figures_traffic(&g).cstp_out, 1000);
	t.now.bytes_out = t.now.cstp_bytes_out = 900;
	assert_int_equal(figures_traffic(&g).cstp_out, 1000);
	t.now.bytes_out = t.now.cstp_bytes_out = 1100;
	assert_int_equal(figures_traffic(&g).cstp_out, 1100);
}

static void only_this_machine_is_told(void **unused)
{
	static const char *const right[] = { "127.0.0.1:9190", "127.1.2.3:1", "[::1]:65535", "/run/penstock/metrics.socket" };
	static const char *const wrong[] = { "",
		                             "9190",
		                             ":9190",
		                             "127.0.0.1",
		                             "127.0.0.1:",
		                             "127.0.0.1:0",
		                             "::1:9190",
		                             "[::1]",
		                             "[::1:9190",
		                             "[127.0.0.1]:80",
		                             "127.0.0.1:65536",
		                             "127.0.0.1:+80",
		                             "[]:80",
		                             "localhost:9190",
		                             "0.0.0.0:9190",
		                             "192.0.2.1:9190",
		                             "[2001:db8::1]:80",
		                             "[::]:80",
		                             "127.0.0.0/8:80",
		                             "127.0.0.1:80x",
		                             "run/metrics.socket" };

	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++)
		if (endpoint_wrong(right[i]))
			fail_msg("%s: %s", right[i], endpoint_wrong(right[i]));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (!endpoint_wrong(wrong[i]))
			fail_msg("'%s' is taken", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(logins_by_method_result_and_time, begin),
		cmocka_unit_test_setup(more_methods_than_there_is_room_for, begin),
		cmocka_unit_test_setup(traffic_by_channel, begin),
		cmocka_unit_test_setup(what_is_taken_back_is_not_told, begin),
		cmocka_unit_test(only_this_machine_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
