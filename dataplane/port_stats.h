// What a queue of a port of our own has carried: written by its core, summed by the control thread.
#pragma once
#include <stdint.h>

struct port_stats {
	uint64_t rx_packets, rx_bytes;
	uint64_t tx_packets, tx_bytes;
	uint64_t missed; // came, but there was no room for them
	uint64_t errors; // the kernel did not take them
};

static inline void port_stats_add(struct port_stats *sum, const struct port_stats *s)
{
	sum->rx_packets += s->rx_packets;
	sum->rx_bytes += s->rx_bytes;
	sum->tx_packets += s->tx_packets;
	sum->tx_bytes += s->tx_bytes;
	sum->missed += s->missed;
	sum->errors += s->errors;
}
