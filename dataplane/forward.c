// Clients' packets whose next hop is known leave by the inner NIC; the kernel gets the others, forwards them, and so learns of
// neighbours what it then tells us.
#include "forward.h"

#include "inner.h"
#include "packet.h"
#include "stage.h"

// A neighbour that nobody has heard of for a while gets one packet by the kernel now and then, which makes sure of it.
#define PROBES_A_SECOND 100

// Where the packet wants to go; NULL: there is something about it that the kernel knows better (options, TTL, size, fragments of
// ours to make).
static inline const uint8_t *destination(const struct rte_mbuf *m, const uint8_t *ip, uint16_t mtu)
{
	if (unlikely(m->data_len > mtu))
		return NULL;
	if (ip[0] == 0x45)
		return ip[8] > 1 && !ipv4_is_multicast(ip + 16) ? ip + 16 : NULL;
	if (ip[0] >> 4 != 6 || ip[7] <= 1 || ip[6] == 0)
		return NULL;
	return ipv6_is_multicast(ip + 24) || (ip[24] == 0xfe && (ip[25] & 0xc0) == 0x80) ? NULL : ip + 24;
}

// RFC 1812 5.3.1, RFC 1624: one less, and the sum follows.
void forward_hop(uint8_t *ip)
{
	uint32_t sum;

	if (ip[0] >> 4 == 6) {
		ip[7]--;
		return;
	}
	ip[8]--;
	sum = load16(ip + 10) + 0x100u;
	store16(ip + 10, (uint16_t)(sum + (sum >> 16)));
}

static inline bool probe_is_due(struct lcore *lc)
{
	if ((int64_t)(lc->now - lc->probed) < (int64_t)(lc->dp->tsc_hz / PROBES_A_SECOND))
		return false;
	lc->probed = lc->now;
	return true;
}

static const struct neighbour *next_hop(struct lcore *lc, const struct rte_mbuf *m, const uint8_t *ip)
{
	const struct forwarding *f = &lc->dp->forwarding;
	uint8_t family = ip[0] >> 4;
	const uint8_t *to = destination(m, ip, f->mtu), *via;
	const struct neighbour *n;

	if (!to)
		return NULL;
	via = fib_find(forwarding_routes(f), family, to);
	n = via ? neighbours_find(forwarding_neighbours(f), family, via) : NULL;
	return n && n->stale && probe_is_due(lc) ? NULL : n;
}

static inline void wrap(struct rte_mbuf *m, const struct port *nic, const struct neighbour *n)
{
	uint8_t *frame;

	packet_cut(m, -ETHER_HEADER, m->data_len + ETHER_HEADER);
	frame = packet_data(m);
	memcpy(frame, n->mac, 6);
	memcpy(frame + 6, &nic->mac, 6);
	store16(frame + 12, n->family == 4 ? ETHER_IPV4 : ETHER_IPV6);
	packet_of(m)->port = nic->number;
}

unsigned forward(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct rte_mbuf **frames, unsigned *n_frames)
{
	unsigned n_out = 0;

	*n_frames = 0;
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		const struct neighbour *hop = next_hop(lc, m, packet_data(m));
		if (unlikely(!hop || rte_pktmbuf_headroom(m) < ETHER_HEADER)) {
			pkts[n_out++] = m;
			continue;
		}
		forward_hop(packet_data(m));
		wrap(m, lc->dp->forwarding.nic, hop);
		frames[(*n_frames)++] = m;
	}
	lc->count.value[COUNT_inner_forwarded] += *n_frames;
	return n_out;
}
