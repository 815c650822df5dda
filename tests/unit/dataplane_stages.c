// The packet path from end to end, with in-memory ports: what comes out where, and which counter tells of the rest.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane_traffic.h"

// ------------------------------------------------------------------------------------------------------- from the client

static void test_data_comes_in(void **state)
{
	for (uint32_t t = 0; t < 7; t++) {
		send_data(t, 0, 1400);
		run();
		struct rte_mbuf *m = next_of(w.inner.tx);
		assert_non_null(m);
		const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
		uint8_t packet[1400];
		world_ip(packet, 1400, world_ipv4(t), INSIDE);
		assert_int_equal(m->data_len, ETHER_HEADER + 1400);
		assert_memory_equal(frame, &w.inner.port.mac, 6);
		assert_int_equal(load16(frame + 12), ETHER_IPV4);
		assert_memory_equal(frame + ETHER_HEADER, packet, 1400);
		assert_int_equal(w.dp.in[t].packets, 1);
		assert_int_equal(w.dp.in[t].bytes, 1400);
		assert_true(w.dp.in[t].last_data != 0);
	}
	COUNTED(dtls_data_in, 7);
}

static void test_inner_ipv6(void **state)
{
	uint8_t plain[200] = { TYPE_DATA }, from[16], to[16];

	world_ipv6(2, from);
	world_ipv6(1000, to);
	world_ip6(plain + 1, 120, from, to);
	send_record(2, 0, CONTENT_DATA, plain, 150); // padded
	run();
	struct rte_mbuf *m = next_of(w.inner.tx);
	assert_non_null(m);
	assert_int_equal(m->data_len, ETHER_HEADER + 120);
	assert_int_equal(load16(rte_pktmbuf_mtod(m, uint8_t *) + 12), ETHER_IPV6);
}

static void test_replay(void **state)
{
	struct path path = path_of(0, 0);
	uint8_t plain[100], record[200];
	uint16_t len = record_of(0, 0, CONTENT_DATA, plain, inner_plain(0, 60, plain), record);

	for (unsigned i = 0; i < 3; i++) // in one burst
		arrive_outside(world_frame(&w, &path, record, len));
	run();
	arrive_outside(world_frame(&w, &path, record, len));
	run();
	assert_int_equal(waiting(w.inner.tx), 1);
	COUNTED(drop_replay, 3);
	assert_int_equal(w.dp.out[0].dropped, 3);
}

static void test_forgery_moves_nothing(void **state)
{
	struct path path = path_of(0, 0);
	uint8_t plain[100], record[200];
	uint16_t len = world_seal(&client[0][0], record, CONTENT_DATA, 1, 1000000, plain, inner_plain(0, 60, plain));

	record[len - 1] ^= 1;
	arrive_outside(world_frame(&w, &path, record, len));
	run();
	COUNTED(drop_bad_mac, 1);
	send_data(0, 0, 60); // the window has not moved
	run();
	assert_int_equal(waiting(w.inner.tx), 1);
}

static void test_strangers(void **state)
{
	struct path path = path_of(0, 0), other;
	uint8_t plain[100], record[200];
	uint16_t len = record_of(0, 0, CONTENT_DATA, plain, inner_plain(0, 60, plain), record);

	other = path;
	other.key.peer_udp++;
	send_bytes(&other, record, len);
	control_gets(PACKET_STRAY);
	other = path;
	other.key.our_udp++;
	send_bytes(&other, record, len);
	COUNTED(drop_not_ours, 1);
	send_bytes(&path, record, len - 1);
	COUNTED(drop_malformed_record, 1);
	send_bytes(&path, record, 12);
	COUNTED(drop_malformed_record, 2);
	send_bytes(&path, "", 0);
	COUNTED(drop_malformed_record, 3);
	record[4] = 2; // epoch
	send_bytes(&path, record, len);
	COUNTED(drop_no_keys, 1);
	path = path_of(7, 0); // no keys at all: it may be of whom the path was before somebody's ClientHello came by it
	record[4] = 1;
	send_bytes(&path, record, len);
	control_gets(PACKET_STRAY);
	COUNTED(drop_no_keys, 1);
	nothing_came_out();
}

static void test_short_records(void **state)
{
	struct path path = path_of(0, 0);
	uint8_t record[RECORD_HEADER + 24] = "\x17\xfe\xfd\0\x01\0\0\0\0\0\x09\0";

	for (uint8_t body = 0; body < 24; body++) {
		record[12] = body;
		send_bytes(&path, record, RECORD_HEADER + body);
	}
	COUNTED(drop_malformed_record, 24);
	record[12] = 24; // room for nonce and tag, of nothing
	send_bytes(&path, record, RECORD_HEADER + 24);
	COUNTED(drop_bad_mac, 1);
}

static void test_tunnel_gone(void **state)
{
	w.dp.in[0].flags = w.dp.out[0].flags = 0;
	send_data(0, 0, 100);
	send_inside(0, 100);
	arrive_lane(0, PACKET_SEAL, CONTENT_HANDSHAKE, 1, NULL, "x", 1);
	arrive_lane(TUNNELS + 5, PACKET_SEAL, CONTENT_HANDSHAKE, 1, NULL, "x", 1);
	run();
	COUNTED(drop_tunnel_gone, 3);
	COUNTED(drop_no_tunnel, 1);
	nothing_came_out();
}

static void test_several_records_a_datagram(void **state)
{
	struct path path = path_of(1, 0);
	uint8_t plain[300], datagram[1200];
	uint16_t len = 0;

	for (unsigned i = 0; i < 3; i++)
		len += record_of(1, 0, CONTENT_DATA, plain, inner_plain(1, (uint16_t)(100 + i), plain), datagram + len);
	send_bytes(&path, datagram, len);
	COUNTED(extra_records, 2);
	COUNTED(dtls_data_in, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(next_of(w.inner.tx)->data_len, ETHER_HEADER + 100 + i);
	len = record_of(1, 0, CONTENT_DATA, plain, inner_plain(1, 100, plain), datagram);
	memset(datagram + len, 0xee, 30); // no record
	send_bytes(&path, datagram, len + 30);
	COUNTED(drop_malformed_record, 1);
	assert_int_equal(waiting(w.inner.tx), 1);
}

static void test_dpd_is_echoed(void **state)
{
	uint8_t probe[1400];
	uint16_t len;

	for (uint32_t t = 0; t < 7; t++) {
		for (unsigned i = 0; i < sizeof(probe); i++)
			probe[i] = (uint8_t)(i * 7 + t);
		probe[0] = TYPE_DPD_REQUEST;
		send_record(t, 0, CONTENT_DATA, probe, sizeof(probe));
		run();
		probe[0] = TYPE_DPD_RESPONSE;
		const uint8_t *answer = client_gets(t, 0, CONTENT_DATA, &len);
		assert_int_equal(len, sizeof(probe));
		assert_memory_equal(answer, probe, sizeof(probe));
	}
	send_record(0, 0, CONTENT_DATA, "\x03", 1);
	run();
	assert_memory_equal(client_gets(0, 0, CONTENT_DATA, &len), "\x04", 1);
	assert_int_equal(len, 1);
	COUNTED(dtls_dpd_answered, 8);
	assert_int_equal(w.dp.in[0].packets, 0);
}

static void test_packet_types(void **state)
{
	for (unsigned type = 0; type < 256; type++) {
		uint8_t plain[2] = { (uint8_t)type, 1 };
		if (type != TYPE_DPD_REQUEST)
			send_record(0, 0, CONTENT_DATA, plain, 2);
		run();
	}
	send_record(0, 0, CONTENT_DATA, "", 0);
	run();
	COUNTED(dtls_dpd_reply, 1);
	COUNTED(dtls_keepalive, 1);
	COUNTED(dtls_disconnect, 2);
	COUNTED(drop_compressed, 1);
	COUNTED(drop_inner_malformed, 1);
	COUNTED(drop_unknown_type, 256 - 7 + 1);
	nothing_came_out();
}

static void test_spoof(void **state)
{
	uint8_t plain[100] = { TYPE_DATA }, to[16] = { 0xfd }, from[16];

	world_ip(plain + 1, 60, world_ipv4(1), INSIDE);
	send_record(0, 0, CONTENT_DATA, plain, 61);
	world_ip(plain + 1, 60, 0, INSIDE);
	send_record(0, 0, CONTENT_DATA, plain, 61);
	world_ip(plain + 1, 60, world_ipv4(0), rte_cpu_to_be_32(0x7f000001));
	send_record(0, 0, CONTENT_DATA, plain, 61);
	world_ipv6(1, from);
	world_ip6(plain + 1, 60, from, to);
	send_record(0, 0, CONTENT_DATA, plain, 61);
	memset(from, 0, 16);
	world_ip6(plain + 1, 60, from, to); // the unspecified address
	send_record(0, 0, CONTENT_DATA, plain, 61);
	from[0] = 0xfe, from[1] = 0x80;
	world_ip6(plain + 1, 60, from, to);
	send_record(0, 0, CONTENT_DATA, plain, 61);
	world_ipv6(0, from);
	memset(to, 0, 16);
	to[15] = 1;
	world_ip6(plain + 1, 60, from, to);
	send_record(0, 0, CONTENT_DATA, plain, 61);
	run();
	COUNTED(drop_spoof, 7);
	// a tunnel without addresses speaks for none, not for 0.0.0.0 and ::
	w.dp.in[0].ipv4 = 0;
	memset(w.dp.in[0].ipv6, 0, 16);
	world_ip(plain + 1, 60, 0, INSIDE);
	send_record(0, 0, CONTENT_DATA, plain, 61);
	memset(from, 0, 16);
	to[0] = 0xfd;
	world_ip6(plain + 1, 60, from, to);
	send_record(0, 0, CONTENT_DATA, plain, 61);
	run();
	COUNTED(drop_spoof, 9);
	nothing_came_out();
}

// Beside the counters for everybody, each tunnel has its own.
static void test_a_tunnel_remembers(void **state)
{
	const struct tunnel_cold *cold = &w.dp.cold[0];
	uint8_t packet[60];

	for (unsigned i = 0; i < 2000; i++) {
		if (i % 10 == 3)
			sequence[0][0]++; // lost on its way
		send_data(0, 0, 60);
		run();
		empty(w.inner.tx);
	}
	assert_in_range(cold->lost, 100, 200);
	world_ip(packet, 60, world_ipv4(0), INSIDE);
	arrive_lane(0, PACKET_OPENED, 0, 0, NULL, packet, 60);
	world_ip(packet, 60, world_ipv4(1), INSIDE);
	arrive_lane(0, PACKET_OPENED, 0, 0, NULL, packet, 60); // forged
	run();
	assert_int_equal(w.dp.in[0].packets, 2001);
	assert_int_equal(cold->cstp_in, 1);
	assert_int_equal(cold->cstp_in_bytes, 60);
	assert_int_equal(cold->drops[0].why, COUNT_drop_spoof);
	assert_int_equal(cold->drops[0].times, 1);
	assert_true(cold->drops[0].at && cold->drops[0].at <= w.lc->now);
	send_inside(0, 100); // the client sends over CSTP: so do we
	run();
	assert_int_equal(w.dp.out[0].packets, 1);
	assert_int_equal(cold->cstp_out, 1);
	assert_int_equal(cold->cstp_out_bytes, 100);
}

// ------------------------------------------------------------------------------------------------------ networks behind

static void from_behind(uint32_t t, const char *from)
{
	uint8_t plain[100] = { TYPE_DATA }, to[16] = { 0xfd };
	struct addr a;

	assert_int_equal(addr_parse(from, &a), 0);
	if (a.family == 4) {
		uint32_t ip;
		memcpy(&ip, a.ip, 4);
		world_ip(plain + 1, 60, ip, INSIDE);
	} else {
		world_ip6(plain + 1, 60, a.ip, to);
	}
	send_record(t, 0, CONTENT_DATA, plain, 61);
}

// Tunnel 0 has networks behind it, as wide as can be; tunnel 1 has a part of them; 10.0.0.0/24 is where clients' addresses come
// from.
static void put_networks(bool there)
{
	static const struct {
		const char *network;
		uint32_t tunnel;
	} rows[] = { { "0.0.0.0/1", 0 },
		     { "128.0.0.0/1", 0 },
		     { "::/1", 0 },
		     { "8000::/1", 0 },
		     { "10.7.0.0/16", 1 },
		     { "fd00:7::/32", 1 },
		     { "10.0.0.0/24", NETWORK_OWN },
		     { "fd00::/64", NETWORK_OWN } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct addr a;

		assert_int_equal(addr_parse(rows[i].network, &a), 0);
		if (there)
			assert_int_equal(networks_add(&w.networks, &a, rows[i].tunnel), 0);
		else
			networks_remove(&w.tables, &w.networks, &a, rows[i].tunnel);
	}
	limbo_reap(&w.tables, 100);
	w.dp.in[0].flags |= TUNNEL_ROUTES;
	w.dp.in[1].flags |= TUNNEL_ROUTES;
}

// Sources behind tunnel 0, and what no tunnel may send from.
static const char *const good[] = { "192.0.2.7", "10.9.9.9", "203.0.113.255", "2001:db8::7", "fd01::1", "10.0.1.0" };
static const char *const forged[] = {
	"10.0.0.2",        // tunnel 1's own
	"10.7.0.9",        // behind tunnel 1
	"fd00:7::9",       //
	"10.0.0.99",       // nobody's, or the gateway's, of the network that clients are in
	"10.0.0.0",        // and what is special in it
	"10.0.0.255",      //
	"fd00::99",        //
	"0.0.0.0",         // this network
	"0.1.2.3",         //
	"127.0.0.1",       // loopback
	"169.254.1.1",     // link-local
	"224.0.0.251",     // multicast
	"240.0.0.1",       // reserved
	"255.255.255.255", // broadcast
	"::",              // unspecified
	"::1",             // loopback
	"::10.1.2.3",      // IPv4-compatible
	"::ffff:8.8.8.8",  // IPv4-mapped
	"fe80::1",         // link-local
	"febf::1",         //
	"ff02::1",         // multicast
};

static void test_sources_behind(void **state)
{
	put_networks(true);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		from_behind(0, good[i]);
	run();
	assert_int_equal(waiting(w.inner.tx), sizeof(good) / sizeof(*good));
	for (size_t i = 0; i < sizeof(forged) / sizeof(*forged); i++) {
		from_behind(0, forged[i]);
		run();
		if (total(COUNT_drop_spoof) != i + 1)
			fail_msg("%s", forged[i]);
	}
	assert_int_equal(waiting(w.inner.tx), sizeof(good) / sizeof(*good));
	from_behind(1, "10.7.0.9");
	from_behind(1, "192.0.2.7"); // behind tunnel 0
	from_behind(2, "192.0.2.7"); // which has nothing behind it
	run();
	COUNTED(drop_spoof, sizeof(forged) / sizeof(*forged) + 2);
	put_networks(false);
}

// Most tunnels have nothing behind them: one address of each family, and the same name for whatever else it may be.
static void test_sources_without_networks(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		from_behind(2, good[i]);
	for (size_t i = 0; i < sizeof(forged) / sizeof(*forged); i++)
		from_behind(2, forged[i]);
	run();
	COUNTED(drop_spoof, (sizeof(good) + sizeof(forged)) / sizeof(*good));
	nothing_came_out();
	from_behind(2, "10.0.0.3");
	run();
	assert_int_equal(waiting(w.inner.tx), 1);
}

static void test_destinations_behind(void **state)
{
	static const struct {
		const char *to;
		int tunnel; // -1: nobody's
	} rows[] = { { "192.0.2.7", 0 },  { "10.7.0.9", 1 },  { "10.0.0.3", 2 },
		     { "10.0.0.99", -1 }, { "fd00:7::9", 1 }, { "fd01::1", 0 } };
	uint8_t packet[100], from[16] = { 0xfd };
	unsigned lost = 0;

	put_networks(true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct addr a;
		uint32_t ip;
		uint16_t len;

		assert_int_equal(addr_parse(rows[i].to, &a), 0);
		memcpy(&ip, a.ip, 4);
		if (a.family == 4)
			world_ip(packet, 100, INSIDE, ip);
		else
			world_ip6(packet, 100, from, a.ip);
		arrive_inside(a.family == 4 ? ETHER_IPV4 : ETHER_IPV6, packet, 100);
		run();
		if (rows[i].tunnel >= 0)
			assert_memory_equal(client_gets((uint32_t)rows[i].tunnel, 0, CONTENT_DATA, &len) + 1, packet, 100);
		else
			lost++;
		COUNTED(drop_no_tunnel, lost);
	}
	put_networks(false);
}

static void test_inner_must_be_whole(void **state)
{
	uint8_t plain[100];

	inner_plain(0, 60, plain);
	send_record(0, 0, CONTENT_DATA, plain, 60); // a byte is missing
	plain[1] = 0x55;
	send_record(0, 0, CONTENT_DATA, plain, 61);
	run();
	COUNTED(drop_inner_malformed, 2);
	nothing_came_out();
}

// --------------------------------------------------------------------------------------------------------- to the client

static void test_data_goes_out(void **state)
{
	for (uint32_t t = 0; t < 7; t++) {
		for (unsigned i = 0; i < 3; i++) {
			uint8_t packet[1401] = { TYPE_DATA };
			uint16_t len;
			world_ip(packet + 1, 1400, INSIDE, world_ipv4(t));
			send_inside(t, 1400);
			run();
			const uint8_t *plain = client_gets(t, 0, CONTENT_DATA, &len);
			assert_int_equal(len, 1401);
			assert_memory_equal(plain, packet, 1401);
			assert_int_equal(w.dp.in[t].keys->next_sequence, 2 + i);
		}
		assert_int_equal(w.dp.out[t].packets, 3);
		assert_int_equal(w.dp.out[t].bytes, 3 * 1400);
	}
	COUNTED(dtls_data_out, 21);
}

static void test_vlan_is_kept(void **state)
{
	struct path path = path_of(2, 0);
	uint16_t len;

	path.vlan = rte_cpu_to_be_16(42);
	w.dp.in[2].keys->path = path;
	send_inside(2, 100);
	run();
	struct rte_mbuf *m = next_of(w.outer.tx);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	struct outer_frame o;
	assert_int_equal(load16(frame + 12), ETHER_VLAN);
	assert_int_equal(load16(frame + 14), 42);
	assert_int_equal(outer_frame_parse(frame, m->data_len, path.key.peer_udp, &o), FRAME_OURS);
	assert_non_null(world_open(&client[2][0], frame + o.udp + UDP_HEADER, o.payload_len, &len));
}

static void test_inner_ipv6_goes_out(void **state)
{
	uint8_t packet[100], from[16] = { 0xfd }, to[16];
	uint16_t len;

	world_ipv6(5, to);
	world_ip6(packet, 100, from, to);
	arrive_inside(ETHER_IPV6, packet, 100);
	run();
	const uint8_t *plain = client_gets(5, 0, CONTENT_DATA, &len);
	assert_int_equal(len, 101);
	assert_memory_equal(plain + 1, packet, 100);
}

static void test_noise_from_the_kernel(void **state)
{
	uint8_t packet[2000], from[16] = { 0xfd }, to[16] = { 0xff, 2 };

	world_ip(packet, 100, INSIDE, world_ipv4(TUNNELS));
	arrive_inside(ETHER_IPV4, packet, 100);
	run();
	COUNTED(drop_no_tunnel, 1);
	world_ip(packet, 100, INSIDE, rte_cpu_to_be_32(0xe00000fb));
	arrive_inside(ETHER_IPV4, packet, 100);
	world_ip(packet, 100, INSIDE, 0xffffffff);
	arrive_inside(ETHER_IPV4, packet, 100);
	world_ip6(packet, 100, from, to);
	arrive_inside(ETHER_IPV6, packet, 100);
	run();
	COUNTED(drop_inner_multicast, 3);
	arrive_inside(0x0806, packet, 28);
	arrive_inside(0x88cc, packet, 60);
	run();
	COUNTED(drop_inner_not_ip, 2);
	arrive_inside(ETHER_IPV4, packet, 100); // an IPv6 packet under IPv4's type
	world_ip(packet, 100, INSIDE, world_ipv4(0));
	arrive_inside(ETHER_IPV4, packet, 99);
	run();
	COUNTED(drop_inner_malformed, 2);
	assert_int_equal(waiting(w.outer.tx), 0);
}

static void test_sequence_end(void **state)
{
	uint16_t len;

	w.dp.in[0].keys->next_sequence = DTLS_SEQUENCE_LAST;
	send_inside(0, 100);
	send_inside(0, 100);
	run();
	COUNTED(drop_sequence_end, 1);
	assert_int_equal(waiting(w.outer.tx), 1);
	client_gets(0, 0, CONTENT_DATA, &len);
}

static void test_silence(void **state)
{
	w.dp.in[0].keys->last_udp = rte_rdtsc() - 26 * w.dp.tsc_hz;
	send_inside(0, 100);
	run();
	struct packet p = event_of(EVENT_CHANNEL);
	assert_int_equal(p.channel, CHANNEL_CSTP);
	assert_int_equal(p.why, WHY_SILENCE);
	p = control_gets(PACKET_CSTP);
	assert_int_equal(p.tunnel, 0);
	assert_int_equal(w.dp.out[0].packets, 1);
	send_record(0, 0, CONTENT_DATA, "\x07", 1); // any record brings it back
	send_inside(0, 100);
	run();
	p = event_of(EVENT_CHANNEL);
	assert_int_equal(p.channel, CHANNEL_DTLS);
	assert_int_equal(p.why, WHY_HEARD);
	assert_int_equal(waiting(w.outer.tx), 1);
}

// switch-to-tcp-timeout = 0: however long it has been.
static void test_silence_without_end(void **state)
{
	w.dp.out[0].udp_silence = tunnel_silence(0, w.dp.tsc_hz);
	w.dp.in[0].keys->last_udp = 1;
	send_inside(0, 100);
	run();
	assert_int_equal(w.dp.out[0].channel, CHANNEL_DTLS);
	assert_int_equal(waiting(w.outer.tx), 1);
	assert_int_equal(tunnel_silence(25, 3000000000), 75000000000);
	assert_true(tunnel_silence(UINT32_MAX, 3000000000) > INT64_MAX);
}

static void give_up(uint32_t t, uint64_t heard)
{
	struct command c = { .kind = COMMAND_GIVE_UP, .tunnel = t, .heard = heard };

	assert_int_equal(mailbox_post(w.lc, &c), 0);
	run();
	assert_true(c.done);
}

static void test_dead_udp(void **state)
{
	uint64_t heard = w.dp.in[0].keys->last_udp;

	give_up(0, heard - 1); // heard since the control thread looked
	give_up(7, heard);     // has no DTLS
	assert_int_equal(waiting(w.lc->to_control), 0);
	give_up(0, heard);
	give_up(0, heard);
	struct packet p = event_of(EVENT_CHANNEL);
	assert_int_equal(p.channel, CHANNEL_CSTP);
	assert_int_equal(p.why, WHY_DEAD_UDP);
	assert_int_equal(waiting(w.lc->to_control), 0);
	send_inside(0, 100);
	run();
	control_gets(PACKET_CSTP);
	send_record(0, 0, CONTENT_DATA, "\x04", 1); // the answer comes after all
	run();
	assert_int_equal(event_of(EVENT_CHANNEL).channel, CHANNEL_DTLS);
}

// Does this packet, on its way out or in, keep tunnel 0 from being idle?
static bool is_activity(const uint8_t *packet, uint16_t len, bool out)
{
	uint8_t plain[200] = { TYPE_DATA };

	w.dp.in[0].last_data = w.dp.out[0].last_data = 0;
	memcpy(plain + 1, packet, len);
	if (out)
		arrive_inside(packet[0] >> 4 == 4 ? ETHER_IPV4 : ETHER_IPV6, packet, len);
	else
		send_record(0, 0, CONTENT_DATA, plain, len + 1);
	run();
	assert_non_null(next_of(out ? w.outer.tx : w.inner.tx));
	assert_int_equal(out ? w.dp.in[0].last_data : w.dp.out[0].last_data, 0);
	return (out ? w.dp.out[0].last_data : w.dp.in[0].last_data) != 0;
}

static void ipv4_activity(uint8_t protocol, bool activity)
{
	uint8_t packet[60];

	for (int out = 0; out < 2; out++) {
		world_ip(packet, 60, out ? INSIDE : world_ipv4(0), out ? world_ipv4(0) : INSIDE);
		packet[9] = protocol;
		assert_int_equal(is_activity(packet, 60, out), activity);
	}
}

static void ipv6_activity(uint8_t next, uint8_t after, bool activity)
{
	uint8_t packet[60], peer[16] = { 0xfd, [15] = 9 }, own[16];

	world_ipv6(0, own);
	for (int out = 0; out < 2; out++) {
		world_ip6(packet, 60, out ? peer : own, out ? own : peer);
		packet[6] = next;
		packet[IPV6_HEADER] = after;
		assert_int_equal(is_activity(packet, 60, out), activity);
	}
}

static void test_chatter_is_no_activity(void **state)
{
	ipv4_activity(1, false);
	ipv4_activity(2, false);
	ipv4_activity(6, true);
	ipv4_activity(17, true);
	ipv4_activity(58, true);
	ipv6_activity(58, 0, false);
	ipv6_activity(0, 58, false); // a listener report
	ipv6_activity(0, 17, true);
	ipv6_activity(6, 58, true);
	ipv6_activity(1, 58, true);
}

static void test_short_room(void **state)
{
	struct rte_mbuf *m = world_packet(&w);

	*packet_of(m) = (struct packet){ .tunnel = 0, .kind = PACKET_SEAL, .type = CONTENT_HANDSHAKE, .handshake = 1 };
	rte_pktmbuf_append(m, rte_pktmbuf_tailroom(m)); // no place for a tag
	assert_int_equal(rte_ring_enqueue(w.lc->from_control, m), 0);
	run();
	COUNTED(drop_no_room, 1);
	m = world_packet(&w);
	*packet_of(m) = (struct packet){ .tunnel = 0, .kind = PACKET_DATAGRAM, .path = path_of(0, 0) };
	m->data_off = 8; // nor for headers
	rte_pktmbuf_append(m, 10);
	assert_int_equal(rte_ring_enqueue(w.lc->from_control, m), 0);
	run();
	COUNTED(drop_no_room, 2);
}

// ----------------------------------------------------------------------------------------------------------------- lanes

static void test_lane_data_moves_the_channel(void **state)
{
	uint8_t packet[100];
	uint16_t len;

	world_ip(packet, 100, world_ipv4(0), INSIDE);
	arrive_lane(0, PACKET_OPENED, 0, 0, NULL, packet, 100);
	run();
	assert_int_equal(next_of(w.inner.tx)->data_len, ETHER_HEADER + 100);
	assert_int_equal(event_of(EVENT_CHANNEL).why, WHY_CLIENT);
	assert_int_equal(w.dp.out[0].channel, CHANNEL_CSTP);
	send_inside(0, 100);
	run();
	control_gets(PACKET_CSTP);
	send_data(0, 0, 100); // the next UDP packet switches back
	run();
	assert_int_equal(event_of(EVENT_CHANNEL).channel, CHANNEL_DTLS);
	send_inside(0, 100);
	run();
	client_gets(0, 0, CONTENT_DATA, &len);
	world_ip(packet, 100, world_ipv4(1), INSIDE);
	arrive_lane(0, PACKET_OPENED, 0, 0, NULL, packet, 100);
	run();
	COUNTED(drop_spoof, 1);
}

static void test_lane_datagram(void **state)
{
	for (uint32_t t = 2; t < 4; t++) { // IPv4, IPv6
		struct path path = path_of(t, 1);
		arrive_lane(t, PACKET_DATAGRAM, 0, 2, &path, "a flight", 8);
		run();
		struct rte_mbuf *m = next_of(w.outer.tx);
		assert_non_null(m);
		const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
		struct outer_frame o;
		assert_int_equal(outer_frame_parse(frame, m->data_len, path.key.peer_udp, &o), FRAME_OURS);
		assert_int_equal(o.payload_len, 8);
		assert_memory_equal(frame + o.udp + UDP_HEADER, "a flight", 8);
	}
	arrive_lane(0, PACKET_DATAGRAM, 0, 2, NULL, "a flight", 8);
	run();
	COUNTED(drop_no_path, 1);
}

static void test_lane_seal(void **state)
{
	uint16_t len;

	arrive_lane(4, PACKET_SEAL, CONTENT_HANDSHAKE, 1, NULL, "Finished", 8);
	run();
	assert_memory_equal(client_gets(4, 0, CONTENT_HANDSHAKE, &len), "Finished", 8);
	install_next(4);
	arrive_lane(4, PACKET_SEAL, CONTENT_ALERT, 2, NULL, "\x02\x28", 2);
	run();
	assert_memory_equal(client_gets(4, 1, CONTENT_ALERT, &len), "\x02\x28", 2);
	arrive_lane(4, PACKET_SEAL, CONTENT_HANDSHAKE, 3, NULL, "Finished", 8);
	run();
	COUNTED(drop_no_keys, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_data_comes_in),
		TEST(test_inner_ipv6),
		TEST(test_replay),
		TEST(test_forgery_moves_nothing),
		TEST(test_strangers),
		TEST(test_short_records),
		TEST(test_tunnel_gone),
		TEST(test_several_records_a_datagram),
		TEST(test_dpd_is_echoed),
		TEST(test_packet_types),
		TEST(test_a_tunnel_remembers),
		TEST(test_spoof),
		TEST(test_sources_behind),
		TEST(test_sources_without_networks),
		TEST(test_destinations_behind),
		TEST(test_inner_must_be_whole),
		TEST(test_data_goes_out),
		TEST(test_vlan_is_kept),
		TEST(test_inner_ipv6_goes_out),
		TEST(test_noise_from_the_kernel),
		TEST(test_sequence_end),
		TEST(test_silence),
		TEST(test_silence_without_end),
		TEST(test_dead_udp),
		TEST(test_chatter_is_no_activity),
		TEST(test_short_room),
		TEST(test_lane_data_moves_the_channel),
		TEST(test_lane_datagram),
		TEST(test_lane_seal),
	};

	int failed;

	traffic_init();
	failed = cmocka_run_group_tests_name(aead_implementation(), tests, NULL, NULL);
	world_must(aead_init_openssl() == 0, "OpenSSL"); // the fallback moves the same packets
	return failed + cmocka_run_group_tests_name(aead_implementation(), tests, NULL, NULL);
}
