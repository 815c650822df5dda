#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_random.h>

#include "control.h"
#include "exception.h"
#include "hand.h"
#include "watch.h"

// ------------------------------------------------------------------------------------------------------------------ start

static struct rte_ring *ring_new(const char *name, unsigned from, unsigned to, size_t entries, int node)
{
	char text[RTE_RING_NAMESIZE];

	snprintf(text, sizeof(text), "%s_%u_%u", name, from, to);
	return rte_ring_create(text, rte_align32pow2((uint32_t)entries + 1), node, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int core_init(struct control *c, unsigned index, unsigned cpu)
{
	int node = (int)rte_lcore_to_socket_id(LCORE_POLL + index);
	struct lcore *lc = rte_zmalloc_socket("lcore", sizeof(*lc), RTE_CACHE_LINE_SIZE, node);

	c->dp.cores[index] = lc;
	if (!lc)
		return -ENOMEM;
	lc->id = LCORE_POLL + index;
	lc->index = index;
	lc->fragment_id = (uint32_t)rte_rand() / CORES_MAX * CORES_MAX + index;
	lc->cpu = cpu;
	lc->dp = &c->dp;
	lc->pool = ports_pool(&c->ports, node);
	lc->reassembly = reassembly_new(node, c->dp.tsc_hz);
	lc->mailbox = ring_new("mailbox", index, index, RING_COMMANDS, node);
	lc->from_control = ring_new("from_control", index, index, RING_PACKETS, node);
	lc->to_control = ring_new("to_control", index, index, RING_PACKETS, node);
	lc->sightings = watch_queue_new();
	lc->released = ring_new("released", index, index, c->keys.n, node);
	return lc->reassembly && lc->mailbox && lc->from_control && lc->to_control && lc->released && lc->sightings ? 0 : -ENOMEM;
}

static int rings_between(struct control *c)
{
	for (unsigned to = 0; to < c->dp.n_cores; to++) {
		struct lcore *lc = c->dp.cores[to];
		for (unsigned from = 0; from < c->dp.n_cores; from++) {
			if (from == to)
				continue;
			lc->handed[from] = ring_new("handed", from, to, RING_HANDED, (int)rte_lcore_to_socket_id(lc->id));
			if (!lc->handed[from])
				return -ENOMEM;
		}
	}
	return 0;
}

// Queue q of the n-th port is core (q + n)'s: ports with a single queue do not all end up on the first core.
static void queues_share(struct control *c, const struct port *p)
{
	unsigned n = c->dp.n_cores, first = p->outer ? p->number : 0;

	for (unsigned q = 0; q < p->rx_queues; q++) {
		struct lcore *lc = c->dp.cores[(q + first) % n];
		if (p->kernel)
			lc->kernel[lc->n_kernel++] = (struct rx_queue){ p, (uint16_t)q };
		else if (p->outer)
			lc->outer[lc->n_outer++] = (struct rx_queue){ p, (uint16_t)q };
		else
			lc->inner[lc->n_inner++] = (struct rx_queue){ p, (uint16_t)q };
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned q = (i + n - first % n) % n;
		c->dp.cores[i]->way[p->number] =
		        q < p->tx_queues ? (struct tx_way){ (uint16_t)q, (uint8_t)i } : (struct tx_way){ 0, (uint8_t)(first % n) };
	}
}

// False: nothing tells when this queue has something.
static bool wait_add(struct lcore *lc, const struct rx_queue *q)
{
	struct pollfd *w = &lc->wait[lc->n_wait++];
	struct interrupts *all = &lc->interrupts;

	*w = (struct pollfd){ .fd = q->port->wait[q->queue], .events = POLLIN };
	if (q->port->interrupts && w->fd >= 0)
		all->of[all->n++] = (struct interrupt){ .port = q->port, .queue = q->queue, .wait = w };
	return w->fd >= 0;
}

// A long sleep needs something to wait for on every queue.
static int wait_init(struct lcore *lc)
{
	const struct {
		const struct rx_queue *queues;
		unsigned n;
	} of[] = { { lc->outer, lc->n_outer }, { lc->inner, lc->n_inner }, { lc->kernel, lc->n_kernel } };
	bool all = true;

	lc->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	lc->wait = calloc(1 + lc->n_outer + lc->n_inner + lc->n_kernel, sizeof(*lc->wait));
	if (lc->wake.fd < 0 || !lc->wait)
		return -ENOMEM;
	lc->wait[lc->n_wait++] = (struct pollfd){ .fd = lc->wake.fd, .events = POLLIN };
	for (unsigned k = 0; k < RTE_DIM(of); k++) {
		for (unsigned i = 0; i < of[k].n; i++) {
			all &= wait_add(lc, &of[k].queues[i]);
		}
	}
	if (!all)
		lc->n_wait = 0;
	return 0;
}

int cores_init(struct control *c, const struct cpu_list *cpus)
{
	int ret = 0;

	c->dp.n_cores = cpus->n;
	for (unsigned i = 0; i < cpus->n && ret == 0; i++)
		ret = core_init(c, i, cpus->cpu[i]);
	if (ret == 0)
		ret = rings_between(c);
	for (unsigned i = 0; i < c->ports.n && ret == 0; i++)
		queues_share(c, &c->ports.all[i]);
	for (unsigned i = 0; i < cpus->n && ret == 0; i++) {
		ret = wait_init(c->dp.cores[i]);
		if (ret == 0)
			ret = exception_init(c->dp.cores[i]);
		c->dp.cores[i]->control_wake = &c->wake;
	}
	return ret;
}

// ----------------------------------------------------------------------------------------------------------------- running

void cores_wake(struct control *c)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < c->dp.n_cores; i++)
		wake_call(&c->dp.cores[i]->wake);
}

static unsigned least_busy(const struct control *c)
{
	unsigned best = 0;

	for (unsigned i = 1; i < c->dp.n_cores; i++)
		if (c->owned[i] < c->owned[best])
			best = i;
	return best;
}

unsigned cores_choose(const struct control *c, uint8_t port, unsigned core)
{
	if (c->dp.n_cores == 1)
		return 0;
	if (port < c->dp.n_ports && core < c->dp.n_cores && c->dp.ports[port]->rx_queues >= c->dp.n_cores)
		return core;
	return least_busy(c);
}

static bool epoch_is_over(const struct control *c)
{
	for (unsigned i = 0; i < c->dp.n_cores; i++)
		if (__atomic_load_n(&c->dp.cores[i]->rounds, __ATOMIC_ACQUIRE) - c->epoch.rounds[i] < 2)
			return false;
	return true;
}

void epoch_turn(struct control *c)
{
	if (!epoch_is_over(c))
		return;
	c->epoch.done++;
	for (unsigned i = 0; i < c->dp.n_cores; i++)
		c->epoch.rounds[i] = __atomic_load_n(&c->dp.cores[i]->rounds, __ATOMIC_ACQUIRE);
}
