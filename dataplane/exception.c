// What is the kernel's on a NIC of ours: it crosses a TAP, in a queue that is served a little in each round. However much of it
// comes, datagrams have their turn.
#include "exception.h"

#include <errno.h>

#include <rte_malloc.h>

#include "packet.h"

// A burst of TCP fits; what a flood puts there is gone in some milliseconds.
#define BACKLOG 256
// Frames that a round gives to the kernel: as many microseconds, about.
#define BACKLOG_BURST 16

struct backlog {
	unsigned first, n; // owner: rw
	struct rte_mbuf *pkts[BACKLOG];
};

int exception_init(struct lcore *lc)
{
	for (unsigned i = 0; i < lc->dp->n_ports; i++) {
		if (!lc->dp->ports[i]->kernel || lc->backlog[i])
			continue;
		lc->backlog[i] = rte_zmalloc("backlog", sizeof(struct backlog), RTE_CACHE_LINE_SIZE);
		if (!lc->backlog[i])
			return -ENOMEM;
	}
	return 0;
}

void exception_add(struct lcore *lc, uint8_t tap, struct rte_mbuf *m)
{
	struct backlog *b = lc->backlog[tap];

	if (unlikely(b->n == BACKLOG)) {
		drop(lc, COUNT_drop_kernel_full, m);
		return;
	}
	b->pkts[(b->first + b->n++) % BACKLOG] = m;
}

// Of those at the front, up to where the queue wraps around.
static unsigned backlog_send(struct lcore *lc, uint8_t tap, struct backlog *b, unsigned most)
{
	struct rte_mbuf **pkts = b->pkts + b->first;
	unsigned run = RTE_MIN(b->n, BACKLOG - b->first), n = RTE_MIN(run, most);
	unsigned sent = port_tx(lc->dp->ports[tap], lc->way[tap].queue, lc, pkts, (uint16_t)n);

	lc->count.value[COUNT_kernel_tx] += sent;
	lc->count.value[COUNT_drop_tx_full] += n - sent; // an interface that is down takes none
	b->first = (b->first + n) % BACKLOG;
	b->n -= n;
	return n;
}

unsigned exception_flush(struct lcore *lc)
{
	unsigned waiting = 0;

	for (unsigned i = 0; i < lc->dp->n_ports; i++) {
		struct backlog *b = lc->backlog[i];
		if (!b || b->n == 0)
			continue;
		unsigned n = backlog_send(lc, (uint8_t)i, b, BACKLOG_BURST);
		if (n < BACKLOG_BURST && b->n > 0)
			backlog_send(lc, (uint8_t)i, b, BACKLOG_BURST - n);
		waiting += b->n;
	}
	return waiting;
}
