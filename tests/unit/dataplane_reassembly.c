// Outer fragments: what becomes a datagram again, and the name that everything else is dropped by.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane_traffic.h"

#define V4 2
#define V6 3 // is_ipv6_outside()
#define MORE 1

// A datagram's frame, of which the tests send parts.
static struct {
	uint8_t frame[2048];
	unsigned ip, headers, len; // offset of IP, its length, length of what follows
	uint32_t id;
	bool ipv6;
} d;

static void datagram_of(uint32_t t, uint16_t vlan, uint16_t inner_len)
{
	static uint32_t id;
	struct path path = path_of(t, 0);
	uint8_t plain[2048], record[2100];
	struct rte_mbuf *m;

	path.vlan = rte_cpu_to_be_16(vlan);
	m = world_frame(&w, &path, record, record_of(t, 0, CONTENT_DATA, plain, inner_plain(t, inner_len, plain), record));
	memcpy(d.frame, rte_pktmbuf_mtod(m, void *), m->data_len);
	d.ipv6 = is_ipv6_outside(t);
	d.ip = ETHER_HEADER + (vlan ? VLAN_TAG : 0);
	d.headers = d.ipv6 ? IPV6_HEADER : IPV4_HEADER;
	d.len = m->data_len - d.ip - d.headers;
	d.id = ++id;
	rte_pktmbuf_free(m);
}

static void headers_of_part(uint8_t *ip, unsigned from, unsigned len, unsigned more)
{
	if (!d.ipv6) {
		store16(ip + 2, (uint16_t)(d.headers + len));
		store16(ip + 4, (uint16_t)d.id);
		store16(ip + 6, (uint16_t)(from / 8 | (more ? IPV4_MORE : 0)));
		return;
	}
	store16(ip + 4, (uint16_t)(FRAGMENT_HEADER + len));
	ip[40] = ip[6];
	ip[41] = 0;
	ip[6] = PROTOCOL_FRAGMENT;
	store16(ip + 42, (uint16_t)(from | more));
	memcpy(ip + 44, &d.id, 4);
}

// Bytes from..from+len of what follows the IP header.
static void part(unsigned from, unsigned len, unsigned more)
{
	struct rte_mbuf *m = world_packet(&w);
	unsigned headers = d.ip + d.headers + (d.ipv6 ? FRAGMENT_HEADER : 0);
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(headers + len));

	memcpy(frame, d.frame, d.ip + d.headers);
	headers_of_part(frame + d.ip, from, len, more);
	for (unsigned i = 0; i < len; i++)
		frame[headers + i] = from + i < d.len ? d.frame[d.ip + d.headers + from + i] : 0;
	arrive_outside(m);
}

// The n-th of `of` parts of equal size.
static void part_n(unsigned n, unsigned of)
{
	unsigned size = RTE_ALIGN_CEIL(d.len / of, 8);

	part(n * size, n + 1 < of ? size : d.len - n * size, n + 1 < of);
}

static void comes_through(uint16_t inner_len)
{
	run();
	struct rte_mbuf *m = next_of(w.inner.tx);
	assert_non_null(m);
	assert_int_equal(m->data_len, ETHER_HEADER + inner_len);
	nothing_came_out();
}

static void everything_expires(void)
{
	uint64_t until = rte_rdtsc() + 5 * w.dp.tsc_hz;

	next_of(w.inner.tx);
	while (rte_mempool_in_use_count(w.pool) > 0 && rte_rdtsc() < until)
		run();
	assert_int_equal(rte_mempool_in_use_count(w.pool), 0);
}

// --------------------------------------------------------------------------------------------------------------- together

static void parts_come_together(void **state)
{
	unsigned reassembled = 0;

	for (unsigned i = 0; i < 4; i++)
		for (unsigned of = 2; of <= 8; of++) {
			datagram_of(i % 2 ? V6 : V4, i / 2 ? 7 : 0, 1400);
			for (unsigned n = 0; n < of; n++)
				part_n(n, of);
			comes_through(1400);
			COUNTED(reassembled, ++reassembled);
		}
	COUNTED(fragments_in, 4 * (2 + 3 + 4 + 5 + 6 + 7 + 8));
	COUNTED(fragments_out, reassembled);
}

static void in_any_order(void **state)
{
	static const unsigned orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

	for (uint32_t t = V4; t <= V6; t++)
		for (unsigned o = 0; o < 6; o++) {
			datagram_of(t, 0, 1200);
			for (unsigned n = 0; n < 3; n++)
				part_n(orders[o][n], 3);
			comes_through(1200);
		}
}

static void datagrams_mixed(void **state)
{
	typeof(d) one, two;

	datagram_of(V4, 0, 1000);
	one = d;
	part_n(0, 2);
	datagram_of(V6, 0, 1100);
	two = d;
	part_n(0, 2);
	d = one;
	part_n(1, 2);
	comes_through(1000);
	d = two;
	part_n(1, 2);
	comes_through(1100);
}

static void padded_frames(void **state)
{
	datagram_of(V4, 0, 300);
	part_n(0, 2);
	part_n(1, 2);
	void *m[2];
	assert_int_equal(rte_ring_dequeue_bulk(w.outer.rx, m, 2, NULL), 2);
	for (unsigned i = 0; i < 2; i++) {
		memset(rte_pktmbuf_append(m[i], 30), 0xee, 30);
		arrive_outside(m[i]);
	}
	comes_through(300);
}

static void a_fragment_that_is_none(void **state)
{
	datagram_of(V6, 0, 500); // RFC 6946
	part(0, d.len, 0);
	comes_through(500);
	COUNTED(fragments_in, 0);
}

// ---------------------------------------------------------------------------------------------------------------- refused

static void more_than_eight(void **state)
{
	datagram_of(V4, 0, 1400);
	for (unsigned n = 0; n < 8; n++)
		part_n(n, 9);
	run();
	COUNTED(drop_fragment_bad, 8);
	part_n(8, 9);
	run();
	nothing_came_out();
	everything_expires();
	COUNTED(drop_fragment_expired, 1);
}

static void overlaps(void **state)
{
	for (uint32_t t = V4; t <= V6; t++) {
		datagram_of(t, 0, 1000);
		part(0, 600, MORE);
		part(592, d.len - 592, 0); // by eight bytes
		run();
		datagram_of(t, 0, 1000);
		part(0, 600, MORE);
		part(0, 600, MORE); // twice
		run();
		datagram_of(t, 0, 1000); // teardrop: one within another
		part(0, 600, MORE);
		part(80, 16, 0);
		run();
		datagram_of(t, 0, 1000); // the same part instead of another
		part(0, 400, MORE);
		part(400, 200, MORE);
		part(400, 200, MORE);
		part(800, d.len - 800, 0);
		run();
	}
	COUNTED(drop_fragment_bad, 2 * (2 + 2 + 2 + 4));
	COUNTED(reassembled, 0);
	nothing_came_out();
}

static void impossible_lengths(void **state)
{
	for (uint32_t t = V4; t <= V6; t++) {
		datagram_of(t, 0, 1000);
		part(600, 0, MORE);
		part(600, 0, 0);
		part(600, 1, MORE);  // not the last, and no multiple of eight
		part(600, 13, MORE); // likewise
		part(65528, 8, 0);   // beyond 64 KiB
		part(65528, 800, MORE);
	}
	run();
	COUNTED(drop_fragment_bad, 12);
	COUNTED(fragments_in, 0);
	datagram_of(V4, 0, 1000);
	part(600, 100, MORE);
	void *p = NULL;
	assert_int_equal(rte_ring_dequeue(w.outer.rx, &p), 0);
	struct rte_mbuf *m = p;
	store16(rte_pktmbuf_mtod(m, uint8_t *) + d.ip + 2, 2000); // longer than the frame
	arrive_outside(m);
	run();
	COUNTED(drop_malformed_outer, 1);
}

static void first_ones_hold_the_udp_header(void **state)
{
	datagram_of(V4, 0, 1000);
	for (unsigned len = 1; len < 8; len++)
		part(0, len, 0); // IPv4: not a whole datagram either, or it were no fragment
	run();
	COUNTED(drop_malformed_outer, 7);
	datagram_of(V6, 0, 1000);
	part(0, 0, MORE);
	run();
	COUNTED(drop_fragment_bad, 1);
	datagram_of(V4, 0, 1000);
	part(0, 8, MORE); // the header and nothing else is enough
	part(8, d.len - 8, 0);
	comes_through(1000);
}

static void other_ports_and_protocols(void **state)
{
	for (uint32_t t = V4; t <= V6; t++) {
		datagram_of(t, 0, 1000);
		d.frame[d.ip + d.headers + 3] ^= 1;
		part_n(0, 3);
		run();
		part_n(1, 3); // nor what belongs to it
		part_n(2, 3);
		run();
		datagram_of(t, 0, 1000);
		d.frame[d.ip + (d.ipv6 ? 6 : 9)] = 6;
		part_n(1, 3);
		run();
	}
	COUNTED(drop_not_ours, 8);
	COUNTED(fragments_in, 0);
}

static void nobody_waits_for_long(void **state)
{
	datagram_of(V4, 0, 1000);
	part_n(0, 3);
	part_n(2, 3);
	datagram_of(V6, 0, 1000);
	part_n(1, 3);
	run();
	COUNTED(drop_fragment_expired, 0);
	everything_expires();
	COUNTED(drop_fragment_expired, 3);
}

static void a_flood_holds_so_much_and_no_more(void **state)
{
	for (unsigned i = 0; i < 5000; i++) {
		datagram_of(i % 2 ? V4 : V6, 0, 40);
		part_n(i / 2 % 2, 2);
		run();
	}
	assert_in_range(rte_mempool_in_use_count(w.pool), 100, 128);
	assert_in_range(total(COUNT_drop_fragment_full), 5000 - 128, 5000);
	send_data(V4, 0, 1400); // and costs nobody else anything
	comes_through(1400);
	everything_expires();
	datagram_of(V4, 0, 1000); // afterwards there is room again
	part_n(0, 2);
	part_n(1, 2);
	comes_through(1000);
}

static void few_with_many_parts_are_bounded_too(void **state)
{
	for (unsigned i = 0; i < 100; i++) {
		datagram_of(V4, 0, 1000);
		for (unsigned n = 0; n < 7; n++)
			part_n(n, 8);
		run();
	}
	assert_int_equal(rte_mempool_in_use_count(w.pool), 256);
	COUNTED(drop_fragment_full, 700 - 256);
	everything_expires();
	COUNTED(drop_fragment_expired, 256);
}

static void longer_than_a_buffer(void **state)
{
	datagram_of(V4, 0, 1900);
	part(0, 1496, MORE);
	part(1496, 1000, 0);
	run();
	COUNTED(drop_fragment_long, 1);
	nothing_came_out();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(parts_come_together),
		TEST(in_any_order),
		TEST(datagrams_mixed),
		TEST(padded_frames),
		TEST(a_fragment_that_is_none),
		TEST(more_than_eight),
		TEST(overlaps),
		TEST(impossible_lengths),
		TEST(first_ones_hold_the_udp_header),
		TEST(other_ports_and_protocols),
		TEST(nobody_waits_for_long),
		TEST(a_flood_holds_so_much_and_no_more),
		TEST(few_with_many_parts_are_bounded_too),
		TEST(longer_than_a_buffer),
	};

	traffic_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
