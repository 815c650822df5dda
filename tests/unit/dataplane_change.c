// What main wants a live tunnel to be kept to changes: whole or not at all, and what is out of use is freed. The core is a mailbox
// that this test serves.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "dataplane/control.h"
#include "dataplane/mailbox.h"
#include "eal.h"

#define TUNNELS 4
#define RING 8 // has room for one less

static struct control c;
static struct lcore lc;
static struct tunnel tunnels[TUNNELS];
static struct tunnel_in in[TUNNELS];
static struct tunnel_out out[TUNNELS];
static struct policy *policies[TUNNELS];
static char why[LIMIT_TEXT + 1];

static int change(struct msg_tunnel_change m)
{
	int ret = tunnel_change(&c, &m, why);

	draft_forget(&c.draft);
	return ret;
}

static void target(uint32_t tunnel, const char *network)
{
	struct msg_tunnel_target m = { .tunnel = tunnel, .allowed = 1 };

	assert_int_equal(addr_parse(network, &m.network), 0);
	draft_target(&c.draft, &m);
}

// How many are buried that the last command has put out of use: the next one asks what has become of it.
static unsigned buried(void)
{
	unsigned n;

	mailbox_serve(&lc);
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1 }), 0);
	n = limbo_reap(&c.tables, 100);
	mailbox_serve(&lc);
	return n;
}

static void rates_come_and_go(void **state)
{
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1, .rx_rate = 1000, .idle = 60 }), 0);
	mailbox_serve(&lc);
	assert_true(policies[1]->in.profile.cir_period);
	assert_int_equal(in[1].flags, TUNNEL_LIVE | TUNNEL_POLICY);
	assert_int_equal(out[1].flags, TUNNEL_LIVE);
	assert_int_equal(tunnels[1].idle, 60 * c.dp.tsc_hz);
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1, .tx_rate = 1000 }), 0);
	mailbox_serve(&lc);
	assert_true(policy_is_out(policies[1]));
	assert_false(policies[1]->in.profile.cir_period);
	assert_int_equal(out[1].flags, TUNNEL_LIVE | TUNNEL_POLICY);
	assert_int_equal(tunnels[1].idle, 0);
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1 }), 0); // kept to nothing
	mailbox_serve(&lc);
	assert_null(policies[1]);
	assert_int_equal(in[1].flags | out[1].flags, TUNNEL_LIVE);
}

static void rules_are_freed(void **state)
{
	target(1, "10.0.0.0/8");
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1, .rules = RULE_TARGETS, .targets = 1 }), 0);
	mailbox_serve(&lc);
	assert_non_null(policies[1]->rules);
	assert_int_equal(c.policies.n, 1);
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1 }), 0);
	mailbox_serve(&lc);
	limbo_reap(&c.tables, 100);
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1 }), 0);
	limbo_reap(&c.tables, 100);
	assert_int_equal(c.policies.n, 0);
	mailbox_serve(&lc);
}

static void a_refusal_changes_nothing(void **state)
{
	struct policy *before;

	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1, .rx_rate = 1000, .idle = 7 }), 0);
	mailbox_serve(&lc);
	before = policies[1];
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1, .rules = RULE_TARGETS, .targets = 1 }), -EPROTO);
	target(2, "10.0.0.0/8"); // another tunnel is spoken of
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1, .rules = RULE_TARGETS, .targets = 1 }), -EPROTO);
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 3, .rx_rate = 1 }), -ENOENT); // not up
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 4000, .rx_rate = 1 }), -ENOENT);
	assert_ptr_equal(policies[1], before);
	assert_int_equal(tunnels[1].idle, 7 * c.dp.tsc_hz);
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1 }), 0);
	assert_int_equal(buried(), 1);
}

static void the_core_is_behind(void **state)
{
	struct command filler[RING];
	unsigned n = 0;

	while (filler[n] = (struct command){ .kind = COMMAND_FORGET, .tunnel = 2 }, mailbox_post(&lc, &filler[n]) == 0)
		n++;
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1, .rx_rate = 1000, .idle = 5 }), -EAGAIN);
	assert_null(policies[1]);
	assert_int_equal(tunnels[1].idle, 0);
	mailbox_serve(&lc);
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1, .rx_rate = 1000 }), 0);
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1 }), -EBUSY); // the one before has not been seen yet
	mailbox_serve(&lc);
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1 }), 0);
	assert_int_equal(buried(), 1);
}

// It left before its core came to it.
static void a_tunnel_leaves_meanwhile(void **state)
{
	assert_int_equal(change((struct msg_tunnel_change){ .tunnel = 1, .rx_rate = 1000 }), 0);
	in[1].flags = out[1].flags = 0;
	assert_int_equal(buried(), 1);
	assert_null(policies[1]);
	assert_int_equal(in[1].flags, 0);
}

static int fresh(void **state)
{
	memset(in, 0, sizeof(in));
	memset(out, 0, sizeof(out));
	memset(policies, 0, sizeof(policies));
	tunnels[1] = (struct tunnel){ .number = 1, .phase = TUNNEL_UP };
	in[1].flags = out[1].flags = TUNNEL_LIVE;
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rates_come_and_go),  TEST(rules_are_freed),           TEST(a_refusal_changes_nothing),
		TEST(the_core_is_behind), TEST(a_tunnel_leaves_meanwhile),
	};

	eal_for_test();
	c.dp.in = in;
	c.dp.out = out;
	c.dp.policy = policies;
	c.dp.tunnels_max = TUNNELS;
	c.dp.tsc_hz = rte_get_tsc_hz();
	c.dp.n_cores = 1;
	c.dp.cores[0] = &lc;
	c.tunnels = tunnels;
	lc.dp = &c.dp;
	lc.wake.fd = eventfd(0, EFD_NONBLOCK);
	lc.mailbox = rte_ring_create("mailbox", RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (tables_init(&c.tables, TUNNELS, 1) < 0 || !lc.mailbox)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
