// The MTU that a session gets, and how sessions come and go with their addresses and tunnel numbers.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/session.h"

// ------------------------------------------------------------------------------------------------------------------- mtu

static void M(unsigned configured, unsigned base, unsigned wanted, int outer, bool inner_ipv6, unsigned expect)
{
	const struct mtu_facts f = { (uint16_t)configured, (uint16_t)base, (uint16_t)wanted,
		                     (uint8_t)outer,       inner_ipv6,     DTLS_KIND_PSK };

	assert_int_equal(session_mtu(&f), expect);
}

static void mtu_from_the_path(void **unused)
{
	M(0, 0, 0, 4, false, 1434); // nothing said: a path of 1500 bytes less 66
	M(0, 0, 0, 6, false, 1414); // IPv6 outside costs 20 more
	M(0, 1500, 0, 4, true, 1434);
	M(0, 1406, 0, 4, false, 1340);
	M(0, 1500, 1400, 4, false, 1400); // the client may want less
	M(0, 1500, 1500, 4, false, 1434); // not more
	M(0, 9000, 0, 4, false, 1434);    // never above the inner interface
}

static void mtu_configured(void **unused)
{
	M(1400, 1500, 0, 4, false, 1400);
	M(1400, 1400, 0, 4, false, 1334);
	M(9000, 9066, 0, 4, false, 9000);
	M(9000, 0, 0, 4, false, 1434);
	M(900, 1500, 0, 4, false, 900);
	M(576, 1500, 0, 4, false, 800); // below it no client works
	M(900, 1500, 0, 4, true, 1280); // RFC 8200
}

static void mtu_under_cbc(void **unused)
{
	struct mtu_facts f = { .base = 1500, .outer = 4, .dtls = DTLS_KIND_CBC };

	assert_int_equal(session_mtu(&f), 1406); // IV, MAC and padding, as ocserv has it
	f.outer = 6;
	assert_int_equal(session_mtu(&f), 1386);
	f.configured = 9000;
	f.base = 9066;
	assert_int_equal(session_mtu(&f), LIMIT_MTU_CBC); // its records travel as messages
}

static void mtu_of_hostile_headers(void **unused)
{
	static const unsigned strange[] = { 1, 65, 66, 67, 499, 865, 65535 };

	for (size_t b = 0; b < sizeof(strange) / sizeof(*strange); b++)
		for (size_t w = 0; w < sizeof(strange) / sizeof(*strange); w++) {
			const struct mtu_facts v4 = { 0, (uint16_t)strange[b], (uint16_t)strange[w], 4, false, DTLS_KIND_PSK };
			const struct mtu_facts v6 = { 0, (uint16_t)strange[b], (uint16_t)strange[w], 6, true, DTLS_KIND_PSK };

			assert_in_range(session_mtu(&v4), 800, 1434);
			assert_in_range(session_mtu(&v6), 1280, 1434);
		}
}

static void mtu_of_the_inner_interface(void **unused)
{
	assert_int_equal(session_mtu_inner(0), 1434);
	assert_int_equal(session_mtu_inner(1400), 1400);
	assert_int_equal(session_mtu_inner(600), 1280);
	assert_int_equal(session_mtu_inner(9000), 9000);
}

// -------------------------------------------------------------------------------------------------------------- sessions

static struct terms everybody; // of the gateway

static void network(struct addr *a, const char *text)
{
	*a = (struct addr){ 0 };
	if (text)
		assert_int_equal(addr_parse(text, a), 0);
}

static struct gateway *gateway_new(const char *ipv4, const char *ipv6)
{
	struct gateway *g = calloc(1, sizeof(*g));

	gateway_tables_init(g);
	everybody = (struct terms){ .references = 1, .ipv6_subnet_prefix = 128, .predictable_ips = true };
	network(&everybody.ipv4_network, ipv4);
	network(&everybody.ipv6_network, ipv6);
	assert_int_equal(address_pools(g, &(struct policy){ .vhost = { { .terms = &everybody } }, .n_vhosts = 1 }), 0);
	return g;
}

static void gateway_free(struct gateway *g)
{
	session_free_all(g);
	gateway_tables_fini(g);
	free(g);
}

static struct session *session_of(struct gateway *g, int sid, const char *user)
{
	struct msg_session_reply m = { .ok = 1, .sid_len = SID_SIZE };

	memset(m.sid, sid, SID_SIZE);
	strcpy(m.user, user);
	return session_get(g, &m);
}

static void the_same_cookie_is_the_same_session(void **unused)
{
	struct gateway *g = gateway_new("192.0.2.0/24", NULL);
	struct session *s = session_of(g, 1, "alice");

	assert_ptr_equal(session_of(g, 1, "alice"), s);
	assert_ptr_not_equal(session_of(g, 2, "alice"), s);
	assert_ptr_equal(session_find_id(g, 1), s);
	assert_null(session_find_id(g, 3));
	assert_int_equal(g->sessions_count, 2);
	gateway_free(g);
}

static void addresses_stay_until_the_session_is_gone(void **unused)
{
	struct gateway *g = gateway_new("192.0.2.0/24", "2001:db8::/64");
	struct session *s = session_of(g, 1, "alice");
	struct addr first;

	assert_int_equal(address_lend(s, &everybody, true, true), 0);
	first = s->ipv4;
	assert_int_equal(address_lend(s, &everybody, true, true), 0); // a new connection keeps them
	assert_true(addr_equal(&first, &s->ipv4));
	session_gone(s, END_TERMINATED);
	s = session_of(g, 2, "alice"); // predictable: the user finds his address again
	assert_int_equal(address_lend(s, &everybody, true, true), 0);
	assert_true(addr_equal(&first, &s->ipv4));
	gateway_free(g);
}

static void addresses_last_as_long_as_a_tunnel_has_them(void **unused)
{
	struct gateway *g = gateway_new("192.0.2.0/30", NULL); // one address
	struct session *s = session_of(g, 1, "alice");

	assert_int_equal(address_lend(s, &everybody, true, true), 0);
	s->tunnels = 1; // being deleted
	session_gone(s, END_TERMINATED);
	assert_null(session_find(g, s->sid));
	assert_int_equal(address_lend(session_of(g, 2, "bob"), &everybody, true, true), -ENOSPC);
	session_tunnel_over(s);
	assert_int_equal(g->sessions_count, 1);
	assert_int_equal(address_lend(session_of(g, 2, "bob"), &everybody, true, true), 0);
	gateway_free(g);
}

static void what_is_not_there_is_not_lent(void **unused)
{
	struct gateway *g = gateway_new("192.0.2.0/29", NULL);

	assert_int_equal(address_lend(session_of(g, 1, "a"), &everybody, false, true), -EADDRNOTAVAIL);
	for (int i = 0; i < 5; i++)
		assert_int_equal(address_lend(session_of(g, 10 + i, "b"), &everybody, true, true), 0);
	assert_int_equal(address_lend(session_of(g, 20, "c"), &everybody, true, true), -ENOSPC);
	gateway_free(g);
}

static void siblings_have_a_client(void **unused)
{
	struct gateway *g = gateway_new("192.0.2.0/24", NULL);
	struct session *s = session_of(g, 1, "alice"), *other = session_of(g, 2, "alice"), *bob = session_of(g, 3, "bob");
	struct msg_session_reply elsewhere = { .ok = 1, .sid_len = SID_SIZE, .sid = "5", .user = "alice", .vhost = "a.example" };
	struct tunnel t;

	assert_int_equal(session_siblings(s), 0); // nobody is connected to it
	session_get(g, &elsewhere)->tunnel = &t;  // a virtual host's users are its own
	other->tunnel = bob->tunnel = s->tunnel = &t;
	assert_int_equal(session_siblings(s), 1);
	session_of(g, 4, "alice")->tunnel = &t;
	assert_int_equal(session_siblings(s), 2);
	gateway_free(g);
}

static void forgotten_by_secmod(void **unused)
{
	struct gateway *g = gateway_new("192.0.2.0/24", NULL);
	struct session *connected = session_of(g, 1, "a");

	connected->tunnels = 1;
	session_of(g, 2, "b");
	session_orphan(connected);
	session_orphan(session_find_id(g, 2));
	assert_int_equal(g->sessions_count, 1); // the one with a tunnel lives on
	assert_ptr_equal(session_find_id(g, 1), connected);
	session_tunnel_over(connected);
	assert_int_equal(g->sessions_count, 0);
	gateway_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mtu_from_the_path),
		cmocka_unit_test(mtu_configured),
		cmocka_unit_test(mtu_under_cbc),
		cmocka_unit_test(mtu_of_hostile_headers),
		cmocka_unit_test(mtu_of_the_inner_interface),
		cmocka_unit_test(the_same_cookie_is_the_same_session),
		cmocka_unit_test(addresses_stay_until_the_session_is_gone),
		cmocka_unit_test(addresses_last_as_long_as_a_tunnel_has_them),
		cmocka_unit_test(what_is_not_there_is_not_lent),
		cmocka_unit_test(siblings_have_a_client),
		cmocka_unit_test(forgotten_by_secmod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
