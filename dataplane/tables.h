// Shared read-mostly tables: address -> tunnel, App-ID -> tunnel, path -> tunnel. Control thread writes, poll cores read, RCU between:
// publish; unlink, synchronize, wipe, free. Lock-free readers (rte_hash with RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF).
#pragma once
#include <assert.h>
#include <stdint.h>

#include <rte_hash.h>
#include <rte_rcu_qsbr.h>

#include "proto/limits.h"

struct path;

struct path_key {                 // what identifies a peer on the outer side; padded with zeros: it is hashed as bytes
	uint8_t peer_ip[16];      // IPv4 in the first four
	uint8_t our_ip[16];
	uint16_t peer_udp, our_udp;
	uint16_t family;
	uint8_t zero[10];         // 48 bytes: rte_hash compares that size in registers, and an entry fills one cache line
};
static_assert(sizeof(struct path_key) == 48, "path_key is hashed as 48 bytes");

struct tables {
	struct rte_hash *by_ipv4;     // uint32_t, network order
	struct rte_hash *by_ipv6;     // 16 bytes
	struct rte_hash *by_app_id;   // 32 bytes
	struct rte_hash *by_path;     // struct path_key; up to three a tunnel: in force, and two handshakes
	struct rte_rcu_qsbr *rcu;     // poll cores report quiescence once a round
};
// The data of every entry is the tunnel number as uintptr_t.

int tables_init(struct tables *t, uint32_t tunnels_max, unsigned poll_cores);
void tables_fini(struct tables *t);
void path_key_of(const struct path *p, struct path_key *out);
