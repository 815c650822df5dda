// Which session gets which address, where users have networks and addresses of their own and networks overlap.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/session.h"

static struct gateway *g;
static struct terms everybody, own; // own: of a user with a file

static struct addr addr_of(const char *text)
{
	struct addr a = { 0 };

	if (text)
		assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct terms terms_of(const char *ipv4, const char *ipv6, unsigned subnet)
{
	return (struct terms){ .references = 1,
		               .predictable_ips = true,
		               .ipv4_network = addr_of(ipv4),
		               .ipv6_network = addr_of(ipv6),
		               .ipv6_subnet_prefix = (uint8_t)subnet };
}

// As a configuration that has a virtual host besides (or NULL).
static int pools_of(struct terms *all, struct terms *vhost)
{
	return address_pools(g, &(struct policy){ .vhost = { { .terms = all }, { .terms = vhost } }, .n_vhosts = vhost ? 2 : 1 });
}

static void open_gateway(const char *ipv4, const char *ipv6)
{
	g = calloc(1, sizeof(*g));
	gateway_tables_init(g);
	everybody = terms_of(ipv4, ipv6, 128);
	assert_int_equal(pools_of(&everybody, NULL), 0);
}

static int shut(void **unused)
{
	session_free_all(g);
	gateway_tables_fini(g);
	free(g);
	return 0;
}

static struct session *session_of(int sid, const char *user)
{
	struct msg_session_reply m = { .ok = 1, .sid_len = SID_SIZE };

	memset(m.sid, sid, SID_SIZE);
	strcpy(m.user, user);
	return session_get(g, &m);
}

// L(1, "anna", &own, 0, "192.0.2.7")
static struct session *L(int sid, const char *user, const struct terms *t, int expect, const char *ipv4)
{
	struct session *s = session_of(sid, user);
	char text[ADDR_TEXT];

	assert_int_equal(address_lend(s, t, true, true), expect);
	if (ipv4)
		assert_string_equal(addr_text(&s->ipv4, text), ipv4);
	return s;
}

static void told(const struct session *s, int family, const char *expect)
{
	struct addr a = address_told(s, family);
	char text[ADDR_TEXT];

	assert_string_equal(addr_text_prefix(&a, text), expect);
}

// ------------------------------------------------------------------------------------------------------------------ facts

static void a_network_of_his_own(void **unused)
{
	char text[ADDR_TEXT];
	struct session *s;

	open_gateway("192.0.2.0/24", NULL);
	own = terms_of("198.51.100.0/30", NULL, 128);
	s = L(1, "anna", &own, 0, "198.51.100.2");
	told(s, 4, "198.51.100.2/30");
	assert_string_equal(addr_text(address_gateway(s, 4), text), "198.51.100.1");
	assert_null(address_gateway(s, 6));
	assert_int_equal(g->addresses.n_pools, 2);
	L(2, "bert", &own, -ENOSPC, NULL); // the same pool
	assert_int_equal(g->addresses.n_pools, 2);
	session_gone(s, END_TERMINATED); // the pool goes with its last session
	assert_int_equal(g->addresses.n_pools, 1);
	L(2, "bert", &own, 0, "198.51.100.2");
}

static void a_vhost_has_its_networks(void **unused)
{
	struct session *s;

	open_gateway("192.0.2.0/24", NULL);
	own = terms_of("198.51.100.0/24", "fd00::/64", 128);
	assert_int_equal(pools_of(&everybody, &own), 0);
	assert_int_equal(g->addresses.n_pools, 3);
	s = L(1, "anna", &own, 0, NULL);
	session_gone(s, END_TERMINATED);
	assert_int_equal(g->addresses.n_pools, 3); // its pools stand
	s = L(2, "bert", &own, 0, NULL);
	assert_int_equal(pools_of(&everybody, NULL), 0);
	assert_int_equal(g->addresses.n_pools, 3); // until a reload takes it away, and its last session has gone
	session_gone(s, END_TERMINATED);
	assert_int_equal(g->addresses.n_pools, 1);
}

static void a_reload_leaves_what_is_in_use(void **unused)
{
	struct session *s;

	open_gateway("192.0.2.0/24", NULL);
	s = L(1, "anna", &everybody, 0, NULL);
	own = terms_of("198.51.100.0/24", "fd00::/64", 128);
	assert_int_equal(pools_of(&own, NULL), 0);
	assert_int_equal(g->addresses.n_pools, 3);
	session_gone(s, END_TERMINATED);
	assert_int_equal(g->addresses.n_pools, 2);
	own.ipv6_network.prefix = 128; // no pool: and then nothing has changed
	own.ipv4_network = addr_of("203.0.113.0/24");
	assert_true(pools_of(&own, NULL) < 0);
	assert_int_equal(g->addresses.n_pools, 2);
}

static void an_address_by_name(void **unused)
{
	struct session *s;

	open_gateway("192.0.2.0/24", "fd00::/64");
	own = everybody;
	own.explicit_ipv4 = addr_of("192.0.2.77");
	own.explicit_ipv6 = addr_of("fd00::77");
	s = L(1, "anna", &own, 0, "192.0.2.77");
	told(s, 4, "192.0.2.77/24");
	told(s, 6, "fd00::77/128");
	assert_false(s->fresh4 || s->fresh6);                   // it is not asked who else has it
	assert_int_equal(address_lend(s, &own, true, true), 0); // comes again with its cookie
	s->tunnels = 1;
	L(2, "anna", &own, -EADDRINUSE, NULL); // while a client is connected
	L(3, "bert", &own, -EADDRINUSE, NULL);
	s->tunnels = 0;
	L(3, "bert", &own, -EADDRINUSE, NULL); // not from somebody else
	L(2, "anna", &own, 0, "192.0.2.77");   // but from a session of one's own that nobody is connected to
	assert_int_equal(s->ipv4.family, 0);
	assert_int_equal(s->ipv6.family, 0);
	own.explicit_ipv6.family = 0;
	own.explicit_ipv4 = addr_of("192.0.2.1");
	L(4, "carl", &own, -ENOTUNIQ, NULL); // the gateway's
	own.explicit_ipv4 = addr_of("192.0.2.255");
	L(4, "carl", &own, -ENOTUNIQ, NULL);
	own.explicit_ipv4 = addr_of("127.0.0.7"); // the machine's
	L(4, "carl", &own, -ENOTUNIQ, NULL);
	own.explicit_ipv4 = addr_of("224.0.0.7"); // everybody's
	L(4, "carl", &own, -ENOTUNIQ, NULL);
}

static void a_named_address_is_nobody_elses(void **unused)
{
	open_gateway("192.0.2.0/29", NULL);
	own = everybody;
	own.explicit_ipv4 = addr_of("192.0.2.3");
	L(1, "anna", &own, 0, "192.0.2.3");
	for (int i = 0; i < 4; i++) {
		struct session *s = L(10 + i, "bert", &everybody, 0, NULL);

		assert_false(addr_equal(&s->ipv4, &own.explicit_ipv4));
	}
	L(20, "bert", &everybody, -ENOSPC, NULL);
}

static void networks_within_networks(void **unused)
{
	struct session *s[4];
	unsigned n = 0;

	open_gateway("192.0.2.0/28", NULL); // .1 is the gateway
	own = everybody;
	for (int i = 0; i < 4; i++) {
		static const char *const held[] = { "192.0.2.2", "192.0.2.7", "192.0.2.10", "192.0.2.14" };

		own.explicit_ipv4 = addr_of(held[i]);
		s[i] = L(i, "anna", &own, 0, held[i]);
	}
	own = terms_of("192.0.2.8/29", NULL, 128); // .9 is the gateway there
	for (int i = 4; i < 32; i++)               // all that is left of both
		address_lend(session_of(i, "bert"), i % 2 ? &everybody : &own, true, true);
	for (int i = 0; i < 32; i++) {
		const struct session *a = session_of(i, "x");

		n += a->ipv4.family == 4;
		for (int j = 0; j < i; j++)
			assert_false(a->ipv4.family && addr_equal(&a->ipv4, &session_of(j, "x")->ipv4));
		assert_int_not_equal(a->ipv4.ip[3], 1);
		assert_true(a->ipv4.ip[3] < 8 || a->ipv4.ip[3] > 9);
	}
	assert_int_equal(n, 11); // each once; no network's, no gateway's
	for (int i = 0; i < 4; i++)
		session_gone(s[i], END_TERMINATED);
	for (int i = 0; i < 4; i++) // what came back can be lent again
		L(40 + i, "carl", &everybody, 0, NULL);
}

static void a_gateway_that_somebody_has(void **unused)
{
	open_gateway("192.0.2.0/24", NULL);
	own = everybody;
	own.explicit_ipv4 = addr_of("192.0.2.9");
	L(1, "anna", &own, 0, "192.0.2.9");
	own = terms_of("192.0.2.8/29", NULL, 128);
	L(2, "bert", &own, -EADDRINUSE, NULL);
	own = terms_of("192.0.2.0/28", NULL, 128); // the same gateway as everybody's
	L(2, "bert", &own, 0, NULL);
	assert_int_equal(g->addresses.n_pools, 2);
	session_gone(session_of(2, "bert"), END_TERMINATED);
	assert_int_equal(g->addresses.n_pools, 1);
	own.explicit_ipv4 = addr_of("192.0.2.1");
	L(3, "carl", &own, -ENOTUNIQ, NULL); // still reserved
}

static void subnets_beside_hosts(void **unused)
{
	struct session *s;

	open_gateway(NULL, "fd00::/56");
	everybody.explicit_ipv6 = addr_of("fd00:0:0:11::1"); // what the first subnet's client would get
	L(1, "anna", &everybody, 0, NULL);
	own = terms_of(NULL, "fd00:0:0:10::/62", 64);
	for (int i = 2; i < 4; i++) {
		s = L(i, "bert", &own, 0, NULL);
		assert_int_equal(address_told(s, 6).prefix, 64);
		assert_false(addr_equal(&s->ipv6, &everybody.explicit_ipv6));
	}
	L(4, "bert", &own, -ENOSPC, NULL);
	session_gone(session_of(1, "anna"), END_TERMINATED);
	L(4, "bert", &own, 0, NULL);
}

// One share of a pool's, and single addresses of others in it.
static void a_share_is_one_clients(void **unused)
{
	open_gateway(NULL, "fd00::/56");
	own = terms_of(NULL, "fd00:0:0:10::/62", 64); // 10 is the gateway's, 11 to 13 are lent
	everybody.explicit_ipv6 = addr_of("fd00:0:0:11::7");
	L(1, "anna", &everybody, 0, NULL);
	everybody.explicit_ipv6 = addr_of("fd00:0:0:11::8");
	L(2, "bert", &everybody, 0, NULL);
	session_gone(session_of(1, "anna"), END_TERMINATED);
	L(3, "carl", &own, 0, NULL);
	L(4, "dora", &own, 0, NULL);
	L(5, "emil", &own, -ENOSPC, NULL); // bert is still in 11
	session_gone(session_of(2, "bert"), END_TERMINATED);
	told(L(5, "emil", &own, 0, NULL), 6, "fd00:0:0:11::1/64");
	everybody.explicit_ipv6 = addr_of("fd00:0:0:11::9");
	L(6, "anna", &everybody, -EADDRINUSE, NULL); // emil may use that
}

// A network within a client's share is full.
static void no_hosts_in_a_share(void **unused)
{
	open_gateway("192.0.2.0/24", NULL);
	own = terms_of(NULL, "fd00:0:0:10::/63", 64);
	told(L(1, "anna", &own, 0, NULL), 6, "fd00:0:0:11::1/64");
	everybody.ipv6_network = addr_of("fd00:0:0:11:1::/120");
	assert_int_equal(pools_of(&everybody, NULL), 0);
	L(2, "bert", &everybody, -ENOSPC, NULL);
	session_gone(session_of(1, "anna"), END_TERMINATED);
	L(2, "bert", &everybody, 0, NULL);
}

// ping-leases: what is somebody's in the LAN is lent to nobody while an address is looked for, and to anybody later.
static void another_address(void **unused)
{
	struct addr occupied[2];
	struct session *s;

	open_gateway("192.0.2.0/29", NULL);
	s = L(1, "anna", &everybody, 0, NULL);
	assert_true(s->fresh4);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(address_another(s, &everybody, 4, &occupied[i]), 0);
		assert_false(addr_equal(&s->ipv4, &occupied[i]));
	}
	assert_false(addr_equal(&s->ipv4, &occupied[0]));
	L(2, "bert", &everybody, 0, NULL);
	L(3, "carl", &everybody, 0, NULL);
	L(4, "dora", &everybody, -ENOSPC, NULL);
	address_let(g, &occupied[1]);
	L(4, "dora", &everybody, 0, NULL);
	assert_int_equal(address_another(s, &everybody, 4, &occupied[1]), -ENOSPC);
	assert_int_equal(s->ipv4.family, 0); // and what it had is free
	L(5, "emil", &everybody, 0, NULL);
	address_let(g, &occupied[0]);
	L(6, "fred", &everybody, 0, NULL);
}

static void what_the_client_takes(void **unused)
{
	struct session *s;

	open_gateway("192.0.2.0/24", NULL);
	s = session_of(1, "anna");
	assert_int_equal(address_lend(s, &everybody, false, true), -EADDRNOTAVAIL);
	assert_int_equal(address_lend(s, &everybody, true, true), 0);
	assert_int_equal(s->ipv6.family, 0);
	own = everybody;
	own.explicit_ipv4 = addr_of("203.0.113.7"); // lies in no network of ours
	told(L(2, "bert", &own, 0, "203.0.113.7"), 4, "203.0.113.7/32");
	session_of(2, "bert")->tunnels = 1;
	L(3, "bert", &own, -EADDRINUSE, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_network_of_his_own, shut),
		cmocka_unit_test_teardown(a_vhost_has_its_networks, shut),
		cmocka_unit_test_teardown(a_reload_leaves_what_is_in_use, shut),
		cmocka_unit_test_teardown(an_address_by_name, shut),
		cmocka_unit_test_teardown(a_named_address_is_nobody_elses, shut),
		cmocka_unit_test_teardown(networks_within_networks, shut),
		cmocka_unit_test_teardown(a_gateway_that_somebody_has, shut),
		cmocka_unit_test_teardown(subnets_beside_hosts, shut),
		cmocka_unit_test_teardown(a_share_is_one_clients, shut),
		cmocka_unit_test_teardown(no_hosts_in_a_share, shut),
		cmocka_unit_test_teardown(another_address, shut),
		cmocka_unit_test_teardown(what_the_client_takes, shut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
