// What an address pool lends, and what never.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/main/lease.h"

// Whatever a test has been lent goes back at its end: only then a retired pool is freed.
static struct addr lent[65536];
static size_t n_lent;

static int take(struct lease_pool *p, uint64_t hint, struct addr *a)
{
	int ret = lease_take(p, hint, a);

	if (ret == 0)
		lent[n_lent++] = *a;
	return ret;
}

static void done(struct lease_pool *p)
{
	while (n_lent > 0)
		lease_return(p, &lent[--n_lent]);
	assert_int_equal(lease_lent(p), 0);
	lease_pool_free(p);
}

static struct lease_pool *pool(const char *network, unsigned subnet)
{
	struct lease_pool *p = NULL;
	struct addr a;

	assert_int_equal(addr_parse(network, &a), 0);
	assert_int_equal(lease_pool_new(&a, subnet, &p), 0);
	return p;
}

static void refused(const char *network, unsigned subnet, int why)
{
	struct lease_pool *p = NULL;
	struct addr a;

	assert_int_equal(addr_parse(network, &a), 0);
	assert_int_equal(lease_pool_new(&a, subnet, &p), why);
	assert_null(p);
}

static void takes(struct lease_pool *p, uint64_t hint, const char *expect)
{
	char text[ADDR_TEXT];
	struct addr a;

	assert_int_equal(take(p, hint, &a), 0);
	assert_string_equal(addr_text(&a, text), expect);
}

static void gives_back(struct lease_pool *p, const char *address)
{
	struct addr a;

	assert_int_equal(addr_parse(address, &a), 0);
	lease_return(p, &a);
}

static void full(struct lease_pool *p)
{
	struct addr a;

	assert_int_equal(take(p, 0, &a), -ENOSPC);
	assert_int_equal(lease_lent(p), lease_size(p));
}

static void small_network(void **unused)
{
	struct lease_pool *p = pool("192.0.2.8/29", 32);
	char text[ADDR_TEXT];

	assert_string_equal(addr_text_prefix(lease_gateway(p), text), "192.0.2.9/29");
	assert_int_equal(lease_size(p), 5);
	takes(p, 5, "192.0.2.13"); // the hint chooses
	takes(p, 5, "192.0.2.14"); // then the next free
	takes(p, 5, "192.0.2.10"); // never broadcast, network or gateway: round to the first
	takes(p, 0, "192.0.2.11");
	takes(p, 1, "192.0.2.12");
	full(p);
	gives_back(p, "192.0.2.13");
	takes(p, 0, "192.0.2.13");
	full(p);
	done(p);
}

static void what_is_not_lent_cannot_come_back(void **unused)
{
	struct lease_pool *p = pool("192.0.2.8/29", 32);
	static const char *const strange[] = { "192.0.2.8", "192.0.2.9",  "192.0.2.15", "192.0.2.16",
		                               "192.0.2.7", "192.0.2.10", "2001:db8::1" };

	for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++)
		gives_back(p, strange[i]);
	assert_int_equal(lease_lent(p), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(take(p, 0, &(struct addr){ 0 }), 0);
	full(p);
	done(p);
}

static void host_bits_are_ignored(void **unused)
{
	struct lease_pool *p = pool("10.1.2.3/16", 32);
	char text[ADDR_TEXT];

	assert_string_equal(addr_text_prefix(lease_gateway(p), text), "10.1.0.1/16");
	assert_int_equal(lease_size(p), 65533);
	takes(p, 65535, "10.1.0.2");
	takes(p, 65534, "10.1.255.254");
	takes(p, 65534, "10.1.0.3");
	done(p);
}

static void every_address_once(void **unused)
{
	struct lease_pool *p = pool("10.1.0.0/16", 32);
	uint8_t *seen = calloc(65536, 1);
	struct addr a;

	for (size_t i = 0; i < 65533; i++) {
		assert_int_equal(take(p, i * 7919, &a), 0);
		assert_int_equal(seen[a.ip[2] << 8 | a.ip[3]]++, 0);
	}
	full(p);
	assert_int_equal(seen[0] + seen[1] + seen[65535], 0);
	free(seen);
	done(p);
}

static void ipv6_hosts(void **unused)
{
	struct lease_pool *p = pool("2001:db8::/125", 128);
	char text[ADDR_TEXT];

	assert_string_equal(addr_text_prefix(lease_gateway(p), text), "2001:db8::1/125");
	assert_int_equal(lease_size(p), 6); // no broadcast in IPv6
	takes(p, 7, "2001:db8::7");
	takes(p, 7, "2001:db8::2");
	done(p);
}

static void ipv6_subnets(void **unused)
{
	struct lease_pool *p = pool("2001:db8:0:10::/60", 64);
	struct addr a;

	assert_int_equal(lease_size(p), 15); // the gateway's subnet stays its own
	takes(p, 0, "2001:db8:0:11::1");
	takes(p, 15, "2001:db8:0:1f::1");
	assert_int_equal(addr_parse("2001:db8:0:1f::1", &a), 0);
	lease_return(p, &a);
	takes(p, 15, "2001:db8:0:1f::1");
	done(p);
}

static void huge_networks(void **unused)
{
	struct lease_pool *p = pool("fd00::/48", 128);
	struct addr a;

	assert_int_equal(lease_size(p), (1 << 24) - 2);
	takes(p, 2, "fd00::2");
	takes(p, (1 << 24) - 1, "fd00::ff:ffff");
	assert_int_equal(addr_parse("fd00:0:0:1::2", &a), 0);
	lease_return(p, &a); // beyond what is lent at all
	assert_int_equal(lease_lent(p), 2);
	done(p);
}

static void count(void *who, const struct addr *gateway)
{
	assert_int_equal(gateway->prefix, 29);
	++*(int *)who;
}

static void C(struct lease_pool *p, const char *address, int expect)
{
	struct addr a;

	assert_int_equal(addr_parse(address, &a), 0);
	assert_int_equal(lease_claim(p, &a), expect);
}

static void addresses_by_name(void **unused)
{
	struct lease_pool *p = pool("192.0.2.8/29", 32);

	C(p, "192.0.2.12", 0);
	C(p, "192.0.2.12", -EADDRINUSE); // once
	takes(p, 4, "192.0.2.13");       // nobody else gets it
	C(p, "192.0.2.13", -EADDRINUSE);
	C(p, "192.0.2.8", -EADDRINUSE); // network, gateway, broadcast
	C(p, "192.0.2.9", -EADDRINUSE);
	C(p, "192.0.2.15", -EADDRINUSE);
	C(p, "192.0.2.16", -EINVAL); // another network's
	C(p, "2001:db8::1", -EINVAL);
	assert_int_equal(lease_lent(p), 2);
	gives_back(p, "192.0.2.12");
	takes(p, 4, "192.0.2.12");
	done(p);
}

static void ipv6_addresses_by_name(void **unused)
{
	struct lease_pool *hosts = pool("fd00::/48", 128), *subnets = pool("fd00:1::/60", 64);

	C(hosts, "fd00::2", 0);
	C(hosts, "fd00::", -EADDRINUSE);
	C(hosts, "fd00:0:0:1::5", 0); // further up than the pool lends: nobody else's
	C(hosts, "fd00:0:0:1::5", 0);
	takes(hosts, 2, "fd00::3");
	gives_back(hosts, "fd00::2");
	C(subnets, "fd00:1:0:3::77", 0); // with the subnet that it is in
	C(subnets, "fd00:1:0:3::1", -EADDRINUSE);
	takes(subnets, 3, "fd00:1:0:4::1");
	gives_back(subnets, "fd00:1:0:3::77");
	gives_back(subnets, "fd00:1:0:4::1");
	assert_int_equal(lease_lent(subnets), 0);
	lease_pool_free(subnets);
	n_lent = 1;
	done(hosts);
}

static void a_pool_is_its_network(void **unused)
{
	int freed = 0;
	struct lease_pool *p = pool("192.0.2.8/29", 32);
	struct addr network;

	assert_int_equal(addr_parse("192.0.2.8/29", &network), 0);
	assert_true(lease_pool_is(p, &network, 32));
	network.prefix = 28;
	assert_false(lease_pool_is(p, &network, 32));
	lease_pool_watch(p, count, &freed);
	done(p);
	assert_int_equal(freed, 1);
}

static void nothing_to_lend(void **unused)
{
	refused("192.0.2.0/31", 32, -ENOSPC);
	refused("192.0.2.1/32", 32, -ENOSPC);
	refused("2001:db8::1/128", 128, -ENOSPC);
	refused("2001:db8::/64", 64, -ENOSPC);
	refused("2001:db8::/64", 48, -EINVAL);
	refused("2001:db8::/64", 129, -EINVAL);
	refused("192.0.2.0/24", 28, -EINVAL);
	refused("0.0.0.0/0", 32, -EINVAL);
}

static void hints_are_stable_and_apart(void **unused)
{
	assert_true(lease_hint("alice") == lease_hint("alice"));
	assert_true(lease_hint("alice") != lease_hint("alicf"));
	assert_true(lease_hint("user1") % 254 != lease_hint("user2") % 254);
	assert_true(lease_hint("") != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_network),
		cmocka_unit_test(what_is_not_lent_cannot_come_back),
		cmocka_unit_test(host_bits_are_ignored),
		cmocka_unit_test(every_address_once),
		cmocka_unit_test(ipv6_hosts),
		cmocka_unit_test(ipv6_subnets),
		cmocka_unit_test(huge_networks),
		cmocka_unit_test(addresses_by_name),
		cmocka_unit_test(ipv6_addresses_by_name),
		cmocka_unit_test(a_pool_is_its_network),
		cmocka_unit_test(nothing_to_lend),
		cmocka_unit_test(hints_are_stable_and_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
