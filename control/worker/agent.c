#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent.h"

#define OLD_OPENCONNECT "Open AnyConnect VPN Agent v"

// Case-insensitive prefixes, the first that fits.
static const struct {
	const char *prefix;
	struct agent agent;
} table[] = {
	{ OLD_OPENCONNECT, { .family = FAMILY_OPENCONNECT, .ipv6_lists = true } },
	{ "Cisco AnyConnect VPN Agent for Apple",
	  { .family = FAMILY_APPLE, .ipv6_lists = true, .dns_ip6 = true, .ios_default = true } },
	{ "OpenConnect VPN Agent", { .family = FAMILY_OPENCONNECT, .ipv6_lists = true } },
	{ "Cisco AnyConnect", { .family = FAMILY_ANYCONNECT, .ipv6_lists = true, .dns_ip6 = true } },
	{ "AnyConnect-compatible OpenConnect", { .family = FAMILY_OPENCONNECT, .ipv6_lists = true } },
	{ "AnyConnect", { .family = FAMILY_ANYCONNECT, .ipv6_lists = true, .dns_ip6 = true } },
	{ "Clavister OneConnect VPN", { .family = FAMILY_CLAVISTER, .ipv6_lists = true } },
	{ "AnyLink Secure Client", { .family = FAMILY_ANYLINK, .ipv6_lists = true } },
	{ "Cisco SVC IPPhone Client", { .family = FAMILY_IPPHONE, .ipv6_lists = true } },
};

struct agent agent_of(const char *user_agent)
{
	const struct agent unknown = { .family = FAMILY_UNKNOWN, .ipv6_lists = true };
	const struct agent old = { .family = FAMILY_OPENCONNECT_3, .bare_xml = true };
	size_t i, len = user_agent ? strlen(user_agent) : 0;

	for (i = 0; i < sizeof(table) / sizeof(table[0]) && len > 0; i++) {
		if (strncasecmp(user_agent, table[i].prefix, strlen(table[i].prefix)) != 0)
			continue;
		if (i == 0 && strtoul(user_agent + strlen(OLD_OPENCONNECT), NULL, 10) <= 3)
			return old;
		return table[i].agent;
	}
	return unknown;
}
