#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "report.h"
#include "portnic.h"
#include "proto/log.h"

#define LATENCY_SECONDS 2

static void ethdev_stats(const struct port *p, struct port_stats *out)
{
	struct rte_eth_stats st = { 0 };

	rte_eth_stats_get(p->id, &st);
	*out = (struct port_stats){
		.rx_packets = st.ipackets,
		.rx_bytes = st.ibytes,
		.tx_packets = st.opackets,
		.tx_bytes = st.obytes,
		.missed = st.imissed + st.rx_nombuf,
		.errors = st.ierrors + st.oerrors,
	};
}

static bool ethdev_up(const struct port *p)
{
	struct rte_eth_link link = { 0 };

	// For a kernel interface its driver would make calls that seccomp forbids.
	if (p->interface[0])
		return p->up;
	rte_eth_link_get_nowait(p->id, &link);
	return link.link_status == RTE_ETH_LINK_UP;
}

static void describe(const struct port *p, struct msg_dp_port *m, struct port_stats *st)
{
	struct rte_eth_dev_info info = { 0 };

	if (p->kind == PORT_ETHDEV) {
		rte_eth_dev_info_get(p->id, &info);
		snprintf(m->driver, sizeof(m->driver), "%s", info.driver_name ? info.driver_name : "");
		m->up = ethdev_up(p);
		ethdev_stats(p, st);
		return;
	}
	snprintf(m->driver, sizeof(m->driver), "penstock");
	m->up = p->up;
	for (uint16_t q = 0; q < p->rx_queues; q++)
		port_stats_add(st, p->kind == PORT_TAP ? &p->tap->queue[q].count : &p->udp->queue[q].count);
	if (p->kind == PORT_UDP)
		st->missed += udp_missed(p->udp);
}

static const char *offloads(const struct port *p)
{
	switch (p->kind) {
	case PORT_TAP:
		return p->tap->coalesce_udp ? "large TCP and UDP" : p->tap->coalesce ? "large TCP" : "";
	case PORT_UDP:
		return p->udp->queue[0].whole ? "" : "bursts of UDP";
	default:
		return p->tx_udp_csum ? "UDP checksum" : "";
	}
}

static void report_port(struct control *c, uint32_t token, const struct port *p)
{
	struct msg_dp_port m = { .token = token };
	struct port_stats st = { 0 };

	describe(p, &m, &st);
	snprintf(m.name, sizeof(m.name), "%s", p->name);
	snprintf(m.interface, sizeof(m.interface), "%s", p->interface);
	snprintf(m.role, sizeof(m.role), "%s", p->kernel ? "kernel" : p->outer ? "outer" : "inner");
	snprintf(m.offloads, sizeof(m.offloads), "%s", offloads(p));
	m.gone = p->gone;
	m.rx_queues = p->rx_queues;
	m.tx_queues = p->tx_queues;
	m.rx_packets = st.rx_packets;
	m.rx_bytes = st.rx_bytes;
	m.tx_packets = st.tx_packets;
	m.tx_bytes = st.tx_bytes;
	m.rx_missed = st.missed;
	m.errors = st.errors;
	MAIN_SEND(c, DP_PORT, &m);
}

static uint16_t thousandths(uint64_t part, uint64_t whole)
{
	return whole ? (uint16_t)RTE_MIN(part * 1000 / whole, 1000ULL) : 0;
}

static void follow_interrupts(struct control *c)
{
	for (unsigned i = 0; i < c->dp.n_cores; i++) {
		struct interrupts *in = &c->dp.cores[i]->interrupts;
		if (!in->distrusted || in->complained)
			continue;
		in->complained = true;
		log_notice("poll core %u: its NICs' interrupts do not come: it naps and looks by itself", c->dp.cores[i]->cpu);
	}
}

// Once a second: what share of it each core has spent on packets, and whether cables are plugged.
void report_sample(struct control *c)
{
	uint64_t passed = c->now - c->sample_at;

	if (passed < c->dp.tsc_hz)
		return;
	for (unsigned i = 0; i < c->dp.n_cores; i++) {
		uint64_t busy = c->dp.cores[i]->busy_cycles;
		c->sample[i].busy_now = thousandths(busy - c->sample[i].busy, passed);
		c->sample[i].busy = busy;
	}
	c->sample_at = c->now;
	portnic_follow_links(&c->ports);
	follow_interrupts(c);
}

// Every few seconds, where there were packets. Main may be busy: then it learns of these ones with the next.
void report_latency(struct control *c)
{
	struct latency now = { 0 };
	struct latency_figures f;
	struct msg_dp_latency m;

	if (c->now < c->latency_next)
		return;
	c->latency_next = c->now + LATENCY_SECONDS * c->dp.tsc_hz;
	for (unsigned core = 0; core < c->dp.n_cores; core++)
		for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
			now.packets[i] += c->dp.cores[core]->latency.packets[i];
	f = latency_figures(&now, &c->latency_told);
	m = (struct msg_dp_latency){
		.packets = f.packets,
		.median_ns = (uint64_t)(f.median * 1e9 / (double)c->dp.tsc_hz),
		.stdev_ns = (uint64_t)(f.stdev * 1e9 / (double)c->dp.tsc_hz),
	};
	if (f.packets && main_offer(c, MSG_DP_LATENCY, &m))
		c->latency_told = now;
}

struct msg_dp_core report_see_core(const struct control *c, unsigned index)
{
	const struct lcore *lc = c->dp.cores[index];

	return (struct msg_dp_core){
		.lcore = lc->id,
		.cpu = lc->cpu,
		.busy = thousandths(lc->busy_cycles, rte_rdtsc() - lc->started),
		.busy_now = c->sample[index].busy_now,
		.cycles_per_packet = lc->packets ? (uint32_t)(lc->busy_cycles / lc->packets) : 0,
		.packets = lc->packets,
		.busy_us = (uint64_t)((double)lc->busy_cycles * 1e6 / (double)c->dp.tsc_hz),
		.sleeps = lc->sleeps,
		.tunnels = c->owned[index],
	};
}

static void report_core(struct control *c, uint32_t token, unsigned index)
{
	struct msg_dp_core m = report_see_core(c, index);

	m.token = token;
	MAIN_SEND(c, DP_CORE, &m);
}

struct counters report_sum(const struct control *c)
{
	struct counters sum = c->count;

	for (unsigned core = 0; core < c->dp.n_cores; core++)
		for (unsigned i = 0; i < COUNTERS; i++)
			sum.value[i] += c->dp.cores[core]->count.value[i];
	return sum;
}

static void report_counters(struct control *c, uint32_t token, const struct counters *of, const char *thread)
{
	struct msg_dp_counter m = { .token = token };

	snprintf(m.thread, sizeof(m.thread), "%s", thread);
	for (unsigned i = 0; i < COUNTERS; i++) {
		if (thread[0] && !of->value[i])
			continue;
		snprintf(m.name, sizeof(m.name), "%s", counter_descs[i].name);
		snprintf(m.help, sizeof(m.help), "%s", counter_descs[i].help);
		m.role = counter_descs[i].role;
		m.value = of->value[i];
		MAIN_SEND(c, DP_COUNTER, &m);
	}
}

static void report_threads(struct control *c, uint32_t token)
{
	char thread[16];

	for (unsigned i = 0; i < c->dp.n_cores; i++) {
		snprintf(thread, sizeof(thread), "core %u", c->dp.cores[i]->id);
		report_counters(c, token, &c->dp.cores[i]->count, thread);
	}
	report_counters(c, token, &c->count, "control");
}

static void report_pool(struct control *c, uint32_t token, const char *name, uint32_t total, uint32_t free)
{
	struct msg_dp_pool m = { .token = token, .total = total, .free = free };

	snprintf(m.name, sizeof(m.name), "%s", name);
	MAIN_SEND(c, DP_POOL, &m);
}

static void report_pools(struct control *c, uint32_t token)
{
	for (unsigned i = 0; i < NUMA_MAX; i++)
		if (c->ports.pool[i])
			report_pool(c, token, c->ports.pool[i]->name, c->ports.pool[i]->size,
			            rte_mempool_avail_count(c->ports.pool[i]));
	report_pool(c, token, "key sets", c->keys.n, c->keys.n_free);
}

static void report_ring(struct control *c, uint32_t token, const struct rte_ring *r, uint32_t most)
{
	struct msg_dp_ring m = { .token = token, .room = rte_ring_get_capacity(r), .waiting = rte_ring_count(r) };

	snprintf(m.name, sizeof(m.name), "%s", r->name);
	m.most = RTE_MAX(most, m.waiting);
	MAIN_SEND(c, DP_RING, &m);
}

static void report_rings(struct control *c, uint32_t token, unsigned core)
{
	const struct lcore *lc = c->dp.cores[core];

	report_ring(c, token, lc->to_control, c->to_control_most[core]);
	report_ring(c, token, lc->from_control, lc->from_control_most);
	for (unsigned from = 0; from < c->dp.n_cores; from++)
		if (lc->handed[from])
			report_ring(c, token, lc->handed[from], lc->handed_most[from]);
}

static uint64_t memory_used(void)
{
	struct rte_malloc_socket_stats st;
	uint64_t sum = 0;

	for (unsigned i = 0; i < rte_socket_count(); i++)
		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &st) == 0)
			sum += st.heap_allocsz_bytes;
	return sum;
}

static void report_end(struct control *c, uint32_t token, const struct counters *all)
{
	const struct counter_sums sums = counters_sum(all);
	struct msg_dataplane_stats_end m = {
		.token = token,
		.tunnels = c->n_active,
		.on_dtls = c->on_dtls,
		.packets_in = sums.of[COUNTER_IN],
		.packets_out = sums.of[COUNTER_OUT],
		.dropped = sums.of[COUNTER_DROP],
		.tunnels_max = c->dp.tunnels_max,
		.memory_bytes = memory_used(),
	};

	snprintf(m.memory, sizeof(m.memory), "%s", c->memory);
	MAIN_SEND(c, DATAPLANE_STATS_END, &m);
}

void report_stats(struct control *c, uint32_t token, bool threads)
{
	const struct counters all = report_sum(c);

	if (threads) {
		report_threads(c, token);
	} else {
		for (unsigned i = 0; i < c->ports.n; i++)
			report_port(c, token, &c->ports.all[i]);
		for (unsigned i = 0; i < c->dp.n_cores; i++)
			report_core(c, token, i);
		report_pools(c, token);
		for (unsigned i = 0; i < c->dp.n_cores; i++)
			report_rings(c, token, i);
		report_counters(c, token, &all, "");
	}
	report_end(c, token, &all);
}
