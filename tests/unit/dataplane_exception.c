// A NIC of our own: what is the kernel's crosses its TAP both ways, unchanged and counted, and never more of it than a round can
// take.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane_traffic.h"

#define BACKLOG 256
#define A_ROUND 16

static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };

static uint8_t frame[1514];

// An ARP request, as long as Ethernet wants it.
static unsigned arp_make(void)
{
	memset(frame, 0, 60);
	memcpy(frame, broadcast, 6);
	store16(frame + 12, 0x0806);
	frame[20] = 1;
	return 60;
}

// From the Ethernet header on; to UDP port `port` of our address.
static unsigned udp_make(uint16_t port)
{
	struct path path = path_of(0, 0);
	struct rte_mbuf *m = world_frame(&w, &path, (const uint8_t *)"datagram", 8);
	unsigned len = m->data_len;

	memcpy(frame, rte_pktmbuf_mtod(m, void *), len);
	memcpy(frame, &w.outer.port.mac, 6);
	store16(frame + 36, port);
	rte_pktmbuf_free(m);
	return len;
}

static struct rte_mbuf *packet_with(unsigned len)
{
	struct rte_mbuf *m = world_packet(&w);

	memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
	return m;
}

static void from_the_wire(unsigned len)
{
	arrive_outside(packet_with(len));
}

static bool came_out(struct rte_ring *r, unsigned len)
{
	struct rte_mbuf *m = next_of(r);

	return m && m->data_len == len && memcmp(rte_pktmbuf_mtod(m, void *), frame, len) == 0;
}

static void what_is_not_ours_goes_to_the_kernel(void **state)
{
	from_the_wire(arp_make());
	run();
	assert_true(came_out(w.tap.tx, 60));
	unsigned len = udp_make(53);
	from_the_wire(len);
	run();
	assert_true(came_out(w.tap.tx, len));
	COUNTED(outer_rx, 2);
	COUNTED(kernel_tx, 2);
	COUNTED(drop_not_ours, 0);
	nothing_came_out();
}

static void a_tag_stays_on(void **state)
{
	unsigned len = udp_make(22);

	memmove(frame + 16, frame + 12, len - 12);
	memcpy(frame + 12, "\x81\0\0\x07", 4);
	from_the_wire(len + 4);
	run();
	assert_true(came_out(w.tap.tx, len + 4));
}

static void fragments_of_others_are_the_kernels(void **state)
{
	unsigned len = udp_make(53);

	store16(frame + 16, 20 + 16); // 8 bytes of UDP header, and 8 more
	store16(frame + 20, 0x2000);  // more follow
	from_the_wire(len);
	run();
	assert_true(came_out(w.tap.tx, len));
	store16(frame + 20, 2); // the rest
	store16(frame + 36, 443);
	from_the_wire(len);
	run();
	assert_true(came_out(w.tap.tx, len));
	COUNTED(fragments_in, 0);
}

static void ours_is_what_is_sent_to_us(void **state)
{
	unsigned len = udp_make(443);

	from_the_wire(len);
	run();
	assert_null(next_of(w.tap.tx));
	COUNTED(drop_malformed_record, 1);

	w.hosts.any = false; // another address of the machine, or one behind it
	from_the_wire(len);
	run();
	assert_true(came_out(w.tap.tx, len));
	w.hosts.addr[w.hosts.n++] = (struct addr){ .family = 4, .ip = { 198, 51, 100, 1 } };
	from_the_wire(len);
	run();
	COUNTED(drop_malformed_record, 2);
	w.hosts = (struct hosts){ .any = true };

	frame[5] ^= 1; // another host's MAC address
	from_the_wire(len);
	run();
	assert_true(came_out(w.tap.tx, len));
}

static void what_the_kernel_sends_leaves_by_the_nic(void **state)
{
	arp_make();
	assert_int_equal(rte_ring_enqueue(w.tap.rx, packet_with(60)), 0);
	run();
	assert_true(came_out(w.outer.tx, 60));
	COUNTED(kernel_rx, 1);
	COUNTED(outer_tx, 1);
}

static void a_flood_does_not_delay_datagrams(void **state)
{
	arp_make();
	for (unsigned i = 0; i < 2 * BURST; i++)
		from_the_wire(60);
	send_data(2, 0, 100);
	for (unsigned i = 0; i < 3; i++)
		loop_round(w.lc);
	COUNTED(dtls_data_in, 1);
	assert_int_equal(waiting(w.tap.tx), 3 * A_ROUND);
	run();
	assert_int_equal(waiting(w.tap.tx), 2 * BURST);
}

static void a_long_flood_is_dropped_by_name(void **state)
{
	const unsigned rounds = 24;

	arp_make();
	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned k = 0; k < BURST; k++)
			from_the_wire(60);
		loop_round(w.lc);
		empty(w.tap.tx);
	}
	COUNTED(outer_rx, rounds * BURST);
	COUNTED(kernel_tx, rounds * A_ROUND);
	COUNTED(drop_kernel_full, rounds * (BURST - A_ROUND) - (BACKLOG - A_ROUND));
	run();
	COUNTED(kernel_tx, rounds * A_ROUND + BACKLOG - A_ROUND);
}

static void an_interface_that_is_down_takes_nothing(void **state)
{
	arp_make();
	while (rte_ring_free_count(w.tap.tx) > 0)
		assert_int_equal(rte_ring_enqueue(w.tap.tx, packet_with(60)), 0);
	from_the_wire(60);
	loop_round(w.lc);
	COUNTED(drop_tx_full, 1);
	COUNTED(kernel_tx, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_ours_goes_to_the_kernel),     TEST(a_tag_stays_on),
		TEST(fragments_of_others_are_the_kernels),     TEST(ours_is_what_is_sent_to_us),
		TEST(what_the_kernel_sends_leaves_by_the_nic), TEST(a_flood_does_not_delay_datagrams),
		TEST(a_long_flood_is_dropped_by_name),         TEST(an_interface_that_is_down_takes_nothing),
	};

	traffic_init();
	world_kernel(&w, 256);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
