// TAPs of our own: Ethernet frames to and from the kernel, a queue for each poll core. As inner port, and beside a NIC that is ours
// for what the kernel is to get of it. Opened by the control thread before rights are given up; a queue belongs to one core.
#pragma once
#include <net/if.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "port_stats.h"
#include "segment.h"

struct lcore;

struct tap_queue {
	int fd;                  // to wait for, never blocks
	struct rte_mbuf *next;   // the queue's core: what the next frame is read into
	uint8_t *large;          // the queue's core: where a large frame is cut; NULL: none come
	struct segments cut;     // the queue's core: what of it is still to come
	struct port_stats count; // the queue's core: rw
} __rte_cache_aligned;

struct tap {
	char interface[IFNAMSIZ];
	struct rte_ether_addr mac;
	bool coalesce, coalesce_udp; // does the kernel take large frames
	uint16_t n;                  // queues
	struct tap_queue queue[];
};

struct tap_wish {
	const char *interface;            // its name
	uint16_t queues;                  // of one flow, what the kernel sends comes out of the queue that it was last written to
	const struct rte_ether_addr *mac; // NULL: the kernel's choice
	bool offloads;                    // large frames both ways; what the receiver gets and sends are packets all the same
};

// It goes with this process, and comes down: nobody has set it up yet. 0 or -errno (-EBUSY: somebody else has it; -EINVAL: an
// interface of that name is there already, and is no TAP of many queues).
int tap_open(const struct tap_wish *wish, struct tap **out);

// Frames from the kernel into packets of the core's pool; how many. What is lost here is counted as received and dropped.
uint16_t tap_rx(struct tap *t, uint16_t queue, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n);
// All frames are taken; those that did not get through are freed. How many did.
uint16_t tap_tx(struct tap *t, uint16_t queue, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n);
