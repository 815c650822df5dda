// Where a restricted client may send, and with which ports: what is compiled, and what comes of packets.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "craft_packet.h"
#include "dataplane/rules.h"
#include "dataplane/upper.h"

#define TCP 6
#define UDP 17
#define ICMP 1
#define ICMPV6 58
#define SCTP 132
#define ESP 50
#define GRE 47

static struct rules_target targets[4096];
static struct addr services[32];
static struct rules_port ports[32];
static struct rules_source source;
static struct rules *rules;

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static int fresh(void **state)
{
	source = (struct rules_source){ .targets = targets, .services = services, .ports = ports };
	return 0;
}

static int done(void **state)
{
	free(rules);
	rules = NULL;
	return 0;
}

static void target(const char *network, bool allowed)
{
	targets[source.n_targets++] = (struct rules_target){ addr_of(network), allowed };
	source.rules |= RULE_TARGETS;
}

static void service(const char *host, uint16_t port)
{
	services[source.n_services] = addr_of(host);
	services[source.n_services++].port = port;
}

static void port(uint8_t protocol, uint16_t number)
{
	ports[source.n_ports++] = (struct rules_port){ protocol, number };
}

static void compile(void)
{
	done(NULL);
	rules = aligned_alloc(64, (rules_room(&source) + 63) / 64 * 64);
	assert_int_equal(rules_compile(&source, rules), 0);
	assert_true(rules->size <= rules_room(&source));
}

static enum rules_verdict verdict(const struct craft_ip *c)
{
	struct craft_packet p;
	struct inner_ip ip;

	craft_ip(&p, c);
	assert_true(inner_ip_parse(p.bytes, p.len, &ip));
	return rules_check(rules, p.bytes, &ip);
}

// T("10.1.2.3", RULES_PASS): TCP to port 80 there
static void T(const char *to, enum rules_verdict expect)
{
	const char *from = strchr(to, ':') ? "fd00::1" : "10.0.0.1";
	struct craft_ip c = { .from = from, .to = to, .protocol = TCP, .port = 80 };

	if (verdict(&c) != expect)
		fail_msg("%s: %d, not %d", to, verdict(&c), expect);
}

// P("10.1.2.3", UDP, 53, RULES_PASS)
static void P(const char *to, uint8_t protocol, uint16_t number, enum rules_verdict expect)
{
	const char *from = strchr(to, ':') ? "fd00::1" : "10.0.0.1";
	struct craft_ip c = { .from = from, .to = to, .protocol = protocol, .port = number };

	if (verdict(&c) != expect)
		fail_msg("%s, %u(%u): %d, not %d", to, protocol, number, verdict(&c), expect);
}

// --------------------------------------------------------------------------------------------------------------- targets

static void the_smallest_network_counts(void **state)
{
	target("10.0.0.0/8", true);
	target("10.1.0.0/16", false);
	target("10.1.2.0/24", true);
	target("10.1.2.128/32", false);
	target("fd00::/8", true);
	target("fd00:1::/32", false);
	compile();
	T("10.0.0.0", RULES_PASS);
	T("10.0.255.255", RULES_PASS);
	T("10.1.0.0", RULES_TARGET);
	T("10.1.1.255", RULES_TARGET);
	T("10.1.2.0", RULES_PASS);
	T("10.1.2.127", RULES_PASS);
	T("10.1.2.128", RULES_TARGET);
	T("10.1.2.129", RULES_PASS);
	T("10.1.3.0", RULES_TARGET);
	T("10.2.0.0", RULES_PASS);
	T("10.255.255.255", RULES_PASS);
	T("11.0.0.0", RULES_TARGET);
	T("9.255.255.255", RULES_TARGET);
	T("fd00::1", RULES_PASS);
	T("fd00:1::1", RULES_TARGET);
	T("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", RULES_PASS);
	T("fe00::", RULES_TARGET);
	assert_int_equal(rules->n4, 4);
	assert_int_equal(rules->n6, 2);
}

static void the_order_does_not_count(void **state)
{
	target("10.1.2.0/24", true);
	target("10.1.0.0/16", false);
	target("10.0.0.0/8", true);
	compile();
	T("10.1.2.3", RULES_PASS);
	T("10.1.3.3", RULES_TARGET);
	T("10.2.3.3", RULES_PASS);
}

static void of_two_that_are_the_same(void **state)
{
	target("10.1.0.0/16", false);
	target("10.1.0.0/16", true);
	target("10.1.0.0/16", true);
	target("10.1.9.0/24", true);
	compile();
	T("10.1.2.3", RULES_TARGET); // what is not allowed counts
	T("10.1.9.3", RULES_PASS);
}

static void everything_but(void **state)
{
	target("0.0.0.0/0", true);
	target("::/0", true);
	target("255.255.255.255/32", false);
	target("0.0.0.0/32", false);
	target("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", false);
	target("::/128", false);
	compile();
	T("0.0.0.1", RULES_PASS);
	T("255.255.255.254", RULES_PASS);
	T("0.0.0.0", RULES_TARGET);
	T("255.255.255.255", RULES_TARGET);
	T("::1", RULES_PASS);
	T("::", RULES_TARGET);
	T("ffff::", RULES_PASS);
	T("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", RULES_TARGET);
}

static void nothing_at_all(void **state)
{
	source.rules = RULE_TARGETS;
	compile();
	T("10.0.0.1", RULES_TARGET);
	T("fd00::1", RULES_TARGET);
	target("10.0.0.0/8", true); // of one family: the other stays shut
	compile();
	T("10.0.0.1", RULES_PASS);
	T("fd00::1", RULES_TARGET);
}

static void neighbours_become_one(void **state)
{
	target("10.0.0.0/25", true);
	target("10.0.0.128/25", true);
	target("10.0.1.0/24", true);
	compile();
	assert_int_equal(rules->n4, 1);
	T("10.0.1.255", RULES_PASS);
	T("10.0.2.0", RULES_TARGET);
}

static void many(void **state)
{
	char text[64];

	for (unsigned i = 0; i < 2048; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.0/24", i / 128, i % 128 * 2); // every second one
		target(text, true);
	}
	compile();
	assert_int_equal(rules->n4, 2048);
	for (unsigned i = 0; i < 4096; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.77", i / 256, i % 256);
		T(text, i % 2 ? RULES_TARGET : RULES_PASS);
	}
}

// -------------------------------------------------------------------------------------------------------------- services

static void services_are_always_there(void **state)
{
	source.rules = RULE_TARGETS | RULE_PORTS;
	port(TCP, 443);
	service("10.9.0.1", 0);
	service("fd00:9::1", 0);
	service("192.0.2.53", 53);
	compile();
	P("10.9.0.1", TCP, 22, RULES_PASS);
	P("10.9.0.1", ICMP, 0, RULES_PASS);
	P("10.9.0.1", GRE, 0, RULES_PASS);
	P("fd00:9::1", ICMPV6, 0, RULES_PASS);
	P("192.0.2.53", UDP, 53, RULES_PASS);
	P("192.0.2.53", TCP, 53, RULES_PASS);
	P("192.0.2.53", SCTP, 53, RULES_PORT);
	P("192.0.2.53", UDP, 54, RULES_PORT);
	P("192.0.2.53", TCP, 443, RULES_TARGET);
	P("10.9.0.2", TCP, 443, RULES_TARGET);
}

// ----------------------------------------------------------------------------------------------------------------- ports

static void only_these(void **state)
{
	source.rules = RULE_PORTS;
	port(TCP, 443);
	port(TCP, 80);
	port(UDP, 0);
	port(ESP, 0);
	port(ICMP, 0);
	compile();
	for (int v6 = 0; v6 < 2; v6++) {
		const char *to = v6 ? "2001:db8::1" : "192.0.2.1";

		P(to, TCP, 443, RULES_PASS);
		P(to, TCP, 80, RULES_PASS);
		P(to, TCP, 81, RULES_PORT);
		P(to, TCP, 0, RULES_PORT);
		P(to, UDP, 1, RULES_PASS);
		P(to, UDP, 65535, RULES_PASS);
		P(to, ESP, 0, RULES_PASS);
		P(to, SCTP, 443, RULES_PORT);
		P(to, GRE, 0, RULES_PORT);
		P(to, ICMPV6, 0, RULES_PORT);
	}
	P("192.0.2.1", ICMP, 0, RULES_PASS);
}

static void all_but_these(void **state)
{
	source.rules = RULE_PORTS_BUT;
	port(TCP, 25);
	port(ICMP, 0);
	compile();
	P("192.0.2.1", TCP, 25, RULES_PORT);
	P("192.0.2.1", TCP, 26, RULES_PASS);
	P("192.0.2.1", UDP, 25, RULES_PASS);
	P("192.0.2.1", ICMP, 0, RULES_PORT);
	P("192.0.2.1", GRE, 0, RULES_PASS);
	P("2001:db8::1", TCP, 25, RULES_PORT);
}

static void ports_and_targets(void **state)
{
	source.rules = RULE_PORTS;
	port(TCP, 443);
	target("10.0.0.0/8", true);
	compile();
	P("10.0.0.9", TCP, 443, RULES_PASS);
	P("10.0.0.9", TCP, 444, RULES_PORT);
	P("11.0.0.9", TCP, 443, RULES_TARGET);
}

// ------------------------------------------------------------------------------------------------------------- fragments

static void F(const char *to, uint8_t protocol, uint16_t offset, unsigned payload, enum rules_verdict expect)
{
	uint8_t fragment[8] = { protocol, 0, (uint8_t)(offset >> 5), (uint8_t)(offset << 3 | 1) };
	struct craft_ip c = { .from = "10.0.0.1", .to = to, .protocol = protocol, .port = 443, .offset = offset, .more = 1 };

	c.payload = payload;
	if (strchr(to, ':')) {
		c.from = "fd00::1";
		c.extra = fragment;
		c.extra_len = 8;
		c.first = 44;
	}
	assert_int_equal(verdict(&c), expect);
}

static void fragments(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		const char *to = v6 ? "2001:db8::1" : "192.0.2.1";

		fresh(NULL);
		source.rules = RULE_PORTS;
		port(TCP, 443);
		port(UDP, 0);
		compile();
		F(to, TCP, 0, 8, RULES_PASS);     // the first shows its port
		F(to, TCP, 1, 8, RULES_FRAGMENT); // the others do not
		F(to, TCP, 8191, 8, RULES_FRAGMENT);
		F(to, TCP, 0, 3, RULES_HEADERS); // too short to show it
		F(to, UDP, 1, 8, RULES_PASS);    // no port is needed
		F(to, GRE, 1, 8, RULES_PORT);
		fresh(NULL);
		source.rules = RULE_PORTS_BUT;
		port(TCP, 25);
		compile();
		F(to, TCP, 0, 8, RULES_PASS);
		F(to, TCP, 1, 8, RULES_FRAGMENT);
		F(to, UDP, 1, 8, RULES_PASS);
		fresh(NULL);
		target(v6 ? "2001:db8::/32" : "192.0.2.0/24", true); // where ports do not matter
		compile();
		F(to, TCP, 1, 8, RULES_PASS);
		F(to, TCP, 0, 3, RULES_PASS);
	}
}

// --------------------------------------------------------------------------------------------------------------- headers

static void H(const uint8_t *extra, unsigned len, uint8_t first, enum rules_verdict expect)
{
	struct craft_ip c = { .from = "fd00::1", .to = "2001:db8::1", .protocol = TCP, .port = 443, .extra = extra };

	c.extra_len = len;
	c.first = first;
	assert_int_equal(verdict(&c), expect);
}

static void extension_headers(void **state)
{
	uint8_t chain[128] = { 0 };

	source.rules = RULE_PORTS;
	port(TCP, 443);
	compile();
	H((const uint8_t[16]){ 60, 0, 0, 0, 0, 0, 0, 0, TCP }, 16, 0, RULES_PASS); // hop-by-hop, options
	H((const uint8_t[16]){ TCP, 1 }, 16, 60, RULES_PASS);                      // of 16 bytes
	H((const uint8_t[24]){ TCP, 4 }, 24, 51, RULES_PASS);                      // AH counts in fours
	H((const uint8_t[8]){ TCP, 0, 0, 0 }, 8, 43, RULES_PASS);                  // a routing header at its end
	H((const uint8_t[24]){ TCP, 2, 0, 1 }, 24, 43, RULES_HEADERS);             // with a host to go
	H((const uint8_t[24]){ TCP, 2, 4, 1 }, 24, 43, RULES_HEADERS);             // segment routing
	H((const uint8_t[8]){ TCP, 200 }, 8, 60, RULES_HEADERS);                   // longer than the packet
	H((const uint8_t[8]){ 60, 0, 0, 1 }, 8, 44, RULES_HEADERS);                // fragment, options: cut off
	H((const uint8_t[8]){ 60, 0, 0, 9 }, 8, 44, RULES_HEADERS);                // a later fragment of options
	H((const uint8_t[8]){ 59 }, 8, 60, RULES_PORT);                            // no next header
	for (unsigned n = 1; n <= 10; n++) {                                       // options behind options
		memset(chain, 0, sizeof(chain));
		for (unsigned i = 0; i < n; i++)
			chain[8 * i] = i + 1 < n ? 60 : TCP;
		H(chain, 8 * n, 60, n <= UPPER_HEADERS_MAX ? RULES_PASS : RULES_HEADERS);
	}
}

static void O(const uint8_t *options, unsigned len, enum rules_verdict expect)
{
	struct craft_ip c = { .from = "10.0.0.1", .to = "192.0.2.1", .protocol = TCP, .port = 443, .extra = options };

	c.extra_len = len;
	assert_int_equal(verdict(&c), expect);
}

static void source_routes(void **state)
{
	target("192.0.2.0/24", true);
	compile();
	O((const uint8_t[4]){ 1, 1, 1, 0 }, 4, RULES_PASS);
	O((const uint8_t[4]){ 148, 4, 0, 0 }, 4, RULES_PASS);                 // router alert
	O((const uint8_t[8]){ 131, 7, 4, 10, 0, 0, 9, 0 }, 8, RULES_HEADERS); // loose
	O((const uint8_t[8]){ 1, 137, 7, 4, 10, 0, 0, 9 }, 8, RULES_HEADERS); // strict, behind another
	O((const uint8_t[8]){ 0, 131, 7, 4, 10, 0, 0, 9 }, 8, RULES_PASS);    // behind the end of the options
	O((const uint8_t[4]){ 7, 0, 0, 0 }, 4, RULES_HEADERS);                // of no length
	O((const uint8_t[4]){ 7, 40, 0, 0 }, 4, RULES_HEADERS);               // longer than there is room
	O((const uint8_t[4]){ 1, 1, 1, 7 }, 4, RULES_HEADERS);                // cut off
}

static void the_same_rules_are_the_same_bytes(void **state)
{
	struct rules *first;

	target("10.0.0.0/8", true);
	target("10.1.0.0/16", false);
	port(TCP, 443);
	port(TCP, 80);
	compile();
	first = rules;
	rules = NULL;
	fresh(NULL);
	target("10.1.0.0/16", false);
	target("10.0.0.0/8", true);
	port(TCP, 80);
	port(TCP, 443);
	compile();
	assert_int_equal(first->size, rules->size);
	assert_memory_equal(first, rules, rules->size);
	free(first);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_smallest_network_counts),
		TEST(the_order_does_not_count),
		TEST(of_two_that_are_the_same),
		TEST(everything_but),
		TEST(nothing_at_all),
		TEST(neighbours_become_one),
		TEST(many),
		TEST(services_are_always_there),
		TEST(only_these),
		TEST(all_but_these),
		TEST(ports_and_targets),
		TEST(fragments),
		TEST(extension_headers),
		TEST(source_routes),
		TEST(the_same_rules_are_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
