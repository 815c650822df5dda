// A random mix of all that can come, on either of two cores, while tunnels move from one to the other: every packet leaves by a way
// that has a name, and no buffer is lost.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define CORES 2
#include "dataplane_traffic.h"

static void send_noise(uint32_t t)
{
	struct path path = path_of(t, (unsigned)rand() % 3);
	uint8_t bytes[300];
	uint16_t len = (uint16_t)(rand() % sizeof(bytes));

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rand();
	if (rand() % 2)
		memcpy(bytes, "\x17\xfe\xfd\0\x01", 5), bytes[0] = (uint8_t)(20 + rand() % 4),
		                                        store16(bytes + 11, (uint16_t)(rand() % 300));
	struct rte_mbuf *m = world_frame(&w, &path, bytes, len);
	if (rand() % 4 == 0)
		rte_pktmbuf_mtod(m, uint8_t *)[rand() % m->data_len] ^= 1 << rand() % 8;
	if (rand() % 8 == 0)
		rte_pktmbuf_trim(m, (uint16_t)(rand() % m->data_len));
	arrive_outside(m);
}

// One of the parts of a datagram in three; there are few datagrams, so that some become whole.
static void send_fragment(uint32_t t)
{
	struct path path = path_of(t, 0);
	uint8_t record[400], *ip;
	struct rte_mbuf *m;
	unsigned n = (unsigned)rand() % 3;

	if (t == 3) // IPv6
		return;
	memset(record, 0x5a, sizeof(record));
	m = world_frame(&w, &path, record, 128 - UDP_HEADER);
	ip = rte_pktmbuf_mtod(m, uint8_t *) + ETHER_HEADER;
	store16(ip + 4, (uint16_t)(rand() % 2));
	store16(ip + 6, (uint16_t)(n * 16 | (n < 2 ? IPV4_MORE : 0)));
	arrive_outside(m);
}

// To any client, itself too, in as many hops or bytes as it likes.
static void send_to_client(uint32_t t, unsigned handshake)
{
	uint8_t plain[1600];
	uint16_t len = (uint16_t)(20 + rand() % 1500);

	plain[0] = TYPE_DATA;
	world_ip(plain + 1, len, world_ipv4(t), world_ipv4((uint32_t)rand() % (TUNNELS + 1)));
	plain[1 + 8] = (uint8_t)(rand() % 8);
	if (rand() % 2)
		store16(plain + 1 + 6, 0x4000);
	if (rand() % 4)
		send_record(t, handshake, CONTENT_DATA, plain, len + 1);
	else
		arrive_lane(t, PACKET_OPENED, 0, 0, NULL, plain + 1, len);
}

static void send_any(uint32_t t)
{
	uint8_t plain[400];
	unsigned handshake = (unsigned)rand() % 2;
	struct path path = path_of(t, handshake);

	if (rand() % 4 == 0) // of another host
		memset(&path.our_mac, 0x33, sizeof(path.our_mac));
	switch (rand() % 13) {
	case 0:
	case 1:
		send_noise(t);
		break;
	case 2:
		send_inside(t, (uint16_t)(20 + rand() % 1500));
		break;
	case 3:
		world_ip(plain, 300, world_ipv4(t), INSIDE);
		arrive_lane(t, PACKET_OPENED, 0, 0, NULL, plain, (uint16_t)(1 + rand() % 300));
		break;
	case 4:
		arrive_lane(t, PACKET_SEAL, (uint8_t)(20 + rand() % 4), (uint32_t)rand() % 3, NULL, plain,
		            (uint16_t)(rand() % 300));
		break;
	case 5:
		arrive_lane(t, PACKET_DATAGRAM, 0, 1, rand() % 4 ? &path : NULL, "x", 1);
		break;
	case 6:
		arrive_outside(world_frame(&w, &path, plain, hello_of(t, plain)));
		break;
	case 7:
		inner_plain(t, 300, plain);
		plain[0] = (uint8_t)(rand() % 10);
		send_record(t, handshake, CONTENT_DATA, plain, (uint16_t)(rand() % 301));
		break;
	case 8:
		plain[0] = (uint8_t)(1 + rand() % 20 / 19);
		plain[1] = (uint8_t)(rand() % 20);
		send_record(t, handshake, (uint8_t)(21 + rand() % 3), plain, 2);
		break;
	case 9:
		send_fragment(t);
		break;
	case 10:
		assert_int_equal(rte_ring_enqueue(w.tap.rx_of[arrival], world_frame(&w, &path, (const uint8_t *)"x", 1)), 0);
		break;
	case 11:
		send_to_client(t, handshake);
		break;
	default:
		send_data(t, handshake, 300);
	}
}

static struct command moves[64];

static void move_any(uint32_t t)
{
	static unsigned at;
	struct command *c = &moves[at++ % 64];

	*c = (struct command){ .kind = COMMAND_MOVE, .tunnel = t, .to = (uint8_t)((w.dp.owner[t] + 1) % CORES) };
	assert_int_equal(mailbox_post(w.dp.cores[w.dp.owner[t]], c), 0);
}

static void test_the_sum_is_exact(void **state)
{
	unsigned all = rte_mempool_avail_count(w.pool);
	void *k;

	srand(4);
	for (unsigned round = 0; round < 5000; round++) {
		w.dp.client_to_client = (uint8_t)(rand() % 3);
		for (unsigned i = (unsigned)rand() % 40; i > 0; i--) {
			arrival = (unsigned)rand() % CORES;
			send_any((uint32_t)rand() % TUNNELS);
		}
		if (rand() % 3 == 0)
			move_any((uint32_t)rand() % TUNNELS);
		if (rand() % 50 == 0 && !w.dp.in[round % TUNNELS].next)
			install_next(round % TUNNELS);
		run();
		assert_true(balanced());
		if (rand() % 3 == 0) { // sometimes the rings are full
			for (unsigned i = 0; i < CORES; i++) {
				empty(w.outer.tx_of[i]);
				empty(w.inner.tx_of[i]);
				empty(w.tap.tx_of[i]);
				empty(w.dp.cores[i]->to_control);
			}
		}
		for (unsigned i = 0; i < CORES; i++)
			while (rte_ring_dequeue(w.dp.cores[i]->released, &k) == 0)
				;
		if (rand() % 500 == 0) // all the counters start again, so do the keys
			fresh(NULL);
	}
	assert_true(total(COUNT_reassembled) > 0);
	assert_true(total(COUNT_client_to_client) > 0);
	fresh(NULL);
	uint64_t until = rte_rdtsc() + 5 * w.dp.tsc_hz;
	while (rte_mempool_avail_count(w.pool) < all && rte_rdtsc() < until)
		run(); // fragments wait for a second
	assert_int_equal(rte_mempool_avail_count(w.pool), all);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_sum_is_exact),
	};

	traffic_init();
	world_kernel(&w, 256);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
