// Packing and unpacking one packet: what is given back is what was given, and nothing else is ever made of broken bytes.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/compress.h"
#include "proto/encoding.h"
#include "proto/limits.h"

static union compress_memory memory;
static uint8_t packed[2 * LIMIT_PACKET], back[LIMIT_PACKET];

// What the packet becomes, or -ENOSPC; it comes back the same into just its own room, and not into less.
static int round_trip(enum compressor how, const uint8_t *in, size_t len, size_t room)
{
	int n = compress_pack(how, &memory, in, len, packed, room);

	if (n < 0)
		return n;
	assert_in_range(n, 1, room);
	memset(back, 0xee, sizeof(back));
	assert_int_equal(compress_unpack(how, packed, (size_t)n, back, len), (int)len);
	assert_memory_equal(back, in, len);
	assert_int_equal(compress_unpack(how, packed, (size_t)n, back, len - 1), -EBADMSG);
	for (int cut = 0; cut < n; cut++) { // LZ4 has no end marker: a part may be whole by itself
		int part = compress_unpack(how, packed, (size_t)cut, back, len);
		assert_true(part == -EBADMSG || (how == COMPRESS_LZ4 && part < (int)len));
	}
	return n;
}

#define BOTH(how) for (enum compressor how = COMPRESS_LZ4; how <= COMPRESS_LAST; how++)

static void test_texts(void **state)
{
	static const char text[] =
	        "GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nReferer: https://www.example.com/index.html\r\n"
	        "Cookie: name=value; other=value; third=value\r\nAccept: text/html, text/plain, text/*\r\n\r\n";
	const uint8_t *in = (const uint8_t *)text;

	BOTH(how)
	{
		assert_in_range(round_trip(how, in, sizeof(text), sizeof(text) - 1), 100, sizeof(text) * 9 / 10);
		assert_int_equal(round_trip(how, in, 1, 8), how == COMPRESS_LZ4 ? 2 : 3);
		assert_int_equal(round_trip(how, in, sizeof(text), 20), -ENOSPC);
	}
}

static void test_runs(void **state)
{
	uint8_t in[LIMIT_PACKET];

	memset(in, 0, sizeof(in));
	BOTH(how)
	{
		assert_in_range(round_trip(how, in, 1400, 1399), 1, 60);
		assert_in_range(round_trip(how, in, sizeof(in), sizeof(in) - 1), 1, 400);
		for (size_t len = 2; len < 80; len++) // each way to say a length
			assert_true(round_trip(how, in, len, sizeof(packed)) > 0);
	}
}

// Random bytes do not get smaller, and then they are not packed at all.
static void test_noise(void **state)
{
	uint8_t in[1400];

	srandom(1);
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)random();
	BOTH(how)
	{
		assert_int_equal(round_trip(how, in, sizeof(in), sizeof(in) - 1), -ENOSPC);
		assert_true(round_trip(how, in, sizeof(in), sizeof(packed)) > (int)sizeof(in));
	}
}

// Matches of every length at every distance.
static void test_distances(void **state)
{
	uint8_t in[LIMIT_PACKET];

	srandom(2);
	for (size_t distance = 1; distance < 3000; distance += 1 + distance / 16)
		for (size_t length = 2; length < 60; length += 3) {
			for (size_t i = 0; i < distance; i++)
				in[i] = (uint8_t)random();
			for (size_t i = distance; i < distance + length; i++)
				in[i] = in[i - distance];
			BOTH(how) assert_true(round_trip(how, in, distance + length, sizeof(packed)) > 0);
		}
}

// RFC 1974 by hand: two literals and a match that runs into itself.
static void test_lzs_tokens(void **state)
{
	// 0 01000001 | 0 01000010 | 11 0000010, 1100: length 5 | 11 0000000
	static const uint8_t bytes[] = { 0x20, 0x90, 0xb0, 0x59, 0x80 };
	static const uint8_t far[] = { 0x20, 0x90, 0xb0, 0x79, 0x80 };     // offset 3 of 2
	static const uint8_t zero[] = { 0x20, 0x90, 0xa0, 0x00, 0x60, 0 }; // 10 and 11 zeros
	static const uint8_t endless[] = { 0x20, 0xe0, 0x7f, 0xff, 0xff }; // a length that never ends
	static const uint8_t end[] = { 0xc0, 0x00 };

	assert_int_equal(compress_unpack(COMPRESS_LZS, bytes, sizeof(bytes), back, sizeof(back)), 7);
	assert_memory_equal(back, "ABABABA", 7);
	assert_int_equal(compress_pack(COMPRESS_LZS, &memory, (const uint8_t *)"ABABABA", 7, packed, 6), 5);
	assert_memory_equal(packed, bytes, 5);
	assert_int_equal(compress_unpack(COMPRESS_LZS, far, sizeof(far), back, sizeof(back)), -EBADMSG);
	assert_int_equal(compress_unpack(COMPRESS_LZS, zero, sizeof(zero), back, sizeof(back)), -EBADMSG);
	assert_int_equal(compress_unpack(COMPRESS_LZS, endless, sizeof(endless), back, sizeof(back)), -EBADMSG);
	assert_int_equal(compress_unpack(COMPRESS_LZS, end, sizeof(end), back, sizeof(back)), -EBADMSG); // an empty packet is none
	BOTH(how) assert_int_equal(compress_unpack(how, end, 0, back, sizeof(back)), -EBADMSG);
	assert_int_equal(compress_unpack(COMPRESS_NONE, bytes, sizeof(bytes), back, sizeof(back)), -EBADMSG);
	assert_int_equal(compress_pack(COMPRESS_NONE, &memory, bytes, sizeof(bytes), packed, 4), -ENOSPC);
}

static void test_names(void **state)
{
	BOTH(how) assert_int_equal(encoding_of(encoding_name(how), strlen(encoding_name(how))), how);
	assert_int_equal(encoding_of("OC-LZ4,lzs", 6), COMPRESS_LZ4);
	assert_int_equal(encoding_of("lzs", 2), COMPRESS_NONE);
	assert_int_equal(encoding_of("lzs2", 4), COMPRESS_NONE);
	assert_int_equal(encoding_of("deflate", 7), COMPRESS_NONE);
	assert_int_equal(encoding_of("", 0), COMPRESS_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),     cmocka_unit_test(test_runs),       cmocka_unit_test(test_noise),
		cmocka_unit_test(test_distances), cmocka_unit_test(test_lzs_tokens), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
