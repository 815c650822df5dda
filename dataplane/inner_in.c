#include "channel.h"
#include "ecn.h"
#include "hairpin.h"
#include "inner.h"
#include "mss.h"
#include "record.h"
#include "stage.h"

// Whoever would get an answer to this source may send from it.
static __rte_noinline bool is_behind(const struct lcore *lc, uint32_t tunnel, const struct inner_ip *ip)
{
	const struct tables *t = lc->dp->tables;
	uint32_t owner;

	if (ip->family == 4 ? ipv4_is_martian(ip->from) : ipv6_is_martian(ip->from))
		return false;
	if (tables_find(ip->family == 4 ? &t->by_ipv4 : &t->by_ipv6, ip->from, &owner))
		return false;
	return networks_find(lc->dp->networks, ip->family, ip->from, &owner) && owner == tunnel;
}

static inline bool is_own(const struct tunnel_in *in, const struct inner_ip *ip)
{
	static const uint8_t none[16];

	if (ip->family == 4)
		return in->ipv4 && memcmp(ip->from, &in->ipv4, 4) == 0;
	return memcmp(ip->from, in->ipv6, 16) == 0 && memcmp(ip->from, none, 16) != 0;
}

// COUNTERS: the packet may enter. What a client sends comes from its own address, exactly (no link-local, no multicast), or from a
// network behind it.
static inline enum counter inner_check(const struct lcore *lc, uint32_t tunnel, const struct inner_ip *ip)
{
	const struct tunnel_in *in = &lc->dp->in[tunnel];

	if (unlikely(!is_own(in, ip)) && (!(in->flags & TUNNEL_ROUTES) || !is_behind(lc, tunnel, ip)))
		return COUNT_drop_spoof;
	if (unlikely(ip->family == 4 ? ipv4_is_loopback(ip->to) : ipv6_is_loopback(ip->to)))
		return COUNT_drop_spoof;
	return COUNTERS;
}

// RFC 6040: the mark of a record that met congestion goes on in its packet.
static inline bool take_mark(struct lcore *lc, struct rte_mbuf *m)
{
	uint8_t outer = packet_of(m)->path.tos;

	if (likely((outer & ECN_MASK) == ECN_NOT))
		return true;
	if (!ecn_take(packet_data(m), outer))
		return false;
	if ((outer & ECN_MASK) == ECN_CE)
		count(lc, COUNT_ecn_marked);
	return true;
}

static void count_cstp(struct tunnel_cold *cold, uint16_t len)
{
	cold->cstp_in++;
	cold->cstp_in_bytes += len;
}

unsigned inner_in(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct rte_mbuf **inner, unsigned *n_inner)
{
	const bool between = clients_now(lc->dp) != CLIENTS_KERNEL;
	uint32_t to[BURST];
	unsigned n_out = 0;
	struct inner_ip ip;

	*n_inner = 0;
	if (unlikely(between))
		hairpin_find(lc->dp, pkts, n, to);
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		uint32_t tunnel = packet_of(m)->tunnel;
		struct tunnel_in *in = &lc->dp->in[tunnel];
		if (unlikely(!inner_ip_parse(packet_data(m), m->data_len, &ip))) {
			drop_of(lc, COUNT_drop_inner_malformed, m);
			continue;
		}
		enum counter why = inner_check(lc, tunnel, &ip);
		if (unlikely(between) && why == COUNTERS && to[i] != NO_TUNNEL)
			why = hairpin_check(lc->dp, packet_data(m));
		if (unlikely(why == COUNTERS && in->flags & TUNNEL_POLICY))
			why = policy_in(lc->dp->policy[tunnel], packet_data(m), &ip, lc->now);
		if (unlikely(why != COUNTERS)) {
			drop_of(lc, why, m);
			continue;
		}
		if (unlikely(!take_mark(lc, m))) {
			drop_of(lc, COUNT_drop_ecn, m);
			continue;
		}
		packet_cut(m, 0, ip.len);
		if (unlikely(in->flags & TUNNEL_CLAMP_MSS) && mss_clamp(packet_data(m), ip.len, lc->dp->out[tunnel].mtu))
			count(lc, COUNT_mss_clamped);
		in->packets++;
		in->bytes += ip.len;
		if (unlikely(packet_of(m)->type != CONTENT_DATA))
			count_cstp(&lc->dp->cold[tunnel], ip.len);
		if (!inner_is_chatter(packet_data(m)))
			in->last_data = lc->now;
		if (unlikely(between) && to[i] != NO_TUNNEL) {
			watch_over(lc, COUNT_client_to_client, m); // for its sender
			hairpin_turn(lc, m, to[i]);
			inner[(*n_inner)++] = m;
			continue;
		}
		pkts[n_out++] = m;
	}
	return n_out;
}

unsigned lane_in(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct rte_mbuf **inner, unsigned *n_inner)
{
	unsigned n_out = 0;

	*n_inner = 0;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		uint32_t tunnel = packet_of(m)->tunnel;
		if (unlikely(tunnel >= lc->dp->tunnels_max || !(lc->dp->in[tunnel].flags & TUNNEL_LIVE))) {
			drop(lc, COUNT_drop_tunnel_gone, m);
			continue;
		}
		if (packet_of(m)->kind != PACKET_OPENED) {
			pkts[n_out++] = m;
			continue;
		}
		channel_to_cstp(lc, tunnel, WHY_CLIENT);
		inner[(*n_inner)++] = m;
	}
	return n_out;
}
