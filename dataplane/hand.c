#include "hand.h"

#include <rte_prefetch.h>

#include "packet.h"
#include "stage.h"

static void flush_one(struct lcore *lc, unsigned core)
{
	struct lcore *to = lc->dp->cores[core];
	struct hand_queue *q = &lc->hand[core];
	unsigned sent = rte_ring_sp_enqueue_burst(to->handed[lc->index], (void **)q->pkts, q->n, NULL);

	lc->count.value[COUNT_handed_out] += sent;
	if (unlikely(sent < q->n)) {
		lc->count.value[COUNT_drop_hand_full] += q->n - sent;
		rte_pktmbuf_free_bulk(q->pkts + sent, q->n - sent);
	}
	q->n = 0;
	wake_call(&to->wake);
}

void hand(struct lcore *lc, unsigned core, struct rte_mbuf *m)
{
	struct hand_queue *q = &lc->hand[core];

	q->pkts[q->n++] = m;
	if (q->n == BURST)
		flush_one(lc, core);
}

void hand_flush(struct lcore *lc)
{
	for (unsigned i = 0; i < lc->dp->n_cores; i++)
		if (lc->hand[i].n)
			flush_one(lc, i);
}

unsigned hand_take(struct lcore *lc, unsigned core, struct rte_mbuf **pkts)
{
	unsigned n = rte_ring_sc_dequeue_burst(lc->handed[core], (void **)pkts, BURST, NULL);

	lc->count.value[COUNT_handed_in] += n;
	for (unsigned i = 0; i < n; i++) {
		rte_prefetch0(pkts[i]);
		rte_prefetch0(packet_of(pkts[i]));
	}
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(packet_data(pkts[i]));
	return n;
}

static inline void prefetch_tunnel(const struct dataplane *dp, const struct packet *p)
{
	if (p->kind == PACKET_INNER)
		rte_prefetch0(&dp->out[p->tunnel]);
	else
		rte_prefetch0(&dp->in[p->tunnel]);
}

unsigned hand_over(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	const struct dataplane *dp = lc->dp;
	unsigned n_out = 0;

	if (dp->n_cores > 1)
		for (unsigned i = 0; i < n; i++)
			rte_prefetch0(&dp->owner[packet_of(pkts[i])->tunnel]);
	for (unsigned i = 0; i < n; i++) {
		struct packet *p = packet_of(pkts[i]);
		unsigned owner = dp->n_cores > 1 ? owner_of(dp, p->tunnel) : lc->index;
		if (likely(owner == lc->index)) {
			prefetch_tunnel(dp, p);
			pkts[n_out++] = pkts[i];
			continue;
		}
		hand(lc, owner, pkts[i]);
	}
	return n_out;
}
