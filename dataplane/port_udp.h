// UDP sockets of the kernel as an outer port: datagrams with their path go in and out, not frames. Routes, ARP, fragments and the
// firewall are the kernel's. A socket for each poll core; clients are spread over them by the kernel's flow hash. Opened by the
// control thread before rights are given up; a queue belongs to one core.
#pragma once
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include <rte_mbuf.h>

#include "path.h"
#include "port_stats.h"
#include "proto/addr.h"
#include "proto/snapshot.h"

struct lcore;

#define UDP_MESSAGES 32 // that one call receives

// Where one message is received, and what comes with it.
struct udp_slot {
	struct iovec iov[2]; // a packet, and what does not fit there
	struct sockaddr_in6 from;
	uint8_t control[128] __attribute__((aligned(8)));
};

// Datagrams of one peer that the kernel has received in one piece, as far as they are still to be taken apart.
struct udp_piece {
	const uint8_t *at;
	uint32_t left;
	uint16_t size; // of each but the last
	struct path path;
};

struct udp_queue {
	int fd;                  // to wait for, never blocks
	struct port_stats count; // the queue's core: rw; so is all below
	bool whole;              // the kernel cannot cut what it sends
	unsigned batch;          // messages to receive at once
	unsigned n, next;        // messages received, and the one whose turn it is; those before it have left their places empty
	struct udp_piece piece;
	struct rte_mbuf *pkts[UDP_MESSAGES]; // what messages are received into
	struct mmsghdr msg[UDP_MESSAGES];
	struct udp_slot slot[UDP_MESSAGES];
	uint8_t *large; // UDP_MESSAGES times UDP_LARGE bytes
} __rte_cache_aligned;

struct udp {
	struct addr local; // with its port
	bool any;          // of every address of its family
	uint8_t port;      // number
	uint16_t n;        // queues
	struct udp_queue queue[];
};

struct udp_wish {
	struct addr local; // with its port
	uint8_t port;      // number
	uint16_t queues;
	bool whole;       // datagrams are not fragmented on their way
	bool shared;      // one of systemd's has this address in its own
	const int *given; // bound to `local` by main or systemd; NULL: none
};

// UDP sockets that we were started with, at CHILD_FD_SOCKETS; before any other descriptor is opened. How many.
unsigned udp_given(int fds[CHILD_SOCKETS_MAX]);
// Where it is bound. both: it stands for every address of IPv4 too. 0 or -errno.
int udp_where(int fd, struct addr *local, bool *both);

// 0 or -errno (-EADDRINUSE: somebody else has that port).
int udp_open(const struct udp_wish *wish, struct udp **out);
uint64_t udp_missed(const struct udp *u); // what the kernel has dropped because nobody fetched it

// Datagrams (PACKET_DATAGRAM, data = the payload) into packets of the core's pool; how many. What is lost here is counted as
// received and dropped.
uint16_t udp_rx(struct udp *u, uint16_t queue, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n);
// Datagrams to where their paths lead. All are taken; those that did not get through are freed. How many did.
uint16_t udp_tx(struct udp *u, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
