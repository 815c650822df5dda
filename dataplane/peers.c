#include "peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_hash_crc.h>

int peers_init(struct peers *p, uint32_t tunnels_max)
{
	uint32_t buckets = rte_align32pow2(tunnels_max + 1);

	p->of = calloc(tunnels_max, sizeof(*p->of));
	p->first = calloc(buckets, sizeof(*p->first));
	p->mask = buckets - 1;
	return p->of && p->first ? 0 : -ENOMEM;
}

static bool is_at(const struct peer *e, const struct path_key *at)
{
	return e->family == at->family && memcmp(e->ip, at->peer_ip, sizeof(e->ip)) == 0;
}

static uint32_t bucket_of(const struct peers *p, const struct path_key *at)
{
	return rte_hash_crc(at->peer_ip, sizeof(at->peer_ip), at->family) & p->mask;
}

static void take_out(struct peers *p, struct peer *e)
{
	if (!e->bucket)
		return;
	if (e->before)
		p->of[e->before - 1].next = e->next;
	else
		p->first[e->bucket - 1] = e->next;
	if (e->next)
		p->of[e->next - 1].before = e->before;
	memset(e, 0, sizeof(*e));
}

void peers_set(struct peers *p, uint32_t tunnel, const struct path_key *at)
{
	struct peer *e = &p->of[tunnel];
	uint32_t *first = &p->first[bucket_of(p, at)];

	if (e->bucket && is_at(e, at))
		return;
	take_out(p, e);
	if (at->family == 0)
		return;
	e->bucket = (uint32_t)(first - p->first) + 1;
	e->family = (uint8_t)at->family;
	memcpy(e->ip, at->peer_ip, sizeof(e->ip));
	e->next = *first;
	if (e->next)
		p->of[e->next - 1].before = tunnel + 1;
	*first = tunnel + 1;
}

static uint32_t from_here(const struct peers *p, const struct path_key *at, uint32_t i)
{
	while (i && !is_at(&p->of[i - 1], at))
		i = p->of[i - 1].next;
	return i ? i - 1 : PEER_NONE;
}

uint32_t peers_first(const struct peers *p, const struct path_key *at)
{
	return from_here(p, at, p->first[bucket_of(p, at)]);
}

uint32_t peers_next(const struct peers *p, const struct path_key *at, uint32_t tunnel)
{
	return from_here(p, at, p->of[tunnel].next);
}
