#include <rte_prefetch.h>

#include "asked.h"
#include "inner.h"
#include "packet.h"
#include "stage.h"

// COUNTERS: an IP packet for one host; it now starts at its IP header.
static inline enum counter unwrap(struct rte_mbuf *m, const struct port *port, struct inner_ip *ip)
{
	if (unlikely(!packet_is_one(m)))
		return COUNT_drop_too_big;
	const uint8_t *frame = packet_data(m);
	if (unlikely(m->data_len < ETHER_HEADER))
		return COUNT_drop_inner_malformed;
	if (unlikely(port->beside && memcmp(frame, &port->mac, 6) != 0))
		return COUNT_drop_inner_multicast;
	uint16_t type = load16(frame + 12);
	if (unlikely(type != ETHER_IPV4 && type != ETHER_IPV6))
		return COUNT_drop_inner_not_ip;
	if (unlikely(!inner_ip_parse(frame + ETHER_HEADER, m->data_len - ETHER_HEADER, ip) ||
	             (ip->family == 4) != (type == ETHER_IPV4)))
		return COUNT_drop_inner_malformed;
	if (unlikely(ip->family == 4 ? ipv4_is_multicast(ip->to) : ipv6_is_multicast(ip->to)))
		return COUNT_drop_inner_multicast;
	packet_cut(m, ETHER_HEADER, ip->len);
	return COUNTERS;
}

// What is for no client is the kernel's, where the port is a NIC of ours.
static void leave(struct lcore *lc, const struct port *port, struct rte_mbuf *m, enum counter why)
{
	if (port->beside)
		to_kernel(lc, port, m);
	else
		drop(lc, why, m);
}

static unsigned unwrap_all(struct lcore *lc, const struct port *port, struct rte_mbuf **pkts, unsigned n, struct asked *ipv4,
                           struct asked *ipv6)
{
	unsigned n_out = 0;
	struct inner_ip ip;

	for (unsigned i = 0; i < n && i < 2 * PREFETCH_AHEAD; i++)
		rte_prefetch0(pkts[i]);
	for (unsigned i = 0; i < n && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(packet_data(pkts[i]));
	for (unsigned i = 0; i < n; i++) {
		if (i + 2 * PREFETCH_AHEAD < n)
			rte_prefetch0(pkts[i + 2 * PREFETCH_AHEAD]);
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(packet_data(pkts[i + PREFETCH_AHEAD]));
		enum counter why = unwrap(pkts[i], port, &ip);
		if (unlikely(why != COUNTERS)) {
			leave(lc, port, pkts[i], why);
			continue;
		}
		asked_add(ip.family == 4 ? ipv4 : ipv6, ip.to, n_out);
		pkts[n_out++] = pkts[i];
	}
	return n_out;
}

// From a NIC it comes from another router or host, and we are its next hop: false if it ends here.
static bool hop(const struct port *port, struct rte_mbuf *m)
{
	uint8_t *ip = packet_data(m);

	if (!port->beside)
		return true;
	if ((ip[0] >> 4 == 4 ? ip[8] : ip[7]) <= 1)
		return false;
	forward_hop(ip);
	return true;
}

unsigned route(struct lcore *lc, const struct port *port, struct rte_mbuf **pkts, unsigned n)
{
	struct asked ipv4, ipv6;
	uint32_t tunnel[BURST];
	unsigned n_out = 0;

	ipv4.n = ipv6.n = 0;
	n = unwrap_all(lc, port, pkts, n, &ipv4, &ipv6);
	asked_answer(lc->dp, 4, &ipv4, tunnel);
	asked_answer(lc->dp, 6, &ipv6, tunnel);
	for (unsigned i = 0; i < n; i++) {
		struct packet *p = packet_of(pkts[i]);
		if (unlikely(tunnel[i] >= lc->dp->tunnels_max || !hop(port, pkts[i]))) {
			packet_cut(pkts[i], -ETHER_HEADER, pkts[i]->data_len + ETHER_HEADER);
			leave(lc, port, pkts[i], COUNT_drop_no_tunnel);
			continue;
		}
		p->tunnel = tunnel[i];
		p->kind = PACKET_INNER;
		pkts[n_out++] = pkts[i];
	}
	return n_out;
}
