// Networks behind tunnels: the longest prefix wins, and what is taken away is found no more.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/networks.h"
#include "eal.h"

#define MOST 64

static struct tables t;
static struct networks n;

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void put(const char *network, uint32_t tunnel)
{
	struct addr a = addr_of(network);

	assert_int_equal(networks_add(&n, &a, tunnel), 0);
}

static void away(const char *network, uint32_t tunnel)
{
	struct addr a = addr_of(network);

	networks_remove(&t, &n, &a, tunnel);
	limbo_reap(&t, 1000);
}

#define NOBODY 0xdead

// F("10.1.2.3", 7)
static void F(const char *ip, uint32_t expect)
{
	struct addr a = addr_of(ip);
	uint32_t tunnel = NOBODY;
	bool found = networks_find(&n, a.family, a.ip, &tunnel);

	assert_int_equal(found, expect != NOBODY);
	assert_int_equal(tunnel, expect);
}

static int fresh(void **state)
{
	return networks_init(&n, MOST);
}

static int gone(void **state)
{
	networks_fini(&n);
	return 0;
}

static void nothing(void **state)
{
	F("10.0.0.1", NOBODY);
	F("::", NOBODY);
	assert_int_equal(n.n, 0);
}

static void the_longest_prefix(void **state)
{
	put("10.0.0.0/8", 1);
	put("10.1.0.0/16", 2);
	put("10.1.2.0/24", 3);
	put("10.1.2.128/25", 4);
	put("10.1.2.129/32", 5);
	F("10.200.0.1", 1);
	F("10.1.3.1", 2);
	F("10.1.2.127", 3);
	F("10.1.2.128", 4);
	F("10.1.2.130", 4);
	F("10.1.2.129", 5);
	F("11.0.0.0", NOBODY);
	F("9.255.255.255", NOBODY);
	away("10.1.2.0/24", 3);
	F("10.1.2.127", 2);
	F("10.1.2.128", 4);
}

static void families_apart(void **state)
{
	put("10.0.0.0/8", 1);
	put("a00::/8", 2); // the same first byte
	F("10.1.1.1", 1);
	F("a01::1", 2);
	F("fd00::1", NOBODY);
}

static void ipv6_at_every_edge(void **state)
{
	static const struct {
		const char *network, *in, *out;
	} rows[] = {
		{ "2000::/3", "3fff::1", "4000::1" },
		{ "fd00::/8", "fdff::", "fe00::" },
		{ "2001:db8::/32", "2001:db8:ffff::", "2001:db9::" },
		{ "2001:db8::/63", "2001:db8:0:1::", "2001:db8:0:2::" },
		{ "2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::" },
		{ "2001:db8::/65", "2001:db8::7fff:0:0:1", "2001:db8::8000:0:0:0" },
		{ "2001:db8::/127", "2001:db8::1", "2001:db8::2" },
		{ "2001:db8::/128", "2001:db8::", "2001:db8::1" },
		{ "::/0", "ffff::", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		put(rows[i].network, 7);
		F(rows[i].in, 7);
		if (rows[i].out)
			F(rows[i].out, NOBODY);
		away(rows[i].network, 7);
		F(rows[i].in, NOBODY);
	}
	assert_int_equal(n.n, 0);
}

static void host_bits_do_not_count(void **state)
{
	put("10.1.2.3/16", 1);
	F("10.1.200.1", 1);
	away("10.1.9.9/16", 1);
	F("10.1.200.1", NOBODY);
}

static void the_newest_has_it(void **state)
{
	put("10.0.0.0/8", 1);
	put("10.0.0.0/8", 2);
	assert_int_equal(n.n, 1);
	F("10.0.0.1", 2);
	away("10.0.0.0/8", 1); // it is not his any more
	F("10.0.0.1", 2);
	away("10.0.0.0/8", 2);
	F("10.0.0.1", NOBODY);
}

static void our_own_networks(void **state)
{
	put("10.0.0.0/8", 1);
	put("10.9.0.0/24", NETWORK_OWN);
	F("10.9.0.7", NETWORK_OWN); // nobody's, though the wider one is behind tunnel 1
	F("10.9.1.7", 1);
}

static void full(void **state)
{
	struct addr a = addr_of("10.0.0.0/24");
	unsigned added = 0;

	for (unsigned i = 0; i < 65536 && networks_add(&n, &a, i) == 0; i++, added++) {
		a.ip[1] = (uint8_t)(i >> 8);
		a.ip[2] = (uint8_t)i;
	}
	assert_in_range(added, MOST, MOST + 16);
	assert_int_equal(networks_add(&n, &a, 1), -ENOSPC);
	away("10.0.0.0/24", 1); // the first two were the same
	assert_int_equal(networks_add(&n, &a, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing, fresh, gone),
		cmocka_unit_test_setup_teardown(the_longest_prefix, fresh, gone),
		cmocka_unit_test_setup_teardown(families_apart, fresh, gone),
		cmocka_unit_test_setup_teardown(ipv6_at_every_edge, fresh, gone),
		cmocka_unit_test_setup_teardown(host_bits_do_not_count, fresh, gone),
		cmocka_unit_test_setup_teardown(the_newest_has_it, fresh, gone),
		cmocka_unit_test_setup_teardown(our_own_networks, fresh, gone),
		cmocka_unit_test_setup_teardown(full, fresh, gone),
	};
	int ret;

	eal_for_test();
	assert_int_equal(tables_init(&t, MOST, 1), 0);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	tables_fini(&t);
	return ret;
}
