// What main wants a tunnel's client to be kept to, as the owner core reads it: only tunnels with TUNNEL_POLICY have one. Made by
// the control thread when the tunnel is added, freed by it a grace period after the tunnel has left the path.
#pragma once
#include "counters.h"
#include "draft.h"
#include "rules.h"
#include "tables.h"

struct policy {
	const struct rules *rules; // NULL: it may send anything anywhere
} __rte_cache_aligned;

// Images of rules that are in use, each once: thousands of sessions may have the same. Control thread.
#define POLICIES_BUCKETS 1024
struct policies {
	struct shared_rules *bucket[POLICIES_BUCKETS];
	unsigned n;
};

// *out stays NULL where nothing is asked for. 0 or -ENOMEM.
int policy_new(struct policies *ps, const struct draft *d, const struct msg_tunnel_add *m, struct policy **out);
void policy_free(void *policies, void *policy); // as limbo_put() wants it

// Owner core. COUNTERS: the packet of its client may go on.
enum counter policy_in(const struct policy *p, const uint8_t *packet, const struct inner_ip *ip);
// What so many tunnels may need.
size_t policies_budget(uint32_t tunnels_max);
