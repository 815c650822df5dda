// Records above what the outer interface takes by now: they leave in fragments that the client puts together, or are dropped by
// name.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/checksum.h"
#include "dataplane/fragment.h"
#include "dataplane/narrow.h"
#include "dataplane/packet.h"
#include "dataplane_traffic.h"

#define V4 2
#define V6 3 // is_ipv6_outside()

static int fresh_wide(void **state)
{
	fresh(state);
	w.outer.port.link_mtu = 0;
	w.dp.whole = false;
	return 0;
}

static uint16_t sum_of(const uint8_t *p, unsigned n)
{
	return checksum_fold(checksum_add(p, n));
}

// What a client's host does with what comes: the datagram's frame as if it had come whole; in so many parts, each of at most mtu.
static uint8_t whole[2200];

static unsigned put_together(unsigned parts, unsigned ip, uint16_t mtu)
{
	static const uint8_t *addresses;
	unsigned at = 0, headers = 0;
	struct outer_fragment f;

	for (unsigned n = 0; n < parts; n++) {
		struct rte_mbuf *m = next_of(w.outer.tx);
		assert_non_null(m);
		const uint8_t *frame = packet_data(m);
		struct outer_frame where = { .ip = (uint16_t)ip };
		assert_true(m->data_len - ip <= mtu);
		assert_int_not_equal(fragment_parse(frame, m->data_len, 0, &where, &f), FRAGMENT_BROKEN);
		assert_int_equal(f.offset, at);
		assert_int_equal(f.more, n + 1 < parts);
		assert_int_equal(f.len, m->data_len - ip - f.headers);
		headers = ip + (f.family == 4 ? IPV4_HEADER : IPV6_HEADER);
		if (f.family == 4)
			assert_int_equal(sum_of(frame + ip, IPV4_HEADER), 0);
		if (n == 0)
			memcpy(whole, frame, headers);
		else
			assert_memory_equal(frame, whole, ip + 4 - 2 * (f.family == 4)); // Ethernet, TOS
		addresses = whole + ip + (f.family == 4 ? 12 : 8);
		assert_memory_equal(f.addresses, addresses, f.family == 4 ? 8 : 32);
		memcpy(whole + headers + at, frame + ip + f.headers, f.len);
		at += f.len;
	}
	return headers + at;
}

static void client_opens(uint32_t t, unsigned parts, uint16_t vlan, uint16_t mtu, uint16_t inner_len)
{
	unsigned ip = ETHER_HEADER + (vlan ? VLAN_TAG : 0), len = put_together(parts, ip, mtu);
	unsigned headers = ip + (is_ipv6_outside(t) ? IPV6_HEADER : IPV4_HEADER) + UDP_HEADER;
	uint16_t plain_len;
	uint8_t sent[2];

	if (is_ipv6_outside(t)) {
		memcpy(sent, whole + headers - 2, 2);
		memset(whole + headers - 2, 0, 2);
		headers_checksum(whole + headers, (uint16_t)(len - headers));
		assert_memory_equal(sent, whole + headers - 2, 2);
	}
	assert_int_equal(load16(whole + headers - 4), len - headers + UDP_HEADER);
	assert_non_null(world_open(&client[t][0], whole + headers, (uint16_t)(len - headers), &plain_len));
	assert_int_equal(plain_len, inner_len + 1);
	nothing_came_out();
}

// A packet of so many bytes: by ChaCha20 over IPv4 it has 58 more outside, by AES-GCM over IPv6 86.
static void they_leave_in_fragments(void **state)
{
	static const struct {
		uint32_t t;
		uint16_t inner, mtu;
		unsigned parts;
	} facts[] = {
		{ V4, 1000, 1058, 1 }, { V4, 1000, 1057, 2 }, { V4, 1400, 1300, 2 }, { V4, 1400, 576, 3 },
		{ V4, 1400, 68, 30 },  { V6, 1000, 1086, 1 }, { V6, 1000, 1085, 2 }, { V6, 1400, 1280, 2 },
	};
	unsigned fragmented = 0, fragments = 0;

	for (unsigned i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
		unsigned parts = facts[i].parts;

		w.outer.port.link_mtu = facts[i].mtu;
		send_inside(facts[i].t, facts[i].inner);
		run();
		if (parts > 1)
			client_opens(facts[i].t, parts, 0, facts[i].mtu, facts[i].inner);
		else
			assert_non_null(next_of(w.outer.tx));
		fragmented += parts > 1;
		fragments += parts > 1 ? parts : 0;
		COUNTED(outer_fragmented, fragmented);
		COUNTED(outer_fragments, fragments);
	}
	COUNTED(drop_outer_too_big, 0);
}

static void a_tag_is_none_of_the_mtu(void **state)
{
	w.dp.out[V4].keys->path.vlan = rte_cpu_to_be_16(7);
	w.outer.port.link_mtu = 1058;
	send_inside(V4, 1000);
	run();
	assert_int_equal(next_of(w.outer.tx)->data_len, 1058 + ETHER_HEADER + VLAN_TAG);
	COUNTED(outer_fragmented, 0);
	w.outer.port.link_mtu = 1057;
	send_inside(V4, 1000);
	run();
	client_opens(V4, 2, 7, 1057, 1000);
	w.dp.out[V4].keys->path.vlan = 0;
}

static void others_have_other_numbers(void **state)
{
	uint32_t ids[2];

	w.outer.port.link_mtu = 1280;
	for (unsigned i = 0; i < 2; i++) {
		send_inside(V6, 1400);
		run();
		memcpy(&ids[i], packet_data(next_of(w.outer.tx)) + ETHER_HEADER + IPV6_HEADER + 4, 4);
		assert_non_null(next_of(w.outer.tx));
	}
	assert_int_not_equal(ids[0], ids[1]);
}

// try-mtu-discovery says so of IPv4; and nobody puts together what is in crumbs.
static void what_may_not_be_cut_is_named(void **state)
{
	w.outer.port.link_mtu = 1300;
	w.dp.whole = true;
	send_inside(V4, 1400);
	run();
	nothing_came_out();
	COUNTED(drop_outer_too_big, 1);
	send_inside(V4, 1000);
	run();
	assert_non_null(next_of(w.outer.tx));
	w.dp.whole = false;
	w.outer.port.link_mtu = 60;
	send_inside(V4, 1400);
	run();
	w.outer.port.link_mtu = 20;
	send_inside(V4, 1400);
	run();
	nothing_came_out();
	COUNTED(drop_outer_too_big, 3);
	assert_int_equal(w.dp.out[V4].dropped, 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh_wide, check_balance)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(they_leave_in_fragments),
		TEST(a_tag_is_none_of_the_mtu),
		TEST(others_have_other_numbers),
		TEST(what_may_not_be_cut_is_named),
	};

	traffic_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
