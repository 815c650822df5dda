// Where datagrams of one peer come from and how they get back: learned from what it sent. One cache line.
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_ether.h>

#include "proto/addr.h"

// What identifies a peer on the outer side: what does not belong to it is zero, because it is hashed and compared as bytes.
struct path_key {
	uint8_t peer_ip[16]; // IPv4 in the first four
	uint8_t our_ip[16];
	uint16_t peer_udp, our_udp; // network order
	uint16_t family;            // 4 or 6; 0: no path
	uint8_t zero[10];           // 48 bytes: rte_hash compares that size in registers, and an entry fills one cache line
};
static_assert(sizeof(struct path_key) == 48, "path_key is hashed as 48 bytes");

struct path {
	struct path_key key;
	struct rte_ether_addr peer_mac, our_mac;
	uint16_t vlan; // tag control information, network order; 0: untagged
	uint8_t port;  // number of the outer port
	uint8_t tos;   // of a packet that came by it
};
static_assert(sizeof(struct path) == RTE_CACHE_LINE_SIZE, "a path is one line");

static inline bool path_same_key(const struct path *a, const struct path *b)
{
	return memcmp(&a->key, &b->key, sizeof(a->key)) == 0;
}

// Addresses on the link, VLAN and port: all but `tos`, in one stretch.
#define PATH_HOP (offsetof(struct path, tos) - offsetof(struct path, peer_mac))
static inline bool path_same_hop(const struct path *a, const struct path *b)
{
	return memcmp(&a->peer_mac, &b->peer_mac, PATH_HOP) == 0;
}
static inline void path_take_hop(struct path *to, const struct path *from)
{
	memcpy(&to->peer_mac, &from->peer_mac, PATH_HOP);
}

// Its ends, with their ports; family 0 where there is no path.
void path_peer(const struct path *p, struct addr *out);
void path_ours(const struct path *p, struct addr *out);
