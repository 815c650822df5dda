#include "port_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "lcore.h"
#include "packet.h"

#define TUN "/dev/net/tun"
#define SEGMENTS_MAX 64 // of a packet on its way to the kernel

// ------------------------------------------------------------------------------------------------------------------- open

static int queue_open(const struct tap *t)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE };
	int fd = open(TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	memcpy(ifr.ifr_name, t->interface, sizeof(ifr.ifr_name));
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static int mac_set(const struct tap *t, const struct rte_ether_addr *mac)
{
	struct ifreq ifr = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };

	memcpy(ifr.ifr_hwaddr.sa_data, mac, sizeof(*mac));
	return ioctl(t->queue[0].fd, SIOCSIFHWADDR, &ifr) < 0 ? -errno : 0;
}

static int mac_get(struct tap *t)
{
	struct ifreq ifr = { 0 };

	if (ioctl(t->queue[0].fd, SIOCGIFHWADDR, &ifr) < 0)
		return -errno;
	memcpy(&t->mac, ifr.ifr_hwaddr.sa_data, sizeof(t->mac));
	return 0;
}

static void tap_close(struct tap *t)
{
	for (uint16_t q = 0; q < t->n; q++)
		close(t->queue[q].fd);
	rte_free(t);
}

int tap_open(const struct tap_wish *wish, struct tap **out)
{
	struct tap *t;
	int ret = 0;

	if (strlen(wish->interface) >= sizeof(t->interface))
		return -ENAMETOOLONG;
	t = rte_zmalloc("tap", sizeof(*t) + wish->queues * sizeof(*t->queue), RTE_CACHE_LINE_SIZE);
	if (!t)
		return -ENOMEM;
	strcpy(t->interface, wish->interface);
	for (; t->n < wish->queues; t->n++) {
		t->queue[t->n].fd = ret = queue_open(t);
		if (ret < 0)
			goto undo;
	}
	ret = wish->mac ? mac_set(t, wish->mac) : 0;
	if (ret == 0)
		ret = mac_get(t);
	if (ret < 0)
		goto undo;
	*out = t;
	return 0;
undo:
	tap_close(t);
	return ret;
}

// ---------------------------------------------------------------------------------------------------------------- receive

// True: there was a frame. The kernel cuts one that is longer than the packet has room; its IP header will tell.
static bool read_frame(struct tap_queue *q, struct rte_mbuf *m)
{
	ssize_t n = read(q->fd, packet_data(m), rte_pktmbuf_tailroom(m));

	if (n <= 0)
		return false;
	packet_cut(m, 0, (uint16_t)n);
	q->count.rx_packets++;
	q->count.rx_bytes += (uint64_t)n;
	return true;
}

uint16_t tap_rx(struct tap *t, uint16_t queue, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n)
{
	struct tap_queue *q = &t->queue[queue];
	uint16_t got = 0;

	while (got < n) {
		if (!q->next)
			q->next = rte_pktmbuf_alloc(lc->pool);
		if (unlikely(!q->next) || !read_frame(q, q->next))
			break;
		pkts[got++] = q->next;
		q->next = NULL;
	}
	return got;
}

// ------------------------------------------------------------------------------------------------------------------- send

// True: the kernel has it.
static bool write_frame(struct tap_queue *q, struct rte_mbuf *m)
{
	struct iovec iov[SEGMENTS_MAX];
	int n = 0;

	for (const struct rte_mbuf *s = m; s; s = s->next) {
		if (n == SEGMENTS_MAX)
			return false;
		iov[n++] = (struct iovec){ rte_pktmbuf_mtod(s, void *), s->data_len };
	}
	return writev(q->fd, iov, n) == (ssize_t)m->pkt_len;
}

uint16_t tap_tx(struct tap *t, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct tap_queue *q = &t->queue[queue];
	uint16_t sent = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (likely(write_frame(q, pkts[i]))) {
			q->count.tx_bytes += pkts[i]->pkt_len;
			sent++;
		}
	}
	q->count.tx_packets += sent;
	q->count.errors += n - sent;
	rte_pktmbuf_free_bulk(pkts, n);
	return sent;
}
