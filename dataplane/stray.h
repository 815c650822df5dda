// Strays: records whose address owns no tunnel, because their client has roamed or its NAT has chosen another port. The core that
// receives one gives it to the control thread, so many a second; that finds tunnels it may belong to; their owners try their keys.
// Only a record that authenticates and is newer than everything seen moves a path.
#pragma once
#include "bucket.h"
#include "lcore.h"

// Of each core. A flood of strangers buys this much work and no more.
#define STRAYS_A_SECOND 500
#define STRAYS_BURST 128
// And of these for one address (IPv6: /64), behind which there may be many clients: one stranger does not shut out all others.
#define STRAYS_SOURCE_A_SECOND 100
#define STRAYS_SOURCE_BURST 32
// A record this far ahead of all that was seen is nobody's: that much is never lost while a path moves.
#define STRAY_AHEAD (1u << 20)

// A record to the control thread, where both buckets still have a token; else it is dropped as `otherwise`. (adopt.c)
void stray_punt(struct lcore *lc, struct rte_mbuf *m, enum counter otherwise);

// The tunnel's path is this one now, unless its session may not roam there. The control thread has to know of it, or nothing moves:
// false, and the client's next record tries again. (adopt.c)
bool stray_move(struct lcore *lc, uint32_t tunnel, struct tunnel_keys *k, const struct path *to);

// One from a core: it goes on to those that own tunnels it may belong to. (stray.c)
struct control;
void stray_deliver(struct control *c, struct rte_mbuf *m);

// Could these keys have sealed it, going by epoch and sequence? Any thread: a glimpse.
static inline bool stray_fits(const struct tunnel_keys *k, uint16_t epoch, uint64_t sequence)
{
	return k->epoch == epoch && sequence - __atomic_load_n(&k->seen.top, __ATOMIC_RELAXED) < STRAY_AHEAD;
}

// deny-roaming: another port is the NAT's doing, another address is not.
static inline bool stray_same_address(const struct path_key *a, const struct path_key *b)
{
	return a->family == b->family && memcmp(a->peer_ip, b->peer_ip, sizeof(a->peer_ip)) == 0;
}
