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
	bool ipv6;        // may have an IPv6 address
	bool ipv6_lists;  // and IPv6 routes and servers with it
	bool dns_ip6;     // wants IPv6 DNS servers in a header of their own
	bool ios_default; // needs 2000::/3 beside IPv6 routes
};

// user_agent NULL: none sent.
struct agent agent_of(const char *user_agent);
