// The segment size in SYNs: found behind whatever options there are, lowered to what fits, with the checksum right; nothing else
// is touched.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/checksum.h"
#include "dataplane/mss.h"
#include "dataplane_traffic.h"

#define T 2
#define MTU 1000
#define SYN 0x02
#define SYN_ACK 0x12
#define ACK 0x10

static uint8_t packet[200];
static unsigned len, tcp; // of the packet; where TCP begins

static uint16_t tcp_sum(void)
{
	unsigned n = len - tcp;
	uint64_t pseudo = packet[0] >> 4 == 4 ? checksum_pseudo(packet + 12, 8, 6, n) : checksum_pseudo(packet + 8, 32, 6, n);

	return checksum_fold(pseudo + checksum_add(packet + tcp, n));
}

// A segment with these options (a multiple of four bytes).
static void tcp_write(uint8_t flags, const void *options, unsigned n)
{
	uint16_t sum;

	memset(packet + tcp, 0, 20);
	store16(packet + tcp, 40000);
	store16(packet + tcp + 2, 80);
	packet[tcp + 12] = (uint8_t)((20 + n) / 4 << 4);
	packet[tcp + 13] = flags;
	memcpy(packet + tcp + 20, options, n);
	len = tcp + 20 + n;
	if (packet[0] >> 4 == 4)
		store16(packet + 2, (uint16_t)len);
	else
		store16(packet + 4, (uint16_t)(len - 40));
	sum = tcp_sum();
	memcpy(packet + tcp + 16, &sum, 2);
}

static void ipv4_tcp(uint8_t flags, const void *options, unsigned n)
{
	world_ip(packet, 20, INSIDE, world_ipv4(T));
	packet[9] = 6;
	tcp = 20;
	tcp_write(flags, options, n);
}

static void ipv6_tcp(uint8_t flags, const void *options, unsigned n)
{
	uint8_t from[16] = { 0x20, 1, [15] = 1 }, to[16];

	world_ipv6(T, to);
	world_ip6(packet, 40, from, to);
	packet[6] = 6;
	tcp = 40;
	tcp_write(flags, options, n);
}

// The offer after clamping to MTU; its place in the options.
static unsigned clamped(unsigned at)
{
	bool changed = mss_clamp(packet, len, MTU);
	unsigned mss = load16(packet + tcp + 20 + at);

	assert_int_equal(tcp_sum(), 0);
	assert_int_equal(changed, mss != 1460);
	return mss;
}

#define OFFER "\x02\x04\x05\xb4" // 1460

static void offers_are_lowered(void **state)
{
	ipv4_tcp(SYN, OFFER, 4);
	assert_int_equal(clamped(2), MTU - 40);
	ipv4_tcp(SYN_ACK, OFFER, 4);
	assert_int_equal(clamped(2), MTU - 40);
	ipv6_tcp(SYN, OFFER, 4);
	assert_int_equal(clamped(2), MTU - 60);
	ipv6_tcp(SYN_ACK, OFFER, 4);
	assert_int_equal(clamped(2), MTU - 60);
}

static void wherever_they_are(void **state)
{
	ipv4_tcp(SYN, "\x01\x01\x01\x01" OFFER, 8);
	assert_int_equal(clamped(6), MTU - 40);
	ipv4_tcp(SYN, "\x01" OFFER "\x01\x01\x01", 8); // at an odd place
	assert_int_equal(clamped(3), MTU - 40);
	ipv4_tcp(SYN, "\x04\x02\x08\x0a\x01\x02\x03\x04\x05\x06\x07\x08" OFFER, 16);
	assert_int_equal(clamped(14), MTU - 40);
	ipv4_tcp(SYN, "\x03\x03\x07" OFFER "\0", 8);
	assert_int_equal(clamped(5), MTU - 40);
	world_ip(packet, 60, INSIDE, world_ipv4(T)); // behind IP options
	packet[0] = 0x4f;
	packet[9] = 6;
	memset(packet + 20, 1, 40);
	tcp = 60;
	tcp_write(SYN, OFFER, 4);
	assert_int_equal(clamped(2), MTU - 40);
	ipv6_tcp(SYN, OFFER, 4); // behind an extension header
	memmove(packet + 48, packet + 40, 24);
	memcpy(packet + 40, "\x06\0\x01\x04\0\0\0\0", 8);
	packet[6] = 60;
	tcp = 48;
	tcp_write(SYN, OFFER, 4);
	assert_int_equal(clamped(2), MTU - 60);
}

#define UNTOUCHED()                                                  \
	do {                                                         \
		uint8_t before[sizeof(packet)];                      \
		memcpy(before, packet, sizeof(packet));              \
		assert_false(mss_clamp(packet, len, MTU));           \
		assert_memory_equal(before, packet, sizeof(packet)); \
	} while (0)

static void everything_else_is_left_alone(void **state)
{
	ipv4_tcp(ACK, OFFER, 4); // no SYN
	UNTOUCHED();
	ipv4_tcp(SYN, "\x02\x04\x03\xc0", 4); // 960: fits
	UNTOUCHED();
	ipv4_tcp(SYN, "\x02\x04\x00\x00", 4);
	UNTOUCHED();
	ipv4_tcp(SYN, "", 0);
	UNTOUCHED();
	ipv4_tcp(SYN, "\0\0\0\0" OFFER, 8); // behind the end
	UNTOUCHED();
	ipv4_tcp(SYN, "\x02\x03\x05\xb4", 4); // another length
	UNTOUCHED();
	ipv4_tcp(SYN, "\x08\x00" OFFER "\0\0", 8); // a length of nothing
	UNTOUCHED();
	ipv4_tcp(SYN, "\x08\x01" OFFER "\0\0", 8);
	UNTOUCHED();
	ipv4_tcp(SYN, "\x08\xff" OFFER "\0\0", 8); // beyond the header
	UNTOUCHED();
	ipv4_tcp(SYN, "\x01\x01\x01\x02", 4); // an option that is cut off
	UNTOUCHED();
	ipv4_tcp(SYN, "\x01\x01\x02\x04", 4);
	UNTOUCHED();
	ipv4_tcp(SYN, OFFER, 4);
	packet[9] = 17; // UDP
	UNTOUCHED();
	ipv4_tcp(SYN, OFFER, 4);
	store16(packet + 6, 1); // a fragment behind the first
	UNTOUCHED();
	ipv4_tcp(SYN, OFFER, 4);
	packet[tcp + 12] = 0x40; // a header shorter than a header
	UNTOUCHED();
	ipv4_tcp(SYN, OFFER, 4);
	packet[tcp + 12] = 0x70; // longer than the packet
	UNTOUCHED();
	ipv4_tcp(SYN, OFFER, 4);
	for (unsigned whole = len; len > 20; len--) // a packet that is cut off
		if (len < whole)
			UNTOUCHED();
	ipv4_tcp(SYN, OFFER, 4);
	assert_false(mss_clamp(packet, len, 40)); // an MTU without room for anything
}

static void checksums_are_right_whatever_the_offer(void **state)
{
	for (unsigned mss = 0; mss < 65536; mss += 3) {
		for (unsigned odd = 0; odd < 2; odd++) {
			uint8_t options[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
			memcpy(options + odd, "\x02\x04", 2);
			store16(options + odd + 2, (uint16_t)mss);
			ipv4_tcp(SYN, options, 8);
			assert_int_equal(mss_clamp(packet, len, MTU), mss > MTU - 40);
			assert_int_equal(tcp_sum(), 0);
			assert_int_equal(load16(packet + tcp + 20 + odd + 2), RTE_MIN(mss, MTU - 40u));
		}
	}
}

static void both_ways_where_it_is_wanted(void **state)
{
	uint16_t plain_len;
	uint8_t plain[100] = { TYPE_DATA };

	w.dp.out[T].mtu = MTU;
	for (unsigned wanted = 0; wanted < 2; wanted++) {
		w.dp.in[T].flags = w.dp.out[T].flags = TUNNEL_LIVE | (wanted ? TUNNEL_CLAMP_MSS : 0);
		ipv4_tcp(SYN, OFFER, 4);
		arrive_inside(ETHER_IPV4, packet, (uint16_t)len);
		run();
		const uint8_t *down = client_gets(T, 0, CONTENT_DATA, &plain_len) + 1;
		assert_int_equal(load16(down + 42), wanted ? MTU - 40 : 1460);
		world_ip(packet, 20, world_ipv4(T), INSIDE);
		packet[9] = 6;
		tcp_write(SYN_ACK, OFFER, 4);
		memcpy(plain + 1, packet, len);
		send_record(T, 0, CONTENT_DATA, plain, (uint16_t)(len + 1));
		run();
		struct rte_mbuf *m = next_of(w.inner.tx);
		assert_int_equal(load16(rte_pktmbuf_mtod(m, uint8_t *) + ETHER_HEADER + 42), wanted ? MTU - 40 : 1460);
		COUNTED(mss_clamped, 2 * wanted);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(offers_are_lowered),
		TEST(wherever_they_are),
		TEST(everything_else_is_left_alone),
		TEST(checksums_are_right_whatever_the_offer),
		TEST(both_ways_where_it_is_wanted),
	};

	traffic_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
