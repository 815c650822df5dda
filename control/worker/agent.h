// Client families, told by their User-Agent (wire protocol): what matters for the answers they get. Worker only. Pure.
#pragma once
#include <stdbool.h>

enum family {
	FAMILY_UNKNOWN,
	FAMILY_OPENCONNECT_3, // "Open AnyConnect VPN Agent v" up to 3
	FAMILY_OPENCONNECT,
	FAMILY_ANYCONNECT,
	FAMILY_APPLE, // AnyConnect on iOS
	FAMILY_CLAVISTER,
	FAMILY_ANYLINK,
	FAMILY_IPPHONE,
};

struct agent {
	enum family family;
	bool bare_xml;    // forms without config-auth
	bool ipv6_lists;  // knows IPv6 routes and servers
	bool dns_ip6;     // wants IPv6 DNS servers in a header of their own
	bool ios_default; // needs 2000::/3 to use IPv6 at all
};

// user_agent NULL: none sent.
struct agent agent_of(const char *user_agent);
