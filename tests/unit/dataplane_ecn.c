// Congestion marks, DSCP and checksums between outer and inner headers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/ecn.h"
#include "dataplane_traffic.h"

#define V4 2
#define V6 3 // is_ipv6_outside()
#define LOST ECN_LOST

static uint16_t ipv4_sum(const uint8_t *ip)
{
	return checksum_fold(checksum_add(ip, (ip[0] & 15) * 4));
}

// The IP header of the next frame from that ring.
static uint8_t *ip_of_next(struct rte_ring *r)
{
	struct rte_mbuf *m = next_of(r);

	assert_non_null(m);
	return rte_pktmbuf_mtod(m, uint8_t *) + ETHER_HEADER;
}

// An inner packet of the client with this TOS and a right checksum, behind its type byte.
static uint16_t plain_of(uint32_t t, bool ipv6, uint8_t tos, uint8_t *plain)
{
	uint8_t *ip = plain + 1, from[16], to[16] = { 0xfd, 9 };
	uint16_t sum;

	plain[0] = TYPE_DATA;
	if (!ipv6) {
		world_ip(ip, 100, world_ipv4(t), INSIDE);
		ip[1] = tos;
		sum = ipv4_sum(ip);
		memcpy(ip + 10, &sum, 2);
		return 101;
	}
	world_ipv6(t, from);
	world_ip6(ip, 100, from, to);
	ip[0] = 0x60 | tos >> 4;
	ip[1] = (uint8_t)(tos << 4 | 7);
	return 101;
}

// RFC 6040 figure 4, in rows of inner and columns of outer: Not-ECT, ECT(0), ECT(1), CE.
static const uint8_t order[4] = { ECN_NOT, ECN_0, ECN_1, ECN_MET };
static const uint8_t figure[4][4] = {
	{ ECN_NOT, ECN_NOT, ECN_NOT, LOST },
	{ ECN_0, ECN_0, ECN_1, ECN_MET },
	{ ECN_1, ECN_1, ECN_1, ECN_MET },
	{ ECN_MET, ECN_MET, ECN_MET, ECN_MET },
};

static void the_figure(void **state)
{
	for (unsigned i = 0; i < 4; i++)
		for (unsigned o = 0; o < 4; o++)
			assert_int_equal(ecn_combined(order[i], order[o]), figure[i][o]);
}

static void marks_go_on(uint32_t t, bool ipv6, unsigned inner, unsigned outer)
{
	uint8_t plain[200], record[300], want = figure[inner][outer], tos = 0xb8;
	uint16_t len = record_of(t, 0, CONTENT_DATA, plain, plain_of(t, ipv6, tos | order[inner], plain), record);
	struct path path = path_of(t, 0);

	path.tos = 0x28 | order[outer];
	send_bytes(&path, record, len);
	if (want == LOST) {
		COUNTED(drop_ecn, 1);
		assert_int_equal(w.dp.out[t].dropped, 1);
		nothing_came_out();
		return;
	}
	const uint8_t *ip = ip_of_next(w.inner.tx);
	assert_int_equal(ip_tos(ip), tos | want);
	if (!ipv6)
		assert_int_equal(ipv4_sum(ip), 0);
	else
		assert_int_equal(ip[1] & 15, 7); // the flow label
	COUNTED(ecn_marked, order[outer] == ECN_MET);
}

static void marks_of_records_go_on_in_packets(void **state)
{
	for (unsigned i = 0; i < 4; i++)
		for (unsigned o = 0; o < 4; o++)
			for (unsigned v = 0; v < 4; v++) {
				fresh(NULL);
				marks_go_on(v & 1 ? V6 : V4, v & 2, i, o);
			}
}

static void a_replaced_word_is_as_if_summed_anew(void **state)
{
	uint8_t b[40];
	uint16_t sum, was;

	srand(7);
	for (unsigned i = 0; i < 100000; i++) {
		for (unsigned n = 0; n < sizeof(b); n++)
			b[n] = rand() % 4 ? (uint8_t)rand() : 0xff * (rand() % 2);
		store16(b + 10, 0);
		sum = checksum_fold(checksum_add(b, 40));
		memcpy(b + 10, &sum, 2);
		was = load16(b + 20);
		store16(b + 20, (uint16_t)rand());
		checksum_replace(b + 10, was, load16(b + 20));
		assert_int_equal(checksum_fold(checksum_add(b, 40)), 0);
	}
}

static const uint8_t *outer_of(uint32_t t, uint8_t tos)
{
	uint8_t packet[100];

	world_ip(packet, 100, INSIDE, world_ipv4(t));
	packet[1] = tos;
	arrive_inside(ETHER_IPV4, packet, 100);
	run();
	return ip_of_next(w.outer.tx);
}

static void outwards_there_is_no_mark(void **state)
{
	for (uint32_t t = V4; t <= V6; t++) {
		assert_int_equal(ip_tos(outer_of(t, 0xb8 | ECN_0)), 0);
		w.dp.out[t].flags |= TUNNEL_COPY_DSCP;
		assert_int_equal(ip_tos(outer_of(t, 0xb8 | ECN_0)), 0xb8);
		assert_int_equal(ip_tos(outer_of(t, 0xb8 | ECN_MET)), 0xb8);
	}
}

static void routers_may_fragment_unless_told(void **state)
{
	assert_int_equal(load16(outer_of(V4, 0) + 6), 0);
	w.dp.whole = true;
	assert_int_equal(load16(outer_of(V4, 0) + 6), 0x4000);
	assert_int_equal(outer_of(V6, 0)[6], PROTOCOL_UDP); // IPv6 has nothing to say
	w.dp.whole = false;
}

static void a_tunnel_has_its_own_tos(void **state)
{
	for (uint32_t t = V4; t <= V6; t++) {
		struct path path = path_of(t, 0);
		uint8_t record[100];

		w.dp.out[t].tos = 0x48;
		assert_int_equal(ip_tos(outer_of(t, 0xb8 | ECN_0)), 0x48);
		send_bytes(&path, record, record_of(t, 0, CONTENT_DATA, "\x03", 1, record)); // its answer has it, too
		assert_int_equal(ip_tos(ip_of_next(w.outer.tx)), 0x48);
		w.dp.out[t].flags |= TUNNEL_COPY_DSCP;
		assert_int_equal(ip_tos(outer_of(t, 0xb8 | ECN_0)), 0xb8);
		assert_int_equal(ip_tos(outer_of(t, 0)), 0);
	}
}

// Nor is what a client's records came with sent back to it.
static void marks_are_not_reflected(void **state)
{
	struct path path = path_of(V4, 0);
	uint8_t record[100];

	path.tos = 0xb8 | ECN_0;
	send_bytes(&path, record, record_of(V4, 0, CONTENT_DATA, "\x03", 1, record));
	const uint8_t *ip = ip_of_next(w.outer.tx);
	assert_int_equal(ip_tos(ip), 0);
}

static void ipv6_without_a_checksum(void **state)
{
	struct path path = path_of(V6, 0);
	uint8_t plain[200], record[300];
	uint16_t len = record_of(V6, 0, CONTENT_DATA, plain, plain_of(V6, false, 0, plain), record);
	struct rte_mbuf *m = world_frame(&w, &path, record, len);

	memset(rte_pktmbuf_mtod(m, uint8_t *) + ETHER_HEADER + IPV6_HEADER + 6, 0, 2);
	arrive_outside(m);
	run();
	COUNTED(drop_no_checksum, 1);
	path = path_of(V4, 0); // IPv4 may do without
	send_data(V4, 0, 100);
	run();
	COUNTED(dtls_data_in, 1);
}

static void ports_that_check_get_half_of_it(void **state)
{
	w.outer.port.tx_udp_csum = true;
	send_inside(V6, 100);
	run();
	struct rte_mbuf *m = next_of(w.outer.tx);
	const uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *) + ETHER_HEADER;
	assert_true(m->ol_flags & RTE_MBUF_F_TX_UDP_CKSUM);
	assert_true(m->ol_flags & RTE_MBUF_F_TX_IPV6);
	assert_int_equal(m->l2_len, ETHER_HEADER);
	assert_int_equal(m->l3_len, IPV6_HEADER);
	// What the port does: go over everything from the UDP header on, which holds the pseudo header's sum.
	unsigned length = load16(ip + 4);
	uint16_t sum = checksum_fold(checksum_add(ip + IPV6_HEADER, length));
	uint8_t whole[200];
	memcpy(whole, ip, IPV6_HEADER + length);
	memcpy(whole + IPV6_HEADER + 6, &sum, 2);
	assert_int_equal(
	        checksum_fold(checksum_pseudo(whole + 8, 32, PROTOCOL_UDP, length) + checksum_add(whole + IPV6_HEADER, length)), 0);
	w.outer.port.tx_udp_csum = false;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_figure),
		TEST(marks_of_records_go_on_in_packets),
		TEST(a_replaced_word_is_as_if_summed_anew),
		TEST(outwards_there_is_no_mark),
		TEST(routers_may_fragment_unless_told),
		TEST(a_tunnel_has_its_own_tos),
		TEST(marks_are_not_reflected),
		TEST(ipv6_without_a_checksum),
		TEST(ports_that_check_get_half_of_it),
	};

	traffic_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
