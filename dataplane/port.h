// Outer and inner ports: probing devargs, configuring, starting; receiving and sending bursts. Opened by the control thread before
// the cores run. A port's queues belong to one core each.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mempool.h>

#include "port_tap.h"
#include "port_udp.h"
#include "proto/addr.h"
#include "proto/snapshot.h"

#define PORTS_MAX 32
#define CORES_MAX 32  // poll cores
#define QUEUES_MAX 32 // of a port
#define NUMA_MAX 8
#define HOSTS_MAX 64

enum port_kind {
	PORT_ETHDEV, // one of DPDK's: frames
	PORT_TAP,    // ours (port_tap.h): frames
	PORT_UDP,    // ours (port_udp.h): datagrams with their path
};

struct port {
	uint8_t number; // in ports.all: what paths and cores know it by
	uint8_t kind;   // enum port_kind
	bool outer;
	bool up;                   // control: rw; of an interface, or of a NIC of ours
	bool kernel;               // a TAP beside a NIC of ours: what is the kernel's crosses it, both ways
	const struct port *beside; // of such a TAP: its NIC; of such a NIC: its TAP; else NULL
	uint16_t id;               // PORT_ETHDEV
	struct tap *tap;           // PORT_TAP
	struct udp *udp;           // PORT_UDP
	uint16_t mtu;              // of a NIC of ours
	uint16_t link_mtu;         // control: rw, cores read; of the interface behind an outer port of frames; 0: nobody says
	int carrier;               // of a TAP beside one: the descriptor that its carrier is switched by
	uint16_t rx_queues, tx_queues;
	char name[64];             // devargs name ("net_af_packet0")
	char interface[16];        // kernel interface behind it, "" for none
	int index;                 // its number
	uint8_t waited;            // control: rw; seconds for the first link of a NIC of ours
	bool elsewhere;            // in another network namespace: nothing is heard of the interface
	bool gone;                 // control: rw; the interface is no more
	bool returned;             // control: rw; another one has its name
	struct rte_ether_addr mac; // control: rw
	bool tx_udp_csum;          // the port goes over UDP payloads, which IPv6 wants; on where it can
	int wait[QUEUES_MAX];      // what becomes readable when a receive queue has something; -1: nothing does
	bool interrupts;           // those are interrupts, to be armed first (interrupts.h)
};

// The addresses that datagrams for us are sent to, as configured.
struct hosts {
	struct addr addr[HOSTS_MAX];
	unsigned n;
	bool any;
};

struct ports {
	struct port all[PORTS_MAX]; // the inner one first
	const struct port *inner;
	unsigned n;
	int given[CHILD_SOCKETS_MAX]; // UDP sockets that main or systemd has opened: the first of their queues
	unsigned n_given;
	struct hosts hosts;                 // where there are NICs of ours
	struct rte_mempool *pool[NUMA_MAX]; // by NUMA node: packets of the ports and cores there; at least one is there
};

// What the pools of packets take for so many poll cores.
size_t ports_budget(const struct snapshot *s, unsigned cores);
// Before EAL takes them: can the NICs of the snapshot be ours? 0 or -errno with `why` (LIMIT_TEXT + 1).
int ports_check(const struct snapshot *s, char *why);
// Make the pools, probe, configure and start all ports of the snapshot, with a queue for each of so many poll cores where they have
// as many. 0 or -errno with `why` (LIMIT_TEXT + 1), which names port and option.
int ports_open(struct ports *p, const struct snapshot *s, unsigned cores, char *why);
// The number of the port that has this address by a socket of the kernel's; -ENOENT: there is none.
int ports_socket(const struct ports *p, const struct addr *local);
// The pool of a node, or the nearest thing to it.
struct rte_mempool *ports_pool(const struct ports *p, int node);

// By the core that has the queue.
static inline uint16_t port_rx(const struct port *p, uint16_t queue, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n)
{
	if (p->kind == PORT_TAP)
		return tap_rx(p->tap, queue, lc, pkts, n);
	if (p->kind == PORT_UDP)
		return udp_rx(p->udp, queue, lc, pkts, n);
	return rte_eth_rx_burst(p->id, queue, pkts, n);
}
// All packets are taken: those that were not sent are freed. How many were.
static inline uint16_t port_tx(const struct port *p, uint16_t queue, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent;

	if (p->kind == PORT_TAP)
		return tap_tx(p->tap, queue, lc, pkts, n);
	if (p->kind == PORT_UDP)
		return udp_tx(p->udp, queue, pkts, n);
	sent = rte_eth_tx_burst(p->id, queue, pkts, n);
	if (unlikely(sent < n))
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
	return sent;
}
