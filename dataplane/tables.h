// Shared read-mostly tables: address -> tunnel, App-ID -> tunnel, path -> tunnel. Control thread writes, poll cores read, RCU
// between: publish; unlink, synchronize, wipe, free. Lock-free readers (rte_hash with RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF).
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_hash.h>
#include <rte_rcu_qsbr.h>

#include "path.h"
#include "proto/limits.h"

// What cores may still be looking at: buried after an RCU grace period, in the order in which it was put here.
struct limbo_item {
	uint64_t token;
	void (*bury)(void *who, void *what);
	void *who, *what;
};

struct limbo {
	struct limbo_item *items; // ring
	uint32_t mask, first, n;
};

struct tables {
	struct rte_hash *by_ipv4;   // uint32_t, network order
	struct rte_hash *by_ipv6;   // 16 bytes
	struct rte_hash *by_app_id; // 32 bytes
	struct rte_hash *by_path;   // struct path_key; up to three a tunnel: in force, and two handshakes
	struct rte_rcu_qsbr *rcu;   // poll cores report quiescence once a round
	struct limbo limbo;         // control thread
};
// The data of every entry is the tunnel number as uintptr_t.

int tables_init(struct tables *t, uint32_t tunnels_max, unsigned poll_cores); // 0, -ENOMEM
void tables_fini(struct tables *t);

// Control thread. 0; -EEXIST: it is another tunnel's; -ENOSPC.
int tables_link(struct rte_hash *h, const void *key, uint32_t tunnel);
// The same, but takes an entry over from whoever has it.
int tables_relink(struct rte_hash *h, const void *key, uint32_t tunnel);
// Removes the entry if it is this tunnel's; its place is free again after a grace period.
void tables_unlink(struct tables *t, struct rte_hash *h, const void *key, uint32_t tunnel);
bool tables_find(const struct rte_hash *h, const void *key, uint32_t *tunnel);

// bury(who, what) once no core can hold `what` any more: what was unlinked before this call.
void limbo_put(struct tables *t, void (*bury)(void *who, void *what), void *who, void *what);
// Bury what is due, at most so many; how many were. Never blocks.
unsigned limbo_reap(struct tables *t, unsigned most);
