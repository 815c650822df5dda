// Packets on their way from the core that received them to the core that owns their tunnel (or their port's queue): in bursts,
// through a ring for each pair of cores.
#pragma once
#include "lcore.h"

// Entries of each ring. Full: drop_hand_full.
#define RING_HANDED 2048

// To that core at the end of this round at the latest. (hand.c)
void hand(struct lcore *lc, unsigned core, struct rte_mbuf *m);
void hand_flush(struct lcore *lc);
// What that core has for this one; at most BURST.
unsigned hand_take(struct lcore *lc, unsigned core, struct rte_mbuf **pkts);
