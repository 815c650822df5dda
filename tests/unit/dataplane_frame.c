// Headers: what is taken for ours, and what we write.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/frame.h"
#include "dataplane/inner.h"
#include "dataplane/headers.h"

#define PORT 443
static uint16_t port; // network order

static struct path path_of(uint8_t family, uint16_t vlan)
{
	struct path p = {
		.peer_mac = { { 2, 0, 0, 0, 0, 1 } },
		.our_mac = { { 2, 0, 0, 0, 0, 2 } },
		.key.family = family,
		.key.peer_udp = __builtin_bswap16(40000),
		.key.our_udp = port,
		.key.peer_ip = { 192, 0, 2, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
		.key.our_ip = { 198, 51, 100, 1, 17, 18 },
		.vlan = __builtin_bswap16(vlan),
	};
	return p;
}

struct frame {
	uint8_t buf[256];
	unsigned len;
};

// What the peer of that path would send: our own writer with the sides exchanged.
static struct frame frame_make(uint8_t family, uint16_t vlan, unsigned payload)
{
	struct path p = path_of(family, vlan), back = p;
	struct frame f = { .len = headers_len(&p) + payload };

	memcpy(back.key.peer_ip, p.key.our_ip, 16);
	memcpy(back.key.our_ip, p.key.peer_ip, 16);
	back.key.peer_udp = p.key.our_udp;
	back.key.our_udp = p.key.peer_udp;
	memset(f.buf + headers_len(&p), 0xab, payload);
	headers_write(&back, f.buf + headers_len(&p), (uint16_t)payload, (struct marks){ .id = 77 });
	if (family == 6)
		headers_checksum(f.buf + headers_len(&p), (uint16_t)payload);
	return f;
}

static enum frame_verdict parse(const struct frame *f, struct outer_frame *out)
{
	uint8_t *copy = malloc(f->len ? f->len : 1);
	enum frame_verdict v;

	memcpy(copy, f->buf, f->len);
	v = outer_frame_parse(copy, f->len, port, out);
	free(copy);
	return v;
}

static void test_ours(void **state)
{
	struct outer_frame o;
	struct frame f;

	f = frame_make(4, 0, 60);
	assert_int_equal(parse(&f, &o), FRAME_OURS);
	assert_int_equal(o.family, 4);
	assert_int_equal(o.ip, 14);
	assert_int_equal(o.udp, 34);
	assert_int_equal(o.payload_len, 60);
	f.len += 9; // padded
	assert_int_equal(parse(&f, &o), FRAME_OURS);
	assert_int_equal(o.payload_len, 60);
	f = frame_make(6, 0, 60);
	assert_int_equal(parse(&f, &o), FRAME_OURS);
	assert_int_equal(o.family, 6);
	assert_int_equal(o.udp, 54);
	assert_int_equal(o.payload_len, 60);
	f = frame_make(4, 5, 60);
	assert_int_equal(parse(&f, &o), FRAME_OURS);
	assert_int_equal(o.vlan, __builtin_bswap16(5));
	assert_int_equal(o.udp, 38);
}

#define CHANGED(family, at, value, verdict)                 \
	do {                                                \
		struct frame f = frame_make(family, 0, 60); \
		struct outer_frame o;                       \
		f.buf[at] = value;                          \
		assert_int_equal(parse(&f, &o), verdict);   \
	} while (0)

static void test_not_ours(void **state)
{
	CHANGED(4, 12, 0x86, FRAME_NOT_OURS); // another Ethernet type
	CHANGED(4, 23, 6, FRAME_NOT_OURS);    // TCP
	CHANGED(4, 37, 0x35, FRAME_NOT_OURS); // another port
	CHANGED(6, 20, 6, FRAME_NOT_OURS);
	CHANGED(6, 20, 0, FRAME_NOT_OURS);    // hop-by-hop options
	CHANGED(4, 20, 0x20, FRAME_FRAGMENT); // more fragments
	CHANGED(4, 21, 0x01, FRAME_FRAGMENT); // an offset
	CHANGED(4, 20, 0x40, FRAME_OURS);     // don't fragment
	CHANGED(6, 20, 44, FRAME_FRAGMENT);
	CHANGED(4, 14, 0x65, FRAME_MALFORMED); // version 6 in an IPv4 frame
	CHANGED(4, 14, 0x44, FRAME_MALFORMED); // header shorter than a header
	CHANGED(4, 16, 0xff, FRAME_MALFORMED); // longer than the frame
	CHANGED(4, 17, 10, FRAME_MALFORMED);   // shorter than its header
	CHANGED(4, 38, 0xff, FRAME_MALFORMED); // UDP longer than IP
	CHANGED(4, 39, 7, FRAME_MALFORMED);    // UDP shorter than its header
	CHANGED(6, 18, 0xff, FRAME_MALFORMED);
	CHANGED(6, 14, 0x45, FRAME_MALFORMED);
}

// Options make the UDP header start later, and may swallow it.
static void test_ipv4_options(void **state)
{
	struct frame f = frame_make(4, 0, 60);
	struct outer_frame o;

	f.buf[14] = 0x46;
	memmove(f.buf + 38, f.buf + 34, 68);
	store16(f.buf + 16, 24 + 8 + 60);
	f.len += 4;
	assert_int_equal(parse(&f, &o), FRAME_OURS);
	assert_int_equal(o.udp, 38);
	f = frame_make(4, 0, 0);
	f.buf[14] = 0x46;
	assert_int_equal(parse(&f, &o), FRAME_MALFORMED);
}

static void test_short(void **state)
{
	struct outer_frame o;

	for (unsigned family = 4; family <= 6; family += 2)
		for (unsigned vlan = 0; vlan < 2; vlan++) {
			struct frame f = frame_make((uint8_t)family, (uint16_t)vlan, 10);
			for (unsigned whole = f.len; f.len > 0; f.len--)
				assert_int_equal(parse(&f, &o), f.len == whole ? FRAME_OURS : FRAME_MALFORMED);
		}
}

static uint16_t ones_sum(const uint8_t *p, unsigned n, uint32_t sum)
{
	for (; n > 1; p += 2, n -= 2)
		sum += load16(p);
	if (n)
		sum += (uint32_t)p[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void test_checksums(void **state)
{
	for (unsigned payload = 0; payload < 100; payload++) {
		struct frame f = frame_make(4, 0, payload);
		assert_int_equal(ones_sum(f.buf + 14, 20, 0), 0xffff);
		assert_int_equal(load16(f.buf + 40), 0);
		f = frame_make(6, 0, payload);
		assert_int_equal(ones_sum(f.buf + 22, 32 + 8 + payload, 8 + payload + PROTOCOL_UDP), 0xffff);
		assert_int_not_equal(load16(f.buf + 60), 0);
	}
}

static bool inner(const char *head, size_t head_len, size_t len, struct inner_ip *ip)
{
	uint8_t *p = calloc(1, len ? len : 1);
	bool ok;

	memcpy(p, head, head_len < len ? head_len : len);
	ok = inner_ip_parse(p, len, ip);
	free(p);
	return ok;
}

static void test_inner(void **state)
{
	struct inner_ip ip;

	assert_true(inner("\x45\0\0\x14", 4, 20, &ip));
	assert_int_equal(ip.len, 20);
	assert_true(inner("\x45\0\0\x14", 4, 60, &ip)); // padding
	assert_int_equal(ip.len, 20);
	assert_false(inner("\x45\0\0\x15", 4, 20, &ip)); // cut off
	assert_false(inner("\x45\0\0\x13", 4, 20, &ip)); // shorter than its header
	assert_false(inner("\x46\0\0\x14", 4, 20, &ip));
	assert_false(inner("\x44\0\0\x14", 4, 20, &ip));
	assert_false(inner("\x55\0\0\x14", 4, 20, &ip));
	assert_false(inner("\x45\0\0\x14", 4, 19, &ip));
	assert_false(inner("", 0, 0, &ip));
	assert_true(inner("\x60\0\0\0\0\0", 6, 40, &ip));
	assert_true(inner("\x60\0\0\0\0\x05", 6, 50, &ip));
	assert_int_equal(ip.len, 45);
	assert_false(inner("\x60\0\0\0\0\x05", 6, 44, &ip));
	assert_false(inner("\x60\0\0\0\0\0", 6, 39, &ip));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ours),  cmocka_unit_test(test_not_ours),  cmocka_unit_test(test_ipv4_options),
		cmocka_unit_test(test_short), cmocka_unit_test(test_checksums), cmocka_unit_test(test_inner),
	};

	port = __builtin_bswap16(PORT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
