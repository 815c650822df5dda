// What a tunnel is kept to: made from main's words, shared where it is the same, gone without a trace.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

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

static enum counter sends(const struct policy *p, const char *to)
{
	struct craft_packet packet;
	struct inner_ip ip;

	craft_ip(&packet, &(struct craft_ip){ .from = "10.0.0.1", .to = to, .protocol = 6, .port = 80 });
	assert_true(inner_ip_parse(packet.bytes, packet.len, &ip));
	return policy_in(p, packet.bytes, &ip);
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
		cmocka_unit_test(what_is_lost_is_noticed),
	};

	eal_for_test();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
