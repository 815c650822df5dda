// Sockets of the kernel as a port, in a network namespace of this test's own: what peers send, and what they get.
//
//   peers (sockets of this test) ── lo: 127.0.0.0/8, ::1 ── the port under test, UDP 443
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_malloc.h>

#include "dataplane/lcore.h"
#include "dataplane/packet.h"
#include "eal.h"

#define PORT 443
#define NUMBER 5
#define QUEUES 2

static struct lcore *lc;
static struct udp *u;
static struct rte_mbuf *got[256]; // what the port has received, in order, of all queues
static unsigned n_got;
static unsigned queue_of[256];
static int peers[16], n_peers;

// ------------------------------------------------------------------------------------------------------------------ set-up

static void lo_set(int mtu)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &ifr), 0);
	ifr.ifr_flags |= IFF_UP;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	ifr.ifr_mtu = mtu;
	assert_int_equal(ioctl(fd, SIOCSIFMTU, &ifr), 0);
	close(fd);
}

static void address_of(struct sockaddr_storage *ss, const char *ip, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse(ip, &a), 0);
	a.port = port;
	addr_to_sockaddr(&a, ss);
}

static int open_at(const char *ip, uint16_t queues)
{
	struct udp_wish wish = { .port = NUMBER, .queues = queues };

	assert_int_equal(addr_parse(ip, &wish.local), 0);
	wish.local.port = PORT;
	return udp_open(&wish, &u);
}

static void close_port(void)
{
	for (uint16_t q = 0; u && q < u->n; q++) {
		struct udp_queue *s = &u->queue[q];
		for (unsigned i = s->next; i < UDP_MESSAGES; i++)
			rte_pktmbuf_free(s->pkts[i]);
		close(s->fd);
		free(s->large);
	}
	rte_free(u);
	u = NULL;
}

static int discovery(const char *ip, bool whole)
{
	struct udp_wish wish = { .port = NUMBER, .queues = 1, .whole = whole };
	bool ipv4 = !strchr(ip, ':');
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(addr_parse(ip, &wish.local), 0);
	wish.local.port = PORT;
	assert_int_equal(udp_open(&wish, &u), 0);
	assert_int_equal(getsockopt(u->queue[0].fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
	                            &value, &len),
	                 0);
	close_port();
	return value;
}

static void routers_may_fragment_unless_told(void **state)
{
	assert_int_equal(discovery("127.0.0.1", false), IP_PMTUDISC_OMIT);
	assert_int_equal(discovery("127.0.0.1", true), IP_PMTUDISC_PROBE);
	assert_int_equal(discovery("::1", true), IPV6_PMTUDISC_PROBE);
}

static int fresh(void **state)
{
	memset(&lc->count, 0, sizeof(lc->count));
	n_got = 0;
	n_peers = 0;
	return 0;
}

// Every buffer is back where it came from.
static int finish(void **state)
{
	rte_pktmbuf_free_bulk(got, n_got);
	for (int i = 0; i < n_peers; i++)
		close(peers[i]);
	close_port();
	assert_int_equal(rte_mempool_in_use_count(lc->pool), 0);
	lo_set(65536);
	return 0;
}

// ------------------------------------------------------------------------------------------------------------------- peers

static int peer(const char *ip)
{
	struct sockaddr_storage ss;
	int family = strchr(ip, ':') ? AF_INET6 : AF_INET, fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	address_of(&ss, ip, PORT);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, sizeof(ss)), 0);
	return peers[n_peers++] = fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 sin;
	socklen_t len = sizeof(sin);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	return sin.sin6_port;
}

// So many datagrams of one length, and one of another; byte i of datagram n is n + i. In one piece where `size` is not 0.
static void peer_sends(int fd, unsigned n, unsigned len, unsigned last)
{
	static uint8_t all[65536];
	unsigned used = 0;
	int size = (int)len;

	for (unsigned k = 0; k < n + (last > 0); k++)
		for (unsigned i = 0; i < (k < n ? len : last); i++)
			all[used++] = (uint8_t)(k + i);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
	assert_int_equal(send(fd, all, used, 0), used);
}

static void rx_of(unsigned q, unsigned burst)
{
	unsigned n;

	do {
		n = udp_rx(u, (uint16_t)q, lc, got + n_got, (uint16_t)burst);
		for (unsigned i = 0; i < n; i++)
			queue_of[n_got++] = q;
	} while (n > 0);
}

static void rx(unsigned burst)
{
	for (unsigned q = 0; q < u->n; q++)
		rx_of(q, burst);
}

static void is_numbered(const struct rte_mbuf *m, unsigned k, unsigned len)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	assert_int_equal(m->data_len, len);
	assert_int_equal(m->pkt_len, len);
	for (unsigned i = 0; i < len; i++)
		assert_int_equal(p[i], (uint8_t)(k + i));
}

// Fills packets the same way, for that path.
static struct rte_mbuf *packet_to(const struct path *path, unsigned k, unsigned len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(lc->pool);

	packet_of(m)->path = *path;
	for (unsigned i = 0; i < len; i++)
		packet_data(m)[i] = (uint8_t)(k + i);
	packet_cut(m, 0, (uint16_t)len);
	return m;
}

static void peer_gets(int fd, unsigned k, unsigned len)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t buf[4096];

	assert_int_equal(poll(&p, 1, 2000), 1);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), len);
	for (unsigned i = 0; i < len; i++)
		assert_int_equal(buf[i], (uint8_t)(k + i));
}

static void peer_gets_no_more(int fd)
{
	uint8_t buf[16];

	assert_int_equal(recv(fd, buf, sizeof(buf), 0), -1);
}

// ------------------------------------------------------------------------------------------------------------------- tests

static void a_datagram_comes_with_its_path(void **state)
{
	static const char *const ips[] = { "127.0.0.1", "::1" };

	for (unsigned i = 0; i < 2; i++) {
		struct sockaddr_storage ss;
		struct addr local;
		int fd, tos = 0x48;

		assert_int_equal(open_at(ips[i], 1), 0);
		fd = peer(ips[i]);
		setsockopt(fd, i ? IPPROTO_IPV6 : IPPROTO_IP, i ? IPV6_TCLASS : IP_TOS, &tos, sizeof(tos));
		peer_sends(fd, 1, 100, 0);
		n_got = 0;
		rx(32);
		assert_int_equal(n_got, 1);
		is_numbered(got[0], 0, 100);
		const struct packet *p = packet_of(got[0]);
		address_of(&ss, ips[i], PORT);
		addr_from_sockaddr((struct sockaddr *)&ss, &local);
		assert_int_equal(p->kind, PACKET_DATAGRAM);
		assert_int_equal(p->path.key.family, i ? 6 : 4);
		assert_memory_equal(p->path.key.our_ip, local.ip, 16);
		assert_memory_equal(p->path.key.peer_ip, local.ip, 16);
		assert_int_equal(p->path.key.our_udp, rte_cpu_to_be_16(PORT));
		assert_int_equal(p->path.key.peer_udp, port_of(fd));
		assert_int_equal(p->path.port, NUMBER);
		assert_int_equal(p->path.tos, tos);
		rte_pktmbuf_free(got[0]);
		n_got = 0;
		close_port();
	}
}

static void a_piece_is_taken_apart(void **state)
{
	static const struct {
		unsigned n, len, last, burst;
	} pieces[] = { { 2, 1000, 0, 32 }, { 11, 1400, 7, 32 }, { 45, 1400, 1399, 32 },
		       { 64, 1, 0, 7 },    { 3, 2048, 100, 2 }, { 31, 2000, 1, 1 } };

	assert_int_equal(open_at("127.0.0.1", 1), 0);
	int fd = peer("127.0.0.1");
	for (unsigned i = 0; i < RTE_DIM(pieces); i++) {
		unsigned all = pieces[i].n + (pieces[i].last > 0);
		peer_sends(fd, pieces[i].n, pieces[i].len, pieces[i].last);
		rx(pieces[i].burst);
		assert_int_equal(n_got, all);
		for (unsigned k = 0; k < n_got; k++) {
			is_numbered(got[k], k, k < pieces[i].n ? pieces[i].len : pieces[i].last);
			assert_int_equal(packet_of(got[k])->path.key.peer_udp, port_of(fd));
		}
		rte_pktmbuf_free_bulk(got, n_got);
		n_got = 0;
	}
	assert_int_equal(u->queue[0].count.rx_packets, 2 + 12 + 46 + 64 + 4 + 32);
}

static void pieces_of_many_peers_keep_their_order(void **state)
{
	assert_int_equal(open_at("127.0.0.1", 1), 0);
	for (unsigned i = 0; i < 8; i++)
		peer_sends(peer("127.0.0.1"), 1 + i * 2, 1000, i);
	rx(32);
	assert_int_equal(n_got, 8 + 2 * 28 + 7);
	for (unsigned i = 0, at = 0; i < 8; i++)
		for (unsigned k = 0; k < 1 + i * 2 + (i > 0); k++, at++) {
			is_numbered(got[at], k, k < 1 + i * 2 ? 1000 : i);
			assert_int_equal(packet_of(got[at])->path.key.peer_udp, port_of(peers[i]));
		}
}

static void what_is_too_long_is_dropped_by_name(void **state)
{
	assert_int_equal(open_at("127.0.0.1", 1), 0);
	int fd = peer("127.0.0.1");
	peer_sends(fd, 1, 5000, 0);
	peer_sends(fd, 1, 100, 0);
	rx(32);
	assert_int_equal(n_got, 1);
	is_numbered(got[0], 0, 100);
	assert_int_equal(lc->count.value[COUNT_outer_rx], 1); // what did not come out, the loop cannot count
	assert_int_equal(lc->count.value[COUNT_drop_malformed_record], 1);
}

static void without_buffers_a_piece_is_lost_by_name(void **state)
{
	static struct rte_mbuf *all[4096];
	unsigned n = 0;

	assert_int_equal(open_at("127.0.0.1", 1), 0);
	int fd = peer("127.0.0.1");
	peer_sends(fd, 1, 10, 0);
	rx(32);
	peer_sends(fd, 20, 1000, 0);
	while (rte_mempool_avail_count(lc->pool) > 5 && (all[n] = rte_pktmbuf_alloc(lc->pool)))
		n++;
	rx(32);
	assert_int_equal(lc->count.value[COUNT_outer_rx] + n_got, 1 + 20);
	assert_int_equal(lc->count.value[COUNT_drop_no_mbuf], 19);
	rte_pktmbuf_free_bulk(all, n);
}

static void answers_leave_from_the_address_that_was_asked(void **state)
{
	static const char *const any[] = { "0.0.0.0", "::" }, *const asked[] = { "127.0.0.7", "::1" };

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(open_at(any[i], 1), 0);
		int fd = peer(asked[i]); // connected: it hears nobody else
		peer_sends(fd, 1, 10, 0);
		rx(32);
		assert_int_equal(n_got, 1);
		struct rte_mbuf *m = packet_to(&packet_of(got[0])->path, 9, 1200);
		assert_int_equal(udp_tx(u, 0, &m, 1), 1);
		peer_gets(fd, 9, 1200);
		rte_pktmbuf_free(got[0]);
		n_got = 0;
		close_port();
	}
}

static void runs_to_many_peers_arrive_in_order(void **state)
{
	static const unsigned lens[] = { 1400, 1400, 1400, 300, 1400, 1401, 1401, 1, 1, 0, 5 };
	struct rte_mbuf *pkts[64];
	struct path path[3];
	unsigned n = 0;

	assert_int_equal(open_at("127.0.0.1", 1), 0);
	for (unsigned i = 0; i < 3; i++)
		peer_sends(peer("127.0.0.1"), 1, 10, 0);
	rx(32);
	for (unsigned i = 0; i < 3; i++)
		path[i] = packet_of(got[i])->path;
	for (unsigned k = 0; k < RTE_DIM(lens); k++)
		for (unsigned i = 0; i < 3; i++)
			pkts[n++] = packet_to(&path[i], k + i, lens[k]);
	assert_int_equal(udp_tx(u, 0, pkts, (uint16_t)n), n);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned k = 0; k < RTE_DIM(lens); k++)
			peer_gets(peers[i], k + i, lens[k]);
		peer_gets_no_more(peers[i]);
	}
	assert_int_equal(u->queue[0].count.tx_packets, n);
	assert_int_equal(u->queue[0].count.errors, 0);
}

static void a_full_burst_is_one_run(void **state)
{
	struct rte_mbuf *pkts[64];

	assert_int_equal(open_at("127.0.0.1", 1), 0);
	int fd = peer("127.0.0.1"), room = 1 << 20;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	peer_sends(fd, 1, 10, 0);
	rx(32);
	for (unsigned k = 0; k < 64; k++)
		pkts[k] = packet_to(&packet_of(got[0])->path, k, 1463);
	assert_int_equal(udp_tx(u, 0, pkts, 64), 64);
	for (unsigned k = 0; k < 64; k++)
		peer_gets(fd, k, 1463);
}

static void tos_goes_out_as_the_path_has_it(void **state)
{
	const int on = 1;
	struct rte_mbuf *m;
	char control[64], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

	assert_int_equal(open_at("127.0.0.1", 1), 0);
	int fd = peer("127.0.0.1");
	setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
	peer_sends(fd, 1, 10, 0);
	rx(32);
	packet_of(got[0])->path.tos = 0x2e << 2;
	m = packet_to(&packet_of(got[0])->path, 0, 1);
	assert_int_equal(udp_tx(u, 0, &m, 1), 1);
	assert_int_equal(recvmsg(fd, &h, 0), 1);
	assert_non_null(CMSG_FIRSTHDR(&h));
	assert_int_equal(*CMSG_DATA(CMSG_FIRSTHDR(&h)), 0x2e << 2);
}

static void above_the_mtu_it_is_fragmented(void **state)
{
	struct rte_mbuf *pkts[8];

	assert_int_equal(open_at("127.0.0.1", 1), 0);
	int fd = peer("127.0.0.1");
	peer_sends(fd, 1, 10, 0);
	rx(32);
	lo_set(1000);
	for (unsigned k = 0; k < 8; k++)
		pkts[k] = packet_to(&packet_of(got[0])->path, k, 1400);
	assert_int_equal(udp_tx(u, 0, pkts, 8), 8);
	for (unsigned k = 0; k < 8; k++)
		peer_gets(fd, k, 1400);
}

static void nobody_there_is_a_lost_packet(void **state)
{
	struct rte_mbuf *pkts[4];

	assert_int_equal(open_at("127.0.0.1", 1), 0);
	peer_sends(peer("127.0.0.1"), 1, 10, 0);
	rx(32);
	for (unsigned k = 0; k < 4; k++) {
		struct path path = packet_of(got[0])->path;
		memcpy(path.key.peer_ip, k == 1 ? "\x0a\x00\x00\x01" : "\x7f\x00\x00\x01", 4); // no route
		pkts[k] = packet_to(&path, k, 50);
	}
	assert_int_equal(udp_tx(u, 0, pkts, 4), 3);
	for (unsigned k = 0; k < 4; k++)
		if (k != 1)
			peer_gets(peers[0], k, 50);
	assert_int_equal(u->queue[0].count.errors, 1);
}

static void each_client_has_one_queue(void **state)
{
	unsigned of[16], used[QUEUES] = { 0 };

	assert_int_equal(open_at("127.0.0.1", QUEUES), 0);
	for (unsigned i = 0; i < 16; i++)
		peer_sends(peer("127.0.0.1"), 1, 10, 0);
	rx(32);
	assert_int_equal(n_got, 16);
	for (unsigned k = 0; k < n_got; k++)
		for (unsigned i = 0; i < 16; i++)
			if (packet_of(got[k])->path.key.peer_udp == port_of(peers[i]))
				used[of[i] = queue_of[k]]++;
	assert_true(used[0] > 0 && used[1] > 0);
	rte_pktmbuf_free_bulk(got, n_got);
	n_got = 0;
	for (unsigned i = 0; i < 16; i++)
		peer_sends(peers[i], 1, 20, 0);
	rx(32);
	for (unsigned k = 0; k < n_got; k++)
		for (unsigned i = 0; i < 16; i++)
			if (packet_of(got[k])->path.key.peer_udp == port_of(peers[i]))
				assert_int_equal(queue_of[k], of[i]);
}

static void somebody_elses_port_is_not_shared(void **state)
{
	struct sockaddr_storage ss;
	const int on = 1;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	// even where he would share it
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	address_of(&ss, "127.0.0.1", PORT);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, sizeof(ss)), 0);
	assert_int_equal(open_at("127.0.0.1", QUEUES), -EADDRINUSE);
	close(fd);
	assert_int_equal(open_at("127.0.0.1", 1), 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, sizeof(ss)), -1);
	close(fd);
}

static void what_the_kernel_drops_is_seen(void **state)
{
	int room = 4096;

	assert_int_equal(open_at("127.0.0.1", 1), 0);
	assert_int_equal(setsockopt(u->queue[0].fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
	int fd = peer("127.0.0.1");
	for (unsigned i = 0; i < 100; i++)
		peer_sends(fd, 1, 1000, 0);
	rx(32);
	assert_in_range(n_got, 1, 99);
	assert_int_equal(udp_missed(u) + n_got, 100);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_datagram_comes_with_its_path),          TEST(a_piece_is_taken_apart),
		TEST(routers_may_fragment_unless_told),        TEST(a_piece_is_taken_apart),
		TEST(pieces_of_many_peers_keep_their_order),   TEST(what_is_too_long_is_dropped_by_name),
		TEST(without_buffers_a_piece_is_lost_by_name), TEST(answers_leave_from_the_address_that_was_asked),
		TEST(runs_to_many_peers_arrive_in_order),      TEST(a_full_burst_is_one_run),
		TEST(tos_goes_out_as_the_path_has_it),         TEST(above_the_mtu_it_is_fragmented),
		TEST(nobody_there_is_a_lost_packet),           TEST(each_client_has_one_queue),
		TEST(somebody_elses_port_is_not_shared),       TEST(what_the_kernel_drops_is_seen),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		printf("needs root and a network namespace: skipped\n");
		return 77;
	}
	eal_for_test();
	lo_set(65536);
	lc = rte_zmalloc("lcore", sizeof(*lc), RTE_CACHE_LINE_SIZE);
	lc->pool = rte_pktmbuf_pool_create("packets", 2047, 0, PACKET_PRIVATE, RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY);
	if (!lc->pool)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
