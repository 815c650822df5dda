// Blocks of a capture, byte for byte where it matters.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/ctl/pcapng.h"
#include "proto/addr.h"

static uint8_t buf[PCAPNG_ROOM];
static struct msg_admin_packet m;

static uint32_t at(size_t offset)
{
	uint32_t n;

	memcpy(&n, buf + offset, 4);
	return n;
}

// Blocks begin and end with their length, and nothing is left over.
static unsigned blocks(size_t len, uint32_t type)
{
	unsigned n = 0;
	size_t i = 0;

	while (i < len) {
		uint32_t size = at(i + 4);
		assert_true(size % 4 == 0 && size >= 12 && i + size <= len);
		assert_int_equal(at(i + size - 4), size);
		n += at(i) == type;
		i += size;
	}
	assert_int_equal(i, len);
	return n;
}

static void packet(const char *peer, const char *local, uint8_t inward, uint16_t outer, uint16_t inner)
{
	memset(&m, 0, sizeof(m));
	m.number = 7;
	m.inward = inward;
	m.time_ns = 0x0123456789abcdefull;
	strcpy(m.stages, "dtls_in");
	strcpy(m.verdict, "drop_replay");
	if (peer[0]) {
		addr_parse(peer, &m.peer);
		addr_parse(local, &m.local);
	}
	m.peer.port = 4433;
	m.local.port = 443;
	m.outer_size = m.outer_len = outer;
	m.inner_size = m.inner_len = inner;
	memset(m.outer, 0x17, outer);
	memset(m.inner, 0x45, inner);
}

static void begins_with_two_interfaces(void **state)
{
	size_t len = pcapng_begin(buf);

	assert_int_equal(at(0), 0x0a0d0d0a);
	assert_int_equal(at(8), 0x1a2b3c4d);
	assert_int_equal(blocks(len, 1), 2);
}

static void records_get_headers(void **state)
{
	const uint8_t *ip = buf + 28 + 14;

	packet("192.0.2.9", "192.0.2.1", 1, 100, 0);
	assert_int_equal(blocks(pcapng_packet(buf, &m), 6), 1);
	assert_int_equal(at(8), 0);
	assert_int_equal(at(12), 0x01234567);
	assert_int_equal(at(16), 0x89abcdef);
	assert_int_equal(at(20), 142);
	assert_int_equal(at(24), 142);
	assert_memory_equal(ip, "\x45\0\0\x80\0\0\0\0\x40\x11", 10);
	uint32_t sum = 0;
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	assert_memory_equal(ip + 12, "\xc0\0\x02\x09\xc0\0\x02\x01\x11\x51\x01\xbb\0\x6c\0\0\x17", 17);
	packet("2001:db8::9", "2001:db8::1", 0, 100, 0);
	pcapng_packet(buf, &m);
	assert_int_equal(at(20), 162);
	assert_memory_equal(ip, "\x60\0\0\0\0\x6c\x11\x40\x20\x01\x0d\xb8", 12);
	assert_memory_equal(ip + 40, "\x01\xbb\x11\x51", 4); // from us
}

static void both_sides_in_the_order_of_their_passing(void **state)
{
	packet("192.0.2.9", "192.0.2.1", 1, 100, 61);
	assert_int_equal(blocks(pcapng_packet(buf, &m), 6), 2);
	assert_int_equal(at(8), 0);
	assert_int_equal(at(at(4) + 8), 1);
	packet("192.0.2.9", "192.0.2.1", 0, 100, 61);
	pcapng_packet(buf, &m);
	assert_int_equal(at(8), 1);
	packet("", "", 1, 0, 0);
	assert_int_equal(pcapng_packet(buf, &m), 0);
}

static void the_largest_fits(void **state)
{
	packet("2001:db8::9", "2001:db8::1", 0, LIMIT_SNAP, LIMIT_SNAP);
	m.outer_size = m.inner_size = 9000;
	memset(m.stages, 'x', sizeof(m.stages) - 1);
	memset(m.verdict, 'x', sizeof(m.verdict) - 1);
	size_t len = pcapng_packet(buf, &m);
	assert_true(len <= PCAPNG_ROOM);
	assert_int_equal(blocks(len, 6), 2);
	assert_int_equal(at(24), 14 + 9000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_with_two_interfaces),
		cmocka_unit_test(records_get_headers),
		cmocka_unit_test(both_sides_in_the_order_of_their_passing),
		cmocka_unit_test(the_largest_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
