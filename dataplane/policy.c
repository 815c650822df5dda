#include "policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_hash_crc.h>
#include <rte_malloc.h>

// Room for so many different images of some size: where that is not enough, sessions are refused by name.
#define BUDGET_RULES (4u << 20)
#define BUDGET_POLICIES 65536

// TCP needs room for a window of its own making: a fifth of a second, and a few dozen packets where that is less. The two buckets
// have half of it each.
#define BURST_LEAST 32768
#define BURSTS_A_SECOND 10

struct shared_rules {
	struct shared_rules *next;
	uint32_t hash, references;
	struct rules rules; // to its end
};

static uint32_t hash_of(const struct rules *r)
{
	return rte_hash_crc(r, r->size, 0);
}

static struct shared_rules **place_of(struct policies *ps, uint32_t hash)
{
	return &ps->bucket[hash % POLICIES_BUCKETS];
}

static struct shared_rules *find(struct policies *ps, const struct rules *image, uint32_t hash)
{
	struct shared_rules *s = *place_of(ps, hash);

	while (s && !(s->hash == hash && s->rules.size == image->size && memcmp(&s->rules, image, image->size) == 0))
		s = s->next;
	return s;
}

static struct shared_rules *rules_share(struct policies *ps, const struct rules *image)
{
	uint32_t hash = hash_of(image);
	struct shared_rules *s = find(ps, image, hash), **place = place_of(ps, hash);

	if (s) {
		s->references++;
		return s;
	}
	s = rte_malloc("rules", offsetof(struct shared_rules, rules) + image->size, RTE_CACHE_LINE_SIZE);
	if (!s)
		return NULL;
	memcpy(&s->rules, image, image->size);
	s->hash = hash;
	s->references = 1;
	s->next = *place;
	*place = s;
	ps->n++;
	return s;
}

static void rules_unshare(struct policies *ps, const struct rules *rules)
{
	struct shared_rules *s = (struct shared_rules *)((char *)(uintptr_t)rules - offsetof(struct shared_rules, rules)), **place;

	if (--s->references > 0)
		return;
	for (place = place_of(ps, s->hash); *place != s; place = &(*place)->next)
		;
	*place = s->next;
	ps->n--;
	rte_free(s);
}

static void police_set(struct police *p, uint64_t rate)
{
	struct rte_meter_srtcm_params params = { .cir = rate };

	if (!rate)
		return;
	params.cbs = params.ebs = RTE_MAX(rate / BURSTS_A_SECOND, (uint64_t)BURST_LEAST);
	// both fail for a rate or burst of 0 only
	rte_meter_srtcm_profile_config(&p->profile, &params);
	rte_meter_srtcm_config(&p->state, &p->profile);
}

static bool has_rules(const struct msg_tunnel_add *m)
{
	return m->rules & (RULE_TARGETS | RULE_PORTS | RULE_PORTS_BUT);
}

static int rules_of(struct policies *ps, const struct draft *d, const struct msg_tunnel_add *m, const struct rules **out)
{
	const struct rules_source source = {
		.rules = m->rules & (RULE_TARGETS | RULE_PORTS | RULE_PORTS_BUT),
		.n_targets = m->targets,
		.n_services = m->services,
		.n_ports = m->ports,
		.targets = d->targets,
		.services = d->services,
		.ports = d->ports,
	};
	struct shared_rules *s = NULL;
	struct rules *image = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(rules_room(&source), RTE_CACHE_LINE_SIZE));

	if (image && rules_compile(&source, image) == 0)
		s = rules_share(ps, image);
	free(image);
	if (!s)
		return -ENOMEM;
	*out = &s->rules;
	return 0;
}

int policy_new(struct policies *ps, const struct draft *d, const struct msg_tunnel_add *m, struct policy **out)
{
	struct policy *p;

	*out = NULL;
	if (!has_rules(m) && !m->rx_rate && !m->tx_rate)
		return 0;
	p = rte_zmalloc("policy", sizeof(*p), RTE_CACHE_LINE_SIZE);
	if (!p)
		return -ENOMEM;
	if (has_rules(m) && rules_of(ps, d, m, &p->rules) < 0) {
		rte_free(p);
		return -ENOMEM;
	}
	police_set(&p->in, m->rx_rate);
	police_set(&p->out, m->tx_rate);
	*out = p;
	return 0;
}

void policy_free(void *policies, void *policy)
{
	struct policy *p = policy;

	if (!p)
		return;
	if (p->rules)
		rules_unshare(policies, p->rules);
	rte_free(p);
}

size_t policies_budget(uint32_t tunnels_max)
{
	// rte_malloc puts a line before each element
	return BUDGET_RULES + RTE_MIN(tunnels_max, (uint32_t)BUDGET_POLICIES) * (sizeof(struct policy) + RTE_CACHE_LINE_SIZE);
}

// A tunnel may have come from a core whose clock was read a moment later.
static inline bool police_pass(struct police *p, uint32_t bytes, uint64_t now)
{
	if (!p->profile.cir_period)
		return true;
	if (unlikely(now < p->state.time))
		now = p->state.time;
	return rte_meter_srtcm_color_blind_check(&p->state, &p->profile, now, bytes) != RTE_COLOR_RED;
}

enum counter policy_in(struct policy *p, const uint8_t *packet, const struct inner_ip *ip, uint64_t now)
{
	static const enum counter ways_out[] = {
		[RULES_PASS] = COUNTERS,
		[RULES_TARGET] = COUNT_drop_target,
		[RULES_PORT] = COUNT_drop_port,
		[RULES_FRAGMENT] = COUNT_drop_port_fragment,
		[RULES_HEADERS] = COUNT_drop_port_headers,
	};

	enum counter why;

	// a tunnel that could not be added after all
	if (unlikely(!p))
		return COUNT_drop_tunnel_gone;
	if (p->rules && (why = ways_out[rules_check(p->rules, packet, ip)]) != COUNTERS)
		return why;
	return police_pass(&p->in, ip->len, now) ? COUNTERS : COUNT_drop_rate_in;
}

bool policy_out(struct policy *p, uint32_t bytes, uint64_t now)
{
	return !p || police_pass(&p->out, bytes, now);
}
