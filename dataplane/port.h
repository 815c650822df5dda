// Outer and inner ethdevs: probing devargs, configuring, starting. Control thread, before the cores run.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mempool.h>

#include "proto/snapshot.h"

#define PORTS_MAX 16

struct port {
	uint16_t id; // ethdev
	bool outer;
	char name[64];      // devargs name ("net_af_packet0")
	char interface[16]; // kernel interface behind it, "" for none
	int index;          // its number
	bool up;            // control: rw; of an interface
	struct rte_ether_addr mac;
	bool tx_ipv4_csum, tx_udp_csum; // offloads that the port has and that are on
};

struct ports {
	struct port all[PORTS_MAX]; // the inner one first
	const struct port *inner;
	const struct port *outer[PORTS_MAX];
	unsigned n, n_outer;
	struct rte_mempool *pool; // packets of all ports and both planes
};

// What the pool of packets takes.
size_t ports_budget(const struct snapshot *s);
// Make the pool, probe, configure and start all ports of the snapshot. 0 or -errno with `why` (LIMIT_TEXT + 1), which names port
// and option.
int ports_open(struct ports *p, const struct snapshot *s, char *why);
