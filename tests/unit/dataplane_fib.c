// Routes: the longest prefix wins, the local table comes first, and what is not ours is the kernel's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "dataplane/fib.h"

#define ROUTES 2000

static struct fib_route routes[ROUTES];
static unsigned n;
static struct fib *fib;

static void ip_of(const char *text, uint8_t *family, uint8_t ip[16])
{
	*family = strchr(text, ':') ? 6 : 4;
	memset(ip, 0, 16);
	assert_int_equal(inet_pton(*family == 4 ? AF_INET : AF_INET6, text, ip), 1);
}

enum how { KERNEL, DIRECT, LOCAL };

static struct fib_route *route(const char *to, uint8_t prefix, enum how how)
{
	struct fib_route *r = &routes[n++];

	*r = (struct fib_route){ .prefix = prefix, .local = how == LOCAL, .ours = how == DIRECT, .direct = true };
	ip_of(to, &r->family, r->to);
	return r;
}

static struct fib_route *route_via(const char *to, uint8_t prefix, const char *via)
{
	struct fib_route *r = route(to, prefix, DIRECT);
	uint8_t family;

	r->direct = false;
	ip_of(via, &family, r->via);
	return r;
}

static void build(void)
{
	fib_free(fib);
	fib = fib_new(routes, n);
	assert_non_null(fib);
}

// "": the kernel's.
static void leads(const char *to, const char *neighbour)
{
	uint8_t ip[16], wanted[16], family;
	const uint8_t *found;

	ip_of(to, &family, ip);
	found = fib_find(fib, family, ip);
	if (!neighbour[0]) {
		assert_null(found);
		return;
	}
	ip_of(neighbour, &family, wanted);
	assert_non_null(found);
	assert_memory_equal(found, wanted, family == 4 ? 4 : 16);
}

static int fresh(void **state)
{
	n = 0;
	return 0;
}

static void nothing_is_the_kernels(void **state)
{
	build();
	leads("192.0.2.1", "");
	leads("0.0.0.0", "");
	leads("255.255.255.255", "");
	leads("2001:db8::1", "");
}

static void the_longest_prefix_wins(void **state)
{
	route_via("0.0.0.0", 0, "192.0.2.254");
	route("192.0.2.0", 24, DIRECT);
	route_via("10.0.0.0", 8, "192.0.2.1");
	route_via("10.1.0.0", 16, "192.0.2.2");
	route("10.1.1.0", 24, KERNEL);
	route_via("10.1.1.1", 32, "192.0.2.3");
	build();
	leads("0.0.0.0", "192.0.2.254");
	leads("192.0.1.255", "192.0.2.254");
	leads("192.0.2.0", "192.0.2.0");
	leads("192.0.2.77", "192.0.2.77");
	leads("192.0.3.0", "192.0.2.254");
	leads("9.255.255.255", "192.0.2.254");
	leads("10.0.0.0", "192.0.2.1");
	leads("10.1.0.0", "192.0.2.2");
	leads("10.1.1.0", "");
	leads("10.1.1.1", "192.0.2.3");
	leads("10.1.1.2", "");
	leads("10.1.2.0", "192.0.2.2");
	leads("10.2.0.0", "192.0.2.1");
	leads("11.0.0.0", "192.0.2.254");
	leads("255.255.255.255", "192.0.2.254");
	leads("::1", ""); // the families do not mix
}

static void prefixes_that_end_together(void **state)
{
	route_via("128.0.0.0", 1, "192.0.2.1");
	route_via("255.0.0.0", 8, "192.0.2.2");
	route_via("255.255.255.255", 32, "192.0.2.3");
	route_via("10.0.0.128", 25, "192.0.2.4");
	route_via("10.0.0.0", 24, "192.0.2.5");
	route_via("10.0.0.255", 32, "192.0.2.6");
	build();
	leads("255.255.255.255", "192.0.2.3");
	leads("255.255.255.254", "192.0.2.2");
	leads("254.0.0.0", "192.0.2.1");
	leads("127.255.255.255", "");
	leads("10.0.0.127", "192.0.2.5");
	leads("10.0.0.254", "192.0.2.4");
	leads("10.0.0.255", "192.0.2.6");
	leads("10.0.1.0", "");
}

static void the_local_table_comes_first(void **state)
{
	route("192.0.2.0", 24, DIRECT);
	route("192.0.2.1", 32, LOCAL);
	route("192.0.2.255", 32, LOCAL);
	route("127.0.0.0", 8, LOCAL);
	route_via("127.1.0.0", 16, "192.0.2.9"); // longer, but later
	route("198.51.100.0", 24, DIRECT);
	route("198.51.100.0", 24, LOCAL);
	build();
	leads("192.0.2.1", "");
	leads("192.0.2.2", "192.0.2.2");
	leads("192.0.2.255", "");
	leads("127.1.2.3", "");
	leads("198.51.100.7", "");
}

static void the_smaller_metric_wins(void **state)
{
	route_via("0.0.0.0", 0, "192.0.2.1")->metric = 100;
	route("0.0.0.0", 0, KERNEL)->metric = 50;
	build();
	leads("203.0.113.1", "");
	routes[0].metric = routes[0].ours ? 20 : 50;
	routes[1].metric = routes[1].ours ? 20 : 50;
	build();
	leads("203.0.113.1", "192.0.2.1");
}

static void ipv6(void **state)
{
	route_via("::", 0, "fe80::1");
	route("2001:db8::", 64, DIRECT);
	route("2001:db8::1", 128, LOCAL);
	route("ff00::", 8, LOCAL);
	route_via("2001:db8:0:1::", 64, "2001:db8::9");
	build();
	leads("2001:db8::1", "");
	leads("2001:db8::2", "2001:db8::2");
	leads("2001:db8:0:1::5", "2001:db8::9");
	leads("2001:db8:0:2::", "fe80::1");
	leads("ff02::1", "");
	leads("fe80::5", "fe80::1");
	leads("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "");
}

// Against a search that looks at every route.
static const struct fib_route *best_of(const uint8_t *ip, bool local)
{
	const struct fib_route *best = NULL;

	for (unsigned i = 0; i < n; i++) {
		const struct fib_route *r = &routes[i];
		unsigned whole = r->prefix / 8, rest = r->prefix % 8;
		if (r->local != local || memcmp(ip, r->to, whole) != 0)
			continue;
		if (rest && (ip[whole] ^ r->to[whole]) >> (8 - rest))
			continue;
		if (!best || r->prefix > best->prefix || (r->prefix == best->prefix && r->metric < best->metric))
			best = r;
	}
	return best;
}

static void a_thousand_random_routes(void **state)
{
	uint8_t ip[16] = { 0 };

	srand(1);
	for (unsigned i = 0; i < 1000; i++) {
		struct fib_route *r = route("0.0.0.0", (uint8_t)(rand() % 33),
		                            rand() % 8 == 0 ? LOCAL
		                            : rand() % 3    ? DIRECT
		                                            : KERNEL);
		for (unsigned k = 0; k < r->prefix; k++)
			r->to[k / 8] |= (uint8_t)((rand() % 3 == 0) << (7 - k % 8)); // few different ones: they nest
		r->metric = i;
		r->direct = false;
		r->via[0] = (uint8_t)i;
		r->via[1] = (uint8_t)(i >> 8);
	}
	build();
	for (unsigned i = 0; i < 20000; i++) {
		for (unsigned k = 0; k < 32; k++)
			ip[k / 8] = (uint8_t)(ip[k / 8] << 1 | (rand() % 3 == 0));
		const struct fib_route *want = best_of(ip, true);
		const uint8_t *found = fib_find(fib, 4, ip);
		want = want ? want : best_of(ip, false);
		if (!want || !want->ours)
			assert_null(found);
		else
			assert_memory_equal(found, want->via, 4);
	}
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_the_kernels),      TEST(the_longest_prefix_wins), TEST(prefixes_that_end_together),
		TEST(the_local_table_comes_first), TEST(the_smaller_metric_wins), TEST(ipv6),
		TEST(a_thousand_random_routes),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	fib_free(fib);
	return failed;
}
