// Outer IP fragments until they are a whole datagram again: a table for each core, bounded in datagrams, buffers and time. What a
// flood of fragments can take away is the reassembly of others' fragments, nothing else. Owner core only.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "fragment.h"

struct lcore;
struct rte_mbuf;
struct reassembly;

// Before the core runs; NULL: no memory. Life: until the process ends.
struct reassembly *reassembly_new(int node, uint64_t hz);
size_t reassembly_budget(void);

// Takes a good fragment: the frame of a whole datagram when this was the last that it lacked, with the worst ECN of its parts in
// packet_of()->path.tos; else NULL. Every way out is counted.
struct rte_mbuf *reassembly_take(struct lcore *lc, struct rte_mbuf *m, const struct outer_fragment *f);
// The first fragment was not for us: those that follow it are foreign, and not to be kept.
void reassembly_forswear(struct lcore *lc, const struct outer_fragment *f);
bool reassembly_is_foreign(const struct lcore *lc, const struct outer_fragment *f);
// Drops what is too old; once a round.
void reassembly_expire(struct lcore *lc);
