// The environment of the operator's scripts, byte for byte: ocserv's names and formats.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/hook_env.h"

#define PATH_LINE "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"

static struct addr addr_of(const char *text)
{
	struct addr a = { 0 };

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

// Host part and prefix length both: what a client is told.
static struct addr told(const char *text, uint8_t prefix)
{
	struct addr a = addr_of(text);

	a.prefix = prefix;
	return a;
}

static void has_environment(const struct hook_facts *f, const char *wanted)
{
	char **env = hook_env_new(f), all[8192] = "";

	assert_non_null(env);
	for (char **e = env; *e; e++) {
		strcat(all, *e);
		strcat(all, "\n");
	}
	assert_string_equal(all, wanted);
	hook_env_free(env);
}

static void somebody_restricted(void **unused)
{
	struct terms_item items[] = {
		{ ITEM_DNS, "10.99.0.1" },      { ITEM_DNS, "fd99::53" },          { ITEM_ROUTE, "10.98.0.0/16" },
		{ ITEM_ROUTE, "fd98::/64" },    { ITEM_NO_ROUTE, "10.98.1.0/24" }, { ITEM_NBNS, "10.99.0.2" },
		{ ITEM_BANNER, "Hello, Anna" },
	};
	struct port_rules ports = { false,
		                    4,
		                    { { IPPROTO_TCP, 443 }, { IPPROTO_UDP, 0 }, { IPPROTO_ICMP, 0 }, { IPPROTO_SCTP, 99 } } };
	const struct terms terms = { .items = items, .n_items = 7, .restrict_to_routes = true, .ports = &ports };
	const struct connect_info info = {
		.hostname = "desk \"7\"", .user_agent = "Agent $(id) `id`; id", .device_type = "PC=1", .device_platform = "linux-64"
	};
	struct hook_facts f = { .kind = HOOK_CONNECT,
		                .id = 7,
		                .user = "anna",
		                .group = "staff",
		                .vhost = "vpn.example",
		                .device = "vpns0",
		                .client = addr_of("192.0.2.2"),
		                .local = addr_of("192.0.2.1"),
		                .ipv4 = told("10.99.0.46", 24),
		                .ipv6 = told("fd99::4:1", 112),
		                .own_ipv4 = addr_of("10.99.0.1"),
		                .own_ipv6 = addr_of("fd99::1"),
		                .info = &info,
		                .terms = &terms,
		                .bytes_in = UINT64_MAX,
		                .bytes_out = 488,
		                .seconds = 3 };
#define HERS                                                                                                                       \
	"ID=7\nVHOST=vpn.example\nUSERNAME=anna\nGROUPNAME=staff\nHOSTNAME=desk \"7\"\nREMOTE_HOSTNAME=desk \"7\"\nDEVICE=vpns0\n" \
	"USER_AGENT=Agent $(id) `id`; "                                                                                            \
	"id\nDEVICE_TYPE=PC=1\nDEVICE_PLATFORM=linux-64\nIP_REAL=192.0.2.2\nIP_REAL_LOCAL=192.0.2.1\n"                             \
	"IP_LOCAL=10.99.0.1\nIP_REMOTE=10.99.0.46\nIPV6_LOCAL=fd99::1\nIPV6_REMOTE=fd99::4:1\nIPV6_PREFIX=112\n"                   \
	"OCSERV_ROUTES=10.98.0.0/255.255.0.0 fd98::/64 \nOCSERV_ROUTES4=10.98.0.0/255.255.0.0 \nOCSERV_ROUTES6=fd98::/64 \n"       \
	"OCSERV_NO_ROUTES=10.98.1.0/255.255.255.0 \nOCSERV_NO_ROUTES4=10.98.1.0/255.255.255.0 \n"                                  \
	"OCSERV_DNS=10.99.0.1 fd99::53 \nOCSERV_DNS4=10.99.0.1 \nOCSERV_DNS6=fd99::53 \n"                                          \
	"OCSERV_RESTRICT_TO_ROUTES=1\nOCSERV_ALLOW_PORTS=tcp 443 udp 0 icmp all sctp 99 \n"
	has_environment(&f, PATH_LINE "REASON=connect\n" HERS);
	f.kind = HOOK_HOST_UPDATE;
	has_environment(&f, PATH_LINE "REASON=host-update\n" HERS);
	f.kind = HOOK_DISCONNECT;
	has_environment(&f, PATH_LINE "REASON=disconnect\n" HERS
	                              "STATS_BYTES_IN=18446744073709551615\nSTATS_BYTES_OUT=488\nSTATS_DURATION=3\n");
}

// Who has no group, no name and no routes: ocserv sets what is one word, and leaves out the lists.
static void nobody_special(void **unused)
{
	const struct terms terms = { 0 };
	const struct connect_info info = { 0 };
	const struct hook_facts f = { .id = 4000000000,
		                      .user = "bert",
		                      .device = "vpns0",
		                      .client = addr_of("2001:db8::2"),
		                      .local = addr_of("2001:db8::1"),
		                      .ipv4 = told("10.99.0.5", 24),
		                      .own_ipv4 = addr_of("10.99.0.1"),
		                      .info = &info,
		                      .terms = &terms };

	has_environment(&f, PATH_LINE
	                "REASON=connect\nID=4000000000\nVHOST=default\nUSERNAME=bert\nGROUPNAME=\nHOSTNAME=\nREMOTE_HOSTNAME=\n"
	                "DEVICE=vpns0\nUSER_AGENT=\nDEVICE_TYPE=\nDEVICE_PLATFORM=\nIP_REAL=2001:db8::2\n"
	                "IP_REAL_LOCAL=2001:db8::1\nIP_LOCAL=10.99.0.1\nIP_REMOTE=10.99.0.5\n");
}

// Names that want to be variables, or words of a shell, stay behind the "=" of ours, whatever a client calls itself.
static void who_is_called_like_a_variable(void **unused)
{
	const struct terms terms = { 0 };
	const struct connect_info info = { .hostname = "BASH_ENV=/tmp/x",
		                           .user_agent = "() { :;}; /bin/id",
		                           .device_type = "$(id)",
		                           .device_platform = "`id`;id|id&&id" };
	const struct hook_facts f = { .id = 1,
		                      .user = "LD_PRELOAD=/tmp/x.so",
		                      .group = "PATH=/tmp",
		                      .vhost = "IFS=x",
		                      .client = addr_of("192.0.2.2"),
		                      .local = addr_of("192.0.2.1"),
		                      .info = &info,
		                      .terms = &terms };

	has_environment(&f, PATH_LINE
	                "REASON=connect\nID=1\nVHOST=IFS=x\nUSERNAME=LD_PRELOAD=/tmp/x.so\nGROUPNAME=PATH=/tmp\n"
	                "HOSTNAME=BASH_ENV=/tmp/x\nREMOTE_HOSTNAME=BASH_ENV=/tmp/x\nDEVICE=\nUSER_AGENT=() { :;}; /bin/id\n"
	                "DEVICE_TYPE=$(id)\nDEVICE_PLATFORM=`id`;id|id&&id\nIP_REAL=192.0.2.2\nIP_REAL_LOCAL=192.0.2.1\n");
}

// The default route counts as IPv4's, and a network behind a whole address of IPv6 as what it is.
static void all_but_some(void **unused)
{
	struct terms_item items[] = { { ITEM_ROUTE, "default" }, { ITEM_NO_ROUTE, "fd00::/8" } };
	struct port_rules ports = {
		true, 5, { { IPPROTO_TCP, 25 }, { IPPROTO_ESP, 0 }, { IPPROTO_ICMPV6, 0 }, { IPPROTO_TCP, 0 }, { IPPROTO_SCTP, 0 } }
	};
	const struct terms terms = { .items = items, .n_items = 2, .ports = &ports };
	const struct connect_info info = { 0 };
	const struct hook_facts f = { .id = 1,
		                      .user = "bert",
		                      .client = addr_of("192.0.2.2"),
		                      .local = addr_of("192.0.2.1"),
		                      .ipv6 = told("fd99::2", 128),
		                      .own_ipv6 = addr_of("fd99::1"),
		                      .info = &info,
		                      .terms = &terms };

	has_environment(&f, PATH_LINE
	                "REASON=connect\nID=1\nVHOST=default\nUSERNAME=bert\nGROUPNAME=\nHOSTNAME=\nREMOTE_HOSTNAME=\nDEVICE=\n"
	                "USER_AGENT=\nDEVICE_TYPE=\nDEVICE_PLATFORM=\nIP_REAL=192.0.2.2\nIP_REAL_LOCAL=192.0.2.1\n"
	                "IPV6_LOCAL=fd99::1\nIPV6_REMOTE=fd99::2\nIPV6_PREFIX=128\nOCSERV_ROUTES=default \n"
	                "OCSERV_ROUTES4=default \nOCSERV_NO_ROUTES=fd00::/8 \nOCSERV_NO_ROUTES6=fd00::/8 \n"
	                "OCSERV_DENY_PORTS=tcp 25 esp all icmpv6 all tcp 0 sctp 0 \n");
}

// The longest of everything has room.
static void everything_fits(void **unused)
{
	struct terms_item items[LIMIT_ITEMS];
	struct port_rules ports = { .n = LIMIT_PORTS };
	const struct terms terms = { .items = items, .n_items = LIMIT_ITEMS, .restrict_to_routes = true, .ports = &ports };
	struct connect_info info = { 0 };
	struct hook_facts f = { .kind = HOOK_DISCONNECT, .info = &info, .terms = &terms };
	char **env;
	size_t n = 0;

	for (size_t i = 0; i < LIMIT_ITEMS; i++)
		items[i] = (struct terms_item){ ITEM_ROUTE,
			                        i % 2 ? "255.255.255.128/25" : "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff80/121" };
	for (size_t i = 0; i < LIMIT_PORTS; i++)
		ports.rule[i] = (struct port_rule){ IPPROTO_SCTP, 65535 };
	memset(info.user_agent, 'a', LIMIT_USER_AGENT);
	memset(f.user, 'u', LIMIT_USER);
	f.client = f.local = f.ipv6 = f.own_ipv6 = addr_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff80");
	f.ipv4 = f.own_ipv4 = addr_of("255.255.255.255");
	env = hook_env_new(&f);
	assert_non_null(env);
	while (env[n]) {
		assert_true(strlen(env[n]) < 128 * 1024); // MAX_ARG_STRLEN
		n++;
	}
	hook_env_free(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(somebody_restricted),
		cmocka_unit_test(nobody_special),
		cmocka_unit_test(who_is_called_like_a_variable),
		cmocka_unit_test(all_but_some),
		cmocka_unit_test(everything_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
