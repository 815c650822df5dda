// What main wants a tunnel's client to be kept to, as the owner core reads it: only tunnels with TUNNEL_POLICY have one. Made by
// the control thread when the tunnel is added, or main changes its mind; freed by it a grace period after it has left the path.
#pragma once
#include <assert.h>

#include <rte_meter.h>

#include "counters.h"
#include "draft.h"
#include "rules.h"
#include "tables.h"

// Bytes a second, and how many at once: RFC 2697 without colours. What is red is dropped.
struct police {
	struct rte_meter_srtcm_profile profile; // set once; cir_period 0: no limit
	struct rte_meter_srtcm state;           // owner core: rw
};

struct policy {
	const struct rules *rules; // NULL: it may send anything anywhere
	struct police in;          // what its client sends
	struct police out __rte_cache_aligned;
} __rte_cache_aligned;
static_assert(offsetof(struct policy, out) == RTE_CACHE_LINE_SIZE, "one line each way");

// Images of rules that are in use, each once: thousands of sessions may have the same. Control thread.
#define POLICIES_BUCKETS 1024
struct policies {
	struct shared_rules *bucket[POLICIES_BUCKETS];
	unsigned n;
};

// *out stays NULL where nothing is asked for. 0 or -ENOMEM.
int policy_new(struct policies *ps, const struct draft *d, const struct msg_tunnel_add *m, struct policy **out);
void policy_free(void *policies, void *policy); // as limbo_put() wants it

// Does it concern what goes to the client?
static inline bool policy_is_out(const struct policy *p)
{
	return p && p->out.profile.cir_period;
}

// Owner core; now: TSC. COUNTERS: the packet of its client may go on.
enum counter policy_in(struct policy *p, const uint8_t *packet, const struct inner_ip *ip, uint64_t now);
// May the packet, of so many bytes, go to the client?
bool policy_out(struct policy *p, uint32_t bytes, uint64_t now);
// What so many tunnels may need.
size_t policies_budget(uint32_t tunnels_max);
