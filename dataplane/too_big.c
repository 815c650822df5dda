#define ALLOW_EXPERIMENTAL_API // for rte_ipv4_fragment_copy_nonseg_packet()
#include <rte_ip_frag.h>

#include "checksum.h"
#include "icmp.h"
#include "inner.h"
#include "packet.h"
#include "stage.h"

// Answers of each core, as Linux bounds its own.
#define ANSWERS_A_SECOND 1000
#define ANSWERS_BURST 50
#define DONT_FRAGMENT 0x4000

static bool may_be_cut(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 && !(load16(ip + 6) & DONT_FRAGMENT);
}

static void part_finish(struct rte_mbuf *part, const struct packet *p)
{
	uint8_t *ip = packet_data(part);

	*packet_of(part) = *p;
	checksum_ipv4(ip, (ip[0] & 15) * 4);
}

// RFC 791 3.2. Each part is a record of its own.
static unsigned cut(struct lcore *lc, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **parts)
{
	int n = rte_ipv4_fragment_copy_nonseg_packet(m, parts, BURST, mtu, lc->pool);

	if (n <= 0) {
		drop_of(lc, n == -ENOMEM ? COUNT_drop_no_mbuf : COUNT_drop_too_big, m);
		return 0;
	}
	for (int i = 0; i < n; i++)
		part_finish(parts[i], packet_of(m));
	watch_over(lc, COUNT_inner_fragmented, m);
	count(lc, COUNT_inner_fragmented);
	lc->count.value[COUNT_inner_fragments] += (unsigned)n;
	rte_pktmbuf_free(m);
	return (unsigned)n;
}

// The answer takes the packet's buffer; the packet counts as dropped all the same.
static struct rte_mbuf *answer(struct lcore *lc, struct rte_mbuf *m, uint16_t mtu)
{
	uint8_t *packet = packet_data(m), *start;
	unsigned len = m->data_len;

	if (!icmp_may_answer(packet, len) || rte_pktmbuf_headroom(m) < ICMP_GROWS + ETHER_HEADER ||
	    !bucket_take(&lc->icmp, lc->now, lc->dp->tsc_hz / ANSWERS_A_SECOND, ANSWERS_BURST)) {
		drop_of(lc, COUNT_drop_too_big, m);
		return NULL;
	}
	start = icmp_too_big(packet, &len, mtu);
	packet_cut(m, (int)(start - packet), (uint16_t)len);
	tell_drop(lc, COUNT_drop_too_big, packet_of(m)->tunnel);
	watch_over(lc, COUNT_drop_too_big, m);
	count(lc, COUNT_drop_too_big);
	count(lc, COUNT_icmp_out);
	return m;
}

unsigned too_big(struct lcore *lc, struct rte_mbuf *m, struct rte_mbuf **parts, struct rte_mbuf **reply)
{
	uint16_t mtu = lc->dp->out[packet_of(m)->tunnel].mtu;

	*reply = NULL;
	if (may_be_cut(packet_data(m)))
		return cut(lc, m, mtu, parts);
	*reply = answer(lc, m, mtu);
	return 0;
}
