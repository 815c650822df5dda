// The real penstock-dataplane, from its ports to its channels: facts. Who plays the others is in dataplane_rig.h.
#include "dataplane_rig.h"

static void starts(void **state)
{
	world.ready.ok = 0;
	assert_int_equal(chan_await(&world.main, from_dataplane, NULL, MSG_DATAPLANE_READY, 20000), 0);
	printf("ready after %d ms: %s; %s\n", (int)(now_ms() - world.started_ms), world.ready.text, world.ready.memory);
	assert_int_equal(world.ready.ok, 1);
	assert_string_equal(world.ready.inner, "vpns0");
	assert_true(world.ready.tunnels_max >= 16);
	assert_true(world.ready.memory[0]);
	shell("ip link set vpns0 up arp off");
	world.kernel = open_packet_socket("vpns0");
}

static void runs_as_nobody(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "test $(stat -c %%U /proc/%d/task/*/status | sort -u | tr -d '\\n') = root",
	         (int)world.pid);
	// Not dumpable: /proc belongs to root; the uid is in the status file of each thread.
	shell(command);
	snprintf(command, sizeof(command), "! grep -h ^Uid: /proc/%d/task/*/status | grep -q -w 0", (int)world.pid);
	shell(command);
	if (SANITIZED) // seccomp does nothing there
		return;
	snprintf(command, sizeof(command), "! grep -h ^Seccomp: /proc/%d/task/*/status | grep -q -v -w 2", (int)world.pid);
	shell(command);
}

static uint32_t dpd, idle, rekey; // of the tunnels that are added
static uint16_t networks;
static struct addr relay; // likewise

static int add_tunnel(uint32_t number, const uint8_t ip[4], uint8_t app_id, struct chan *lane)
{
	struct msg_tunnel_add m = { .tunnel = number,
		                    .mtu = 1400,
		                    .app_id_len = APP_ID_SIZE,
		                    .udp_silence = 25,
		                    .dpd = dpd,
		                    .idle = idle,
		                    .rekey = rekey,
		                    .networks = networks,
		                    .relay = relay };
	int fds[2];

	m.ipv4 = (struct addr){ .family = 4, .prefix = 32 };
	memcpy(m.ipv4.ip, ip, 4);
	memset(m.app_id, app_id, sizeof(m.app_id));
	assert_int_equal(chan_pair(fds), 0);
	assert_int_equal(chan_send(&world.main, MSG_TUNNEL_ADD, &m, &fds[1]), 0);
	close(fds[1]);
	if (lane)
		chan_init(lane, fds[0], ROLE_WORKER, ROLE_DATAPLANE, CHAN_PLAIN, "lane");
	else
		close(fds[0]);
	await_main(MSG_TUNNEL_REPLY);
	assert_int_equal(world.reply.tunnel, number);
	return world.reply.ok;
}

static void adds_a_tunnel(void **state)
{
	static const uint8_t other[4] = { 10, 9, 0, 8 };

	assert_int_equal(add_tunnel(TUNNEL, inner_ip, 0xaa, &world.lane), 1);
	assert_int_equal(add_tunnel(TUNNEL, other, 0xab, NULL), 0);        // number in use
	assert_int_equal(add_tunnel(TUNNEL + 1, inner_ip, 0xab, NULL), 0); // address in use
	assert_int_equal(add_tunnel(TUNNEL + 1, other, 0xaa, NULL), 0);    // App-ID in use
	assert_int_equal(add_tunnel(4000, other, 0xab, NULL), 0);          // beyond the end
}

static void carries_cstp(void **state)
{
	uint8_t p[2048];
	size_t n = put_inner(p, inner_ip, server_ip, "up by CSTP");
	ssize_t got;

	assert_int_equal(send(world.lane.fd, p, n, 0), (ssize_t)n);
	assert_true(kernel_gets("up by CSTP", PATIENCE_MS));
	kernel_sends("down by CSTP");
	assert_true(readable(world.lane.fd, PATIENCE_MS));
	got = recv(world.lane.fd, p, sizeof(p), 0);
	assert_int_equal(got, 20 + 12);
	assert_memory_equal(p + 20, "down by CSTP", 12);
	n = put_inner(p, server_ip, inner_ip, "forged");
	assert_int_equal(send(world.lane.fd, p, n, 0), (ssize_t)n);
	assert_false(kernel_gets("forged", 100));
}

static void say_network(uint32_t tunnel, uint8_t second)
{
	struct msg_tunnel_network m = { .tunnel = tunnel, .network = { .family = 4, .prefix = 16, .ip = { 10, second } } };

	assert_int_equal(CHAN_SEND(&world.main, TUNNEL_NETWORK, &m), 0);
}

// Two networks behind a client. What main has said of a tunnel has to be what it meant.
static void routes_networks(void **state)
{
	static const uint8_t own[4] = { 10, 9, 0, 9 }, behind[4] = { 10, 78, 1, 2 }, elsewhere[4] = { 10, 79, 1, 2 };
	const uint32_t number = TUNNEL + 1;
	uint8_t p[256];
	struct chan lane;
	size_t n;

	networks = 2;
	assert_int_equal(add_tunnel(number, own, 0xac, NULL), 0); // none has come
	say_network(number, 77);
	assert_int_equal(add_tunnel(number, own, 0xac, NULL), 0); // one has
	say_network(number, 77);
	say_network(number + 1, 78);
	assert_int_equal(add_tunnel(number, own, 0xac, NULL), 0); // the other one was another tunnel's
	say_network(number, 77);
	say_network(number, 78);
	assert_int_equal(add_tunnel(number, own, 0xac, &lane), 1);
	n = put_inner(p, behind, server_ip, "from behind");
	assert_int_equal(send(lane.fd, p, n, 0), (ssize_t)n);
	assert_true(kernel_gets("from behind", PATIENCE_MS));
	n = put_inner(p, elsewhere, server_ip, "not from behind");
	assert_int_equal(send(lane.fd, p, n, 0), (ssize_t)n);
	assert_false(kernel_gets("not from behind", 100));
	networks = 0;
	assert_int_equal(CHAN_SEND(&world.main, TUNNEL_DEL, &(struct msg_tunnel_del){ .tunnel = number }), 0);
	await_main(MSG_TUNNEL_COUNTERS);
	assert_int_equal(world.counters.packets_in, 1);
	assert_int_equal(world.counters.dropped, 1);
	chan_fini(&lane);
}

static void knows_hellos_by_app_id(void **state)
{
	uint8_t hello[256];
	size_t n;

	client_sends(hello, put_hello(hello, 0x55, 1), 5000);
	assert_false(readable(world.lane.fd, 100));
	n = put_hello(hello, 0xaa, 1);
	client_sends(hello, n, 5000);
	await_lane(MSG_DTLS_RECORD);
	assert_int_equal(world.record.handshake, 1);
	assert_int_equal(world.record.datagram_len, n);
	assert_memory_equal(world.record.datagram, hello, n);
	client_sends(hello, n, 5000); // again: the same handshake
	await_lane(MSG_DTLS_RECORD);
	assert_int_equal(world.record.handshake, 1);
	client_sends(hello, n, 5001); // replayed from elsewhere: another
	await_lane(MSG_DTLS_RECORD);
	assert_int_equal(world.record.handshake, 2);
	assert_int_equal(client_gets(hello, 5000, 50), -1);
}

static unsigned lane_packets(void)
{
	uint8_t buf[LIMIT_MESSAGE];
	unsigned n = 0;

	while (readable(world.lane.fd, 200))
		n += recv(world.lane.fd, buf, sizeof(buf), MSG_DONTWAIT) > 0;
	return n;
}

static void bounds_what_strangers_ask_of_a_worker(void **state)
{
	uint8_t hello[256];
	size_t n = put_hello(hello, 0xaa, 1);
	unsigned given = 0;

	for (int i = 0; i < 1000; i++) {
		client_sends(hello, n, 5000);
		if (i % 100 == 99) // the rings on the way are short
			given += lane_packets();
	}
	assert_in_range(given, 100, 999); // 100 and 50 a second
}

static void hands_over_keys(void **state)
{
	struct msg_dtls_send last = { .handshake = 1, .datagram_len = 20, .datagram = "the final flight....." };
	struct msg_dtls_seal seal = { .handshake = 1, .type = 22, .plaintext_len = 4, .plaintext = "fin" };
	uint8_t got[2048];

	for (int i = 0; i < 2; i++) {
		memset(world.key[i], 0x10 + i, sizeof(world.key[i]));
		memset(world.iv[i], 0x20 + i, sizeof(world.iv[i]));
	}
	send_keys(1);
	assert_int_equal(CHAN_SEND(&world.lane, DTLS_SEAL, &seal), 0);
	assert_int_equal(CHAN_SEND(&world.lane, DTLS_SEND, &last), 0);
	assert_int_equal(client_gets(got, 5000, PATIENCE_MS), 13 + 8 + 4 + 16);
	assert_int_equal(got[10], 5); // the first sequence that is the dataplane's
	gcm(false, 1, got, 13 + 8 + 4 + 16);
	assert_memory_equal(got + 21, "fin", 4);
	assert_int_equal(client_gets(got, 5000, PATIENCE_MS), 20);
	assert_memory_equal(got, "the final flight....", 20);
}

static void carries_dtls(void **state)
{
	uint8_t got[2048];
	ssize_t n;

	client_sends_data("up by DTLS", 5000);
	assert_true(kernel_gets("up by DTLS", PATIENCE_MS));
	await_lane(MSG_DTLS_CONFIRMED);
	assert_int_equal(world.confirmed.handshake, 1);
	await_main(MSG_TUNNEL_STATE);
	assert_int_equal(world.state.channel, CHANNEL_DTLS);
	assert_int_equal(world.state.cipher, AEAD_AES_256_GCM);
	assert_memory_equal(world.state.path.ip, their_ip, 4);
	assert_int_equal(world.state.path.port, 5000);
	kernel_sends("down by DTLS");
	n = client_gets(got, 5000, PATIENCE_MS);
	assert_int_equal(n, 13 + 8 + 1 + 32 + 16);
	gcm(false, 1, got, (size_t)n);
	assert_int_equal(got[21], 0);
	assert_memory_equal(got + 22 + 20, "down by DTLS", 12);
}

static void answers_dpd(void **state)
{
	uint8_t got[2048];
	ssize_t n;

	client_sends_record(23, "\3are you there?", 15, 5000);
	n = client_gets(got, 5000, PATIENCE_MS);
	assert_int_equal(n, 13 + 8 + 15 + 16);
	gcm(false, 1, got, (size_t)n);
	assert_memory_equal(got + 21, "\4are you there?", 15);
}

static void refuses_replays_and_forgeries(void **state)
{
	uint8_t rec[2048], plain[256] = { 0 };
	size_t n = put_record(rec, 23, plain, 1 + put_inner(plain + 1, inner_ip, server_ip, "once"));

	client_sends(rec, n, 5000);
	assert_true(kernel_gets("once", PATIENCE_MS));
	client_sends(rec, n, 5000); // again
	assert_false(kernel_gets("once", 100));
	client_sends(rec, n, 5002); // from elsewhere
	assert_false(kernel_gets("once", 100));
	n = put_record(rec, 23, plain, 1 + put_inner(plain + 1, inner_ip, server_ip, "bent"));
	rec[30] ^= 1;
	client_sends(rec, n, 5000);
	assert_false(kernel_gets("bent", 100));
}

static void goes_to(uint16_t port)
{
	uint8_t got[2048];
	char mark[32];

	snprintf(mark, sizeof(mark), "up from %u", port);
	client_sends_data(mark, port);
	assert_true(kernel_gets(mark, PATIENCE_MS));
	// states that come too soon after one another wait for the next sweep
	while (world.state.path.port != port)
		assert_int_equal(chan_await(&world.main, from_dataplane, NULL, MSG_TUNNEL_STATE, 2 * PATIENCE_MS), 0);
	kernel_sends("down by DTLS");
	assert_true(client_gets(got, port, PATIENCE_MS) > 0);
	client_sends_data(mark, port); // known there by now
	assert_true(kernel_gets(mark, PATIENCE_MS));
}

static void follows_its_client(void **state)
{
	goes_to(5002);
	goes_to(5000);
}

static void keeps_a_path_that_is_alive(void **state)
{
	static const uint8_t ip[4] = { 10, 9, 0, 9 };
	struct msg_tunnel_del m = { .tunnel = TUNNEL + 2 };
	struct chan lane;
	uint8_t hello[256];
	size_t n = put_hello(hello, 0xcc, 9);

	assert_int_equal(add_tunnel(TUNNEL + 2, ip, 0xcc, &lane), 1);
	client_sends(hello, n, 5000); // where the first tunnel's client has just been heard
	assert_false(readable(lane.fd, 100));
	client_sends_data("still here", 5000);
	assert_true(kernel_gets("still here", PATIENCE_MS));
	client_sends(hello, n, 5003);
	assert_int_equal(chan_await(&lane, from_dataplane, NULL, MSG_DTLS_RECORD, PATIENCE_MS), 0);
	assert_int_equal(world.record.handshake, 1);
	assert_int_equal(CHAN_SEND(&world.main, TUNNEL_DEL, &m), 0);
	do
		await_main(MSG_TUNNEL_COUNTERS);
	while (!world.counters.last);
	chan_fini(&lane);
}

static void follows_the_client_to_cstp_and_back(void **state)
{
	uint8_t p[2048];
	size_t n = put_inner(p, inner_ip, server_ip, "CSTP again");

	assert_int_equal(send(world.lane.fd, p, n, 0), (ssize_t)n);
	assert_true(kernel_gets("CSTP again", PATIENCE_MS));
	kernel_sends("down again");
	assert_true(readable(world.lane.fd, PATIENCE_MS));
	assert_int_equal(recv(world.lane.fd, p, sizeof(p), 0), 20 + 10);
	client_sends_data("DTLS again", 5000);
	assert_true(kernel_gets("DTLS again", PATIENCE_MS));
	kernel_sends("down at last");
	assert_true(client_gets(p, 5000, PATIENCE_MS) > 0);
}

static void ask_for_stats(uint32_t token)
{
	struct msg_dataplane_stats m = { .token = token };

	world.ports = world.ports_up = world.cores = world.pools = world.rings = world.rows = 0;
	assert_int_equal(CHAN_SEND(&world.main, DATAPLANE_STATS, &m), 0);
	await_main(MSG_DATAPLANE_STATS_END);
}

static void reports(void **state)
{
	assert_int_equal(CHAN_SEND(&world.main, DATAPLANE_PING, &(struct msg_dataplane_ping){ .number = 7 }), 0);
	await_main(MSG_DATAPLANE_PONG);
	assert_int_equal(world.pong.number, 7);
	// What the kernel itself sends may be under way just then.
	for (unsigned i = 0; i < 100; i++) {
		ask_for_stats(99);
		assert_int_equal(world.end.token, 99);
		if (world.end.packets_in == world.end.packets_out + world.end.dropped)
			break;
		usleep(10000);
	}
	assert_int_equal(world.end.tunnels, 1);
	assert_int_equal(world.ports, 2);
	assert_int_equal(world.cores, 1);
	assert_int_equal(world.pools, 2);
	assert_int_equal(world.rings, 2);
	assert_true(world.rows > 20);
	assert_int_equal(world.end.on_dtls, 1);
	assert_int_equal(world.end.packets_in, world.end.packets_out + world.end.dropped);
	assert_int_equal(world.no_app_id, 1);
	assert_int_equal(world.bad_mac, 1);
	if (world.latency.packets == 0)
		await_main(MSG_DP_LATENCY);
	assert_in_range(world.latency.median_ns, 100, 1000000000);
}

static void ask_about(uint32_t tunnel)
{
	struct msg_tunnel_ask m = { .token = 5, .tunnel = tunnel };

	world.drops[0] = 0;
	assert_int_equal(CHAN_SEND(&world.main, TUNNEL_ASK, &m), 0);
	await_main(MSG_TUNNEL_VIEW);
	assert_int_equal(world.view.token, 5);
	assert_int_equal(world.view.tunnel, tunnel);
}

static void tells_all_about_a_tunnel(void **state)
{
	const struct msg_tunnel_view *v = &world.view;

	ask_about(TUNNEL + 1);
	assert_int_equal(v->up, 0);
	ask_about(TUNNEL);
	assert_int_equal(v->up, 1);
	assert_int_equal(v->channel, CHANNEL_DTLS);
	assert_int_equal(v->cipher, AEAD_AES_256_GCM);
	assert_int_equal(v->closed, 0);
	assert_memory_equal(v->peer.ip, their_ip, 4);
	assert_int_equal(v->peer.port, 5000);
	assert_memory_equal(v->local.ip, our_ip, 4);
	assert_int_equal(v->local.port, 443);
	assert_string_equal(v->interface, "w0");
	assert_int_equal(v->core, 1);
	assert_int_equal(v->epoch, 1);
	assert_int_equal(v->sent, 5 + 1 + 5); // the first that was ours, the worker's seal, DPD's answer and four packets
	assert_int_equal(v->seen, world.sequence);
	assert_int_equal(v->lost, 0);
	assert_int_equal(v->copies, 1);
	assert_int_equal(v->cstp_packets_in, 2);
	assert_int_equal(v->cstp_bytes_in, 2 * (20 + 10));
	assert_int_equal(v->cstp_packets_out, 2);
	assert_int_equal(v->packets_in - v->cstp_packets_in, 8);
	assert_int_equal(v->dropped, 3);
	assert_non_null(strstr(world.drops, "drop_spoof 1,"));
	assert_non_null(strstr(world.drops, "drop_replay 1,"));
	assert_non_null(strstr(world.drops, "drop_bad_mac 1,"));
}

static void sees_a_link_go_down(void **state)
{
	assert_int_equal(world.ports_up, 2);
	shell("ip link set w0 down && sleep 0.2");
	ask_for_stats(1);
	assert_int_equal(world.ports_up, 1);
	shell("ip link set w0 up && sleep 0.2");
	ask_for_stats(2);
	assert_int_equal(world.ports_up, 2);
	client_sends_data("up again", 5000);
	assert_true(kernel_gets("up again", PATIENCE_MS));
}

static void tells_of_alerts(void **state)
{
	client_sends_record(21, "\2\50", 2, 5000);
	await_lane(MSG_DTLS_ALERT);
	assert_int_equal(world.alert.handshake, 1);
	assert_int_equal(world.alert.level, 2);
	assert_int_equal(world.alert.description, 40);
}

static void takes_a_second_handshake(void **state)
{
	uint8_t hello[256];

	usleep(1100000); // the replayed one loses its slot after a second
	client_sends(hello, put_hello(hello, 0xaa, 2), 5000);
	await_lane(MSG_DTLS_RECORD);
	assert_int_equal(world.record.handshake, 3);
	memset(world.key[0], 0x33, 32);
	memset(world.key[1], 0x34, 32);
	world.sequence = 0;
	send_keys(3);
	client_sends_data("new keys", 5000);
	// The record may overtake the keys: no answer went out that could have told the client of them.
	if (!kernel_gets("new keys", 200)) {
		client_sends_data("new keys", 5000);
		assert_true(kernel_gets("new keys", PATIENCE_MS));
	}
	await_lane(MSG_DTLS_CONFIRMED);
	assert_int_equal(world.confirmed.handshake, 3);
}

static void ends_a_tunnel(void **state)
{
	struct msg_tunnel_del m = { .tunnel = TUNNEL };

	assert_int_equal(CHAN_SEND(&world.main, TUNNEL_DEL, &m), 0);
	do
		await_main(MSG_TUNNEL_COUNTERS);
	while (!world.counters.last);
	assert_int_equal(world.counters.tunnel, TUNNEL);
	assert_int_equal(world.counters.packets_in, 12);
	assert_int_equal(world.counters.packets_out, 6);
	assert_true(world.counters.dropped >= 2);
	assert_int_equal(recv(world.lane.fd, &m, sizeof(m), 0), 0);
	chan_fini(&world.lane);
	client_sends_data("too late", 5000);
	assert_false(kernel_gets("too late", 100));
	assert_int_equal(add_tunnel(TUNNEL, inner_ip, 0xaa, &world.lane), 1); // all of it is free again
}

static void record_comes(struct chan *lane, uint32_t handshake, const void *datagram, size_t len)
{
	assert_int_equal(chan_await(lane, from_dataplane, NULL, MSG_DTLS_RECORD, PATIENCE_MS), 0);
	assert_int_equal(world.record.handshake, handshake);
	assert_int_equal(world.record.datagram_len, len);
	assert_memory_equal(world.record.datagram, datagram, len);
}

static void relay_goes(struct chan *lane, uint32_t handshake, uint16_t to, const char *text)
{
	struct msg_dtls_relay m = { .handshake = handshake, .datagram_len = (uint16_t)strlen(text) };
	uint8_t got[2048];

	memcpy(m.datagram, text, strlen(text));
	assert_int_equal(CHAN_SEND(lane, DTLS_RELAY, &m), 0);
	assert_int_equal(client_gets(got, to, PATIENCE_MS), strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

// Where the records are the worker's, it gets them all, and what it has sealed goes to the path that it names; both only from and
// to its client's address.
static void relays_a_workers_records(void **state)
{
	static const uint8_t ip[4] = { 10, 9, 0, 12 };
	struct msg_dtls_channel dtls = { .handshake = 1, .channel = CHANNEL_DTLS, .why = WHY_KEYS };
	struct msg_tunnel_del m = { .tunnel = TUNNEL + 5 };
	uint8_t hello[256], record[64] = { 23, 1, 0, 0, 1, 0, 0, 0, 0, 0, 9, 0, 51 }, packet[256];
	uint8_t finished[64] = { 22, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 51 };
	struct chan lane;
	size_t n = put_hello(hello, 0xed, 1);

	hello[1] = 1; // Cisco's DTLS 0.9
	hello[2] = 0;
	relay = (struct addr){ .family = 4, .prefix = 32, .ip = { 192, 0, 2, 2 } };
	assert_int_equal(add_tunnel(TUNNEL + 5, ip, 0xed, &lane), 1);
	client_sends(hello, n, 7100);
	record_comes(&lane, 1, hello, n);
	relay_goes(&lane, 1, 7100, "a flight of the worker's");
	client_sends(finished, sizeof(finished), 7100);
	record_comes(&lane, 1, finished, sizeof(finished));
	client_sends(record, sizeof(record), 7100);
	record_comes(&lane, 1, record, sizeof(record));
	assert_int_equal(CHAN_SEND(&lane, DTLS_CHANNEL, &dtls), 0);
	do
		await_main(MSG_TUNNEL_STATE);
	while (world.state.tunnel != TUNNEL + 5);
	assert_int_equal(world.state.channel, CHANNEL_DTLS);
	assert_int_equal(world.state.path.port, 7100);
	n = put_inner(packet, ip, server_ip, "the worker has opened it");
	assert_int_equal(send(lane.fd, packet, n, 0), (ssize_t)n);
	assert_true(kernel_gets("the worker has opened it", PATIENCE_MS));
	relay_goes(&lane, 1, 7100, "a record of the worker's");

	client_sends(record, sizeof(record), 7101); // its NAT has chosen another port, or somebody lies: the worker will see
	record_comes(&lane, 2, record, sizeof(record));
	client_sends(finished, sizeof(finished), 7101);
	record_comes(&lane, 2, finished, sizeof(finished));
	client_sends(record, sizeof(record), 7100);
	record_comes(&lane, 1, record, sizeof(record));
	dtls.handshake = 2;
	assert_int_equal(CHAN_SEND(&lane, DTLS_CHANNEL, &dtls), 0);
	relay_goes(&lane, 2, 7101, "a record to its new port");

	assert_int_equal(CHAN_SEND(&world.main, TUNNEL_DEL, &m), 0);
	do
		await_main(MSG_TUNNEL_COUNTERS);
	while (!world.counters.last);
	assert_int_equal(world.counters.packets_in, 1);
	chan_fini(&lane);

	relay.ip[3] = 77; // a session of another address
	m.tunnel = TUNNEL + 6;
	assert_int_equal(add_tunnel(TUNNEL + 6, ip, 0xec, &lane), 1);
	client_sends(hello, put_hello(hello, 0xec, 1), 7200);
	assert_false(readable(lane.fd, 200));
	assert_int_equal(CHAN_SEND(&world.main, TUNNEL_DEL, &m), 0);
	do
		await_main(MSG_TUNNEL_COUNTERS);
	while (!world.counters.last);
	chan_fini(&lane);
	relay = (struct addr){ .family = 0 };
}

static void alert_comes(uint16_t to)
{
	uint8_t got[2048];

	assert_int_equal(client_gets(got, to, PATIENCE_MS), 13 + 8 + 2 + 16);
	assert_int_equal(got[0], 21);
	gcm(false, 1, got, 13 + 8 + 2 + 16);
	assert_memory_equal(got + 21, "\x02\x5a", 2); // fatal, user_canceled
}

static void state_is(uint32_t tunnel, uint8_t channel, uint8_t why)
{
	do
		await_main(MSG_TUNNEL_STATE);
	while (world.state.tunnel != tunnel || world.state.channel != channel);
	assert_int_equal(world.state.why, why);
}

// Keys of age, or near the end of their numbers: an alert, and whatever comes until the client has new ones still comes.
static void ends_old_keys(void **state)
{
	static const uint8_t ip[4] = { 10, 9, 0, 13 };
	struct msg_tunnel_del m = { .tunnel = TUNNEL + 7 };
	struct chan worker = world.lane;
	uint8_t buf[2048] = { 0 }, late[256], later[256];
	size_t n, late_len, later_len;

	rekey = 1;
	assert_int_equal(add_tunnel(TUNNEL + 7, ip, 0xeb, &world.lane), 1);
	rekey = 0;
	client_sends(buf, put_hello(buf, 0xeb, 1), 7300);
	await_lane(MSG_DTLS_RECORD);
	new_keys(0x41);
	send_keys(1);
	usleep(100000); // for the keys to be there
	buf[0] = 0;
	n = 1 + put_inner(buf + 1, ip, server_ip, "under keys that grow old");
	client_sends_record(23, buf, n, 7300);
	await_lane(MSG_DTLS_CONFIRMED);
	state_is(TUNNEL + 7, CHANNEL_DTLS, WHY_KEYS);
	alert_comes(7300);
	state_is(TUNNEL + 7, CHANNEL_CSTP, WHY_REKEY);
	usleep(600000);
	client_sends_record(23, buf, n, 7300);
	assert_true(kernel_gets("under keys that grow old", PATIENCE_MS));
	alert_comes(7300); // the client seems not to have got it
	client_sends_record(23, "\x03 not answered", 14, 7300);
	assert_int_equal(client_gets(buf, 7300, 100), -1);

	buf[0] = 0;
	late_len = put_record(late, 23, buf, 1 + put_inner(buf + 1, ip, server_ip, "that was on its way"));
	later_len = put_record(later, 23, buf, 1 + put_inner(buf + 1, ip, server_ip, "that was for too long"));
	client_sends(buf, put_hello(buf, 0xeb, 2), 7301);
	await_lane(MSG_DTLS_RECORD);
	new_keys(0x51);
	next_sequence = DTLS_SEQUENCE_LAST - 1000;
	send_keys(2);
	next_sequence = 5;
	usleep(100000);
	buf[0] = 0;
	client_sends_record(23, buf, 1 + put_inner(buf + 1, ip, server_ip, "under new ones"), 7301);
	assert_true(kernel_gets("under new ones", PATIENCE_MS));
	client_sends(late, late_len, 7300);
	assert_true(kernel_gets("that was on its way", PATIENCE_MS));
	state_is(TUNNEL + 7, CHANNEL_DTLS, WHY_KEYS);
	alert_comes(7301);
	state_is(TUNNEL + 7, CHANNEL_CSTP, WHY_REKEY);
	sleep(3);
	client_sends(later, later_len, 7300);
	assert_false(kernel_gets("that was for too long", 100));
	assert_int_equal(CHAN_SEND(&world.main, TUNNEL_DEL, &m), 0);
	do
		await_main(MSG_TUNNEL_COUNTERS);
	while (!world.counters.last);
	chan_fini(&world.lane);
	world.lane = worker;
}

// A client that says nothing over UDP is asked, and given up after some questions; idle or not is another question.
static void asks_a_silent_client(void **state)
{
	static const uint8_t ip[4] = { 10, 9, 0, 11 };
	struct msg_tunnel_del m = { .tunnel = TUNNEL + 4 };
	uint8_t got[2048], plain[256] = { 0 };
	struct chan worker = world.lane;
	unsigned questions = 0;
	uint64_t silent;
	ssize_t n;

	dpd = 1;
	idle = 1;
	assert_int_equal(add_tunnel(TUNNEL + 4, ip, 0xee, &world.lane), 1);
	client_sends(got, put_hello(got, 0xee, 1), 7000);
	await_lane(MSG_DTLS_RECORD);
	send_keys(1);
	usleep(100000); // for the keys to be there
	client_sends_record(23, plain, 1 + put_inner(plain + 1, ip, server_ip, "last words"), 7000);
	await_lane(MSG_DTLS_CONFIRMED);
	silent = now_ms();
	while (world.state.tunnel != TUNNEL + 4 || world.state.channel != CHANNEL_DTLS)
		await_main(MSG_TUNNEL_STATE);
	while (world.state.channel == CHANNEL_DTLS) {
		await_main(MSG_TUNNEL_COUNTERS);
		while ((n = client_gets(got, 7000, 1)) > 0) {
			assert_int_equal(n, 13 + 8 + 1 + 16);
			gcm(false, 1, got, (size_t)n);
			assert_int_equal(got[21], 3);
			assert_true(questions++ > 0 || now_ms() - silent >= 1900);
		}
	}
	assert_true(questions > 0);
	assert_int_equal(world.state.why, WHY_DEAD_UDP);
	assert_true(now_ms() - silent >= 2900 && now_ms() - silent < 9000);
	client_sends_record(23, "\4", 1, 7000); // heard again; no activity
	while (world.state.channel == CHANNEL_CSTP)
		await_main(MSG_TUNNEL_STATE);
	assert_int_equal(world.state.why, WHY_HEARD);
	await_main(MSG_TUNNEL_COUNTERS);
	assert_int_equal(world.counters.tunnel, TUNNEL + 4);
	assert_true(world.counters.idle_ms >= 2900);
	assert_int_equal(CHAN_SEND(&world.main, TUNNEL_DEL, &m), 0);
	do
		await_main(MSG_TUNNEL_COUNTERS);
	while (!world.counters.last);
	chan_fini(&world.lane);
	world.lane = worker;
	dpd = idle = 0;
}

// More sessions than there are key sets, each with its handshake: all of it comes back.
static void forgets_whole_sessions(void **state)
{
	static const uint8_t ip[4] = { 10, 9, 0, 10 };
	struct msg_tunnel_del m = { .tunnel = TUNNEL + 3 };
	uint8_t hello[256];
	struct chan worker = world.lane;

	for (unsigned i = 0; i < 600; i++) {
		uint8_t id = (uint8_t)(0xb0 + i % 16); // no session has so many ClientHellos

		assert_int_equal(add_tunnel(TUNNEL + 3, ip, id, &world.lane), 1);
		client_sends(hello, put_hello(hello, id, (uint8_t)i), (uint16_t)(6000 + i));
		await_lane(MSG_DTLS_RECORD);
		send_keys(1);
		client_sends(hello, put_hello(hello, id, (uint8_t)(i + 1)), (uint16_t)(6000 + i));
		await_lane(MSG_DTLS_RECORD);
		send_keys(2);
		assert_int_equal(CHAN_SEND(&world.main, TUNNEL_DEL, &m), 0);
		do
			await_main(MSG_TUNNEL_COUNTERS);
		while (!world.counters.last);
		chan_fini(&world.lane);
	}
	world.lane = worker;
	ask_for_stats(3);
	assert_int_equal(world.keys_full, 0);
	assert_int_equal(world.end.tunnels, 1);
}

static void drops_a_lane_that_lies(void **state)
{
	uint8_t hello[256];

	client_sends(hello, put_hello(hello, 0xaa, 4), 5000);
	await_lane(MSG_DTLS_RECORD);
	assert_int_equal(world.record.handshake, 1);
	send_keys(1);
	send_keys(1); // never twice
	await_main(MSG_TUNNEL_REPLY);
	assert_int_equal(world.reply.tunnel, TUNNEL);
	assert_int_equal(world.reply.ok, 0);
	assert_string_equal(world.reply.text, "lane violation");
	assert_true(readable(world.lane.fd, PATIENCE_MS));
	assert_int_equal(recv(world.lane.fd, hello, sizeof(hello), 0), 0);
}

// What its core gave away for CSTP and no lane took was not sent.
static void counts_what_a_lane_lost(void **state)
{
	struct msg_tunnel_del m = { .tunnel = TUNNEL };

	for (unsigned i = 0; i < 3; i++)
		kernel_sends("for nobody");
	do
		await_main(MSG_TUNNEL_COUNTERS);
	while (world.counters.dropped < 3);
	assert_int_equal(CHAN_SEND(&world.main, TUNNEL_DEL, &m), 0);
	do
		await_main(MSG_TUNNEL_COUNTERS);
	while (!world.counters.last);
	assert_int_equal(world.counters.tunnel, TUNNEL);
	assert_int_equal(world.counters.packets_out, 0);
	assert_int_equal(world.counters.bytes_out, 0);
	assert_int_equal(world.counters.dropped, 3);
}

static void ends_with_main(void **state)
{
	int status;

	chan_fini(&world.main);
	assert_int_equal(waitpid(world.pid, &status, 0), world.pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(if_nametoindex("vpns0"), 0);
}

static int set_up_huge(void **state)
{
	return set_up("auto");
}

static int set_up_plain(void **state)
{
	return set_up("no");
}

static int tear_down(void **state)
{
	if (world.pid > 0)
		kill(world.pid, SIGKILL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts),
		cmocka_unit_test(runs_as_nobody),
		cmocka_unit_test(adds_a_tunnel),
		cmocka_unit_test(carries_cstp),
		cmocka_unit_test(routes_networks),
		cmocka_unit_test(knows_hellos_by_app_id),
		cmocka_unit_test(bounds_what_strangers_ask_of_a_worker),
		cmocka_unit_test(hands_over_keys),
		cmocka_unit_test(carries_dtls),
		cmocka_unit_test(answers_dpd),
		cmocka_unit_test(refuses_replays_and_forgeries),
		cmocka_unit_test(follows_its_client),
		cmocka_unit_test(keeps_a_path_that_is_alive),
		cmocka_unit_test(follows_the_client_to_cstp_and_back),
		cmocka_unit_test(reports),
		cmocka_unit_test(tells_all_about_a_tunnel),
		cmocka_unit_test(sees_a_link_go_down),
		cmocka_unit_test(tells_of_alerts),
		cmocka_unit_test(takes_a_second_handshake),
		cmocka_unit_test(ends_a_tunnel),
		cmocka_unit_test(relays_a_workers_records),
		cmocka_unit_test(ends_old_keys),
		cmocka_unit_test(asks_a_silent_client),
		cmocka_unit_test(forgets_whole_sessions),
		cmocka_unit_test(drops_a_lane_that_lies),
		cmocka_unit_test(counts_what_a_lane_lost),
		cmocka_unit_test(ends_with_main),
	};

	return cmocka_run_group_tests_name("huge-pages = auto", tests, set_up_huge, tear_down) +
	       cmocka_run_group_tests_name("huge-pages = no", tests, set_up_plain, tear_down);
}
