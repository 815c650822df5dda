// What an operator sees of a tunnel's packets: each one's way, told once, and nobody else's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane_traffic.h"
#include "dataplane/flight.h"

static struct flights flights;
static unsigned told;
static char way[256]; // "in: dtls_in > inner_in > tx_inner: inner_tx", the last one
static struct flight last;

static void done(void *who, const struct flight *f, enum counter verdict)
{
	char text[FLIGHT_TEXT];

	told++;
	last = *f;
	snprintf(way, sizeof(way), "%s: %s: %s", f->inward ? "in" : "out", flight_stages(f, text), counter_descs[verdict].name);
}

static void collect(void)
{
	const struct sighting *s;

	while ((s = watch_peek(w.lc->sightings))) {
		flights_take(&flights, s, done, NULL);
		watch_read(w.lc->sightings);
	}
}

static int look_at_one(void **state)
{
	fresh(state);
	memset(&flights, 0, sizeof(flights));
	told = 0;
	w.dp.watch[2] = (struct watched){ 1, 77 };
	w.dp.watched = 1 << 2;
	return 0;
}

#define SAW(text)                               \
	do {                                    \
		run();                          \
		told = 0;                       \
		collect();                      \
		assert_int_equal(told, 1);      \
		assert_string_equal(way, text); \
	} while (0)

static void each_way_has_its_stages(void **state)
{
	char text[FLIGHT_TEXT];
	struct path path = path_of(1, 0);

	send_data(1, 0, 500);
	SAW("in: dtls_in > inner_in > tx_inner: inner_tx");
	assert_int_equal(last.inner.len, 500);
	assert_int_equal(last.inner.cut, 500);
	assert_true(path_same_key(&path, &(struct path){ .key = last.path }));
	assert_string_equal(flight_outer(&last, text), "data epoch 1 record 1, 538 bytes");
	assert_non_null(strstr(flight_inner(&last, text), " > 8.8.8.8 "));
	send_inside(1, 300);
	SAW("out: cstp_out > dtls_out > tx_outer: outer_tx");
	assert_int_equal(last.inner.len, 300);
	assert_int_equal(last.outer.data[0], CONTENT_DATA);
	assert_memory_equal(last.path.peer_ip, path.key.peer_ip, 16);
	assert_int_equal(last.path.our_udp, path.key.our_udp);
}

static void send_to_peer(uint32_t from, uint32_t to)
{
	uint8_t plain[101] = { TYPE_DATA };

	world_ip(plain + 1, 100, world_ipv4(from), world_ipv4(to));
	send_record(from, 0, CONTENT_DATA, plain, sizeof(plain));
}

static void between_clients_each_sees_its_half(void **state)
{
	w.dp.client_to_client = CLIENTS_DIRECT;
	send_to_peer(1, 2);
	SAW("in: dtls_in > inner_in: client_to_client");
	send_to_peer(2, 1);
	SAW("out: cstp_out > dtls_out > tx_outer: outer_tx");
	w.dp.client_to_client = CLIENTS_DENY;
	send_to_peer(1, 2);
	SAW("in: dtls_in > inner_in: drop_client_to_client");
	w.dp.client_to_client = CLIENTS_KERNEL;
}

static void what_is_dropped_says_why(void **state)
{
	uint8_t plain[100], record[200];
	struct path path = path_of(1, 0);
	uint16_t len = record_of(1, 0, CONTENT_DATA, plain, inner_plain(2, 60, plain), record);

	arrive_outside(world_frame(&w, &path, record, len));
	SAW("in: dtls_in > inner_in: drop_spoof");
	arrive_outside(world_frame(&w, &path, record, len));
	SAW("in: dtls_in: drop_replay");
	plain[0] = TYPE_KEEPALIVE;
	send_record(1, 0, CONTENT_DATA, plain, 1);
	SAW("in: dtls_in: dtls_keepalive");
	send_inside(1, WORLD_MTU + 1);
	run();
	told = 0;
	collect();
	assert_int_equal(told, 3); // the packet, and two fragments that are records of their own
	assert_string_equal(way, "out: dtls_out > tx_outer: outer_tx");
}

static void an_answer_is_a_packet_of_its_own(void **state)
{
	uint8_t request = TYPE_DPD_REQUEST;

	send_record(1, 0, CONTENT_DATA, &request, 1);
	run();
	collect();
	assert_int_equal(told, 2);
	assert_string_equal(way, "out: dtls_out > tx_outer: outer_tx");
}

static void handshakes_and_lanes_are_seen(void **state)
{
	uint8_t packet[400], hello[300];
	struct path path = path_of(1, 0);

	arrive_outside(world_frame(&w, &path, hello, hello_of(1, hello)));
	SAW("in: : punt_hello");
	world_ip(packet, 100, world_ipv4(1), INSIDE);
	arrive_lane(1, PACKET_OPENED, 0, 0, NULL, packet, 100);
	SAW("in: lane_in > inner_in > tx_inner: inner_tx");
	run();
	while (next_of(w.lc->to_control))
		;
	collect();
	send_inside(1, 100); // on CSTP now
	SAW("out: cstp_out: cstp_out");
}

static void others_are_not_seen(void **state)
{
	send_data(2, 0, 100);
	send_inside(3, 100);
	run();
	collect();
	assert_int_equal(told, 0);
	w.dp.watched = 0;
	send_data(1, 0, 100);
	run();
	assert_null(watch_peek(w.lc->sightings));
}

static void what_has_no_room_is_counted(void **state)
{
	w.lc->sightings->lost = 0;
	for (unsigned i = 0; i < 200; i++) {
		send_data(1, 0, 60);
		run();
	}
	assert_int_equal(w.lc->sightings->lost, 3 * 200 - WATCH_ROOM);
	collect();
	assert_int_equal(told, WATCH_ROOM / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_way_has_its_stages, look_at_one, check_balance),
		cmocka_unit_test_setup_teardown(between_clients_each_sees_its_half, look_at_one, check_balance),
		cmocka_unit_test_setup_teardown(what_is_dropped_says_why, look_at_one, check_balance),
		cmocka_unit_test_setup_teardown(an_answer_is_a_packet_of_its_own, look_at_one, check_balance),
		cmocka_unit_test_setup_teardown(handshakes_and_lanes_are_seen, look_at_one, check_balance),
		cmocka_unit_test_setup_teardown(others_are_not_seen, look_at_one, check_balance),
		cmocka_unit_test_setup_teardown(what_has_no_room_is_counted, look_at_one, check_balance),
	};

	traffic_init();
	w.lc->sightings = watch_queue_new();
	int failed = w.lc->sightings ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
	free(w.lc->sightings);
	return failed;
}
