// Inner packets above the tunnel's MTU: fragments where they may be, an answer where one is due, and neither for the rest.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/checksum.h"
#include "dataplane/fragment.h"
#include "dataplane/icmp.h"
#include "dataplane/inner.h"
#include "dataplane_traffic.h"

#define T 2
#define MTU 1000
#define DF 0x4000

static int fresh_narrow(void **state)
{
	fresh(state);
	w.lc->icmp = (struct bucket){ 0 };
	for (uint32_t t = 0; t < TUNNELS; t++)
		w.dp.out[t].mtu = MTU;
	return 0;
}

static uint16_t sum_of(const uint8_t *p, unsigned n)
{
	return checksum_fold(checksum_add(p, n));
}

static uint8_t packet[2000];

static void ipv4(uint16_t len, uint16_t flags, uint8_t protocol, const void *payload, unsigned payload_len)
{
	world_ip(packet, len, INSIDE, world_ipv4(T));
	for (unsigned i = 20; i < len; i++)
		packet[i] = (uint8_t)(i * 7 + i / 256);
	store16(packet + 4, 0x1234);
	store16(packet + 6, flags);
	packet[9] = protocol;
	memcpy(packet + 20, payload, payload_len);
}

static void ipv6(uint16_t len, uint8_t next, const void *payload, unsigned payload_len)
{
	uint8_t from[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 }, to[16];

	world_ipv6(T, to);
	world_ip6(packet, len, from, to);
	packet[6] = next;
	memcpy(packet + 40, payload, payload_len);
}

static void arrives(uint16_t len)
{
	arrive_inside(packet[0] >> 4 == 4 ? ETHER_IPV4 : ETHER_IPV6, packet, len);
	run();
}

// -------------------------------------------------------------------------------------------------------------- fragments

// The client puts together what it gets; so many parts, and flags and offset of the first.
static void comes_in(unsigned parts, uint16_t len, unsigned first_offset, unsigned last_more)
{
	uint8_t whole[2000];
	unsigned header = (packet[0] & 15) * 4, at = header;
	uint16_t plain_len;

	memcpy(whole, packet, header);
	for (unsigned n = 0; n < parts; n++) {
		const uint8_t *ip = client_gets(T, 0, CONTENT_DATA, &plain_len) + 1;
		unsigned own = (ip[0] & 15) * 4, total = load16(ip + 2), field = load16(ip + 6);
		assert_int_equal(total, plain_len - 1);
		assert_true(total <= MTU);
		assert_int_equal(sum_of(ip, own), 0);
		assert_int_equal(load16(ip + 4), 0x1234);
		assert_int_equal((field & IPV4_OFFSET) * 8, first_offset + at - header);
		assert_int_equal(!!(field & IPV4_MORE), n + 1 < parts || last_more);
		assert_memory_equal(ip + 12, packet + 12, 8);
		assert_int_equal(ip[8], packet[8]); // TTL is left alone
		memcpy(whole + at, ip + own, total - own);
		at += total - own;
	}
	assert_int_equal(at, len);
	assert_memory_equal(whole + header, packet + header, len - header);
	nothing_came_out();
}

static void what_may_be_fragmented_is(void **state)
{
	static const struct {
		uint16_t len;
		unsigned parts;
	} table[] = { { MTU, 1 }, { MTU + 1, 2 }, { 20 + 976 + 976, 2 }, { 20 + 976 + 977, 3 }, { 1500, 2 } };
	unsigned fragments = 0;

	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		ipv4(table[i].len, 0, 253, "", 0);
		if (table[i].parts == 1)
			store16(packet + 10, 0);
		uint16_t sum = sum_of(packet, 20);
		memcpy(packet + 10, &sum, 2);
		arrives(table[i].len);
		comes_in(table[i].parts, table[i].len, 0, 0);
		fragments += table[i].parts > 1 ? table[i].parts : 0;
	}
	COUNTED(inner_fragmented, 4);
	COUNTED(inner_fragments, fragments);
	COUNTED(drop_too_big, 0);
}

static void what_is_a_fragment_already_too(void **state)
{
	ipv4(1500, IPV4_MORE | 100, 253, "", 0);
	arrives(1500);
	comes_in(2, 1500, 800, 1);
	ipv4(1500, 100, 253, "", 0);
	arrives(1500);
	comes_in(2, 1500, 800, 0);
}

// RFC 791 3.1: options with the copied flag are in every fragment.
static void options_are_copied(void **state)
{
	static const uint8_t options[] = { 0x94, 4, 0, 0, 7, 7, 4, 1, 2, 3, 4, 0 }; // router alert; record route
	uint16_t len;

	ipv4(1500, 0, 253, options, sizeof(options));
	packet[0] = 0x48;
	arrives(1500);
	const uint8_t *first = client_gets(T, 0, CONTENT_DATA, &len) + 1;
	assert_int_equal(first[0], 0x48);
	assert_memory_equal(first + 20, options, sizeof(options));
	const uint8_t *second = client_gets(T, 0, CONTENT_DATA, &len) + 1;
	assert_int_equal(second[0], 0x46);
	assert_memory_equal(second + 20, options, 4);
	assert_int_equal(sum_of(second, 24), 0);
}

static void also_over_cstp(void **state)
{
	w.dp.out[7].mtu = MTU; // which has no DTLS
	world_ip(packet, 1500, INSIDE, world_ipv4(7));
	arrives(1500);
	COUNTED(cstp_out, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct rte_mbuf *m = next_of(w.lc->to_control);
		assert_int_equal(packet_of(m)->kind, PACKET_CSTP);
		assert_int_equal(packet_of(m)->tunnel, 7);
	}
}

// ---------------------------------------------------------------------------------------------------------------- answers

static const uint8_t *told(uint16_t *len)
{
	struct rte_mbuf *m = next_of(w.inner.tx);

	assert_non_null(m);
	*len = m->data_len - ETHER_HEADER;
	assert_int_equal(waiting(w.outer.tx), 0);
	return rte_pktmbuf_mtod(m, uint8_t *) + ETHER_HEADER;
}

static void the_sender_is_told_ipv4(void **state)
{
	uint16_t len;

	ipv4(1400, DF, 6, "", 0);
	arrives(1400);
	const uint8_t *ip = told(&len);
	assert_int_equal(len, 576);
	assert_int_equal(load16(ip + 2), 576);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(ip[9], PROTOCOL_ICMP);
	assert_int_equal(sum_of(ip, 20), 0);
	assert_memory_equal(ip + 16, packet + 12, 4); // to whoever has sent it
	assert_memory_equal(ip + 12, packet + 16, 4);
	assert_int_equal(ip[20], 3);
	assert_int_equal(ip[21], 4);
	assert_int_equal(load16(ip + 24), 0);
	assert_int_equal(load16(ip + 26), MTU);
	assert_int_equal(sum_of(ip + 20, 556), 0);
	assert_memory_equal(ip + 28, packet, 548);
	COUNTED(drop_too_big, 1);
	COUNTED(icmp_out, 1);
	assert_int_equal(w.dp.out[T].dropped, 1);
	assert_int_equal(w.dp.cold[T].drops[0].why, COUNT_drop_too_big);
}

static void the_sender_is_told_ipv6(void **state)
{
	uint16_t len;

	ipv6(1400, 6, "", 0);
	arrives(1400);
	const uint8_t *ip = told(&len);
	assert_int_equal(len, 1280);
	assert_int_equal(load16(ip + 4), 1240);
	assert_int_equal(ip[6], PROTOCOL_ICMPV6);
	assert_memory_equal(ip + 24, packet + 8, 16);
	assert_memory_equal(ip + 8, packet + 24, 16);
	assert_int_equal(ip[40], 2);
	assert_int_equal(ip[41], 0);
	assert_int_equal(load16(ip + 44), 0);
	assert_int_equal(load16(ip + 46), MTU);
	assert_int_equal(checksum_fold(checksum_pseudo(ip + 8, 32, PROTOCOL_ICMPV6, 1240) + checksum_add(ip + 40, 1240)), 0);
	assert_memory_equal(ip + 48, packet, 1232);
}

static void short_packets_are_quoted_whole(void **state)
{
	uint16_t len;

	w.dp.out[T].mtu = 100;
	ipv4(101, DF, 17, "", 0);
	arrives(101);
	const uint8_t *ip = told(&len);
	assert_int_equal(len, 28 + 101);
	assert_int_equal(sum_of(ip + 20, 8 + 101), 0);
	assert_memory_equal(ip + 28, packet, 101);
}

#define ANSWERED(yes)                                                  \
	do {                                                           \
		unsigned before = (unsigned)total(COUNT_icmp_out);     \
		w.lc->icmp = (struct bucket){ 0 };                     \
		arrives(1400);                                         \
		assert_int_equal(total(COUNT_icmp_out) - before, yes); \
		empty(w.inner.tx);                                     \
	} while (0)

// RFC 1122 3.2.2
static void errors_are_not_answered_ipv4(void **state)
{
	for (unsigned type = 0; type < 256; type++) {
		ipv4(1400, DF, PROTOCOL_ICMP, &(uint8_t){ (uint8_t)type }, 1);
		ANSWERED(type != 3 && type != 4 && type != 5 && type != 11 && type != 12);
	}
	ipv4(1400, DF | IPV4_MORE, 17, "", 0);
	ANSWERED(1); // a first fragment
	ipv4(1400, DF | IPV4_MORE | 1, 17, "", 0);
	ANSWERED(0); // one behind it
	static const uint8_t nobody[][4] = { { 0, 0, 0, 0 }, { 127, 0, 0, 1 }, { 224, 0, 0, 1 }, { 255, 255, 255, 255 } };
	for (unsigned i = 0; i < 4; i++) {
		ipv4(1400, DF, 17, "", 0);
		memcpy(packet + 12, nobody[i], 4);
		ANSWERED(0);
	}
}

// RFC 4443 2.4 (e)
static void errors_are_not_answered_ipv6(void **state)
{
	for (unsigned type = 0; type < 256; type++) {
		uint8_t behind[9] = { PROTOCOL_ICMPV6, 0, 1, 4, 0, 0, 0, 0, (uint8_t)type };
		ipv6(1400, PROTOCOL_ICMPV6, behind + 8, 1);
		ANSWERED(type >= 128 && type != 137);
		ipv6(1400, PROTOCOL_HOP_BY_HOP, behind, 9);
		ANSWERED(type >= 128 && type != 137);
	}
	static const uint8_t first[8] = { 17, 0, 0, 1 }, later[8] = { 17, 0, 0, 9 };
	ipv6(1400, PROTOCOL_FRAGMENT, first, 8);
	ANSWERED(1);
	ipv6(1400, PROTOCOL_FRAGMENT, later, 8);
	ANSWERED(0);
	ipv6(1400, PROTOCOL_HOP_BY_HOP, "\x3a\xff", 2); // a chain that leads beyond the packet
	ANSWERED(0);
	uint8_t chain[1300] = { 0 }; // hop by hop for good
	ipv6(1400, PROTOCOL_HOP_BY_HOP, chain, sizeof(chain));
	ANSWERED(0);
	static const uint8_t nobody[][16] = { { 0 }, { [15] = 1 }, { 0xff, 2, [15] = 1 } };
	for (unsigned i = 0; i < 3; i++) {
		ipv6(1400, 17, "", 0);
		memcpy(packet + 8, nobody[i], 16);
		ANSWERED(0);
	}
}

static void answers_are_rationed(void **state)
{
	uint64_t begin = rte_rdtsc();

	for (unsigned i = 0; i < 2000; i++) {
		ipv4(1400, DF, 17, "", 0);
		arrives(1400);
		empty(w.inner.tx);
	}
	assert_in_range(total(COUNT_icmp_out), 50, 51 + 1000 * (rte_rdtsc() - begin) / w.dp.tsc_hz);
	COUNTED(drop_too_big, 2000);
}

// What clients send is the kernel's: it has routes and fragments of its own.
static void what_comes_in_has_no_mtu(void **state)
{
	send_data(T, 0, 1400);
	run();
	assert_int_equal(next_of(w.inner.tx)->data_len, ETHER_HEADER + 1400);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh_narrow, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_may_be_fragmented_is),
		TEST(what_is_a_fragment_already_too),
		TEST(options_are_copied),
		TEST(also_over_cstp),
		TEST(the_sender_is_told_ipv4),
		TEST(the_sender_is_told_ipv6),
		TEST(short_packets_are_quoted_whole),
		TEST(errors_are_not_answered_ipv4),
		TEST(errors_are_not_answered_ipv6),
		TEST(answers_are_rationed),
		TEST(what_comes_in_has_no_mtu),
	};

	traffic_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
