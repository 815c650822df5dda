// A dataplane in memory, for unit tests and the bench: ring ports instead of NIC and TAP, tunnels with keys, and the clients'
// side of DTLS to make and open their records.
//
//   client ── frames ──► outer.rx   ┌───────────┐   inner.tx ──► kernel
//          ◄── frames ── outer.tx   │ loop_round│   inner.rx ◄──
//                                   └───────────┘
//                 lane ──► from_control      to_control ──► lane
// After world_kernel() the outer port is a NIC, and what is not ours crosses the ring port `tap`; after world_lan() there is an
// inner one, `lan`, with `lan_tap` beside it.
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "dataplane/exception.h"
#include "dataplane/frame.h"
#include "dataplane/hand.h"
#include "dataplane/headers.h"
#include "dataplane/loop.h"
#include "dataplane/mailbox.h"
#include "dataplane/record.h"
#include "dataplane/stage.h"

#define WORLD_UNUSED __attribute__((unused))
#define WORLD_UDP_PORT 443
#define WORLD_MTU 1434
#define WORLD_CORES_MAX 4
#define WORLD_OVERHEAD (HEADERS_MAX + RECORD_HEADER + 8 + 1 + AEAD_TAG)

// Queue q of each port is core q's.
struct world_port {
	struct rte_ring *rx_of[WORLD_CORES_MAX], *tx_of[WORLD_CORES_MAX]; // of the dataplane's view
	struct rte_ring *rx, *tx;                                         // of core 0
	struct port port;
};

struct world {
	struct dataplane dp;
	struct tables tables;
	struct networks networks;
	struct lcore *lc; // core 0
	struct rte_mempool *pool;
	struct world_port outer, inner, tap, lan, lan_tap;
	struct hosts hosts;
	struct tunnel_keys *keys; // two a tunnel where asked for
	uint32_t tunnels;
};

static WORLD_UNUSED void world_must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "cannot set up the dataplane in memory: %s\n", what);
	exit(1);
}

static WORLD_UNUSED unsigned long world_free_huge_mb(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");

	if (f && fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * 2;
}

// Huge pages when there are enough and they are wanted; threads on the last `cores` CPUs. Returns whether it has huge pages.
static WORLD_UNUSED bool world_eal_cores(unsigned mb, bool want_huge, unsigned cores)
{
	char memory[32], prefix[64], cpu[48];
	bool huge = want_huge && world_free_huge_mb() >= mb;
	char *plain[] = { "world",    "--no-huge", "-m", memory,          "--no-shconf",    prefix,
		          "--no-pci", "-l",        cpu,  "--log-level=3", "--no-telemetry", NULL };
	char *fine[] = { "world", "--in-memory", "--no-pci", "-l", cpu, "--log-level=3", "--no-telemetry", NULL };

	snprintf(memory, sizeof(memory), "%u", mb);
	snprintf(prefix, sizeof(prefix), "--file-prefix=world%d", (int)getpid());
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	snprintf(cpu, sizeof(cpu), "%ld-%ld", cpus - cores, cpus - 1);
	world_must(rte_eal_init(huge ? 7 : 11, huge ? fine : plain) >= 0, "EAL");
	rmdir(rte_eal_get_runtime_dir()); // EAL makes it and leaves it, empty
	return huge;
}

static WORLD_UNUSED bool world_eal(unsigned mb, bool want_huge)
{
	return world_eal_cores(mb, want_huge, 1);
}

static WORLD_UNUSED struct rte_ring *world_ring(const char *name, unsigned size)
{
	struct rte_ring *r = rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);

	world_must(r != NULL, name);
	return r;
}

static WORLD_UNUSED void world_port_open(struct world *w, struct world_port *p, const char *name, bool outer, unsigned size,
                                         uint16_t queues)
{
	struct rte_eth_conf conf = { 0 };
	char ring[32];
	int id;

	for (uint16_t q = 0; q < queues; q++) {
		snprintf(ring, sizeof(ring), "%s_rx%u", name, q);
		p->rx_of[q] = world_ring(ring, size);
		snprintf(ring, sizeof(ring), "%s_tx%u", name, q);
		p->tx_of[q] = world_ring(ring, size);
	}
	p->rx = p->rx_of[0];
	p->tx = p->tx_of[0];
	id = rte_eth_from_rings(name, p->rx_of, queues, p->tx_of, queues, SOCKET_ID_ANY);
	world_must(id >= 0, name);
	world_must(rte_eth_dev_configure((uint16_t)id, queues, queues, &conf) == 0, "configure");
	for (uint16_t q = 0; q < queues; q++) {
		world_must(rte_eth_rx_queue_setup((uint16_t)id, q, 64, SOCKET_ID_ANY, NULL, w->pool) == 0, "rx queue");
		world_must(rte_eth_tx_queue_setup((uint16_t)id, q, 64, SOCKET_ID_ANY, NULL) == 0, "tx queue");
	}
	world_must(rte_eth_dev_start((uint16_t)id) == 0, "start");
	p->port = (struct port){
		.number = (uint8_t)w->dp.n_ports, .id = (uint16_t)id, .outer = outer, .rx_queues = queues, .tx_queues = queues
	};
	rte_eth_macaddr_get((uint16_t)id, &p->port.mac);
	w->dp.ports[w->dp.n_ports++] = &p->port;
}

// Core `index` of so many, with queue `index` of both ports.
static WORLD_UNUSED struct lcore *world_core(struct world *w, unsigned index, unsigned cores, unsigned ring)
{
	struct lcore *lc = rte_zmalloc("lcore", sizeof(*lc), RTE_CACHE_LINE_SIZE);
	char name[32];

	world_must(lc != NULL, "lcore");
	lc->index = index;
	lc->id = index + 1;
	lc->dp = &w->dp;
	lc->pool = w->pool;
	lc->reassembly = reassembly_new(SOCKET_ID_ANY, w->dp.tsc_hz);
	world_must(lc->reassembly != NULL, "reassembly");
	lc->inner[lc->n_inner++] = (struct rx_queue){ &w->inner.port, (uint16_t)index };
	lc->outer[lc->n_outer++] = (struct rx_queue){ &w->outer.port, (uint16_t)index };
	for (unsigned p = 0; p < w->dp.n_ports; p++)
		lc->way[p] = (struct tx_way){ (uint16_t)index, (uint8_t)index };
	snprintf(name, sizeof(name), "mailbox%u", index);
	lc->mailbox = world_ring(name, 64);
	snprintf(name, sizeof(name), "from_control%u", index);
	lc->from_control = world_ring(name, ring);
	snprintf(name, sizeof(name), "to_control%u", index);
	lc->to_control = world_ring(name, ring);
	snprintf(name, sizeof(name), "released%u", index);
	lc->released = world_ring(name, rte_align32pow2(2 * w->tunnels + 1));
	for (unsigned from = 0; from < cores; from++) {
		snprintf(name, sizeof(name), "handed%u_%u", from, index);
		lc->handed[from] = from == index ? NULL : world_ring(name, RING_HANDED);
	}
	w->dp.cores[index] = lc;
	return lc;
}

// ring: packets a ring holds (a power of two); packets: mbufs. All tunnels are core 0's.
static WORLD_UNUSED void world_init_cores(struct world *w, uint32_t tunnels, unsigned ring, unsigned packets, unsigned cores)
{
	memset(w, 0, sizeof(*w));
	w->tunnels = tunnels;
	w->pool = rte_pktmbuf_pool_create("packets", packets, 256, PACKET_PRIVATE, RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY);
	world_must(w->pool != NULL, "packets");
	world_must(tables_init(&w->tables, tunnels, cores) == 0, "tables");
	world_must(networks_init(&w->networks, NETWORKS_MOST(tunnels)) == 0, "networks");
	w->dp = (struct dataplane){
		.tables = &w->tables,
		.networks = &w->networks,
		.in = rte_zmalloc("in", tunnels * sizeof(struct tunnel_in), RTE_CACHE_LINE_SIZE),
		.out = rte_zmalloc("out", tunnels * sizeof(struct tunnel_out), RTE_CACHE_LINE_SIZE),
		.owner = rte_zmalloc("owner", tunnels, RTE_CACHE_LINE_SIZE),
		.cold = rte_zmalloc("cold", tunnels * sizeof(struct tunnel_cold), RTE_CACHE_LINE_SIZE),
		.policy = rte_zmalloc("policies", tunnels * sizeof(struct policy *), RTE_CACHE_LINE_SIZE),
		.tunnels_max = tunnels,
		.udp_port = rte_cpu_to_be_16(WORLD_UDP_PORT),
		.tsc_hz = rte_get_tsc_hz(),
		.inner = &w->inner.port,
		.n_cores = cores,
	};
	world_port_open(w, &w->inner, "inner", false, ring, (uint16_t)cores);
	world_port_open(w, &w->outer, "outer", true, ring, (uint16_t)cores);
	w->keys = rte_zmalloc("keys", 2 * tunnels * sizeof(*w->keys), RTE_CACHE_LINE_SIZE);
	world_must(w->dp.in && w->dp.out && w->dp.owner && w->dp.cold && w->dp.policy && w->keys, "tunnels");
	for (unsigned i = 0; i < cores; i++)
		world_core(w, i, cores, ring);
	w->lc = w->dp.cores[0];
}

// The kernel gets its side of a NIC.
static WORLD_UNUSED void world_beside(struct world *w, struct world_port *nic, struct world_port *tap, const char *name,
                                      unsigned ring)
{
	world_port_open(w, tap, name, nic->port.outer, ring, (uint16_t)w->dp.n_cores);
	tap->port.kernel = true;
	tap->port.beside = &nic->port;
	nic->port.beside = &tap->port;
	for (unsigned i = 0; i < w->dp.n_cores; i++) {
		struct lcore *lc = w->dp.cores[i];
		lc->kernel[lc->n_kernel++] = (struct rx_queue){ &tap->port, (uint16_t)i };
		lc->way[tap->port.number] = (struct tx_way){ (uint16_t)i, (uint8_t)i };
		world_must(exception_init(lc) == 0, "backlog");
	}
}

// Before any packet: the outer port is a NIC. Datagrams to any address are ours.
static WORLD_UNUSED void world_kernel(struct world *w, unsigned ring)
{
	world_beside(w, &w->outer, &w->tap, "tap", ring);
	w->hosts.any = true;
	w->dp.hosts = &w->hosts;
}

// Before any packet: a NIC is the inner port, beside the one that is the kernel's.
static WORLD_UNUSED void world_lan(struct world *w, unsigned ring)
{
	world_port_open(w, &w->lan, "lan", false, ring, (uint16_t)w->dp.n_cores);
	for (unsigned i = 0; i < w->dp.n_cores; i++) {
		struct lcore *lc = w->dp.cores[i];
		lc->inner[lc->n_inner++] = (struct rx_queue){ &w->lan.port, (uint16_t)i };
		lc->way[w->lan.port.number] = (struct tx_way){ (uint16_t)i, (uint8_t)i };
	}
	world_beside(w, &w->lan, &w->lan_tap, "lan_tap", ring);
	w->dp.forwarding = (struct forwarding){ .nic = &w->lan.port, .mtu = 1500 };
}

static WORLD_UNUSED void world_init(struct world *w, uint32_t tunnels, unsigned ring, unsigned packets)
{
	world_init_cores(w, tunnels, ring, packets, 1);
}

// ----------------------------------------------------------------------------------------------------------------- tunnels

static WORLD_UNUSED uint32_t world_ipv4(uint32_t t)
{
	return rte_cpu_to_be_32(0x0a000001 + t);
}

static WORLD_UNUSED void world_ipv6(uint32_t t, uint8_t ip[16])
{
	uint32_t low = rte_cpu_to_be_32(t + 1);

	memset(ip, 0, 16);
	ip[0] = 0xfd;
	memcpy(ip + 12, &low, 4);
}

static WORLD_UNUSED void world_app_id(uint32_t t, uint8_t id[APP_ID_SIZE])
{
	memset(id, 0xa5, APP_ID_SIZE);
	memcpy(id, &t, sizeof(t));
}

// Many clients behind few addresses, as NAT makes them; every second one over IPv6 where `mixed`.
static WORLD_UNUSED struct path world_path(const struct world *w, uint32_t t, unsigned handshake, bool ipv6)
{
	struct path p = {
		.peer_mac = { { 2, 0, 0, 0, 0, 1 } },
		.our_mac = w->outer.port.mac,
		.port = w->outer.port.number,
		.key.family = ipv6 ? 6 : 4,
		.key.peer_udp = rte_cpu_to_be_16((uint16_t)(1024 + t % 50000 + 10000 * handshake)),
		.key.our_udp = w->dp.udp_port,
		.key.peer_ip = { 192, 0, 2, (uint8_t)(t / 50000) },
		.key.our_ip = { 198, 51, 100, 1 },
	};
	return p;
}

static WORLD_UNUSED void world_tunnel_add(struct world *w, uint32_t t)
{
	struct tunnel_in *in = &w->dp.in[t];
	struct tunnel_out *out = &w->dp.out[t];
	uint8_t app_id[APP_ID_SIZE];

	*in = (struct tunnel_in){ .ipv4 = world_ipv4(t), .flags = TUNNEL_LIVE };
	world_ipv6(t, in->ipv6);
	*out = (struct tunnel_out){ .flags = TUNNEL_LIVE, .mtu = WORLD_MTU, .udp_silence = UINT64_MAX };
	world_app_id(t, app_id);
	world_must(tables_link(&w->tables.by_ipv4, &in->ipv4, t) == 0, "ipv4");
	world_must(tables_link(&w->tables.by_ipv6, in->ipv6, t) == 0, "ipv6");
	world_must(tables_link(&w->tables.by_app_id, app_id, t) == 0, "app id");
}
