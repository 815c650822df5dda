#include "exception.h"
#include "frame.h"
#include "hand.h"
#include "narrow.h"
#include "packet.h"
#include "stage.h"

static void hand_frames(struct lcore *lc, unsigned core, struct tx_queue *q, uint8_t port)
{
	for (unsigned i = 0; i < q->n; i++) {
		struct packet *p = packet_of(q->pkts[i]);
		p->kind = PACKET_FRAME;
		p->port = port;
		hand(lc, core, q->pkts[i]);
	}
}

static void queue_flush(struct lcore *lc, uint8_t port)
{
	const struct port *p = lc->dp->ports[port];
	const struct tx_way *way = &lc->way[port];
	struct tx_queue *q = &lc->tx[port];
	unsigned sent;

	if (unlikely(way->core != lc->index)) {
		hand_frames(lc, way->core, q, port);
		q->n = 0;
		return;
	}
	sent = port_tx(p, way->queue, lc, q->pkts, (uint16_t)q->n);
	lc->count.value[p->outer ? COUNT_outer_tx : COUNT_inner_tx] += sent;
	lc->count.value[COUNT_drop_tx_full] += q->n - sent;
	q->n = 0;
}

static inline void queue_add(struct lcore *lc, uint8_t port, struct rte_mbuf *m)
{
	struct tx_queue *q = &lc->tx[port];

	q->pkts[q->n++] = m;
	if (unlikely(q->n == RTE_DIM(q->pkts)))
		queue_flush(lc, port);
}

static void add_narrow(struct lcore *lc, uint8_t port, struct rte_mbuf *m, uint16_t mtu)
{
	struct rte_mbuf *parts[BURST];
	unsigned n = narrow(lc, m, mtu, parts);

	for (unsigned i = 0; i < n; i++)
		queue_add(lc, port, parts[i]);
}

void tx_outer(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t port = packet_of(pkts[i])->port;
		uint16_t mtu = __atomic_load_n(&lc->dp->ports[port]->link_mtu, __ATOMIC_RELAXED);

		if (unlikely(mtu && pkts[i]->data_len > mtu + ETHER_HEADER))
			add_narrow(lc, port, pkts[i], mtu);
		else
			queue_add(lc, port, pkts[i]);
	}
}

// The kernel looks at the destination only. The source is a fixed address of our own, so that nothing on the inside learns more.
static inline void ether_write(const struct lcore *lc, uint8_t *frame, uint8_t version)
{
	static const uint8_t us[6] = { 0x02, 'p', 'e', 'n', 's', 't' };

	memcpy(frame, &lc->dp->inner->mac, 6);
	memcpy(frame + 6, us, 6);
	store16(frame + 12, version >> 4 == 4 ? ETHER_IPV4 : ETHER_IPV6);
}

void tx_inner(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		uint8_t version = packet_data(m)[0];

		if (unlikely(rte_pktmbuf_headroom(m) < ETHER_HEADER)) {
			drop_of(lc, COUNT_drop_no_room, m);
			continue;
		}
		packet_cut(m, -ETHER_HEADER, m->data_len + ETHER_HEADER);
		ether_write(lc, packet_data(m), version);
		queue_add(lc, lc->dp->inner->number, m);
	}
}

void to_kernel(struct lcore *lc, const struct port *nic, struct rte_mbuf *m)
{
	uint8_t tap = nic->beside->number;

	if (likely(lc->way[tap].core == lc->index))
		exception_add(lc, tap, m);
	else
		queue_add(lc, tap, m);
}

void tx_frames(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t port = packet_of(pkts[i])->port;
		if (lc->dp->ports[port]->kernel)
			exception_add(lc, port, pkts[i]);
		else
			queue_add(lc, port, pkts[i]);
	}
}

void tx_kernel(struct lcore *lc, const struct port *tap, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		queue_add(lc, tap->beside->number, pkts[i]);
}

unsigned tx_flush(struct lcore *lc)
{
	for (unsigned i = 0; i < lc->dp->n_ports; i++)
		if (lc->tx[i].n)
			queue_flush(lc, (uint8_t)i);
	hand_flush(lc);
	return exception_flush(lc);
}

bool to_control(struct lcore *lc, struct rte_mbuf *m, enum counter what)
{
	if (packet_of(m)->kind != PACKET_STRAY) // whose it is nobody knows
		watch_over(lc, rte_ring_full(lc->to_control) ? COUNT_drop_ring_full : what, m);
	if (unlikely(rte_ring_enqueue(lc->to_control, m) < 0)) {
		drop(lc, COUNT_drop_ring_full, m);
		return false;
	}
	count(lc, what);
	return true;
}

bool tell_control(struct lcore *lc, enum packet_event event, uint32_t tunnel, const struct tunnel_keys *k, uint8_t a, uint8_t b)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(lc->pool);

	if (unlikely(!m))
		return false;
	*packet_of(m) = (struct packet){
		.tunnel = tunnel,
		.handshake = k ? k->handshake : 0,
		.kind = PACKET_EVENT,
		.event = event,
		.level = event == EVENT_ALERT ? a : 0,
		.description = event == EVENT_ALERT ? b : 0,
		.channel = event == EVENT_CHANNEL ? a : 0,
		.why = event == EVENT_CHANNEL ? b : 0,
		.core = event == EVENT_ELSEWHERE ? a : 0,
	};
	if (k)
		packet_of(m)->path = k->path;
	if (unlikely(rte_ring_enqueue(lc->to_control, m) < 0)) {
		rte_pktmbuf_free(m);
		return false;
	}
	count(lc, COUNT_events);
	return true;
}
