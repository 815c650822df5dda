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

#include "coalesce.h"
#include "lcore.h"
#include "packet.h"

#define TUN "/dev/net/tun"
// Since Linux 6.2; this header may be older.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
#define OFFLOADS_UDP (TUN_F_USO4 | TUN_F_USO6)
// Frames are read into a packet; what of a large one does not fit there goes on behind a place for what does.
#define PACKET_ROOM_MAX 16384
#define LARGE_ROOM (PACKET_ROOM_MAX + ETHER_HEADER + UINT16_MAX)

// ------------------------------------------------------------------------------------------------------------------- open

static int queue_open(const struct tap *t, struct tap_queue *q, bool offloads)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE };
	int ret;

	q->large = offloads ? malloc(LARGE_ROOM) : NULL;
	if (offloads && !q->large)
		return -ENOMEM;
	q->fd = open(TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	memcpy(ifr.ifr_name, t->interface, sizeof(ifr.ifr_name));
	if (q->fd >= 0 && ioctl(q->fd, TUNSETIFF, &ifr) == 0)
		return 0;
	ret = -errno;
	if (q->fd >= 0)
		close(q->fd);
	free(q->large);
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

// What we can take of the kernel is what it will leave to us. It takes the same of us, and datagrams where it knows how to give
// them.
static int offloads_set(struct tap *t, bool wanted)
{
	int fd = t->queue[0].fd;

	if (!wanted)
		return ioctl(fd, TUNSETOFFLOAD, 0UL) < 0 ? -errno : 0;
	t->coalesce_udp = ioctl(fd, TUNSETOFFLOAD, (unsigned long)(OFFLOADS | OFFLOADS_UDP)) == 0;
	if (!t->coalesce_udp && ioctl(fd, TUNSETOFFLOAD, (unsigned long)OFFLOADS) < 0)
		return -errno;
	t->coalesce = true;
	return 0;
}

static void tap_close(struct tap *t)
{
	for (uint16_t q = 0; q < t->n; q++) {
		close(t->queue[q].fd);
		free(t->queue[q].large);
	}
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
		ret = queue_open(t, &t->queue[t->n], wish->offloads);
		if (ret < 0)
			goto undo;
	}
	ret = offloads_set(t, wish->offloads);
	if (ret == 0 && wish->mac)
		ret = mac_set(t, wish->mac);
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

enum taken { TAKEN_NONE, TAKEN_PACKET, TAKEN_LARGE, TAKEN_LOST };

static inline enum taken lose(struct lcore *lc, enum counter why)
{
	count(lc, COUNT_inner_rx);
	count(lc, why);
	return TAKEN_LOST;
}

// A frame longer than a packet, or one of several packets: it is put together at one place, and cut from there.
static enum taken take_large(struct tap_queue *q, struct lcore *lc, const struct virtio_net_hdr *v, uint32_t len, uint32_t room)
{
	uint8_t *frame = q->large + PACKET_ROOM_MAX - room;

	if (v->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return lose(lc, COUNT_drop_too_big);
	memcpy(frame, packet_data(q->next), RTE_MIN(len, room));
	if (!segment_begin(&q->cut, frame, len, v, room))
		return lose(lc, COUNT_drop_uncut);
	return TAKEN_LARGE;
}

static enum taken take_frame(struct tap_queue *q, struct lcore *lc)
{
	uint32_t room = RTE_MIN(rte_pktmbuf_tailroom(q->next), PACKET_ROOM_MAX), len;
	struct virtio_net_hdr v;
	const struct iovec iov[] = {
		{ &v, sizeof(v) },
		{ packet_data(q->next), room },
		{ q->large + PACKET_ROOM_MAX, LARGE_ROOM - PACKET_ROOM_MAX },
	};
	ssize_t n = readv(q->fd, iov, q->large ? 3 : 2);

	if (n <= (ssize_t)sizeof(v))
		return TAKEN_NONE;
	len = (uint32_t)n - (uint32_t)sizeof(v);
	q->count.rx_packets++;
	q->count.rx_bytes += len;
	if (unlikely(v.gso_type != VIRTIO_NET_HDR_GSO_NONE || len > room))
		return take_large(q, lc, &v, len, room);
	packet_cut(q->next, 0, (uint16_t)len);
	if ((v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && !segment_checksum(packet_data(q->next), len, &v))
		return lose(lc, COUNT_drop_uncut);
	return TAKEN_PACKET;
}

// Packets of the frame that is being cut.
static uint16_t cut(struct tap_queue *q, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n)
{
	unsigned left = segments_left(&q->cut);
	uint16_t len;

	n = (uint16_t)RTE_MIN((unsigned)n, left);
	if (unlikely(rte_pktmbuf_alloc_bulk(lc->pool, pkts, n) < 0)) {
		lc->count.value[COUNT_inner_rx] += left;
		lc->count.value[COUNT_drop_no_mbuf] += left;
		q->cut.at = q->cut.headers.end;
		return 0;
	}
	for (uint16_t i = 0; i < n; i++) {
		len = segment_next(&q->cut, packet_data(pkts[i]));
		packet_cut(pkts[i], 0, len);
	}
	lc->count.value[COUNT_inner_cut] += n;
	return n;
}

uint16_t tap_rx(struct tap *t, uint16_t queue, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n)
{
	struct tap_queue *q = &t->queue[queue];
	enum taken taken = TAKEN_LARGE;
	uint16_t got = 0;

	while (got < n && taken != TAKEN_NONE) {
		if (segments_left(&q->cut) > 0) {
			got += cut(q, lc, pkts + got, n - got);
			continue;
		}
		if (!q->next)
			q->next = rte_pktmbuf_alloc(lc->pool);
		taken = likely(q->next != NULL) ? take_frame(q, lc) : TAKEN_NONE;
		if (taken == TAKEN_PACKET) {
			pkts[got++] = q->next;
			q->next = NULL;
		}
	}
	return got;
}

// ------------------------------------------------------------------------------------------------------------------- send

#define PARTS_MAX (COALESCE_MAX + 1) // of a frame, its header and its packets

// True: the kernel has it, all of it.
static bool write_frame(struct tap_queue *q, const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (unlikely(writev(q->fd, iov, n) != (ssize_t)len)) {
		q->count.errors++;
		return false;
	}
	q->count.tx_packets++;
	q->count.tx_bytes += len - sizeof(struct virtio_net_hdr);
	return true;
}

static bool write_packet(struct tap_queue *q, const struct rte_mbuf *m)
{
	struct virtio_net_hdr v = { 0 };
	struct iovec iov[PARTS_MAX] = { { &v, sizeof(v) } };
	int n = 1;

	for (; m; m = m->next) {
		if (n == PARTS_MAX)
			return false;
		iov[n++] = (struct iovec){ rte_pktmbuf_mtod(m, void *), m->data_len };
	}
	return write_frame(q, iov, n);
}

static bool write_bunch(struct tap_queue *q, struct coalesce *c, const struct coalesce_bunch *b)
{
	struct virtio_net_hdr v;
	struct iovec iov[PARTS_MAX] = { { &v, sizeof(v) } };
	const struct coalesce_packet *p = &c->packet[b->first];
	int n = 2;

	coalesce_head(c, b, &v);
	iov[1] = (struct iovec){ p->frame, p->len };
	while (n <= b->n) {
		p = &c->packet[p->next];
		iov[n++] = (struct iovec){ p->frame + p->headers.payload, coalesce_payload(p) };
	}
	return write_frame(q, iov, n);
}

// At most COALESCE_MAX packets.
static uint16_t send_coalesced(const struct tap *t, struct tap_queue *q, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n)
{
	struct coalesce c;
	uint16_t sent = 0;

	coalesce_begin(&c, t->coalesce_udp);
	for (uint16_t i = 0; i < n; i++)
		coalesce_add(&c, packet_data(pkts[i]), pkts[i]->data_len);
	for (unsigned i = 0; i < c.bunches; i++) {
		const struct coalesce_bunch *b = &c.bunch[i];
		bool good = b->n == 1 ? write_packet(q, pkts[b->first]) : write_bunch(q, &c, b);
		if (likely(good))
			sent += b->n;
		if (b->n > 1)
			lc->count.value[COUNT_inner_coalesced] += b->n;
	}
	return sent;
}

uint16_t tap_tx(struct tap *t, uint16_t queue, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n)
{
	struct tap_queue *q = &t->queue[queue];
	uint16_t sent = 0, some;

	for (uint16_t i = 0; i < n; i += some) {
		some = t->coalesce ? RTE_MIN(n - i, COALESCE_MAX) : 1;
		sent += t->coalesce ? send_coalesced(t, q, lc, pkts + i, some) : write_packet(q, pkts[i]);
	}
	rte_pktmbuf_free_bulk(pkts, n);
	return sent;
}
