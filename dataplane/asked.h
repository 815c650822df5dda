// Whose are the addresses of a burst? Asked for one family at once: the tunnels that have them exactly, then those with networks
// behind them.
#pragma once
#include "lcore.h"

// The packets of one address family within a burst, as a table is asked for them.
struct asked {
	const void *key[BURST];
	unsigned at[BURST];
	unsigned n;
};

static inline void asked_add(struct asked *a, const void *key, unsigned at)
{
	a->key[a->n] = key;
	a->at[a->n++] = at;
}

static __rte_noinline uint32_t asked_behind(const struct dataplane *dp, uint8_t family, const uint8_t *ip)
{
	uint32_t tunnel;

	return networks_find(dp->networks, family, ip, &tunnel) ? tunnel : NO_TUNNEL;
}

// Into tunnel[at] of each; NO_TUNNEL: nobody's.
static inline void asked_answer(const struct dataplane *dp, uint8_t family, const struct asked *a, uint32_t *tunnel)
{
	uint32_t found[BURST];

	tables_find_burst(family == 4 ? &dp->tables->by_ipv4 : &dp->tables->by_ipv6, a->key, a->n, found);
	for (unsigned i = 0; i < a->n; i++) {
		if (unlikely(found[i] == NO_TUNNEL && dp->networks->n > 0))
			found[i] = asked_behind(dp, family, a->key[i]);
		tunnel[a->at[i]] = found[i];
	}
}
