// Compression under DTLS: what tunnels that negotiated it send and take, and that nothing else changes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane_traffic.h"

#define ABOVE 256

static union compress_memory memory;

static void negotiated(uint32_t t, enum compressor how)
{
	w.dp.in[t].flags |= TUNNEL_COMPRESS;
	w.dp.out[t].flags |= TUNNEL_COMPRESS;
	w.dp.out[t].compress = how;
	w.dp.out[t].compress_above = ABOVE;
}

// A client compresses these bytes and sends them.
static void send_packed(uint32_t t, enum compressor how, const uint8_t *packet, uint16_t len)
{
	uint8_t plain[2048] = { TYPE_COMPRESSED };
	int n = compress_pack(how, &memory, packet, len, plain + 1, sizeof(plain) - 1);

	assert_true(n > 0);
	send_record(t, 0, CONTENT_DATA, plain, (uint16_t)(n + 1));
	run();
}

#define BOTH(how) for (enum compressor how = COMPRESS_LZ4; how <= COMPRESS_LAST; how++)

static void test_in(void **state)
{
	uint8_t packet[WORLD_MTU];

	BOTH(how)
	{
		negotiated(how, how);
		for (uint16_t len = 20; len <= WORLD_MTU; len += 101) {
			world_ip(packet, len, world_ipv4(how), INSIDE);
			send_packed(how, how, packet, len);
			struct rte_mbuf *m = next_of(w.inner.tx);
			assert_non_null(m);
			assert_int_equal(m->data_len, ETHER_HEADER + len);
			assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + ETHER_HEADER, packet, len);
		}
		assert_int_equal(w.dp.in[how].packets, 15);
		assert_int_equal(w.dp.in[how].bytes, 15 * 20 + 101 * 14 * 15 / 2);
	}
	COUNTED(dtls_compressed_in, 30);
	send_data(1, 0, 100); // plain ones all the same
	run();
	assert_int_equal(waiting(w.inner.tx), 1);
}

static void test_what_is_no_packet_in(void **state)
{
	uint8_t packet[2000];

	world_ip(packet, 1400, world_ipv4(1), INSIDE);
	send_packed(1, COMPRESS_LZS, packet, 1400);
	COUNTED(drop_compressed, 1); // nobody asked for it
	BOTH(how)
	{
		negotiated(how, how);
		send_record(how, 0, CONTENT_DATA, "\x08", 1);
		send_record(how, 0, CONTENT_DATA, "\x08\xff\xff\xff\xff", 5);
		run();
		world_ip(packet, WORLD_MTU + 1, world_ipv4(how), INSIDE);
		send_packed(how, how, packet, WORLD_MTU + 1);
		memset(packet, 0, sizeof(packet));
		send_packed(how, how, packet, sizeof(packet)); // a bomb of 2000 zeros
		assert_int_equal(w.dp.out[how].dropped, how == 1 ? 5 : 4);
		world_ip(packet, 300, world_ipv4(5), INSIDE); // checked as any other
		send_packed(how, how, packet, 300);
		send_packed(how, how, packet, 10);
	}
	COUNTED(drop_decompress, 8);
	COUNTED(drop_spoof, 2);
	COUNTED(drop_inner_malformed, 2);
	nothing_came_out();
}

static void test_out(void **state)
{
	uint8_t packet[WORLD_MTU], back[WORLD_MTU];
	const uint8_t *plain;
	uint16_t len;

	BOTH(how)
	{
		negotiated(how, how);
		send_inside(how, ABOVE);
		run();
		plain = client_gets(how, 0, CONTENT_DATA, &len);
		assert_int_equal(plain[0], TYPE_DATA);
		assert_int_equal(len, 1 + ABOVE);
		send_inside(how, WORLD_MTU);
		run();
		plain = client_gets(how, 0, CONTENT_DATA, &len);
		assert_int_equal(plain[0], TYPE_COMPRESSED);
		assert_in_range(len, 20, 100);
		world_ip(packet, WORLD_MTU, INSIDE, world_ipv4(how));
		assert_int_equal(compress_unpack(how, plain + 1, len - 1, back, sizeof(back)), WORLD_MTU);
		assert_memory_equal(back, packet, WORLD_MTU);
		assert_int_equal(w.dp.out[how].bytes, ABOVE + WORLD_MTU); // as they are inside
	}
	COUNTED(dtls_compressed_out, 2);
	send_inside(5, WORLD_MTU); // a tunnel without
	run();
	assert_int_equal(client_gets(5, 0, CONTENT_DATA, &len)[0], TYPE_DATA);
}

static void test_what_does_not_shrink(void **state)
{
	uint8_t packet[1000];
	uint16_t len;

	srandom(1);
	world_ip(packet, sizeof(packet), INSIDE, world_ipv4(2));
	for (unsigned i = 20; i < sizeof(packet); i++)
		packet[i] = (uint8_t)random();
	negotiated(2, COMPRESS_LZ4);
	arrive_inside(ETHER_IPV4, packet, sizeof(packet));
	run();
	const uint8_t *plain = client_gets(2, 0, CONTENT_DATA, &len);
	assert_int_equal(plain[0], TYPE_DATA);
	assert_memory_equal(plain + 1, packet, sizeof(packet));
	COUNTED(dtls_compressed_out, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in),
		TEST(test_what_is_no_packet_in),
		TEST(test_out),
		TEST(test_what_does_not_shrink),
	};

	traffic_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
