// One core between two TAPs: each round takes what the kernel sends on one and gives it to the other, both ways, as packets. What
// TCP through it reaches, and what CPU time the core takes for it, tap.sh measures from outside.
//
//   kernel, tap0 ── port_rx() ── packets ── port_tx() ── tap1, kernel
//
//   dataplane_tap tap|tap,plain|net_tap      until SIGTERM; says "ready" first, and its CPU seconds at the end
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_dev.h>

#include "dataplane/lcore.h"
#include "dataplane/packet.h"
#include "dataplane/port.h"
#include "eal.h"

#define PACKETS 8191
#define ROOM (RTE_PKTMBUF_HEADROOM + 2048)
#define DESCRIPTORS_TAP 8 // as in port.c
#define NAP_NS 20000
#define ROUNDS_AWAKE 16

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	stop = 1;
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "dataplane_tap: %s\n", what);
	exit(1);
}

static void open_ours(struct port *p, const char *interface, bool offloads)
{
	struct tap_wish wish = { .interface = interface, .queues = 1, .offloads = offloads };

	p->kind = PORT_TAP;
	must(tap_open(&wish, &p->tap) == 0, "no TAP");
}

static void open_dpdk(struct port *p, const char *interface, unsigned n, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = { 0 };
	char devargs[64], name[16];

	snprintf(name, sizeof(name), "net_tap%u", n);
	snprintf(devargs, sizeof(devargs), "%s,iface=%s", name, interface);
	must(rte_dev_probe(devargs) == 0 && rte_eth_dev_get_port_by_name(name, &p->id) == 0, "no net_tap");
	must(rte_eth_dev_configure(p->id, 1, 1, &conf) == 0, "net_tap is not configured");
	must(rte_eth_rx_queue_setup(p->id, 0, DESCRIPTORS_TAP, SOCKET_ID_ANY, NULL, pool) == 0, "no receive queue");
	must(rte_eth_tx_queue_setup(p->id, 0, 1024, SOCKET_ID_ANY, NULL) == 0, "no transmit queue");
	must(rte_eth_dev_start(p->id) == 0, "net_tap does not start");
}

static unsigned forward_burst(struct lcore *lc, const struct port *from, const struct port *to)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = port_rx(from, 0, lc, pkts, BURST);

	if (n > 0)
		port_tx(to, 0, lc, pkts, n);
	return n;
}

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void run(struct lcore *lc, const struct port *port)
{
	const struct timespec nap = { 0, NAP_NS };
	unsigned empty = 0;

	while (!stop) {
		if (forward_burst(lc, &port[0], &port[1]) + forward_burst(lc, &port[1], &port[0]) > 0)
			empty = 0;
		else if (++empty > ROUNDS_AWAKE)
			nanosleep(&nap, NULL);
	}
}

int main(int argc, char **argv)
{
	static struct port port[2];
	struct lcore *lc;
	double begin;

	must(argc == 2, "usage: dataplane_tap tap|tap,plain|net_tap");
	eal_for_test();
	lc = calloc(1, sizeof(*lc));
	must(lc != NULL, "out of memory");
	lc->pool = rte_pktmbuf_pool_create("packets", PACKETS, 256, PACKET_PRIVATE, ROOM, SOCKET_ID_ANY);
	must(lc->pool != NULL, "no packets");
	for (unsigned i = 0; i < RTE_DIM(port); i++) {
		const char *interface = i == 0 ? "tap0" : "tap1";
		if (strcmp(argv[1], "net_tap") == 0)
			open_dpdk(&port[i], interface, i, lc->pool);
		else
			open_ours(&port[i], interface, strcmp(argv[1], "tap") == 0);
	}
	signal(SIGTERM, on_term);
	puts("ready");
	fflush(stdout);
	begin = cpu_seconds();
	run(lc, port);
	printf("%.3f\n", cpu_seconds() - begin);
	_exit(fflush(stdout));
}
