#include "hairpin.h"

#include "asked.h"
#include "inner.h"
#include "packet.h"

// What a router does not forward is nobody's, whatever network is behind a client.
static inline bool goes_far(const struct inner_ip *ip)
{
	return !(ip->family == 4 ? ipv4_is_martian(ip->to) : ipv6_is_martian(ip->to));
}

void hairpin_find(const struct dataplane *dp, struct rte_mbuf **pkts, unsigned n, uint32_t *to)
{
	struct asked ipv4, ipv6;
	struct inner_ip ip;

	ipv4.n = ipv6.n = 0;
	for (unsigned i = 0; i < n; i++) {
		to[i] = NO_TUNNEL;
		if (inner_ip_parse(packet_data(pkts[i]), pkts[i]->data_len, &ip) && goes_far(&ip))
			asked_add(ip.family == 4 ? &ipv4 : &ipv6, ip.to, i);
	}
	asked_answer(dp, 4, &ipv4, to);
	asked_answer(dp, 6, &ipv6, to);
	for (unsigned i = 0; i < n; i++)
		if (to[i] >= dp->tunnels_max || to[i] == packet_of(pkts[i])->tunnel)
			to[i] = NO_TUNNEL;
}

enum counter hairpin_check(const struct dataplane *dp, const uint8_t *ip)
{
	if (clients_now(dp) == CLIENTS_DENY)
		return COUNT_drop_client_to_client;
	return (ip[0] >> 4 == 4 ? ip[8] : ip[7]) > 1 ? COUNTERS : COUNT_drop_ttl;
}

void hairpin_turn(struct lcore *lc, struct rte_mbuf *m, uint32_t to)
{
	struct packet *p = packet_of(m);

	forward_hop(packet_data(m));
	p->tunnel = to;
	p->kind = PACKET_INNER;
	count(lc, COUNT_client_to_client);
}

bool hairpin_answer(struct lcore *lc, struct rte_mbuf *m)
{
	uint32_t to;

	if (clients_now(lc->dp) != CLIENTS_DIRECT)
		return false;
	hairpin_find(lc->dp, &m, 1, &to);
	if (to == NO_TUNNEL)
		return false;
	hairpin_turn(lc, m, to);
	return true;
}
