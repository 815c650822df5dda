// What a tunnel is kept to: made from main's words, shared where it is the same, gone without a trace.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "craft_packet.h"
#include "dataplane/policy.h"
#include "eal.h"

static struct policies policies;
static struct draft draft;

static void target(uint32_t tunnel, const char *network, uint8_t allowed)
{
	struct msg_tunnel_target m = { .tunnel = tunnel, .allowed = allowed };

	assert_int_equal(addr_parse(network, &m.network), 0);
	draft_target(&draft, &m);
}

static struct policy *policy_of(struct msg_tunnel_add m)
{
	struct policy *p;

	assert_true(draft_is_whole(&draft, &m));
	assert_int_equal(policy_new(&policies, &draft, &m, &p), 0);
	draft_forget(&draft);
	return p;
}

static enum counter sends(struct policy *p, const char *to)
{
	struct craft_packet packet;
	struct inner_ip ip;

	craft_ip(&packet, &(struct craft_ip){ .from = "10.0.0.1", .to = to, .protocol = 6, .port = 80 });
	assert_true(inner_ip_parse(packet.bytes, packet.len, &ip));
	return policy_in(p, packet.bytes, &ip, rte_rdtsc());
}

static void most_tunnels_have_none(void **state)
{
	assert_null(policy_of((struct msg_tunnel_add){ .rules = RULE_DENY_ROAMING }));
}

static void the_same_rules_are_kept_once(void **state)
{
	struct policy *p[3];

	for (uint32_t t = 0; t < 3; t++) {
		target(t, "10.0.0.0/8", 1);
		target(t, t < 2 ? "10.1.0.0/16" : "10.2.0.0/16", 0);
		p[t] = policy_of((struct msg_tunnel_add){ .tunnel = t, .rules = RULE_TARGETS, .targets = 2 });
	}
	assert_ptr_equal(p[0]->rules, p[1]->rules);
	assert_ptr_not_equal(p[0]->rules, p[2]->rules);
	assert_int_equal(policies.n, 2);
	assert_int_equal(sends(p[0], "10.1.2.3"), COUNT_drop_target);
	assert_int_equal(sends(p[2], "10.1.2.3"), COUNTERS);
	assert_int_equal(sends(p[2], "10.2.2.3"), COUNT_drop_target);
	policy_free(&policies, p[0]);
	assert_int_equal(policies.n, 2);
	assert_int_equal(sends(p[1], "10.1.2.3"), COUNT_drop_target);
	policy_free(&policies, p[1]);
	policy_free(&policies, p[2]);
	assert_int_equal(policies.n, 0);
	policy_free(&policies, NULL);
}

static void each_way_out_has_its_name(void **state)
{
	struct policy *p;

	draft_port(&draft, &(struct msg_tunnel_port){ .protocol = 6, .port = 443 });
	p = policy_of((struct msg_tunnel_add){ .rules = RULE_PORTS, .ports = 1 });
	assert_int_equal(sends(p, "10.1.2.3"), COUNT_drop_port);
	policy_free(&policies, p);
	// a tunnel that could not be added after all
	assert_int_equal(sends(NULL, "10.1.2.3"), COUNT_drop_tunnel_gone);
}

// ----------------------------------------------------------------------------------------------------------------- rates

// What passes of packets of `size` bytes, `offered` bytes a second of them, for so many seconds.
static uint64_t passes(struct policy *p, bool in, uint64_t offered, uint16_t size, unsigned seconds)
{
	uint64_t hz = rte_get_tsc_hz(), start = (in ? p->in : p->out).state.time, passed = 0;
	struct inner_ip ip = { .family = 4, .len = size };

	for (uint64_t sent = 0; sent < offered * seconds; sent += size) {
		uint64_t now = start + (uint64_t)((double)sent / (double)offered * (double)hz);

		if (in ? policy_in(p, NULL, &ip, now) == COUNTERS : policy_out(p, size, now))
			passed += size;
	}
	return passed;
}

// R(rate, offered, size, least, most): percent of rate times ten seconds
static void R(uint64_t rate, uint64_t offered, uint16_t size, double least, double most)
{
	for (int in = 0; in < 2; in++) {
		struct policy *p = policy_of((struct msg_tunnel_add){ .rx_rate = in ? rate : 0, .tx_rate = in ? 0 : rate });
		double percent = 100.0 * (double)passes(p, in, offered, size, 10) / ((double)rate * 10);

		assert_int_equal(policy_is_out(p), !in);
		if (percent < least || percent > most)
			fail_msg("%llu of %llu B/s in packets of %u: %.2f%%", (unsigned long long)rate, (unsigned long long)offered,
			         size, percent);
		policy_free(&policies, p);
	}
}

static void rates_hold(void **state)
{
	// ten seconds' worth, and a fifth of a second's more at once; rte_meter counts whole cycles and may give up to 1% too much
	R(1000000, 2000000, 1400, 100, 103.1);
	R(1000000, 20000000, 1400, 100, 103.1);
	R(100000000, 200000000, 1400, 100, 103.1);
	R(1250000000, 2500000000, 9000, 100, 103.1);
	R(1000000, 900000, 1400, 89.9, 90.1); // below it nothing is lost
	R(1000000, 900000, 40, 89.9, 90.1);
	// at least 64 KiB at once
	R(40000, 100000, 1400, 100, 117);
	R(1000, 10000, 100, 700, 760);
}

static void one_way_does_not_count_the_other(void **state)
{
	struct policy *p = policy_of((struct msg_tunnel_add){ .rx_rate = 1000, .tx_rate = 1000000 });

	assert_true(passes(p, true, 1000000, 1000, 1) < 70000);
	assert_true(passes(p, false, 900000, 1000, 1) >= 900000);
	policy_free(&policies, p);
	p = policy_of((struct msg_tunnel_add){ .rx_rate = 1000 });
	assert_false(policy_is_out(p));
	assert_true(policy_out(p, 65535, 0));
	policy_free(&policies, p);
}

// Another core's clock was read a moment before: nobody gets what he has not waited for.
static void a_clock_that_goes_back(void **state)
{
	struct policy *p = policy_of((struct msg_tunnel_add){ .tx_rate = 100000 });
	uint64_t now = p->out.state.time + rte_get_tsc_hz();

	while (policy_out(p, 1000, now))
		;
	assert_false(policy_out(p, 1000, now - rte_get_tsc_hz() / 2));
	assert_false(policy_out(p, 1000, now - 1));
	assert_false(policy_out(p, 1000, now));
	assert_true(policy_out(p, 1000, now + rte_get_tsc_hz() / 50));
	policy_free(&policies, p);
}

static void the_highest_rate(void **state)
{
	struct policy *p = policy_of((struct msg_tunnel_add){ .tx_rate = LIMIT_RATE, .rx_rate = 1 });
	uint64_t now = p->out.state.time;

	assert_true(p->out.profile.cir_period > 0);
	for (unsigned i = 0; i < 1000000; i++)
		assert_true(policy_out(p, 9000, now));
	assert_in_range(passes(p, true, 10000, 100, 10), 65400, 65600); // 1 byte a second: the burst, and that is all
	policy_free(&policies, p);
}

static void rules_come_first(void **state)
{
	struct policy *p;

	target(0, "10.0.0.0/8", 1);
	p = policy_of((struct msg_tunnel_add){ .rules = RULE_TARGETS, .targets = 1, .rx_rate = 1 });
	for (unsigned i = 0; i < 10000; i++) // what may not be sent uses nothing up
		assert_int_equal(sends(p, "11.0.0.1"), COUNT_drop_target);
	assert_int_equal(sends(p, "10.0.0.1"), COUNTERS);
	while (sends(p, "10.0.0.1") == COUNTERS)
		;
	assert_int_equal(sends(p, "10.0.0.1"), COUNT_drop_rate_in);
	assert_int_equal(sends(p, "11.0.0.1"), COUNT_drop_target);
	policy_free(&policies, p);
}

static bool whole(uint16_t networks, uint16_t targets, uint16_t services, uint16_t ports)
{
	const struct msg_tunnel_add m = {
		.tunnel = 7, .networks = networks, .targets = targets, .services = services, .ports = ports
	};

	return draft_is_whole(&draft, &m);
}

static void what_is_lost_is_noticed(void **state)
{
	struct msg_tunnel_network network = { .tunnel = 7 };
	struct msg_tunnel_service service = { .tunnel = 7 };
	struct msg_tunnel_port port = { .tunnel = 7 };

	assert_true(whole(0, 0, 0, 0));
	draft_network(&draft, &network);
	target(7, "10.0.0.0/8", 1);
	target(7, "10.1.0.0/16", 0);
	draft_service(&draft, &service);
	draft_port(&draft, &port);
	assert_true(whole(1, 2, 1, 1));
	assert_false(whole(0, 2, 1, 1));
	assert_false(whole(1, 1, 1, 1));
	assert_false(whole(1, 2, 0, 1));
	assert_false(whole(1, 2, 1, 2));
	assert_false(whole(0, 0, 0, 0)); // main has forgotten what it meant
	target(8, "10.0.0.0/8", 1);
	assert_false(whole(1, 2, 1, 1)); // another tunnel is spoken of
	assert_true(whole(0, 0, 0, 0));
	for (unsigned i = 0; i < 2 * LIMIT_ITEMS; i++) // more than there is room for
		target(7, "10.0.0.0/8", 1);
	assert_false(whole(0, LIMIT_ITEMS, 0, 0));
	for (unsigned i = 0; i < 2 * LIMIT_PORTS; i++) {
		draft_network(&draft, &network);
		draft_service(&draft, &service);
		draft_port(&draft, &port);
	}
	draft_forget(&draft);
	assert_true(whole(0, 0, 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(most_tunnels_have_none),
		cmocka_unit_test(the_same_rules_are_kept_once),
		cmocka_unit_test(each_way_out_has_its_name),
		cmocka_unit_test(rates_hold),
		cmocka_unit_test(one_way_does_not_count_the_other),
		cmocka_unit_test(a_clock_that_goes_back),
		cmocka_unit_test(the_highest_rate),
		cmocka_unit_test(rules_come_first),
		cmocka_unit_test(what_is_lost_is_noticed),
	};

	eal_for_test();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
