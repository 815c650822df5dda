// Outer and inner ethdevs: probing devargs, configuring, starting. Control thread, before the cores run.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

#define PORTS_MAX 16

struct port {
	uint16_t id;                  // ethdev
	bool outer;
	char name[64];                // devargs name ("net_af_packet0")
	char interface[16];           // kernel interface behind it, "" for none
	struct rte_ether_addr mac;
	bool tx_ipv4_csum, tx_udp_csum; // offloads that the port has and that are on
};
