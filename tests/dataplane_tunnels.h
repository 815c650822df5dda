// Eight tunnels in a dataplane in memory, fresh for each test, and the sum that has to be right after it. Included after cmocka.h.
// CORES may be defined before it; all tunnels are core 0's at first.
#pragma once
#include "dataplane_client.h"

#define TUNNELS 8
#ifndef CORES
#define CORES 1
#endif
#define INSIDE rte_cpu_to_be_32(0x08080808)

static struct world w;
static struct world_client client[TUNNELS][2]; // of each tunnel's first and second handshake
static uint64_t sequence[TUNNELS][2];
static struct rte_mbuf *held; // by next_of()
static const struct world_port *const more_ports[] = { &w.tap, &w.lan, &w.lan_tap };

static WORLD_UNUSED unsigned long total(enum counter c)
{
	unsigned long sum = 0;

	for (unsigned i = 0; i < CORES; i++)
		sum += w.dp.cores[i]->count.value[c];
	return sum;
}

// What came in is what went out.
static WORLD_UNUSED bool balanced(void)
{
	bool good = true;

	for (unsigned i = 0; i < CORES; i++) {
		struct counter_sums s = counters_sum(&w.dp.cores[i]->count);
		good &= s.of[COUNTER_IN] + s.of[COUNTER_TAKEN] == s.of[COUNTER_OUT] + s.of[COUNTER_GIVEN] + s.of[COUNTER_DROP];
	}
	return good;
}

static WORLD_UNUSED void empty(struct rte_ring *r)
{
	void *m;

	while (rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
}

// Tunnel 3 is an IPv6 one outside; tunnel 7 has no DTLS; ciphers in turn.
static WORLD_UNUSED bool is_ipv6_outside(uint32_t t)
{
	return t == 3;
}

static WORLD_UNUSED int fresh(void **state)
{
	void *k;

	for (unsigned i = 0; i < CORES; i++) {
		struct lcore *lc = w.dp.cores[i];
		empty(w.outer.tx_of[i]);
		empty(w.inner.tx_of[i]);
		for (unsigned p = 0; p < RTE_DIM(more_ports); p++)
			if (more_ports[p]->tx)
				empty(more_ports[p]->tx_of[i]);
		empty(lc->to_control);
		while (rte_ring_dequeue(lc->released, &k) == 0)
			;
		memset(&lc->count, 0, sizeof(lc->count));
	}
	memset(w.dp.owner, 0, TUNNELS);
	for (uint32_t t = 0; t < TUNNELS; t++) {
		struct path path = world_path(&w, t, 0, is_ipv6_outside(t));
		struct tunnel_in *in = &w.dp.in[t];
		struct tunnel_out *out = &w.dp.out[t];
		w.dp.cold[t] = (struct tunnel_cold){ 0 };
		*in = (struct tunnel_in){ .ipv4 = world_ipv4(t), .flags = TUNNEL_LIVE };
		world_ipv6(t, in->ipv6);
		*out = (struct tunnel_out){ .flags = TUNNEL_LIVE, .mtu = WORLD_MTU, .udp_silence = 25 * w.dp.tsc_hz };
		world_client_init(&client[t][0], AEAD_AES_128_GCM + t % 3, (uint8_t)t);
		world_client_init(&client[t][1], AEAD_AES_128_GCM + (t + 1) % 3, (uint8_t)(100 + t));
		sequence[t][0] = sequence[t][1] = 1;
		if (t != 7)
			world_up(&w, t, world_keys(&w, t, 0, &client[t][0], 1, &path));
	}
	return 0;
}

static WORLD_UNUSED int check_balance(void **state)
{
	rte_pktmbuf_free(held);
	held = NULL;
	assert_true(balanced());
	unsigned in_rings = 0;
	for (unsigned i = 0; i < CORES; i++)
		in_rings += rte_ring_count(w.outer.tx_of[i]) + rte_ring_count(w.inner.tx_of[i]) +
		            rte_ring_count(w.dp.cores[i]->to_control);
	for (unsigned p = 0; p < RTE_DIM(more_ports); p++)
		for (unsigned i = 0; i < CORES && more_ports[p]->tx; i++)
			in_rings += rte_ring_count(more_ports[p]->tx_of[i]);
	assert_int_equal(rte_mempool_in_use_count(w.pool), in_rings);
	return 0;
}

static WORLD_UNUSED struct path path_of(uint32_t t, unsigned handshake)
{
	return world_path(&w, t, handshake, is_ipv6_outside(t));
}

static WORLD_UNUSED struct tunnel_keys *install_next(uint32_t t)
{
	struct path path = path_of(t, 1);
	struct tunnel_keys *k = world_keys(&w, t, 1, &client[t][1], 2, &path);

	w.dp.in[t].next = k;
	w.dp.in[t].handshaking = true;
	return k;
}

static WORLD_UNUSED void traffic_init(void)
{
	world_eal(64, false);
	world_init_cores(&w, TUNNELS, 256, 4095, CORES);
	world_must(aead_init() == 0, "AEAD");
	for (uint32_t t = 0; t < TUNNELS; t++) {
		struct path first = path_of(t, 0), second = path_of(t, 1);
		world_tunnel_add(&w, t);
		world_path_link(&w, t, &first);
		world_path_link(&w, t, &second);
	}
}
