// Commands between the planes: what they do to a tunnel, and who has the keys afterwards.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/mailbox.h"
#include "eal.h"

static struct tunnel_in in[4];
static struct tunnel_out out[4];
static struct policy *policies[4];
static struct dataplane dp = { .in = in, .out = out, .policy = policies, .tunnels_max = 4 };
static struct lcore lc = { .dp = &dp };
static struct tunnel_keys keys[4];

static int fresh(void **state)
{
	memset(in, 0, sizeof(in));
	memset(out, 0, sizeof(out));
	in[1].flags = out[1].flags = TUNNEL_LIVE;
	return 0;
}

static struct command install(unsigned which)
{
	struct command c = { .kind = COMMAND_INSTALL, .tunnel = 1, .keys = &keys[which] };

	assert_int_equal(mailbox_post(&lc, &c), 0);
	assert_false(c.done);
	mailbox_serve(&lc);
	assert_true(c.done);
	return c;
}

static void installs(void **state)
{
	struct command c = install(0);

	assert_ptr_equal(in[1].next, &keys[0]);
	assert_null(in[1].keys); // not before the client has used them
	assert_null(out[1].keys);
	assert_null(c.retired[0]);
	c = install(1); // the first was never confirmed
	assert_ptr_equal(in[1].next, &keys[1]);
	assert_ptr_equal(c.retired[0], &keys[0]);
}

static void retires(void **state)
{
	struct command c = { .kind = COMMAND_RETIRE, .tunnel = 1 };

	in[1].keys = out[1].keys = &keys[0];
	in[1].next = &keys[1];
	assert_int_equal(mailbox_post(&lc, &c), 0);
	mailbox_serve(&lc);
	assert_true(c.done);
	assert_ptr_equal(c.retired[0], &keys[0]);
	assert_ptr_equal(c.retired[1], &keys[1]);
	assert_false((in[1].flags | out[1].flags) & TUNNEL_LIVE);
	assert_null(in[1].keys);
	assert_null(in[1].next);
	assert_null(out[1].keys);
	c = install(2); // too late: the keys come back at once
	assert_ptr_equal(c.retired[0], &keys[2]);
	assert_null(in[1].next);
}

static void policy_is(uint32_t tunnel, struct policy *p, struct policy *before)
{
	struct command c = { .kind = COMMAND_POLICY, .tunnel = tunnel, .policy = p };

	assert_int_equal(mailbox_post(&lc, &c), 0);
	mailbox_serve(&lc);
	assert_true(c.done);
	assert_ptr_equal(c.policy, before);
}

static void changes_policies(void **state)
{
	struct policy first = { 0 }, second = { .out.profile.cir_period = 1 };

	policy_is(1, &first, NULL);
	assert_ptr_equal(policies[1], &first);
	assert_int_equal(in[1].flags, TUNNEL_LIVE | TUNNEL_POLICY);
	assert_int_equal(out[1].flags, TUNNEL_LIVE); // it says nothing of what goes to the client
	policy_is(1, &second, &first);
	assert_int_equal(out[1].flags, TUNNEL_LIVE | TUNNEL_POLICY);
	policy_is(1, NULL, &second);
	assert_null(policies[1]);
	assert_int_equal(in[1].flags | out[1].flags, TUNNEL_LIVE);
	policy_is(2, &first, &first); // no tunnel: it comes back at once
	assert_null(policies[2]);
}

static void is_bounded(void **state)
{
	struct command c[64];
	unsigned n = 0;

	while (n < 64 && (c[n] = (struct command){ .kind = COMMAND_RETIRE, .tunnel = 2 }, mailbox_post(&lc, &c[n]) == 0))
		n++;
	assert_int_equal(n, 7); // a ring of 8
	assert_int_equal(mailbox_post(&lc, &c[n]), -EAGAIN);
	mailbox_serve(&lc);
	while (n-- > 0)
		assert_true(c[n].done);
}

static void gives_keys_back(void **state)
{
	struct tunnel_keys *got[4];

	assert_int_equal(mailbox_collect(&lc, got, 4), 0);
	mailbox_release_keys(&lc, &keys[3]);
	mailbox_release_keys(&lc, &keys[1]);
	assert_int_equal(mailbox_collect(&lc, got, 1), 1);
	assert_ptr_equal(got[0], &keys[3]);
	assert_int_equal(mailbox_collect(&lc, got, 4), 1);
	assert_ptr_equal(got[0], &keys[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(installs, fresh),         cmocka_unit_test_setup(retires, fresh),
		cmocka_unit_test_setup(changes_policies, fresh), cmocka_unit_test_setup(is_bounded, fresh),
		cmocka_unit_test_setup(gives_keys_back, fresh),
	};

	eal_for_test();
	lc.mailbox = rte_ring_create("mailbox", 8, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	lc.released = rte_ring_create("released", 8, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (!lc.mailbox || !lc.released)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
