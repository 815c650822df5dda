// What a client may send where (restrict-user-to-routes, restrict-user-to-ports): compiled once, then only read. One image serves
// all tunnels with the same rules. Pure: no I/O, no DPDK.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inner.h"
#include "proto/addr.h"
#include "proto/states.h"

struct rules_target {
	struct addr network;
	bool allowed;
};

struct rules_port {
	uint8_t protocol;
	uint16_t port; // 0: all of it
};

// As main says it (proto/messages.def: TUNNEL_TARGET, TUNNEL_SERVICE, TUNNEL_PORT).
struct rules_source {
	uint8_t rules; // enum tunnel_rule
	unsigned n_targets, n_services, n_ports;
	const struct rules_target *targets;
	const struct addr *services;
	const struct rules_port *ports;
};

struct range6 {
	unsigned __int128 low, high; // inclusive, as numbers
};
struct range4 {
	uint32_t low, high;
};
struct service {
	uint8_t ip[16];
	uint16_t family, port;
};

// The image: this, then ranges6, ranges4, services and ports, each sorted but for the services, which are few.
struct rules {
	uint32_t size; // bytes of the whole image
	uint8_t rules;
	uint16_t n6, n4, n_services, n_ports;
	uint64_t whole[4]; // protocols that are named with all their ports, a bit each
	uint64_t some[4];  // protocols that are named with a port
	struct range6 ranges6[];
};

enum rules_verdict {
	RULES_PASS,
	RULES_TARGET,   // its destination is not allowed
	RULES_PORT,     // its port or protocol is not
	RULES_FRAGMENT, // which port it belongs to cannot be seen
	RULES_HEADERS,  // its headers cannot be followed, or name hosts on the way
};

// Bytes that the image takes at most.
size_t rules_room(const struct rules_source *s);
// Into rules_room() bytes, aligned for struct rules. 0 or -ENOMEM.
int rules_compile(const struct rules_source *s, struct rules *out);
enum rules_verdict rules_check(const struct rules *r, const uint8_t *packet, const struct inner_ip *ip);
