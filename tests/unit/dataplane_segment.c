// Large frames of the kernel: what comes out of them, and which are refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "craft_flow.h"
#include "dataplane/segment.h"

#define ROOM 2048

static struct craft_packet large, expected, out;
static struct segments s;

static const struct virtio_net_hdr kinds[] = {
	{ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4 },
	{ .gso_type = VIRTIO_NET_HDR_GSO_TCPV6 },
	{ .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4 },
};

static struct virtio_net_hdr kind_of(const struct craft_flow *f, uint16_t size)
{
	struct virtio_net_hdr v = f->protocol == PROTOCOL_UDP ? kinds[2] : kinds[f->family == 6];

	v.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	v.gso_size = size;
	return v;
}

// The segmenter may not touch a byte more than its frame has.
static bool begin(const struct craft_packet *p, const struct virtio_net_hdr *v)
{
	uint8_t *copy = malloc(p->len ? p->len : 1);
	bool good;

	memcpy(copy, p->frame, p->len);
	good = segment_begin(&s, copy, p->len, v, ROOM);
	free(copy);
	return good;
}

static void next_is(struct craft_flow *f, uint32_t payload)
{
	craft_next(f, &expected, payload);
	memset(out.frame, 0xee, ROOM + 1);
	assert_int_equal(segment_next(&s, out.frame), expected.len);
	assert_memory_equal(out.frame, expected.frame, expected.len);
	assert_int_equal(out.frame[expected.len], 0xee);
}

// One large frame of `payload` bytes is what the packets of the same flow would be.
static void is_cut(struct craft_flow f, uint32_t payload, uint16_t size)
{
	struct craft_flow flow = f;
	struct virtio_net_hdr v = kind_of(&f, size);
	unsigned n = (payload + size - 1) / size;

	craft_next(&f, &large, payload);
	assert_true(segment_begin(&s, large.frame, large.len, &v, ROOM));
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(segments_left(&s), n - i);
		next_is(&flow, i < n - 1 ? size : payload - i * size);
	}
	assert_int_equal(segments_left(&s), 0);
}

static void tcp_and_udp_are_cut(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct craft_flow f = craft_flow(i & 1 ? 6 : 4, i & 2 ? PROTOCOL_UDP : PROTOCOL_TCP);
		is_cut(f, 64000, 1382);
		is_cut(f, 65535 - 100, 1382);
		is_cut(f, 2 * 1382, 1382); // the last one is as long as the others
		is_cut(f, 1383, 1382);     // or has a single byte
		is_cut(f, 1000, 1382);     // or there is only one
		is_cut(f, 7, 1);
	}
}

static void flags_stay_where_they_belong(void **state)
{
	struct craft_flow f = craft_flow(4, PROTOCOL_TCP), flow = f;
	struct virtio_net_hdr v = kind_of(&f, 100);

	f.flags = TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR;
	v.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	craft_next(&f, &large, 300);
	assert_true(segment_begin(&s, large.frame, large.len, &v, ROOM));
	flow.flags = TCP_ACK | TCP_CWR;
	next_is(&flow, 100);
	flow.flags = TCP_ACK;
	next_is(&flow, 100);
	flow.flags = TCP_ACK | TCP_PSH | TCP_FIN;
	next_is(&flow, 100);
}

static void an_open_checksum_below_is_no_matter(void **state)
{
	struct craft_flow f = craft_flow(6, PROTOCOL_TCP), flow = f;
	struct virtio_net_hdr v = kind_of(&f, 500);

	craft_next(&f, &large, 1000);
	store16(large.frame + ETHER_HEADER + IPV6_HEADER + TCP_CHECKSUM, 0x1234);
	v.csum_start = v.csum_offset = v.hdr_len = 0xffff;
	assert_true(segment_begin(&s, large.frame, large.len, &v, ROOM));
	next_is(&flow, 500);
	next_is(&flow, 500);
}

// A frame with one byte changed.
static bool changed(uint8_t family, unsigned at, uint8_t to)
{
	struct craft_flow f = craft_flow(family, PROTOCOL_TCP);
	struct virtio_net_hdr v = kind_of(&f, 500);

	craft_next(&f, &large, 1000);
	large.frame[ETHER_HEADER + at] = to;
	return begin(&large, &v);
}

static void what_it_does_not_know_is_refused(void **state)
{
	assert_true(changed(4, 0, 0x45));
	assert_false(changed(4, 0, 0x44));  // a header that is too short
	assert_false(changed(4, 0, 0x65));  // another version than the frame says
	assert_false(changed(4, 2, 0xff));  // longer than it is
	assert_false(changed(4, 2, 0));     // shorter than its headers
	assert_false(changed(4, 6, 0x20));  // more fragments
	assert_false(changed(4, 7, 1));     // a later fragment
	assert_false(changed(4, 9, 17));    // UDP, not TCP
	assert_false(changed(4, 32, 0x40)); // a TCP header that is too short
	assert_true(changed(6, 0, 0x60));
	assert_false(changed(6, 6, 0));  // extension headers: hop by hop,
	assert_false(changed(6, 6, 43)); // routing,
	assert_false(changed(6, 6, 44)); // fragment,
	assert_false(changed(6, 6, 60)); // destination
	assert_false(changed(6, 4, 0xff));
	assert_false(changed(6, 4, 0));
}

static void the_header_of_the_header_is_not_believed(void **state)
{
	struct craft_flow f = craft_flow(4, PROTOCOL_TCP);
	struct virtio_net_hdr v = kind_of(&f, 1000);
	unsigned headers = ETHER_HEADER + IPV4_HEADER + TCP_HEADER + 12;

	craft_next(&f, &large, 5000);
	assert_true(begin(&large, &v));
	v.gso_size = 0;
	assert_false(begin(&large, &v));
	v.gso_size = (uint16_t)(ROOM - headers);
	assert_true(begin(&large, &v));
	v.gso_size++; // longer than a packet may be
	assert_false(begin(&large, &v));
	v.gso_size = 0xffff;
	assert_false(begin(&large, &v));
	v.gso_size = 1000;
	v.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	assert_false(begin(&large, &v));
	v.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	assert_false(begin(&large, &v));
	v.gso_type = 0x7f;
	assert_false(begin(&large, &v));
	v.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	for (large.len = 0; large.len < headers + 5000; large.len += large.len < headers ? 1 : 100)
		assert_false(begin(&large, &v)); // cut short
	large.len = headers + 5000;
	assert_true(begin(&large, &v));
	f = craft_flow(4, PROTOCOL_TCP);
	craft_next(&f, &large, 0); // nothing to cut
	assert_false(begin(&large, &v));
}

static void checksums_are_filled_in(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct craft_flow f = craft_flow(i & 1 ? 6 : 4, i & 2 ? PROTOCOL_UDP : PROTOCOL_TCP), flow = f;
		uint16_t start = ETHER_HEADER + (i & 1 ? IPV6_HEADER : IPV4_HEADER), offset = i & 2 ? UDP_CHECKSUM : TCP_CHECKSUM;
		struct virtio_net_hdr v = { .csum_start = start, .csum_offset = offset };

		craft_next(&f, &large, 1001);
		craft_next(&flow, &expected, 1001);
		store16(large.frame + start + offset,
		        (uint16_t)craft_pseudo(large.frame + ETHER_HEADER, flow.family, flow.protocol, large.len - start));
		assert_true(segment_checksum(large.frame, large.len, &v));
		assert_memory_equal(large.frame, expected.frame, expected.len);
	}
}

static void a_checksum_outside_is_refused(void **state)
{
	struct craft_flow f = craft_flow(4, PROTOCOL_UDP);
	struct virtio_net_hdr v = { .csum_start = 34, .csum_offset = 6 };

	craft_next(&f, &large, 100);
	assert_false(segment_checksum(large.frame, 41, &v));
	assert_true(segment_checksum(large.frame, 42, &v));
	v = (struct virtio_net_hdr){ .csum_start = 0xffff, .csum_offset = 0xffff };
	assert_false(segment_checksum(large.frame, large.len, &v));
	v = (struct virtio_net_hdr){ .csum_start = 0, .csum_offset = 0 };
	assert_false(segment_checksum(large.frame, 0, &v));
	assert_false(segment_checksum(large.frame, 1, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_and_udp_are_cut),
		cmocka_unit_test(flags_stay_where_they_belong),
		cmocka_unit_test(an_open_checksum_below_is_no_matter),
		cmocka_unit_test(what_it_does_not_know_is_refused),
		cmocka_unit_test(the_header_of_the_header_is_not_believed),
		cmocka_unit_test(checksums_are_filled_in),
		cmocka_unit_test(a_checksum_outside_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
