// Packets from one client to another: left to the kernel, turned round into the other's tunnel, or dropped.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define CORES 2
#include "dataplane_traffic.h"
#include "dataplane/checksum.h"

static int fresh_mode(void **state)
{
	arrival = 0;
	w.dp.client_to_client = CLIENTS_DIRECT;
	return fresh(state);
}

// A packet of tunnel 0's client, behind its type byte.
static uint8_t sent[2048];

static void sum_ipv4(uint8_t *ip)
{
	uint16_t sum;

	store16(ip + 10, 0);
	sum = checksum_fold(checksum_add(ip, IPV4_HEADER));
	memcpy(ip + 10, &sum, 2);
}

static void send_ipv4(uint32_t to, uint16_t len, uint8_t ttl)
{
	sent[0] = TYPE_DATA;
	world_ip(sent + 1, len, world_ipv4(0), to);
	sent[1 + 8] = ttl;
	sum_ipv4(sent + 1);
	send_record(0, 0, CONTENT_DATA, sent, len + 1);
	run();
}

static void send_ipv6(const uint8_t to[16], uint16_t len, uint8_t hops)
{
	uint8_t from[16];

	sent[0] = TYPE_DATA;
	world_ipv6(0, from);
	world_ip6(sent + 1, len, from, to);
	sent[1 + 7] = hops;
	send_record(0, 0, CONTENT_DATA, sent, len + 1);
	run();
}

// What was sent, but for one hop less.
static void peer_gets(uint32_t t, uint16_t len)
{
	uint16_t got;
	const uint8_t *plain = client_gets(t, 0, CONTENT_DATA, &got);

	assert_int_equal(got, len + 1);
	if (sent[1] >> 4 == 4) {
		sent[1 + 8]--;
		sum_ipv4(sent + 1);
	} else {
		sent[1 + 7]--;
	}
	assert_memory_equal(plain, sent, len + 1);
}

static void the_kernel_gets_them_by_default(void **state)
{
	w.dp.client_to_client = CLIENTS_KERNEL;
	send_ipv4(world_ipv4(2), 100, 64);
	assert_int_equal(waiting(w.inner.tx), 1);
	assert_int_equal(waiting(w.outer.tx), 0);
	assert_int_equal(next_of(w.inner.tx)->data_len, ETHER_HEADER + 100);
	COUNTED(client_to_client, 0);
}

static void direct_is_one_hop(void **state)
{
	uint8_t to[16];

	send_ipv4(world_ipv4(2), 100, 64);
	peer_gets(2, 100);
	send_ipv4(world_ipv4(3), 100, 2); // whose path is IPv6
	peer_gets(3, 100);
	world_ipv6(2, to);
	send_ipv6(to, 200, 64);
	peer_gets(2, 200);
	nothing_came_out();
	COUNTED(client_to_client, 3);
	assert_int_equal(w.dp.in[0].packets, 3);
	assert_int_equal(w.dp.in[0].bytes, 400);
	assert_int_equal(w.dp.out[2].packets, 2);
	assert_int_equal(w.dp.out[2].bytes, 300);
	assert_int_equal(w.dp.out[3].packets, 1);
}

static void hops_end(void **state)
{
	uint8_t to[16];

	world_ipv6(2, to);
	for (uint8_t ttl = 0; ttl < 2; ttl++) {
		send_ipv4(world_ipv4(2), 100, ttl);
		send_ipv6(to, 100, ttl);
	}
	COUNTED(drop_ttl, 4);
	assert_int_equal(w.dp.out[0].dropped, 4);
	assert_int_equal(w.dp.in[0].packets, 0);
	nothing_came_out();
}

static void denied_by_name(void **state)
{
	uint8_t to[16];

	w.dp.client_to_client = CLIENTS_DENY;
	world_ipv6(2, to);
	send_ipv4(world_ipv4(2), 100, 64);
	send_ipv6(to, 100, 64);
	COUNTED(drop_client_to_client, 2);
	assert_int_equal(w.dp.out[0].dropped, 2);
	assert_int_equal(w.dp.in[0].packets, 0);
	assert_int_equal(w.dp.in[0].last_data, 0); // nor does it keep the session busy
	nothing_came_out();
}

// What is for nobody else is the kernel's, as ever.
static void others_are_not_asked(void **state)
{
	static const uint8_t multicast[16] = { 0xff, 2, [15] = 1 };
	uint8_t self[16];

	world_ipv6(0, self);
	for (enum client_to_client mode = CLIENTS_DIRECT; mode <= CLIENTS_DENY; mode++) {
		w.dp.client_to_client = mode;
		send_ipv4(INSIDE, 100, 1);
		send_ipv4(world_ipv4(0), 100, 1); // itself
		send_ipv4(rte_cpu_to_be_32(0xe0000001), 100, 1);
		send_ipv6(self, 100, 1);
		send_ipv6(multicast, 100, 1);
		assert_int_equal(waiting(w.inner.tx), 5);
		assert_int_equal(waiting(w.outer.tx), 0);
		empty(w.inner.tx);
	}
}

static void networks_behind_count(void **state)
{
	static const uint32_t there = RTE_BE32(0x0a070001), ours = RTE_BE32(0x0a000063);
	struct addr wide, own;

	assert_int_equal(addr_parse("10.0.0.0/8", &wide), 0);
	assert_int_equal(addr_parse("10.0.0.0/24", &own), 0);
	assert_int_equal(networks_add(&w.networks, &wide, 2), 0);
	assert_int_equal(networks_add(&w.networks, &own, NETWORK_OWN), 0);
	send_ipv4(there, 100, 64);
	peer_gets(2, 100);
	send_ipv4(ours, 100, 64); // the gateway's, perhaps
	assert_int_equal(waiting(w.inner.tx), 1);
	w.dp.client_to_client = CLIENTS_DENY;
	send_ipv4(there, 100, 64);
	COUNTED(drop_client_to_client, 1);
	networks_remove(&w.tables, &w.networks, &wide, 2);
	networks_remove(&w.tables, &w.networks, &own, NETWORK_OWN);
}

static void forgers_are_forgers_first(void **state)
{
	for (enum client_to_client mode = CLIENTS_DIRECT; mode <= CLIENTS_DENY; mode++) {
		w.dp.client_to_client = mode;
		sent[0] = TYPE_DATA;
		world_ip(sent + 1, 100, world_ipv4(1), world_ipv4(2));
		send_record(0, 0, CONTENT_DATA, sent, 101);
		sent[1 + 3] = 200; // says that it is longer
		send_record(0, 0, CONTENT_DATA, sent, 101);
		run();
	}
	COUNTED(drop_spoof, 2);
	COUNTED(drop_inner_malformed, 2);
	nothing_came_out();
}

static void both_policies_hold(void **state)
{
	struct policy slow = { 0 };
	struct rte_meter_srtcm_params params = { .cir = 1000, .cbs = 250, .ebs = 1 };

	rte_meter_srtcm_profile_config(&slow.out.profile, &params);
	rte_meter_srtcm_config(&slow.out.state, &slow.out.profile);
	w.dp.policy[2] = &slow;
	w.dp.out[2].flags |= TUNNEL_POLICY;
	for (unsigned i = 0; i < 3; i++)
		send_ipv4(world_ipv4(2), 100, 64);
	COUNTED(drop_rate_out, 1);
	assert_int_equal(w.dp.out[2].dropped, 1);
	assert_int_equal(w.dp.out[2].packets, 2);

	slow.in = slow.out;
	rte_meter_srtcm_config(&slow.in.state, &slow.in.profile);
	w.dp.policy[0] = &slow;
	w.dp.in[0].flags |= TUNNEL_POLICY;
	w.dp.out[2].flags &= (uint8_t)~TUNNEL_POLICY;
	for (unsigned i = 0; i < 3; i++)
		send_ipv4(world_ipv4(2), 100, 64);
	COUNTED(drop_rate_in, 1);
	assert_int_equal(w.dp.out[0].dropped, 1);
	w.dp.policy[0] = w.dp.policy[2] = NULL;
}

// The peer's tunnel is narrower: the sender hears of it through its own, with the kernel out of it.
static void too_big_is_told_to_the_sender(void **state)
{
	const uint8_t *plain;
	uint32_t from;
	uint16_t len;

	w.dp.out[2].mtu = 600;
	sent[0] = TYPE_DATA;
	world_ip(sent + 1, 1000, world_ipv4(0), world_ipv4(2));
	store16(sent + 1 + 6, 0x4000);
	send_record(0, 0, CONTENT_DATA, sent, 1001);
	run();
	COUNTED(drop_too_big, 1);
	COUNTED(icmp_out, 1);
	plain = client_gets(0, 0, CONTENT_DATA, &len) + 1;
	memcpy(&from, plain + 12, 4);
	assert_int_equal(from, world_ipv4(2));
	assert_int_equal(plain[9], PROTOCOL_ICMP);
	assert_int_equal(load16(plain + IPV4_HEADER + 6), 600);
	assert_int_equal(checksum_fold(checksum_add(plain, IPV4_HEADER)), 0);
	nothing_came_out();

	send_ipv4(world_ipv4(2), 1000, 64); // may be cut
	COUNTED(inner_fragments, 2);
	assert_int_equal(waiting(w.outer.tx), 2);
	assert_int_equal(waiting(w.inner.tx), 0);
}

static void lanes_turn_too(void **state)
{
	uint8_t packet[100];
	uint16_t len;

	world_ip(packet, 100, world_ipv4(7), world_ipv4(2)); // over CSTP to DTLS
	arrive_lane(7, PACKET_OPENED, 0, 0, NULL, packet, 100);
	run();
	client_gets(2, 0, CONTENT_DATA, &len);
	assert_int_equal(len, 101);
	send_ipv4(world_ipv4(7), 100, 64); // and back
	assert_int_equal(control_gets(PACKET_CSTP).tunnel, 7);
	assert_int_equal(w.dp.out[7].packets, 1);
	assert_int_equal(w.dp.cold[7].cstp_in, 1);
	assert_int_equal(w.dp.cold[7].cstp_out, 1);
	w.dp.client_to_client = CLIENTS_DENY;
	arrive_lane(7, PACKET_OPENED, 0, 0, NULL, packet, 100);
	run();
	COUNTED(drop_client_to_client, 1);
	nothing_came_out();
}

static void the_other_owner_seals(void **state)
{
	struct command c = { .kind = COMMAND_MOVE, .tunnel = 2, .to = 1 };

	assert_int_equal(mailbox_post(w.dp.cores[0], &c), 0);
	run();
	send_ipv4(world_ipv4(2), 100, 64);
	COUNTED(handed_out, 1);
	assert_int_equal(w.dp.cores[1]->count.value[COUNT_dtls_data_out], 1);
	assert_int_equal(waiting(w.outer.tx_of[1]), 1);
	assert_int_equal(w.dp.out[2].packets, 1);

	w.dp.out[2].mtu = 600; // an answer comes back to the sender's owner
	sent[0] = TYPE_DATA;
	world_ip(sent + 1, 1000, world_ipv4(0), world_ipv4(2));
	store16(sent + 1 + 6, 0x4000);
	send_record(0, 0, CONTENT_DATA, sent, 1001);
	run();
	COUNTED(handed_out, 3);
	assert_int_equal(w.dp.cores[0]->count.value[COUNT_dtls_data_out], 1);
}

static void nobody_is_there_any_more(void **state)
{
	w.dp.out[2].flags = 0;
	send_ipv4(world_ipv4(2), 100, 64);
	COUNTED(drop_no_tunnel, 1);
	nothing_came_out();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh_mode, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_kernel_gets_them_by_default),
		TEST(direct_is_one_hop),
		TEST(hops_end),
		TEST(denied_by_name),
		TEST(others_are_not_asked),
		TEST(networks_behind_count),
		TEST(forgers_are_forgers_first),
		TEST(both_policies_hold),
		TEST(too_big_is_told_to_the_sender),
		TEST(lanes_turn_too),
		TEST(the_other_owner_seals),
		TEST(nobody_is_there_any_more),
	};

	traffic_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
