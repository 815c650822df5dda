// The real penstock-dataplane in the place of one that has died: how clients learn that their keys are gone. Who plays the others
// is in dataplane_rig.h.
#pragma GCC diagnostic ignored "-Wunused-function"
#include "dataplane_rig.h"

static void starts(void **state)
{
	world.ready.ok = 0;
	assert_int_equal(chan_await(&world.main, from_dataplane, NULL, MSG_DATAPLANE_READY, 20000), 0);
	assert_int_equal(world.ready.ok, 1);
}

// Its client was at port 7500.
static void add_tunnel(struct chan *lane)
{
	struct msg_tunnel_add m = { .tunnel = TUNNEL, .mtu = 1400, .app_id_len = APP_ID_SIZE, .udp_silence = 25 };
	int fds[2];

	m.ipv4 = (struct addr){ .family = 4, .prefix = 32, .ip = { 10, 9, 0, 31 } };
	m.peer = (struct addr){ .family = 4, .prefix = 32, .port = 7500 };
	m.ours = (struct addr){ .family = 4, .prefix = 32, .port = 443 };
	memcpy(m.peer.ip, their_ip, 4);
	memcpy(m.ours.ip, our_ip, 4);
	assert_int_equal(chan_pair(fds), 0);
	assert_int_equal(chan_send(&world.main, MSG_TUNNEL_ADD, &m, &fds[1]), 0);
	close(fds[1]);
	chan_init(lane, fds[0], ROLE_WORKER, ROLE_DATAPLANE, CHAN_PLAIN, "lane");
	await_main(MSG_TUNNEL_REPLY);
	assert_int_equal(world.reply.ok, 1);
}

static void put_farewell(uint8_t record[LIMIT_FAREWELL], uint64_t sequence)
{
	static const uint8_t head[] = { 21, 0xfe, 0xfd, 0, 1 };

	memset(record, 0x77, LIMIT_FAREWELL);
	memcpy(record, head, sizeof(head));
	for (unsigned i = 0; i < 6; i++)
		record[5 + i] = (uint8_t)(sequence >> (8 * (5 - i)));
	record[11] = 0;
	record[12] = LIMIT_FAREWELL - 13;
}

// Its client has DTLS with a dataplane that is no more: what its worker has kept for that goes to where it was, when it is heard
// there. Another behind the same address is not told.
static void passes_on_farewells(void **state)
{
	struct msg_dtls_farewell m = { .first_len = LIMIT_FAREWELL, .second_len = LIMIT_FAREWELL };
	struct chan lane;
	uint8_t got[2048];

	put_farewell(m.first, DTLS_SEQUENCE_LAST + 1);
	put_farewell(m.second, DTLS_SEQUENCE_LAST + 2);
	add_tunnel(&lane);
	client_sends_data("too early", 7500);
	assert_int_equal(client_gets(got, 7500, 100), -1);
	assert_int_equal(CHAN_SEND(&lane, DTLS_FAREWELL, &m), 0);
	client_sends_data("from elsewhere", 7501);
	assert_int_equal(client_gets(got, 7501, 100), -1);
	client_sends_data("once", 7500);
	assert_int_equal(client_gets(got, 7500, PATIENCE_MS), LIMIT_FAREWELL);
	assert_memory_equal(got, m.first, LIMIT_FAREWELL);
	client_sends_data("twice", 7500); // it may not have arrived yet
	assert_int_equal(client_gets(got, 7500, 100), -1);
	sleep(1);
	client_sends_data("and a second later", 7500);
	assert_int_equal(client_gets(got, 7500, PATIENCE_MS), LIMIT_FAREWELL);
	assert_memory_equal(got, m.second, LIMIT_FAREWELL);
	sleep(1);
	client_sends_data("no number is used twice", 7500);
	assert_int_equal(client_gets(got, 7500, 100), -1);
	assert_int_equal(CHAN_SEND(&world.main, TUNNEL_DEL, &(struct msg_tunnel_del){ .tunnel = TUNNEL }), 0);
	do
		await_main(MSG_TUNNEL_COUNTERS);
	while (!world.counters.last);
	chan_fini(&lane);
}

static int begin(void **state)
{
	return set_up("no");
}

static int end(void **state)
{
	int status;

	chan_fini(&world.main);
	assert_int_equal(waitpid(world.pid, &status, 0), world.pid);
	assert_int_equal(status, 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts),
		cmocka_unit_test(passes_on_farewells),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
