// The inner port is a NIC of our own: who goes out by it at once, who by the kernel, and who comes in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane_traffic.h"

static const uint8_t router_mac[6] = { 2, 0, 0, 0, 1, 1 }, host_mac[6] = { 2, 0, 0, 0, 1, 2 }, old_mac[6] = { 2, 0, 0, 0, 1, 3 };
static const uint8_t router[16] = { 172, 16, 0, 254 };

#define IPV4(a, b, c, d) ((uint32_t)(d) << 24 | (c) << 16 | (b) << 8 | (a)) // network order
#define HOST IPV4(172, 16, 0, 2)
#define STALE IPV4(172, 16, 0, 3)
#define UNKNOWN IPV4(172, 16, 0, 4)
#define BEHIND IPV4(10, 50, 0, 1)
#define GATEWAY IPV4(172, 16, 0, 1)
#define ELSEWHERE IPV4(8, 8, 8, 8)

// 172.16/16 are neighbours, 10.50/16 lies behind one, and so does all of IPv6.
static void picture(void)
{
	struct fib_route routes[] = {
		{ .family = 4, .prefix = 16, .to = { 172, 16 }, .ours = true, .direct = true },
		{ .family = 4, .prefix = 32, .to = { 172, 16, 0, 1 }, .local = true },
		{ .family = 4, .prefix = 16, .to = { 10, 50 }, .ours = true },
		{ .family = 6, .prefix = 0, .ours = true, .via = { 0xfe, 0x80, [15] = 1 } },
	};
	struct neighbour neighbours[] = {
		{ .family = 4, .ip = { 172, 16, 0, 254 } },
		{ .family = 4, .ip = { 172, 16, 0, 2 } },
		{ .family = 4, .ip = { 172, 16, 0, 3 }, .stale = true },
		{ .family = 6, .ip = { 0xfe, 0x80, [15] = 1 } },
	};

	memcpy(routes[2].via, router, 16);
	memcpy(neighbours[0].mac, router_mac, 6);
	memcpy(neighbours[1].mac, host_mac, 6);
	memcpy(neighbours[2].mac, old_mac, 6);
	memcpy(neighbours[3].mac, router_mac, 6);
	w.dp.forwarding.routes = fib_new(routes, RTE_DIM(routes));
	w.dp.forwarding.neighbours = neighbours_new(neighbours, RTE_DIM(neighbours));
	world_must(w.dp.forwarding.routes && w.dp.forwarding.neighbours, "forwarding");
}

static uint8_t plain[2048]; // type byte and packet

static uint8_t *packet_to(uint32_t to, uint16_t len)
{
	plain[0] = TYPE_DATA;
	world_ip(plain + 1, len, world_ipv4(2), to);
	return plain + 1;
}

static bool sum_is_right(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += load16(ip + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static void set_sum(uint8_t *ip)
{
	uint32_t sum = 0;

	store16(ip + 10, 0);
	for (unsigned i = 0; i < 20; i += 2)
		sum += load16(ip + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	store16(ip + 10, (uint16_t)~sum);
}

static void client_sends(uint16_t len)
{
	send_record(2, 0, CONTENT_DATA, plain, len + 1);
	run();
}

static void leaves_by_the_nic(const uint8_t mac[6], uint16_t type, uint16_t len)
{
	struct rte_mbuf *m = next_of(w.lan.tx);
	const uint8_t *frame;

	assert_non_null(m);
	frame = rte_pktmbuf_mtod(m, uint8_t *);
	assert_int_equal(m->data_len, ETHER_HEADER + len);
	assert_memory_equal(frame, mac, 6);
	assert_memory_equal(frame + 6, &w.lan.port.mac, 6);
	assert_int_equal(load16(frame + 12), type);
	assert_int_equal(waiting(w.inner.tx), 0);
}

// Unchanged, by its interface for clients' packets.
static void goes_by_the_kernel(uint16_t len)
{
	struct rte_mbuf *m = next_of(w.inner.tx);

	assert_non_null(m);
	assert_int_equal(m->data_len, ETHER_HEADER + len);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, ETHER_HEADER), plain + 1, len);
	assert_int_equal(waiting(w.lan.tx), 0);
}

// ---------------------------------------------------------------------------------------------------------------------- out

static void known_neighbours_get_their_packets_at_once(void **state)
{
	uint8_t *ip = packet_to(HOST, 300);

	set_sum(ip);
	uint8_t ttl = ip[8];
	client_sends(300);
	leaves_by_the_nic(host_mac, ETHER_IPV4, 300);
	ip = rte_pktmbuf_mtod_offset(held, uint8_t *, ETHER_HEADER);
	assert_int_equal(ip[8], ttl - 1);
	assert_true(sum_is_right(ip));
	packet_to(BEHIND, 40);
	client_sends(40);
	leaves_by_the_nic(router_mac, ETHER_IPV4, 40);
	COUNTED(inner_forwarded, 2);
	COUNTED(inner_tx, 2);
}

static void the_sum_follows_every_ttl(void **state)
{
	uint8_t ip[20] = { 0x45 };

	for (unsigned i = 0; i < 70000; i++) {
		store16(ip + 4, (uint16_t)i);
		ip[8] = (uint8_t)(2 + i % 254);
		set_sum(ip);
		forward_hop(ip);
		assert_true(sum_is_right(ip));
	}
}

static void ipv6_too(void **state)
{
	uint8_t *ip = plain + 1;

	memset(plain, 0, 100);
	plain[0] = TYPE_DATA;
	ip[0] = 0x60;
	store16(ip + 4, 40);
	ip[6] = 59;
	ip[7] = 64;
	world_ipv6(2, ip + 8);
	memcpy(ip + 24, "\x20\x01\x0d\xb8", 4);
	client_sends(80);
	leaves_by_the_nic(router_mac, ETHER_IPV6, 80);
	assert_int_equal(rte_pktmbuf_mtod_offset(held, uint8_t *, ETHER_HEADER)[7], 63);

	memcpy(ip + 24, "\xfe\x80\0\0", 4); // link-local, multicast, hop-by-hop options, the last hop
	client_sends(80);
	goes_by_the_kernel(80);
	ip[24] = 0xff;
	client_sends(80);
	goes_by_the_kernel(80);
	memcpy(ip + 24, "\x20\x01", 2);
	ip[6] = 0;
	client_sends(80);
	goes_by_the_kernel(80);
	ip[6] = 59;
	ip[7] = 1;
	client_sends(80);
	goes_by_the_kernel(80);
}

static void the_kernel_gets_the_rest(void **state)
{
	const uint32_t to[] = { UNKNOWN, GATEWAY, ELSEWHERE, IPV4(224, 0, 0, 5), IPV4(255, 255, 255, 255) };

	for (unsigned i = 0; i < RTE_DIM(to); i++) {
		packet_to(to[i], 100);
		client_sends(100);
		goes_by_the_kernel(100);
	}
	packet_to(HOST, 100)[8] = 1;
	client_sends(100);
	goes_by_the_kernel(100);
	packet_to(HOST, 100)[0] = 0x46; // an option
	client_sends(100);
	goes_by_the_kernel(100);
	w.dp.forwarding.mtu = 99;
	packet_to(HOST, 100);
	client_sends(100);
	w.dp.forwarding.mtu = 1500;
	goes_by_the_kernel(100);
	COUNTED(inner_forwarded, 0);
}

static void the_kernel_makes_sure_of_old_neighbours(void **state)
{
	w.lc->probed = rte_rdtsc() - w.dp.tsc_hz;
	packet_to(STALE, 100);
	client_sends(100);
	goes_by_the_kernel(100);
	w.lc->probed = rte_rdtsc() + w.dp.tsc_hz / 1000; // it has just been asked
	client_sends(100);
	leaves_by_the_nic(old_mac, ETHER_IPV4, 100);
}

static void clients_do_not_forge(void **state)
{
	packet_to(HOST, 100)[15] ^= 1;
	client_sends(100);
	COUNTED(drop_spoof, 1);
	assert_int_equal(waiting(w.lan.tx) + waiting(w.inner.tx), 0);
}

// ----------------------------------------------------------------------------------------------------------------------- in

static void from_the_lan(const void *mac, uint16_t type, const uint8_t *packet, uint16_t len)
{
	struct rte_mbuf *m = world_packet(&w);
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(ETHER_HEADER + len));

	memcpy(frame, mac, 6);
	memcpy(frame + 6, router_mac, 6);
	store16(frame + 12, type);
	memcpy(frame + ETHER_HEADER, packet, len);
	assert_int_equal(rte_ring_enqueue(w.lan.rx, m), 0);
	run();
}

static void frame_is_the_kernels(uint16_t len)
{
	struct rte_mbuf *m = next_of(w.lan_tap.tx);

	assert_non_null(m);
	assert_int_equal(m->data_len, ETHER_HEADER + len);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, ETHER_HEADER), plain, len);
	nothing_came_out();
}

static void what_is_for_a_client_goes_to_it(void **state)
{
	uint16_t len;
	const uint8_t *got;

	world_ip(plain, 200, BEHIND, world_ipv4(2));
	set_sum(plain);
	from_the_lan(&w.lan.port.mac, ETHER_IPV4, plain, 200);
	got = client_gets(2, 0, CONTENT_DATA, &len);
	assert_int_equal(len, 201);
	assert_int_equal(got[1 + 8], plain[8] - 1);
	assert_true(sum_is_right(got + 1));
	assert_int_equal(waiting(w.lan_tap.tx), 0);
}

static void what_is_not_goes_to_the_kernel(void **state)
{
	static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };

	memset(plain, 1, 46);
	from_the_lan(everybody, 0x0806, plain, 46);
	frame_is_the_kernels(46);
	world_ip(plain, 100, BEHIND, GATEWAY);
	from_the_lan(&w.lan.port.mac, ETHER_IPV4, plain, 100);
	frame_is_the_kernels(100);
	world_ip(plain, 100, BEHIND, world_ipv4(2)); // to a client, but by another host's MAC address
	from_the_lan(host_mac, ETHER_IPV4, plain, 100);
	frame_is_the_kernels(100);
	plain[8] = 1; // and one that has come far enough
	from_the_lan(&w.lan.port.mac, ETHER_IPV4, plain, 100);
	frame_is_the_kernels(100);
	COUNTED(inner_rx, 4);
	COUNTED(kernel_tx, 4);
}

static void what_the_kernel_sends_leaves_by_the_nic(void **state)
{
	struct rte_mbuf *m = world_packet(&w);

	memset(rte_pktmbuf_append(m, 60), 7, 60);
	assert_int_equal(rte_ring_enqueue(w.lan_tap.rx, m), 0);
	run();
	assert_int_equal(next_of(w.lan.tx)->data_len, 60);
	COUNTED(kernel_rx, 1);
	COUNTED(inner_tx, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(known_neighbours_get_their_packets_at_once),
		TEST(the_sum_follows_every_ttl),
		TEST(ipv6_too),
		TEST(the_kernel_gets_the_rest),
		TEST(the_kernel_makes_sure_of_old_neighbours),
		TEST(clients_do_not_forge),
		TEST(what_is_for_a_client_goes_to_it),
		TEST(what_is_not_goes_to_the_kernel),
		TEST(what_the_kernel_sends_leaves_by_the_nic),
	};

	traffic_init();
	world_lan(&w, 256);
	picture();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
