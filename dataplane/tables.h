// Shared read-mostly tables: address -> tunnel, App-ID -> tunnel, path -> tunnel. Control thread writes, poll cores read, RCU
// between: publish; unlink, synchronize, wipe, free. Lock-free readers (rte_hash with RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF).
// Bursts are answered by hints first where a table has them (hints.h).
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_hash.h>
#include <rte_rcu_qsbr.h>

#include "hints.h"
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

enum table_hints { TABLE_EXACT, TABLE_HINTS_IPV4, TABLE_HINTS_PATH };

// Key -> tunnel number.
struct table {
	struct rte_hash *exact; // its data is the number as uintptr_t
	struct hints hints;
	enum table_hints kind;
};

struct tables {
	struct table by_ipv4;     // uint32_t, network order
	struct table by_ipv6;     // 16 bytes
	struct table by_app_id;   // 32 bytes
	struct table by_path;     // struct path_key; up to three a tunnel: in force, and two handshakes
	struct rte_rcu_qsbr *rcu; // poll cores report quiescence once a round
	struct limbo limbo;       // control thread
};

int tables_init(struct tables *t, uint32_t tunnels_max, unsigned poll_cores); // 0, -ENOMEM
void tables_fini(struct tables *t);

// Control thread. 0; -EEXIST: it is another tunnel's; -ENOSPC.
int tables_link(struct table *t, const void *key, uint32_t tunnel);
// The same, but takes an entry over from whoever has it.
int tables_relink(struct table *t, const void *key, uint32_t tunnel);
// Removes the entry if it is this tunnel's; its place is free again after a grace period.
void tables_unlink(struct tables *all, struct table *t, const void *key, uint32_t tunnel);
bool tables_find(const struct table *t, const void *key, uint32_t *tunnel);
// At most RTE_HASH_LOOKUP_BULK_MAX keys; NO_TUNNEL where there is no entry. By path, one unknown peer in a thousand million may be
// taken for another: what it sends does not open.
#define NO_TUNNEL UINT32_MAX
void tables_find_burst(const struct table *t, const void *const *keys, unsigned n, uint32_t *tunnel);

// bury(who, what) once no core can hold `what` any more: what was unlinked before this call.
void limbo_put(struct tables *t, void (*bury)(void *who, void *what), void *who, void *what);
// Bury what is due, at most so many; how many were. Never blocks.
unsigned limbo_reap(struct tables *t, unsigned most);
