#include "port_udp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "lcore.h"
#include "packet.h"

// So much waits in a socket while its core is busy, or in the stack on its way out.
#define RECEIVE_BUFFER (8 << 20)
#define SEND_BUFFER (8 << 20)
// A message is received into a packet; what of it does not fit there goes on behind a place for what does.
#define PACKET_ROOM_MAX 16384
#define UDP_LARGE (PACKET_ROOM_MAX + 65536)
// Messages at once where they hold many datagrams each: what they bring has to stay in the cache until it has been taken apart.
#define MESSAGES_LARGE 4

// ------------------------------------------------------------------------------------------------------------------- open

static bool is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

static void option_set(int fd, int level, int option, int value)
{
	// every one of them is worth having, and none is worth failing for
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		errno = 0;
}

static void options_set(int fd, bool ipv4, const struct udp_wish *wish)
{
	int ip = ipv4 ? IPPROTO_IP : IPPROTO_IPV6;

	if (!ipv4) // the other family has a port of its own
		option_set(fd, ip, IPV6_V6ONLY, 1);
	// an interface may have lost its address for a while
	option_set(fd, ip, ipv4 ? IP_FREEBIND : IPV6_FREEBIND, 1);
	option_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
	option_set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER);
	option_set(fd, IPPROTO_UDP, UDP_GRO, 1);
	option_set(fd, ip, ipv4 ? IP_RECVTOS : IPV6_RECVTCLASS, 1);
	// the tunnel's MTU is a guess about the path: what is too long for it is fragmented, or lost, as is wished; what routers
	// say of the path is not believed, since anybody can say it
	option_set(fd, ip, ipv4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
	           ipv4 ? (wish->whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_OMIT)
	                : (wish->whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT));
	if (is_any(&wish->local))
		option_set(fd, ip, ipv4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1);
}

// A kernel that cannot would send what it is to cut as one datagram.
static bool can_cut(int fd)
{
	static const int off = 0;

	return setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof(off)) == 0;
}

static int reuse(int fd)
{
	static const int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ? -errno : 0;
}

// The first socket is bound for itself: that fails where anybody is there already, whoever it is. Then the others may join it.
static int socket_bind(int fd, const struct udp_wish *wish, bool first)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&wish->local, &ss);
	int ret = first && !wish->shared ? 0 : reuse(fd);

	if (ret == 0 && bind(fd, (struct sockaddr *)&ss, len) < 0)
		ret = -errno;
	if (ret == 0 && first && wish->queues > 1)
		ret = reuse(fd);
	return ret;
}

static int socket_open(const struct udp_wish *wish, bool first)
{
	int fd = socket(wish->local.family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ret;

	if (fd < 0)
		return -errno;
	options_set(fd, wish->local.family == 4, wish);
	ret = socket_bind(fd, wish, first);
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

// Others join it as they join ours: they are root's as well.
static int socket_adopt(const struct udp_wish *wish)
{
	int fd = *wish->given, ret = reuse(fd);

	options_set(fd, wish->local.family == 4, wish);
	if (ret == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		ret = -errno;
	return ret < 0 ? ret : fd;
}

static void slot_init(struct udp_queue *q, unsigned i)
{
	struct udp_slot *s = &q->slot[i];

	s->iov[1] = (struct iovec){ q->large + i * UDP_LARGE + PACKET_ROOM_MAX, UDP_LARGE - PACKET_ROOM_MAX };
	q->msg[i].msg_hdr = (struct msghdr){ .msg_name = &s->from, .msg_iov = s->iov, .msg_iovlen = 2, .msg_control = s->control };
}

static int queue_open(const struct udp_wish *wish, struct udp_queue *q, bool first)
{
	q->large = malloc((size_t)UDP_MESSAGES * UDP_LARGE);
	if (!q->large)
		return -ENOMEM;
	q->fd = first && wish->given ? socket_adopt(wish) : socket_open(wish, first);
	if (q->fd < 0) {
		free(q->large);
		return q->fd;
	}
	q->whole = !can_cut(q->fd);
	q->batch = UDP_MESSAGES;
	q->next = UDP_MESSAGES; // all places are empty
	for (unsigned i = 0; i < UDP_MESSAGES; i++)
		slot_init(q, i);
	return 0;
}

static int option_of(int fd, int level, int option)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, level, option, &value, &len) == 0 ? value : -1;
}

unsigned udp_given(int fds[CHILD_SOCKETS_MAX])
{
	unsigned n = 0;

	while (n < CHILD_SOCKETS_MAX && option_of(CHILD_FD_SOCKETS + (int)n, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDP) {
		fds[n] = CHILD_FD_SOCKETS + (int)n;
		fcntl(fds[n++], F_SETFD, FD_CLOEXEC);
	}
	return n;
}

int udp_where(int fd, struct addr *local, bool *both)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	addr_from_sockaddr((struct sockaddr *)&ss, local);
	*both = ss.ss_family == AF_INET6 && is_any(local) && option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
	return 0;
}

int udp_open(const struct udp_wish *wish, struct udp **out)
{
	struct udp *u = rte_zmalloc("udp", sizeof(*u) + wish->queues * sizeof(*u->queue), RTE_CACHE_LINE_SIZE);
	int ret = 0;

	if (!u)
		return -ENOMEM;
	u->local = wish->local;
	u->any = is_any(&wish->local);
	u->port = wish->port;
	for (; u->n < wish->queues && ret == 0; u->n += ret == 0)
		ret = queue_open(wish, &u->queue[u->n], u->n == 0);
	if (ret == 0) {
		*out = u;
		return 0;
	}
	for (uint16_t q = 0; q < u->n; q++) {
		close(u->queue[q].fd);
		free(u->queue[q].large);
	}
	rte_free(u);
	return ret;
}

uint64_t udp_missed(const struct udp *u)
{
	uint32_t info[SK_MEMINFO_VARS];
	uint64_t sum = 0;
	socklen_t len;

	for (uint16_t q = 0; q < u->n; q++) {
		len = sizeof(info);
		if (getsockopt(u->queue[q].fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0 && len == sizeof(info))
			sum += info[SK_MEMINFO_DROPS];
	}
	return sum;
}

// ---------------------------------------------------------------------------------------------------------------- receive

// A link-local peer is one of its interface's. Paths of sockets have no next hop: its place is free.
static inline uint32_t path_scope(const struct path *p)
{
	uint32_t scope;

	memcpy(&scope, &p->peer_mac, sizeof(scope));
	return scope;
}

static inline void path_set_scope(struct path *p, uint32_t scope)
{
	memcpy(&p->peer_mac, &scope, sizeof(scope));
}

static inline void take_address(const struct msghdr *h, struct path *path)
{
	const struct sockaddr_in *in = h->msg_name;
	const struct sockaddr_in6 *in6 = h->msg_name;

	if (in->sin_family == AF_INET) {
		path->key.family = 4;
		path->key.peer_udp = in->sin_port;
		memcpy(path->key.peer_ip, &in->sin_addr, 4);
		return;
	}
	path->key.family = 6;
	path->key.peer_udp = in6->sin6_port;
	memcpy(path->key.peer_ip, &in6->sin6_addr, 16);
	path_set_scope(path, in6->sin6_scope_id);
}

// What the kernel says beside the bytes: their size where there are several, the address they were sent to, TOS.
static inline uint16_t take_control(struct msghdr *h, struct path *path)
{
	uint16_t size = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		const void *data = CMSG_DATA(c);
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			size = (uint16_t) * (const int *)data;
		else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
			path->tos = *(const uint8_t *)data;
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			path->tos = (uint8_t) * (const int *)data;
		else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			memcpy(path->key.our_ip, &((const struct in_pktinfo *)data)->ipi_addr, 4);
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			memcpy(path->key.our_ip, &((const struct in6_pktinfo *)data)->ipi6_addr, 16);
	}
	return size;
}

static inline uint16_t path_learn(const struct udp *u, struct msghdr *h, struct path *path)
{
	memset(path, 0, sizeof(*path));
	path->port = u->port;
	path->key.our_udp = rte_cpu_to_be_16(u->local.port);
	memcpy(path->key.our_ip, u->local.ip, 16);
	take_address(h, path);
	return take_control(h, path);
}

static inline void datagram_set(struct rte_mbuf *m, const struct path *path, uint16_t len)
{
	packet_of(m)->path = *path;
	packet_of(m)->kind = PACKET_DATAGRAM;
	packet_cut(m, 0, len);
}

// What lies behind the first datagram of a message: the packet's end is put before what did not fit into it.
static void piece_set(struct udp_queue *q, unsigned i, const uint8_t *data, uint32_t len, uint16_t size)
{
	uint32_t room = (uint32_t)q->slot[i].iov[0].iov_len, in_packet = RTE_MIN(len, room);
	uint8_t *rest = q->slot[i].iov[1].iov_base;

	rest -= in_packet - size;
	memcpy(rest, data + size, in_packet - size);
	q->piece.at = rest;
	q->piece.left = len - size;
	q->piece.size = size;
	q->batch = MESSAGES_LARGE;
}

// The next message: its first datagram in its packet, the others in the piece. NULL: it is no datagram of ours.
static struct rte_mbuf *take_message(struct udp *u, struct udp_queue *q, struct lcore *lc)
{
	unsigned i = q->next++;
	struct rte_mbuf *m = q->pkts[i];
	uint32_t len = q->msg[i].msg_len;
	uint16_t size = path_learn(u, &q->msg[i].msg_hdr, &q->piece.path);

	q->count.rx_bytes += len;
	if (size > 0 && size < len && size <= q->slot[i].iov[0].iov_len) {
		piece_set(q, i, packet_data(m), len, size);
		len = size;
	}
	if (unlikely(len > q->slot[i].iov[0].iov_len)) {
		count(lc, COUNT_outer_rx);
		drop(lc, COUNT_drop_malformed_record, m);
		return NULL;
	}
	q->count.rx_packets++;
	datagram_set(m, &q->piece.path, (uint16_t)len);
	return m;
}

static uint16_t take_piece(struct udp_queue *q, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n)
{
	struct udp_piece *p = &q->piece;
	uint32_t all = (p->left + p->size - 1) / p->size;

	n = (uint16_t)RTE_MIN((uint32_t)n, all);
	if (unlikely(rte_pktmbuf_alloc_bulk(lc->pool, pkts, n) < 0)) {
		lc->count.value[COUNT_outer_rx] += all;
		lc->count.value[COUNT_drop_no_mbuf] += all;
		p->left = 0;
		return 0;
	}
	for (uint16_t i = 0; i < n; i++) {
		uint16_t len = (uint16_t)RTE_MIN(p->left, (uint32_t)p->size);
		memcpy(packet_data(pkts[i]), p->at, len);
		datagram_set(pkts[i], &p->path, len);
		p->at += len;
		p->left -= len;
	}
	q->count.rx_packets += n;
	return n;
}

// As many messages as there are, at most `most`. Those taken before have left their places empty.
static void receive(struct udp_queue *q, struct lcore *lc, unsigned most)
{
	int n;

	if (q->next > 0 && unlikely(rte_pktmbuf_alloc_bulk(lc->pool, q->pkts, q->next) < 0))
		return;
	for (unsigned i = 0; i < q->next; i++) {
		struct msghdr *h = &q->msg[i].msg_hdr;
		q->slot[i].iov[0].iov_base = packet_data(q->pkts[i]);
		q->slot[i].iov[0].iov_len = RTE_MIN(rte_pktmbuf_tailroom(q->pkts[i]), PACKET_ROOM_MAX);
		h->msg_namelen = sizeof(q->slot[i].from);
		h->msg_controllen = sizeof(q->slot[i].control);
	}
	n = recvmmsg(q->fd, q->msg, RTE_MIN(q->batch, most), 0, NULL);
	q->batch = UDP_MESSAGES;
	q->next = 0;
	q->n = n > 0 ? (unsigned)n : 0;
}

uint16_t udp_rx(struct udp *u, uint16_t queue, struct lcore *lc, struct rte_mbuf **pkts, uint16_t n)
{
	struct udp_queue *q = &u->queue[queue];
	bool asked = false;
	uint16_t got = 0;

	while (got < n) {
		if (q->piece.left > 0) {
			got += take_piece(q, lc, pkts + got, n - got);
		} else if (q->next < q->n) {
			pkts[got] = take_message(u, q, lc);
			got += pkts[got] != NULL;
		} else if (!asked) {
			receive(q, lc, n - got);
			asked = true;
		} else {
			break;
		}
	}
	return got;
}

// ------------------------------------------------------------------------------------------------------------------- send

#define SEND_MAX (2 * BURST) // packets that are looked at together
#define PIECE_MAX 65000      // bytes that the kernel takes in one piece, for itself to cut

// Datagrams of one length to one peer, in the order in which they came; the last may be shorter.
struct run {
	uint8_t first, last, n; // packets
	bool open;              // more may come
	uint16_t size;
	uint32_t bytes;
	uint64_t hash; // of the path
};

struct sending {
	struct rte_mbuf **pkts;
	uint8_t next[SEND_MAX]; // the packet behind each in its run
	struct run run[SEND_MAX];
	unsigned n; // runs
	struct mmsghdr msg[SEND_MAX];
	struct iovec iov[SEND_MAX];
	struct sockaddr_in6 to[SEND_MAX];
	struct {
		uint8_t byte[128] __attribute__((aligned(8)));
	} control[SEND_MAX];
	size_t plain[SEND_MAX]; // bytes of control without the size that the kernel cuts at
};

static inline uint64_t hash_path(const struct path *p)
{
	uint64_t a, b, c;

	memcpy(&a, p->key.peer_ip, 8);
	memcpy(&b, p->key.peer_ip + 8, 8);
	memcpy(&c, &p->key.peer_udp, 8);
	return (a * 31 + b) * 31 + c;
}

static inline bool same_way(const struct path *a, const struct path *b)
{
	return a->tos == b->tos && path_same_key(a, b);
}

static struct run *run_find(struct sending *s, const struct path *path, uint64_t hash)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->run[i].open && s->run[i].hash == hash && same_way(&packet_of(s->pkts[s->run[i].first])->path, path))
			return &s->run[i];
	return NULL;
}

static void runs_add(struct sending *s, uint8_t at, bool whole)
{
	const struct path *path = &packet_of(s->pkts[at])->path;
	uint16_t len = s->pkts[at]->data_len;
	uint64_t hash = hash_path(path);
	struct run *r = run_find(s, path, hash);

	if (r && len > 0 && len <= r->size && r->bytes + len <= PIECE_MAX && !whole) {
		s->next[r->last] = at;
		r->last = at;
		r->n++;
		r->bytes += len;
		r->open = len == r->size;
		return;
	}
	if (r)
		r->open = false;
	s->run[s->n++] = (struct run){ .first = at, .last = at, .n = 1, .open = len > 0, .size = len, .bytes = len, .hash = hash };
}

static void control_add(struct msghdr *h, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)h->msg_control + h->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	h->msg_controllen += CMSG_SPACE(len);
}

// From the address that was asked, where the socket has several.
static void control_from(struct msghdr *h, const struct path *p)
{
	struct in_pktinfo ipv4 = { 0 };
	struct in6_pktinfo ipv6 = { 0 };

	if (p->key.family == 4) {
		memcpy(&ipv4.ipi_spec_dst, p->key.our_ip, 4);
		control_add(h, IPPROTO_IP, IP_PKTINFO, &ipv4, sizeof(ipv4));
	} else {
		memcpy(&ipv6.ipi6_addr, p->key.our_ip, 16);
		control_add(h, IPPROTO_IPV6, IPV6_PKTINFO, &ipv6, sizeof(ipv6));
	}
}

static void control_set(const struct udp *u, struct sending *s, unsigned i, const struct path *p)
{
	struct msghdr *h = &s->msg[i].msg_hdr;
	const struct run *r = &s->run[i];
	int tos = p->tos;

	h->msg_control = s->control[i].byte;
	if (u->any)
		control_from(h, p);
	if (tos != 0)
		control_add(h, p->key.family == 4 ? IPPROTO_IP : IPPROTO_IPV6, p->key.family == 4 ? IP_TOS : IPV6_TCLASS, &tos,
		            sizeof(tos));
	s->plain[i] = h->msg_controllen;
	if (r->n > 1)
		control_add(h, IPPROTO_UDP, UDP_SEGMENT, &r->size, sizeof(r->size));
}

static void address_set(struct msghdr *h, struct sockaddr_in6 *to, const struct path *p)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)to;

	h->msg_name = to;
	if (p->key.family == 4) {
		*ipv4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = p->key.peer_udp };
		memcpy(&ipv4->sin_addr, p->key.peer_ip, 4);
		h->msg_namelen = sizeof(*ipv4);
		return;
	}
	*to = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = p->key.peer_udp, .sin6_scope_id = path_scope(p) };
	memcpy(&to->sin6_addr, p->key.peer_ip, 16);
	h->msg_namelen = sizeof(*to);
}

// A message for each run.
static void messages_make(const struct udp *u, struct sending *s)
{
	unsigned at = 0;

	for (unsigned i = 0; i < s->n; i++) {
		struct msghdr *h = &s->msg[i].msg_hdr;
		const struct run *r = &s->run[i];
		const struct path *p = &packet_of(s->pkts[r->first])->path;
		uint8_t k = r->first;

		*h = (struct msghdr){ .msg_iov = &s->iov[at], .msg_iovlen = r->n };
		for (unsigned j = 0; j < r->n; j++, k = s->next[k])
			s->iov[at++] = (struct iovec){ packet_data(s->pkts[k]), s->pkts[k]->data_len };
		address_set(h, &s->to[i], p);
		control_set(u, s, i, p);
	}
}

// A run that the kernel does not take in one piece: above the path's MTU, or by a device that sums nothing up.
static unsigned send_singly(struct udp_queue *q, struct sending *s, unsigned i)
{
	struct msghdr h = s->msg[i].msg_hdr;
	unsigned sent = 0;

	if (s->run[i].n == 1)
		return 0;
	q->whole |= errno == EIO;
	h.msg_iovlen = 1;
	h.msg_controllen = s->plain[i];
	for (unsigned k = 0; k < s->run[i].n; k++, h.msg_iov++)
		sent += sendmsg(q->fd, &h, 0) >= 0;
	return sent;
}

static unsigned send_messages(struct udp_queue *q, struct sending *s)
{
	unsigned done = 0, sent = 0;
	int n;

	while (done < s->n) {
		n = sendmmsg(q->fd, s->msg + done, s->n - done, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			break; // full
		if (n < 0)
			sent += send_singly(q, s, done++);
		for (; n > 0; n--, done++) {
			sent += s->run[done].n;
			q->count.tx_bytes += s->run[done].bytes;
		}
	}
	return sent;
}

uint16_t udp_tx(struct udp *u, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct udp_queue *q = &u->queue[queue];
	struct sending s;
	uint16_t sent = 0;

	for (uint16_t i = 0; i < n; i += SEND_MAX) {
		s.pkts = pkts + i;
		s.n = 0;
		for (uint8_t k = 0; k < RTE_MIN(n - i, SEND_MAX); k++)
			runs_add(&s, k, q->whole);
		messages_make(u, &s);
		sent += (uint16_t)send_messages(q, &s);
	}
	q->count.tx_packets += sent;
	q->count.errors += n - sent;
	rte_pktmbuf_free_bulk(pkts, n);
	return sent;
}
