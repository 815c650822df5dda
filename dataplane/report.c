#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "control.h"

static void report_port(struct control *c, uint32_t token, const struct port *p)
{
	struct rte_eth_dev_info info = { 0 };
	struct rte_eth_stats st = { 0 };
	struct msg_dp_port m = { .token = token };
	struct rte_eth_link link = { 0 };

	rte_eth_dev_info_get(p->id, &info);
	rte_eth_stats_get(p->id, &st);
	// For a kernel interface its driver would make calls that seccomp forbids.
	if (!p->interface[0])
		rte_eth_link_get_nowait(p->id, &link);
	m.up = p->interface[0] ? p->up : link.link_status == RTE_ETH_LINK_UP;
	snprintf(m.name, sizeof(m.name), "%s", p->name);
	snprintf(m.driver, sizeof(m.driver), "%s", info.driver_name ? info.driver_name : "");
	snprintf(m.interface, sizeof(m.interface), "%s", p->interface);
	snprintf(m.role, sizeof(m.role), "%s", p->outer ? "outer" : "inner");
	m.rx_packets = st.ipackets;
	m.rx_bytes = st.ibytes;
	m.tx_packets = st.opackets;
	m.tx_bytes = st.obytes;
	m.rx_missed = st.imissed + st.rx_nombuf;
	m.errors = st.ierrors + st.oerrors;
	MAIN_SEND(c, DP_PORT, &m);
}

static uint16_t thousandths(uint64_t part, uint64_t whole)
{
	return whole ? (uint16_t)RTE_MIN(part * 1000 / whole, 1000ULL) : 0;
}

// Once a second: what share of it each core has spent on packets.
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
}

static void report_core(struct control *c, uint32_t token, unsigned index)
{
	const struct lcore *lc = c->dp.cores[index];
	struct msg_dp_core m = {
		.token = token,
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

	MAIN_SEND(c, DP_CORE, &m);
}

static uint64_t counter_sum(const struct control *c, unsigned counter)
{
	uint64_t sum = c->count.value[counter];

	for (unsigned i = 0; i < c->dp.n_cores; i++)
		sum += c->dp.cores[i]->count.value[counter];
	return sum;
}

static void report_counters(struct control *c, uint32_t token)
{
	struct msg_dp_counter m = { .token = token };

	for (unsigned i = 0; i < COUNTERS; i++) {
		snprintf(m.name, sizeof(m.name), "%s", counter_descs[i].name);
		snprintf(m.help, sizeof(m.help), "%s", counter_descs[i].help);
		m.drop = counter_descs[i].drop;
		m.value = counter_sum(c, i);
		MAIN_SEND(c, DP_COUNTER, &m);
	}
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

void report_stats(struct control *c, uint32_t token)
{
	struct msg_dataplane_stats_end end = {
		.token = token,
		.tunnels = c->n_active,
		.tunnels_max = c->dp.tunnels_max,
		.memory_bytes = memory_used(),
	};

	for (unsigned i = 0; i < c->ports.n; i++)
		report_port(c, token, &c->ports.all[i]);
	for (unsigned i = 0; i < c->dp.n_cores; i++)
		report_core(c, token, i);
	report_counters(c, token);
	snprintf(end.memory, sizeof(end.memory), "%s", c->memory);
	MAIN_SEND(c, DATAPLANE_STATS_END, &end);
}
