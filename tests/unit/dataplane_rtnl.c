// The kernel's messages about links, neighbours and routes: what is taken from them, and what is left to the kernel.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <linux/if.h>
#include <linux/lwtunnel.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "dataplane/rtnl.h"

static uint8_t buf[1024];
static size_t used;
static struct rtnl got;

// A message begins: its fixed part; attributes follow.
static void begin(uint16_t type, const void *fixed, size_t len)
{
	struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_seq = 7, .nlmsg_len = (uint32_t)NLMSG_LENGTH(len) };

	memset(buf, 0, sizeof(buf));
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + NLMSG_HDRLEN, fixed, len);
	used = NLMSG_SPACE(len);
}

static void attr(uint16_t type, const void *data, size_t len)
{
	struct rtattr a = { .rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(len) };
	struct nlmsghdr *h = (void *)buf;

	memcpy(buf + used, &a, sizeof(a));
	memcpy(buf + used + RTA_LENGTH(0), data, len);
	used += RTA_SPACE(len);
	h->nlmsg_len = (uint32_t)used;
}

static void attr_u32(uint16_t type, uint32_t v)
{
	attr(type, &v, sizeof(v));
}

static enum rtnl_kind parsed(void)
{
	size_t at = 0;

	assert_true(rtnl_next(buf, used, &at, &got));
	assert_int_equal(at, used);
	return got.kind;
}

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };

// ------------------------------------------------------------------------------------------------------------------- links

static void links(void **state)
{
	struct ifinfomsg m = { .ifi_index = 4, .ifi_flags = IFF_UP | IFF_RUNNING };

	begin(RTM_NEWLINK, &m, sizeof(m));
	attr(IFLA_ADDRESS, mac, 6);
	attr_u32(IFLA_PROMISCUITY, 2);
	attr_u32(IFLA_MTU, 1300);
	attr(IFLA_IFNAME, "pnic0", 6);
	assert_int_equal(parsed(), RTNL_LINK);
	assert_int_equal(got.link.index, 4);
	assert_string_equal(got.link.name, "pnic0");
	assert_true(got.link.up && got.link.has_mac && !got.gone);
	assert_memory_equal(got.link.mac, mac, 6);
	assert_int_equal(got.link.promiscuity, 2);
	assert_int_equal(got.link.mtu, 1300);

	m.ifi_family = AF_BRIDGE;
	begin(RTM_DELLINK, &m, sizeof(m)); // leaves a bridge
	assert_int_equal(parsed(), RTNL_OTHER);

	m.ifi_family = AF_UNSPEC;
	m.ifi_flags = IFF_UP; // no carrier
	begin(RTM_DELLINK, &m, sizeof(m));
	attr(IFLA_ADDRESS, mac, 4); // another kind of link
	attr(IFLA_IFNAME, "a name that is too long to be one", 34);
	assert_int_equal(parsed(), RTNL_LINK);
	assert_true(!got.link.up && !got.link.has_mac && got.gone);
	assert_string_equal(got.link.name, "a name that is ");
}

// -------------------------------------------------------------------------------------------------------------- neighbours

static void neighbour(uint8_t af, uint16_t nud, const void *ip, size_t ip_len, bool with_mac)
{
	struct ndmsg m = { .ndm_family = af, .ndm_ifindex = 3, .ndm_state = nud };

	begin(RTM_NEWNEIGH, &m, sizeof(m));
	attr(NDA_DST, ip, ip_len);
	if (with_mac)
		attr(NDA_LLADDR, mac, 6);
}

static void neighbours(void **state)
{
	static const uint8_t ip[16] = { 10, 0, 0, 1 };
#define T(af, len, nud, with_mac, is_usable, is_stale)     \
	neighbour(af, nud, ip, len, with_mac);             \
	assert_int_equal(parsed(), RTNL_NEIGHBOUR);        \
	assert_int_equal(got.neighbour.usable, is_usable); \
	assert_int_equal(got.neighbour.stale, is_stale)

	T(AF_INET, 4, NUD_REACHABLE, true, true, false);
	T(AF_INET, 4, NUD_PERMANENT, true, true, false);
	T(AF_INET, 4, NUD_STALE, true, true, true);
	T(AF_INET, 4, NUD_DELAY, true, true, false);
	T(AF_INET, 4, NUD_PROBE, true, true, false);
	T(AF_INET, 4, NUD_INCOMPLETE, false, false, false);
	T(AF_INET, 4, NUD_FAILED, true, false, false);
	T(AF_INET6, 16, NUD_REACHABLE, true, true, false);
#undef T
	assert_int_equal(got.neighbour.family, 6);
	assert_int_equal(got.neighbour.index, 3);
	assert_memory_equal(got.neighbour.mac, mac, 6);
	neighbour(AF_INET, NUD_REACHABLE, ip, 16, true); // an address of the wrong length
	assert_int_equal(parsed(), RTNL_OTHER);
	neighbour(AF_BRIDGE, NUD_REACHABLE, ip, 4, true);
	assert_int_equal(parsed(), RTNL_OTHER);
}

// ------------------------------------------------------------------------------------------------------------------ routes

static struct rtmsg route_head(uint8_t af, uint8_t prefix)
{
	return (struct rtmsg){ .rtm_family = af, .rtm_dst_len = prefix, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST };
}

static const uint8_t to[16] = { 10 }, via[16] = { 192, 0, 2, 9 };

static void route(const struct rtmsg *m)
{
	begin(RTM_NEWROUTE, m, sizeof(*m));
	if (m->rtm_dst_len)
		attr(RTA_DST, to, m->rtm_family == AF_INET ? 4 : 16);
	attr_u32(RTA_OIF, 5);
	attr_u32(RTA_PRIORITY, 100);
}

static void plain_routes(void **state)
{
	struct rtmsg m = route_head(AF_INET, 8);

	route(&m);
	attr(RTA_GATEWAY, via, 4);
	assert_int_equal(parsed(), RTNL_ROUTE);
	assert_true(got.route.unicast && got.route.main && !got.route.local && got.route.has_via);
	assert_int_equal(got.route.family, 4);
	assert_int_equal(got.route.prefix, 8);
	assert_int_equal(got.route.index, 5);
	assert_int_equal(got.route.metric, 100);
	assert_memory_equal(got.route.to, to, 4);
	assert_memory_equal(got.route.via, via, 4);

	m = route_head(AF_INET6, 0);
	route(&m);
	assert_int_equal(parsed(), RTNL_ROUTE);
	assert_true(got.route.unicast && !got.route.has_via);
	assert_int_equal(got.route.family, 6);

	m = route_head(AF_INET, 32);
	m.rtm_table = RT_TABLE_LOCAL;
	m.rtm_type = RTN_LOCAL;
	route(&m);
	assert_int_equal(parsed(), RTNL_ROUTE);
	assert_true(!got.route.unicast && got.route.local && !got.route.main);

	m.rtm_table = RT_TABLE_COMPAT; // the attribute has the whole number
	route(&m);
	attr_u32(RTA_TABLE, 1000);
	assert_int_equal(parsed(), RTNL_ROUTE);
	assert_true(!got.route.local && !got.route.main);
}

static void routes_that_are_the_kernels(void **state)
{
	struct rtmsg m = route_head(AF_INET, 8);
	uint8_t hops[16] = { 0 };

	route(&m);
	attr(RTA_MULTIPATH, hops, sizeof(hops));
	assert_int_equal(parsed(), RTNL_ROUTE);
	assert_false(got.route.unicast);
	route(&m);
	attr_u32(RTA_ENCAP_TYPE, LWTUNNEL_ENCAP_MPLS);
	assert_int_equal(parsed(), RTNL_ROUTE);
	assert_false(got.route.unicast);
	route(&m);
	attr(RTA_VIA, hops, sizeof(hops)); // of the other family
	assert_int_equal(parsed(), RTNL_ROUTE);
	assert_false(got.route.unicast);
	m.rtm_flags = RTNH_F_LINKDOWN;
	route(&m);
	assert_int_equal(parsed(), RTNL_ROUTE);
	assert_false(got.route.unicast);
	m = route_head(AF_INET, 8);
	m.rtm_type = RTN_BLACKHOLE;
	route(&m);
	assert_int_equal(parsed(), RTNL_ROUTE);
	assert_false(got.route.unicast);
	m = route_head(AF_INET, 8);
	begin(RTM_NEWROUTE, &m, sizeof(m)); // no interface
	attr(RTA_DST, to, 4);
	assert_int_equal(parsed(), RTNL_ROUTE);
	assert_false(got.route.unicast);
}

static void broken_routes(void **state)
{
	struct rtmsg m = route_head(AF_INET, 33);

	route(&m);
	assert_int_equal(parsed(), RTNL_OTHER);
	m = route_head(AF_INET, 8);
	begin(RTM_NEWROUTE, &m, sizeof(m));
	attr(RTA_DST, to, 16);
	assert_int_equal(parsed(), RTNL_OTHER);
	m = route_head(AF_MPLS, 20);
	route(&m);
	assert_int_equal(parsed(), RTNL_OTHER);
	m = route_head(AF_INET6, 128);
	m.rtm_flags = RTM_F_CLONED;
	route(&m);
	assert_int_equal(parsed(), RTNL_OTHER);
}

// ----------------------------------------------------------------------------------------------------------------- the rest

static void ends_and_errors(void **state)
{
	struct nlmsgerr e = { .error = -16 };
	int done = 0;
	size_t at = 0;

	begin(NLMSG_DONE, &done, sizeof(done));
	assert_int_equal(parsed(), RTNL_DONE);
	assert_int_equal(got.sequence, 7);
	begin(NLMSG_ERROR, &e, sizeof(e));
	assert_int_equal(parsed(), RTNL_ERROR);
	assert_int_equal(got.error, -16);
	begin(RTM_NEWADDR, &done, sizeof(done));
	assert_int_equal(parsed(), RTNL_OTHER);

	begin(NLMSG_DONE, &done, sizeof(done));
	assert_false(rtnl_next(buf, NLMSG_HDRLEN - 1, &at, &got));
	assert_false(rtnl_next(buf, used - 1, &at, &got)); // it says that it is longer
	((struct nlmsghdr *)buf)->nlmsg_len = 3;
	assert_false(rtnl_next(buf, used, &at, &got));
	assert_int_equal(at, 0);
}

static void an_attribute_may_lie_about_its_length(void **state)
{
	struct ifinfomsg m = { .ifi_index = 4 };
	struct rtattr a = { .rta_type = IFLA_ADDRESS, .rta_len = 200 };

	begin(RTM_NEWLINK, &m, sizeof(m));
	attr(IFLA_ADDRESS, mac, 6);
	memcpy(buf + NLMSG_SPACE(sizeof(m)), &a, sizeof(a));
	assert_int_equal(parsed(), RTNL_LINK);
	assert_false(got.link.has_mac);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links),
		cmocka_unit_test(neighbours),
		cmocka_unit_test(plain_routes),
		cmocka_unit_test(routes_that_are_the_kernels),
		cmocka_unit_test(broken_routes),
		cmocka_unit_test(ends_and_errors),
		cmocka_unit_test(an_attribute_may_lie_about_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
