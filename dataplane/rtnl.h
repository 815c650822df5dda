// What the kernel says over rtnetlink, as far as a gateway with NICs of its own has to know: links, neighbours, routes. Bytes in,
// fields out: no I/O, no DPDK.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rtnl_kind {
	RTNL_OTHER, // nothing that matters here
	RTNL_LINK,
	RTNL_NEIGHBOUR,
	RTNL_ROUTE,
	RTNL_DONE,  // the end of a dump
	RTNL_ERROR, // a request failed: error
};

struct rtnl_link {
	int index;
	bool up; // and has its carrier
	char name[16];
	bool has_mac;
	uint8_t mac[6];
	uint32_t promiscuity; // how many want all frames
	uint32_t mtu;         // 0: it does not say
};

struct rtnl_neighbour {
	int index;
	uint8_t family; // 4 or 6
	uint8_t ip[16];
	bool usable; // its address is known; not just being asked for
	bool stale;  // and the kernel would make sure of it the next time it sends there
	uint8_t mac[6];
};

struct rtnl_route {
	uint8_t family; // 4 or 6
	uint8_t prefix;
	uint8_t to[16];
	bool local;   // of the table that comes before all others
	bool main;    // of the main table
	bool unicast; // and nothing about it that a plain next hop does not have: one interface, at most one gateway of its own
	              // family
	int index;    // of that interface
	bool has_via;
	uint8_t via[16];
	uint32_t metric;
};

struct rtnl {
	enum rtnl_kind kind;
	bool gone;         // it tells of an end
	bool interrupted;  // of a dump: something changed meanwhile
	uint32_t sequence; // of the request that it answers, 0: none
	int error;
	union {
		struct rtnl_link link;
		struct rtnl_neighbour neighbour;
		struct rtnl_route route;
	};
};

// The message at buf[*at], and *at moves behind it; false: no whole one is left.
bool rtnl_next(const uint8_t *buf, size_t len, size_t *at, struct rtnl *out);
