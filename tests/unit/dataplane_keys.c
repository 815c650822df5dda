// Handshakes as the packet path sees them: who is let through, and which keys are in force when.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane_traffic.h"

static void test_hello_is_punted(void **state)
{
	struct path path = path_of(7, 2); // an address that nobody knows
	uint8_t hello[200];
	uint16_t len = hello_of(7, hello);

	send_bytes(&path, hello, len);
	assert_int_equal(waiting(w.lc->to_control), 1);
	struct packet p = control_gets(PACKET_HANDSHAKE);
	assert_int_equal(p.tunnel, 7);
	assert_true(p.hello);
	assert_memory_equal(&p.path, &path, sizeof(path));
	COUNTED(punt_hello, 1);
	assert_true(w.dp.in[7].handshaking);
}

static void test_hello_payload_is_whole(void **state)
{
	struct path path = path_of(3, 1); // IPv6
	uint8_t hello[200];
	uint16_t len = hello_of(3, hello);

	send_bytes(&path, hello, len);
	struct rte_mbuf *m = next_of(w.lc->to_control);
	assert_int_equal(m->data_len, len);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), hello, len);
	assert_memory_equal(&packet_of(m)->path, &path, sizeof(path));
}

static void test_foreign_hellos(void **state)
{
	struct path stranger = path_of(7, 2);
	uint8_t hello[200];
	uint16_t len = hello_of(TUNNELS + 3, hello);

	send_bytes(&stranger, hello, len);
	COUNTED(drop_unknown_app_id, 1);
	len = hello_of(2, hello);
	hello[RECORD_HEADER + 8] = 1; // a fragment
	send_bytes(&stranger, hello, len);
	COUNTED(drop_malformed_record, 1);
	w.dp.in[2].flags = 0;
	len = hello_of(2, hello);
	send_bytes(&stranger, hello, len);
	COUNTED(drop_unknown_app_id, 2);
	assert_int_equal(waiting(w.lc->to_control), 0);
	assert_false(w.dp.in[2].handshaking);
}

static void test_handshake_records_only_in_a_handshake(void **state)
{
	static const uint8_t finished[] = "\x16\xfe\xfd\0\x01\0\0\0\0\0\0\0\x04"
	                                  "abcd",
	                     ccs[] = "\x14\xfe\xfd\0\0\0\0\0\0\0\x02\0\x01\x01",
	                     alert[] = "\x15\xfe\xfd\0\0\0\0\0\0\0\x02\0\x02\x02\x28";
	struct path path = path_of(1, 0), stranger = path_of(1, 2);
	uint8_t hello[200];

	send_bytes(&path, finished, sizeof(finished) - 1);
	send_bytes(&path, ccs, sizeof(ccs) - 1);
	send_bytes(&path, alert, sizeof(alert) - 1);
	COUNTED(drop_no_handshake, 3);
	send_bytes(&stranger, finished, sizeof(finished) - 1);
	COUNTED(drop_unknown_path, 1);
	send_bytes(&path, hello, hello_of(1, hello));
	send_bytes(&path, finished, sizeof(finished) - 1);
	send_bytes(&path, ccs, sizeof(ccs) - 1);
	send_bytes(&path, alert, sizeof(alert) - 1);
	COUNTED(punt_handshake, 3);
	control_gets(PACKET_HANDSHAKE);
	assert_false(control_gets(PACKET_HANDSHAKE).hello);
	send_data(1, 0, 60); // the old keys do not end the second handshake
	run();
	assert_true(w.dp.in[1].handshaking);
}

static uint16_t put_trick(uint8_t *r, uint8_t type, uint16_t epoch, uint64_t number, uint16_t body)
{
	r[0] = type, r[1] = 0xfe, r[2] = 0xfd;
	store16(r + 3, epoch);
	for (unsigned i = 0; i < 3; i++)
		store16(r + 5 + 2 * i, (uint16_t)(number >> (32 - 16 * i)));
	store16(r + 11, body);
	memset(r + RECORD_HEADER, 0xa5, body);
	return (uint16_t)(RECORD_HEADER + body);
}

// Records of every type and epoch, of nothing and of much, up to the highest number, with a MAC that is none, one and many a
// datagram: nothing of it comes out, and nothing of it moves the window.
static void test_record_tricks(void **state)
{
	static const uint8_t types[] = { 0, 20, 21, 22, 23, 24, 255 };
	static const uint16_t epochs[] = { 0, 1, 2, 3, 0xffff }, bodies[] = { 0, 1, 2, 23, 24, 40, 1000 };
	static const uint64_t sequences[] = { 0, 1, 1024, 1ULL << 32, (1ULL << 48) - 2, (1ULL << 48) - 1 };
	struct path path = path_of(0, 0);
	uint8_t datagram[1400];
	uint64_t top;

	send_data(0, 0, 60);
	run();
	assert_non_null(next_of(w.inner.tx));
	top = w.dp.in[0].keys->seen.top;
	for (unsigned i = 0; i < 7 * 5 * 7 * 6; i++) {
		uint16_t len = 0, whole = 0;

		for (unsigned n = 0; n < 30 && len + whole <= (int)sizeof(datagram); n++, len += whole)
			whole = put_trick(datagram + len, types[i % 7], epochs[i / 7 % 5], sequences[i / 35 % 6], bodies[i / 210]);
		send_bytes(&path, datagram, whole);
		send_bytes(&path, datagram, len);
	}
	nothing_came_out();
	assert_true(total(COUNT_drop_bad_mac) > 0 && total(COUNT_drop_no_keys) > 0 && total(COUNT_drop_no_handshake) > 0);
	assert_int_equal(w.dp.in[0].keys->seen.top, top);
	assert_false(w.dp.in[0].handshaking);
	send_data(0, 0, 60);
	run();
	assert_int_equal(waiting(w.inner.tx), 1);
}

// Cisco's version, and whatever else may come: all of it goes to the lane, in order.
static void test_records_of_a_worker(void **state)
{
	static const uint8_t finished[] = "\x16\x01\x00\0\x01\0\0\0\0\0\0\0\x04"
	                                  "abcd",
	                     ccs[] = "\x14\x01\x00\0\0\0\0\0\0\0\x02\0\x03\x01\0\x02",
	                     alert[] = "\x15\x01\x00\0\x01\0\0\0\0\0\x02\0\x02\x02\x28",
	                     two[] = "\x17\x01\x00\0\x01\0\0\0\0\0\x03\0\x02xy"
	                             "\x17\xfe\xff\0\x01\0\0\0\0\0\x04\0\x01z";
	struct path path = path_of(1, 0);

	w.dp.in[1].keys = NULL;
	w.dp.out[1].keys = NULL;
	w.dp.out[1].channel = CHANNEL_CSTP;
	w.dp.in[1].flags = w.dp.out[1].flags = TUNNEL_LIVE | TUNNEL_BY_WORKER;
	send_bytes(&path, ccs, sizeof(ccs) - 1);
	send_bytes(&path, finished, sizeof(finished) - 1);
	COUNTED(punt_handshake, 2);
	send_bytes(&path, alert, sizeof(alert) - 1);
	send_bytes(&path, two, sizeof(two) - 1);
	COUNTED(punt_record, 3);
	control_gets(PACKET_HANDSHAKE);
	control_gets(PACKET_HANDSHAKE);
	control_gets(PACKET_HANDSHAKE);
	struct rte_mbuf *m = next_of(w.lc->to_control);
	assert_int_equal(m->data_len, RECORD_HEADER + 2);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), two, m->data_len);
	assert_memory_equal(&packet_of(m)->path, &path, sizeof(path));
	assert_int_equal(packet_of(m)->tunnel, 1);
	assert_false(packet_of(m)->hello);
	struct packet second = control_gets(PACKET_HANDSHAKE);
	assert_memory_equal(&second.path, &path, sizeof(path));
	send_inside(1, 100);
	run();
	COUNTED(cstp_out, 1);
	control_gets(PACKET_CSTP);
}

static void test_first_keys(void **state)
{
	struct tunnel_keys *k = install_next(7);
	uint16_t len;

	send_inside(7, 100); // not confirmed: CSTP
	run();
	COUNTED(cstp_out, 1);
	control_gets(PACKET_CSTP);
	send_data(7, 1, 100);
	run();
	assert_int_equal(event_of(EVENT_CONFIRMED).handshake, 2);
	struct packet p = event_of(EVENT_CHANNEL);
	struct path path = path_of(7, 1);
	assert_int_equal(p.channel, CHANNEL_DTLS);
	assert_memory_equal(&p.path, &path, sizeof(path));
	assert_ptr_equal(w.dp.in[7].keys, k);
	assert_null(w.dp.in[7].next);
	assert_ptr_equal(w.dp.out[7].keys, k);
	assert_int_equal(w.dp.out[7].channel, CHANNEL_DTLS);
	assert_false(w.dp.in[7].handshaking);
	assert_int_equal(waiting(w.lc->released), 0);
	send_data(7, 1, 100); // told once
	send_inside(7, 100);
	run();
	assert_int_equal(waiting(w.lc->to_control), 0);
	client_gets(7, 1, CONTENT_DATA, &len);
	assert_int_equal(len, 101);
}

static void forget(uint32_t t)
{
	struct command c = { .kind = COMMAND_FORGET, .tunnel = t };

	assert_int_equal(mailbox_post(w.lc, &c), 0);
	mailbox_serve(w.lc);
	assert_true(c.done);
}

// The old keys seal until the first good record under the new ones, and open what comes late until they are forgotten; both have
// epoch 1.
static void check_second_handshake(uint32_t t)
{
	struct tunnel_keys *before = w.dp.in[t].keys, *k = install_next(t), *released[4];
	uint8_t channel = w.dp.out[t].channel;
	uint16_t len;

	forget(t); // what is not confirmed is not past
	assert_ptr_equal(w.dp.in[t].next, k);
	send_data(t, 0, 200); // opened under the new ones first, and given back
	send_data(t, 0, 201);
	send_inside(t, 300);
	run();
	assert_int_equal(next_of(w.inner.tx)->data_len, ETHER_HEADER + 200);
	assert_int_equal(next_of(w.inner.tx)->data_len, ETHER_HEADER + 201);
	client_gets(t, 0, CONTENT_DATA, &len);
	assert_ptr_equal(w.dp.in[t].next, k);
	// in one burst: old, new, old
	send_data(t, 0, 210);
	send_data(t, 1, 211);
	send_data(t, 0, 212);
	run();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(next_of(w.inner.tx)->data_len, ETHER_HEADER + 210 + i);
	assert_ptr_equal(w.dp.in[t].keys, k);
	send_inside(t, 300);
	run();
	client_gets(t, 1, CONTENT_DATA, &len);
	send_data(t, 0, 213);                            // late
	send_record(t, 0, CONTENT_ALERT, "\x01\x00", 2); // this socket of the client's is closed: no matter
	run();
	assert_int_equal(next_of(w.inner.tx)->data_len, ETHER_HEADER + 213);
	assert_int_equal(w.dp.out[t].channel, channel);
	assert_int_equal(mailbox_collect(w.lc, released, 4), 0);
	forget(t);
	assert_null(w.dp.in[t].next);
	assert_int_equal(mailbox_collect(w.lc, released, 4), 1);
	assert_ptr_equal(released[0], before);
	forget(t);
	assert_int_equal(mailbox_collect(w.lc, released, 4), 0);
	send_data(t, 0, 220); // too late
	run();
	assert_int_equal(waiting(w.inner.tx), 0);
}

static void test_second_handshake(void **state)
{
	for (uint32_t t = 0; t < 7; t++)
		check_second_handshake(t);
	COUNTED(punt_stray, 7); // from where the client is no longer: it may be somebody else's
}

static void test_event_is_repeated_until_told(void **state)
{
	unsigned room = rte_ring_free_count(w.lc->to_control);

	install_next(7);
	for (unsigned i = 0; i < room; i++)
		assert_int_equal(rte_ring_enqueue(w.lc->to_control, world_packet(&w)), 0);
	send_data(7, 1, 100);
	run();
	assert_int_equal(w.dp.out[7].channel, CHANNEL_CSTP);
	empty(w.lc->to_control);
	send_data(7, 1, 100);
	run();
	event_of(EVENT_CONFIRMED);
	event_of(EVENT_CHANNEL);
	assert_int_equal(w.dp.out[7].channel, CHANNEL_DTLS);
	assert_int_equal(waiting(w.inner.tx), 2);
}

static void test_a_full_ring_loses_by_name(void **state)
{
	unsigned room = rte_ring_free_count(w.lc->to_control);
	struct path path = path_of(7, 2);
	uint64_t before = w.dp.out[7].packets;
	uint8_t hello[200];

	for (unsigned i = 0; i < room; i++)
		assert_int_equal(rte_ring_enqueue(w.lc->to_control, world_packet(&w)), 0);
	send_inside(7, 100); // a CSTP packet
	send_bytes(&path, hello, hello_of(7, hello));
	run();
	COUNTED(drop_ring_full, 2);
	COUNTED(cstp_out, 0);
	COUNTED(punt_hello, 0);
	assert_int_equal(w.dp.out[7].packets, before);
	empty(w.lc->to_control);
	send_inside(7, 100);
	run();
	COUNTED(drop_ring_full, 2);
	control_gets(PACKET_CSTP);
}

static void test_close_notify(void **state)
{
	send_record(0, 0, CONTENT_ALERT, "\x01\x00", 2);
	run();
	struct packet p = event_of(EVENT_ALERT);
	assert_int_equal(p.level, 1);
	assert_int_equal(p.description, 0);
	assert_int_equal(p.handshake, 1);
	assert_int_equal(event_of(EVENT_CHANNEL).channel, CHANNEL_CSTP);
	assert_int_equal(w.dp.out[0].channel, CHANNEL_CSTP);
	assert_null(w.dp.out[0].keys);
	send_data(0, 0, 100); // what was under way still counts, but does not bring DTLS back
	send_inside(0, 100);
	run();
	assert_non_null(next_of(w.inner.tx));
	assert_int_equal(w.dp.out[0].channel, CHANNEL_CSTP);
	COUNTED(cstp_out, 1);
	control_gets(PACKET_CSTP);
	send_record(0, 0, CONTENT_DATA, "\x03", 1); // a DPD request under closed keys has no answer
	run();
	COUNTED(drop_no_keys, 1);
	assert_int_equal(waiting(w.outer.tx), 0);
	check_second_handshake(1);
	install_next(0);
	send_data(0, 1, 100);
	run();
	assert_int_equal(w.dp.out[0].channel, CHANNEL_DTLS);
}

static void test_other_alerts(void **state)
{
	send_record(0, 0, CONTENT_ALERT, "\x01\x5a", 2); // a warning
	run();
	assert_int_equal(event_of(EVENT_ALERT).description, 0x5a);
	assert_int_equal(w.dp.out[0].channel, CHANNEL_DTLS);
	send_record(0, 0, CONTENT_ALERT, "\x01", 1);
	run();
	COUNTED(drop_malformed_record, 1);
	send_record(0, 0, CONTENT_ALERT, "\x02\x14", 2); // fatal
	run();
	assert_int_equal(event_of(EVENT_ALERT).description, 0x14);
	assert_null(w.dp.out[0].keys);
	COUNTED(dtls_alert, 2);
}

static void test_alert_under_unconfirmed_keys(void **state)
{
	struct tunnel_keys *k = install_next(1), *released[2];

	send_record(1, 1, CONTENT_ALERT, "\x02\x14", 2);
	run();
	assert_int_equal(event_of(EVENT_ALERT).handshake, 2);
	assert_null(w.dp.in[1].next);
	assert_int_equal(mailbox_collect(w.lc, released, 2), 1);
	assert_ptr_equal(released[0], k);
	assert_int_equal(w.dp.out[1].channel, CHANNEL_DTLS); // the first handshake's keys are still good
	send_data(1, 0, 100);
	run();
	assert_int_equal(waiting(w.inner.tx), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hello_is_punted),
		TEST(test_hello_payload_is_whole),
		TEST(test_foreign_hellos),
		TEST(test_handshake_records_only_in_a_handshake),
		TEST(test_record_tricks),
		TEST(test_records_of_a_worker),
		TEST(test_first_keys),
		TEST(test_second_handshake),
		TEST(test_event_is_repeated_until_told),
		TEST(test_a_full_ring_loses_by_name),
		TEST(test_close_notify),
		TEST(test_other_alerts),
		TEST(test_alert_under_unconfirmed_keys),
	};

	int failed;

	traffic_init();
	failed = cmocka_run_group_tests_name(aead_implementation(), tests, NULL, NULL);
	world_must(aead_init_openssl() == 0, "OpenSSL"); // the fallback moves the same packets
	return failed + cmocka_run_group_tests_name(aead_implementation(), tests, NULL, NULL);
}
