#include <rte_prefetch.h>

#include "frame.h"
#include "packet.h"
#include "stage.h"

static inline void prefetch_frame(struct rte_mbuf **pkts, unsigned n, unsigned i)
{
	if (i + 2 * PREFETCH_AHEAD < n)
		rte_prefetch0(pkts[i + 2 * PREFETCH_AHEAD]);
	if (i + PREFETCH_AHEAD < n) {
		rte_prefetch0(packet_data(pkts[i + PREFETCH_AHEAD]));
		rte_prefetch0(packet_data(pkts[i + PREFETCH_AHEAD]) + RTE_CACHE_LINE_SIZE);
		rte_prefetch0(packet_of(pkts[i + PREFETCH_AHEAD]));
		rte_prefetch0(&packet_of(pkts[i + PREFETCH_AHEAD])->path);
	}
}

static inline void path_learn(struct path *path, const uint8_t *frame, const struct outer_frame *f, uint8_t port)
{
	const uint8_t *ip = frame + f->ip;

	memset(&path->key, 0, sizeof(path->key));
	if (f->family == 4) {
		memcpy(path->key.peer_ip, ip + 12, 4);
		memcpy(path->key.our_ip, ip + 16, 4);
		path->tos = ip[1];
	} else {
		memcpy(path->key.peer_ip, ip + 8, 16);
		memcpy(path->key.our_ip, ip + 24, 16);
		path->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
	}
	memcpy(&path->key.peer_udp, frame + f->udp, 2);
	memcpy(&path->key.our_udp, frame + f->udp + 2, 2);
	path->key.family = f->family;
	memcpy(&path->our_mac, frame, 6);
	memcpy(&path->peer_mac, frame + 6, 6);
	path->vlan = f->vlan;
	path->port = port;
}

// A NIC of our own shows us all that comes by its wire: ours is what is sent to its MAC address and to an address that we listen
// on.
static bool is_for_us(const struct lcore *lc, const struct port *port, const uint8_t *frame, uint8_t family, const uint8_t *to)
{
	const struct hosts *hosts = lc->dp->hosts;

	if (likely(!port->beside))
		return true;
	if (memcmp(frame, &port->mac, 6) != 0)
		return false;
	if (hosts->any)
		return true;
	for (unsigned i = 0; i < hosts->n; i++)
		if (hosts->addr[i].family == family && memcmp(hosts->addr[i].ip, to, family == 4 ? 4 : 16) == 0)
			return true;
	return false;
}

// What is not ours is the kernel's, which has a copy of its own unless the NIC is ours.
static void leave(struct lcore *lc, const struct port *port, struct rte_mbuf *m, enum counter why)
{
	if (why == COUNT_drop_not_ours && port->beside)
		to_kernel(lc, port, m);
	else
		drop(lc, why, m);
}

// COUNTERS: a datagram; fragments_in: a fragment; else why it is neither.
static inline enum counter unwrap(struct lcore *lc, struct rte_mbuf *m, const struct port *port, struct outer_frame *f)
{
	if (unlikely(!packet_is_one(m)))
		return COUNT_drop_malformed_outer;
	switch (outer_frame_parse(packet_data(m), m->data_len, lc->dp->udp_port, f)) {
	case FRAME_OURS:
		break;
	case FRAME_NOT_OURS:
		return COUNT_drop_not_ours;
	case FRAME_FRAGMENT:
		return COUNT_fragments_in;
	case FRAME_UNCHECKED:
		return COUNT_drop_no_checksum;
	default:
		return COUNT_drop_malformed_outer;
	}
	const uint8_t *frame = packet_data(m);
	if (unlikely(!is_for_us(lc, port, frame, f->family, frame + f->ip + (f->family == 4 ? 16 : 24))))
		return COUNT_drop_not_ours;
	path_learn(&packet_of(m)->path, frame, f, port->number);
	packet_of(m)->kind = PACKET_DATAGRAM;
	packet_cut(m, f->udp + UDP_HEADER, f->payload_len);
	return COUNTERS;
}

// COUNTERS: it may be kept.
static enum counter fragment_judge(struct lcore *lc, struct rte_mbuf *m, const struct port *port, const struct outer_frame *frame,
                                   struct outer_fragment *f)
{
	switch (fragment_parse(packet_data(m), m->data_len, lc->dp->udp_port, frame, f)) {
	case FRAGMENT_GOOD:
		if (!is_for_us(lc, port, packet_data(m), f->family, f->addresses + (f->family == 4 ? 4 : 16)))
			return COUNT_drop_not_ours;
		return reassembly_is_foreign(lc, f) ? COUNT_drop_not_ours : COUNTERS;
	case FRAGMENT_NOT_OURS:
		reassembly_forswear(lc, f);
		return COUNT_drop_not_ours;
	default:
		return COUNT_drop_fragment_bad;
	}
}

// The datagram that this fragment makes whole; NULL: others are missing, or it is dropped.
static struct rte_mbuf *take_fragment(struct lcore *lc, struct rte_mbuf *m, const struct port *port,
                                      const struct outer_frame *frame)
{
	struct outer_fragment f;
	enum counter why = fragment_judge(lc, m, port, frame, &f);

	if (why == COUNTERS)
		return reassembly_take(lc, m, &f);
	leave(lc, port, m, why);
	return NULL;
}

static struct rte_mbuf *unwrap_whole(struct lcore *lc, struct rte_mbuf *m, const struct port *port)
{
	uint8_t tos = packet_of(m)->path.tos;
	struct outer_frame f;
	enum counter why = unwrap(lc, m, port, &f);

	if (why != COUNTERS) {
		leave(lc, port, m, why);
		return NULL;
	}
	packet_of(m)->path.tos = tos;
	return m;
}

static inline struct rte_mbuf *take(struct lcore *lc, struct rte_mbuf *m, const struct port *port)
{
	struct outer_frame f;
	enum counter why = unwrap(lc, m, port, &f);

	if (likely(why == COUNTERS))
		return m;
	if (why != COUNT_fragments_in) {
		leave(lc, port, m, why);
		return NULL;
	}
	m = take_fragment(lc, m, port, &f);
	return m ? unwrap_whole(lc, m, port) : NULL;
}

unsigned outer_in(struct lcore *lc, const struct port *port, struct rte_mbuf **pkts, unsigned n)
{
	unsigned n_out = 0;

	for (unsigned i = 0; i < n && i < 2 * PREFETCH_AHEAD; i++)
		rte_prefetch0(pkts[i]);
	for (unsigned i = 0; i < n && i < PREFETCH_AHEAD; i++) {
		rte_prefetch0(packet_data(pkts[i]));
		rte_prefetch0(packet_of(pkts[i]));
		rte_prefetch0(&packet_of(pkts[i])->path);
	}
	for (unsigned i = 0; i < n; i++) {
		prefetch_frame(pkts, n, i);
		struct rte_mbuf *m = take(lc, pkts[i], port);
		if (likely(m != NULL))
			pkts[n_out++] = m;
	}
	return n_out;
}
