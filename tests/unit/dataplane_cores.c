// Two poll cores: whichever core a packet comes to, the tunnel's owner works on it; tunnels move without losing anything.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define CORES 2
#include "dataplane_traffic.h"

static void give(uint32_t t, unsigned to)
{
	struct command c = { .kind = COMMAND_MOVE, .tunnel = t, .to = (uint8_t)to };

	assert_int_equal(mailbox_post(w.dp.cores[w.dp.owner[t]], &c), 0);
	run();
	assert_true(c.done);
	assert_int_equal(w.dp.owner[t], to);
}

static int fresh_cores(void **state)
{
	arrival = 0;
	return fresh(state);
}

static void owner_works_on_what_comes_elsewhere(void **state)
{
	arrival = 1;
	send_data(2, 0, 300);
	run();
	COUNTED(handed_out, 1);
	assert_int_equal(w.dp.cores[1]->count.value[COUNT_handed_out], 1);
	assert_int_equal(w.dp.cores[0]->count.value[COUNT_dtls_data_in], 1);
	assert_int_equal(w.dp.in[2].packets, 1);
	assert_int_equal(waiting(w.inner.tx_of[0]), 1); // and sends it by its own queue
	assert_int_equal(waiting(w.inner.tx_of[1]), 0);

	send_inside(2, 300);
	run();
	assert_int_equal(w.dp.cores[0]->count.value[COUNT_dtls_data_out], 1);
	assert_int_equal(waiting(w.outer.tx_of[0]), 1);
	assert_int_equal(w.dp.out[2].packets, 1);
}

static void what_comes_to_the_owner_is_not_handed(void **state)
{
	send_data(2, 0, 300);
	send_inside(2, 300);
	run();
	COUNTED(handed_out, 0);
	give(2, 1);
	arrival = 1;
	send_data(2, 0, 300);
	send_inside(2, 300);
	run();
	COUNTED(handed_out, 0);
	assert_int_equal(w.dp.in[2].packets, 2);
	assert_int_equal(w.dp.out[2].packets, 2);
}

static void moving_loses_nothing(void **state)
{
	struct command c = { .kind = COMMAND_MOVE, .tunnel = 2, .to = 1 };

	// Core 1 has handed them over when core 0 gives the tunnel away: they come back.
	arrival = 1;
	for (unsigned i = 0; i < 20; i++) {
		send_data(2, 0, 100);
		send_inside(2, 100);
	}
	loop_round(w.dp.cores[1]);
	assert_int_equal(rte_ring_count(w.dp.cores[0]->handed[1]), 40);
	assert_int_equal(mailbox_post(w.dp.cores[0], &c), 0);
	run();
	assert_int_equal(w.dp.in[2].packets, 20);
	assert_int_equal(w.dp.out[2].packets, 20);
	assert_int_equal(w.dp.cores[1]->count.value[COUNT_dtls_data_in], 20);
	COUNTED(handed_in, 80);
}

static void sequence_numbers_go_on(void **state)
{
	uint64_t before;

	send_inside(2, 100);
	run();
	before = w.dp.in[2].keys->next_sequence;
	give(2, 1);
	send_inside(2, 100);
	run();
	assert_int_equal(w.dp.in[2].keys->next_sequence, before + 1);
	// and what was seen stays seen
	send_data(2, 0, 100);
	sequence[2][0]--;
	send_data(2, 0, 100);
	run();
	COUNTED(drop_replay, 1);
}

static void lanes_follow(void **state)
{
	uint8_t packet[100];

	give(2, 1);
	world_ip(packet, 100, world_ipv4(2), INSIDE);
	arrive_lane(2, PACKET_OPENED, 0, 0, NULL, packet, 100); // to core 0, as control thought
	run();
	assert_int_equal(w.dp.cores[1]->count.value[COUNT_inner_tx], 1);
	COUNTED(handed_out, 1);
}

static void many_astray_are_told(void **state)
{
	for (unsigned i = 0; i < 63; i++)
		send_data(2, 0, 100);
	arrival = 1;
	for (unsigned i = 0; i < 63; i++)
		send_data(2, 0, 100);
	run();
	assert_int_equal(waiting(w.dp.cores[0]->to_control), 0);
	send_data(2, 0, 100);
	run();
	assert_int_equal(event_of(EVENT_ELSEWHERE).core, 1);
}

static void one_queue_says_nothing_of_flows(void **state)
{
	w.outer.port.rx_queues = 1;
	arrival = 1;
	for (unsigned i = 0; i < 200; i++) {
		send_data(2, 0, 100);
		run();
		empty(w.inner.tx_of[0]);
	}
	assert_int_equal(waiting(w.dp.cores[0]->to_control), 0);
	w.outer.port.rx_queues = CORES;
}

static void a_port_of_one_queue_is_shared(void **state)
{
	struct tx_way way = w.dp.cores[0]->way[w.outer.port.number];

	// Core 0 has no queue of its own there: core 1 sends for it.
	w.dp.cores[0]->way[w.outer.port.number] = (struct tx_way){ 0, 1 };
	send_inside(2, 100);
	run();
	assert_int_equal(w.dp.cores[0]->count.value[COUNT_dtls_data_out], 1);
	assert_int_equal(w.dp.cores[1]->count.value[COUNT_outer_tx], 1);
	w.dp.cores[0]->way[w.outer.port.number] = way;
}

static void a_core_that_is_behind_loses_by_name(void **state)
{
	unsigned room = rte_ring_get_capacity(w.dp.cores[0]->handed[1]);

	arrival = 1;
	for (unsigned i = 0; i < room + 50; i++) {
		send_data(2, 0, 40);
		loop_round(w.dp.cores[1]);
	}
	COUNTED(drop_hand_full, 50);
	for (unsigned i = 0; i < 64; i++) {
		run();
		empty(w.inner.tx_of[0]);
		empty(w.dp.cores[0]->to_control);
	}
	COUNTED(handed_in, room);
	w.dp.cores[0]->count.value[COUNT_inner_tx] = w.dp.in[2].packets - total(COUNT_drop_tx_full);
}

static void retired_tunnels_take_nothing(void **state)
{
	struct command c = { .kind = COMMAND_RETIRE, .tunnel = 2 };

	give(2, 1);
	send_data(2, 0, 100);
	send_inside(2, 100);
	loop_round(w.dp.cores[0]); // on their way to core 1
	assert_int_equal(mailbox_post(w.dp.cores[1], &c), 0);
	run();
	COUNTED(drop_tunnel_gone, 1);
	COUNTED(drop_no_tunnel, 1);
	nothing_came_out();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh_cores, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(owner_works_on_what_comes_elsewhere),
		TEST(what_comes_to_the_owner_is_not_handed),
		TEST(moving_loses_nothing),
		TEST(sequence_numbers_go_on),
		TEST(lanes_follow),
		TEST(many_astray_are_told),
		TEST(one_queue_says_nothing_of_flows),
		TEST(a_port_of_one_queue_is_shared),
		TEST(a_core_that_is_behind_loses_by_name),
		TEST(retired_tunnels_take_nothing),
	};

	traffic_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
