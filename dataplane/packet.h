// Small things that every stage does to an mbuf of one segment.
#pragma once
#include "lcore.h"
#include "bytes.h"
#include "watch.h"

#define PREFETCH_AHEAD 4 // packets whose headers are fetched while an earlier one is worked on

static inline uint8_t *packet_data(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, uint8_t *);
}

// The packet now starts `skip` bytes on (or before) and is `len` bytes long.
static inline void packet_cut(struct rte_mbuf *m, int skip, uint16_t len)
{
	m->data_off = (uint16_t)(m->data_off + skip);
	m->data_len = len;
	m->pkt_len = len;
}

static inline void tell_drop(struct lcore *lc, enum counter why, uint32_t tunnel)
{
	lc->dp->out[tunnel].dropped++;
	cold_dropped(&lc->dp->cold[tunnel], why, lc->now);
}

// A drop that its tunnel is told of.
static inline void drop_of(struct lcore *lc, enum counter why, struct rte_mbuf *m)
{
	tell_drop(lc, why, packet_of(m)->tunnel);
	watch_over(lc, why, m);
	drop(lc, why, m);
}

// What a client sends that ends here, and is no loss.
static inline void end_of(struct lcore *lc, enum counter why, struct rte_mbuf *m)
{
	watch_over(lc, why, m);
	drop(lc, why, m);
}

// Long frames may come in segments: the path works on one.
static inline bool packet_is_one(struct rte_mbuf *m)
{
	return m->nb_segs == 1 || rte_pktmbuf_linearize(m) == 0;
}
