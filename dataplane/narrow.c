#include "narrow.h"

#include "checksum.h"
#include "fragment.h"
#include "headers.h"
#include "packet.h"

#define DONT_FRAGMENT 0x4000

// A frame of ours: Ethernet, IP without options or extension headers, UDP.
struct cut {
	const uint8_t *frame;
	unsigned ip;      // offset of the IP header
	unsigned headers; // up to what is cut
	unsigned len;     // of what is cut
	unsigned room;    // for it in each part, in whole eights
	bool ipv6;
};

static struct cut cut_of(struct rte_mbuf *m, uint16_t mtu)
{
	const uint8_t *frame = packet_data(m);
	struct cut c = { .frame = frame, .ip = ETHER_HEADER };
	unsigned own;

	c.ip += load16(frame + 12) == ETHER_VLAN ? VLAN_TAG : 0;
	c.ipv6 = frame[c.ip] >> 4 == 6;
	c.headers = c.ip + (c.ipv6 ? IPV6_HEADER : IPV4_HEADER);
	c.len = m->data_len - c.headers;
	own = c.headers - c.ip + (c.ipv6 ? FRAGMENT_HEADER : 0);
	c.room = mtu > own ? (mtu - own) & ~7u : 0;
	return c;
}

static bool may_be_cut(const struct cut *c)
{
	return c->room > 0 && c->len <= c->room * BURST && (c->ipv6 || !(load16(c->frame + c->ip + 6) & DONT_FRAGMENT));
}

// The checksum that a port was to finish is of the whole datagram.
static void checksum_finish(struct rte_mbuf *m, const struct cut *c)
{
	uint8_t *udp = packet_data(m) + c->headers;

	if (!(m->ol_flags & RTE_MBUF_F_TX_UDP_CKSUM))
		return;
	m->ol_flags = 0;
	memset(udp + 6, 0, 2);
	headers_checksum(udp + UDP_HEADER, (uint16_t)(c->len - UDP_HEADER));
}

// RFC 791 3.2
static void headers_ipv4(uint8_t *ip, unsigned at, unsigned len, bool more)
{
	store16(ip + 2, (uint16_t)(IPV4_HEADER + len));
	store16(ip + 6, (uint16_t)(at / 8 | (more ? IPV4_MORE : 0)));
	checksum_ipv4(ip, IPV4_HEADER);
}

// RFC 8200 4.5
static void headers_ipv6(uint8_t *ip, unsigned at, unsigned len, bool more, uint32_t id)
{
	uint8_t *header = ip + IPV6_HEADER;

	store16(ip + 4, (uint16_t)(FRAGMENT_HEADER + len));
	header[0] = ip[6];
	header[1] = 0;
	ip[6] = PROTOCOL_FRAGMENT;
	store16(header + 2, (uint16_t)(at | more));
	memcpy(header + 4, &id, 4);
}

static void part_make(struct rte_mbuf *part, const struct cut *c, unsigned at, uint32_t id)
{
	unsigned len = RTE_MIN(c->room, c->len - at), headers = c->headers + (c->ipv6 ? FRAGMENT_HEADER : 0);
	uint8_t *frame = packet_data(part);
	bool more = at + len < c->len;

	part->data_len = (uint16_t)(headers + len);
	part->pkt_len = part->data_len;
	memcpy(frame, c->frame, c->headers);
	memcpy(frame + headers, c->frame + c->headers + at, len);
	if (c->ipv6)
		headers_ipv6(frame + c->ip, at, len, more, id);
	else
		headers_ipv4(frame + c->ip, at, len, more);
}

unsigned narrow(struct lcore *lc, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **parts)
{
	struct cut c = cut_of(m, mtu);
	unsigned n;

	if (m->data_len - c.ip <= mtu) { // the VLAN's tag is none of the interface's MTU
		parts[0] = m;
		return 1;
	}
	if (!may_be_cut(&c)) {
		drop_of(lc, COUNT_drop_outer_too_big, m);
		return 0;
	}
	n = (c.len + c.room - 1) / c.room;
	if (rte_pktmbuf_alloc_bulk(lc->pool, parts, n) < 0) {
		drop_of(lc, COUNT_drop_no_mbuf, m);
		return 0;
	}
	checksum_finish(m, &c);
	lc->fragment_id += CORES_MAX; // each core has its own
	for (unsigned i = 0; i < n; i++) {
		part_make(parts[i], &c, i * c.room, lc->fragment_id);
		*packet_of(parts[i]) = *packet_of(m);
	}
	watch_over(lc, COUNT_outer_fragmented, m);
	count(lc, COUNT_outer_fragmented);
	lc->count.value[COUNT_outer_fragments] += n;
	rte_pktmbuf_free(m);
	return n;
}
