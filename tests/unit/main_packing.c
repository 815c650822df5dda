#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/main/packing.h"
#include "proto/encoding.h"

#define LZ4 ENCODING_BIT(COMPRESS_LZ4)
#define LZS ENCODING_BIT(COMPRESS_LZS)

// With this order, what do clients get that accept both, either one, none?
static void gives(const char *priorities, enum compressor both, enum compressor lz4, enum compressor lzs)
{
	struct packing p = { .above = 300 };

	assert_int_equal(packing_parse(priorities, &p), 0);
	assert_int_equal(packing_choose(&p, LZ4 | LZS), both);
	assert_int_equal(packing_choose(&p, LZ4), lz4);
	assert_int_equal(packing_choose(&p, LZS), lzs);
	assert_int_equal(packing_choose(&p, 0), COMPRESS_NONE);
	assert_int_equal(packing_choose(&p, ENCODING_BIT(COMPRESS_NONE)), COMPRESS_NONE);
	assert_int_equal(p.above, 300);
}

static void refuses(const char *priorities)
{
	struct packing p = { .priority = { 0, 5, 5 } };

	assert_int_equal(packing_parse(priorities, &p), -EINVAL);
	assert_int_equal(p.priority[COMPRESS_LZ4], 5);
}

static void test_order(void **state)
{
	gives(NULL, COMPRESS_LZ4, COMPRESS_LZ4, COMPRESS_LZS);
	gives("", COMPRESS_LZ4, COMPRESS_LZ4, COMPRESS_LZS);
	gives("oc-lz4:1000", COMPRESS_LZ4, COMPRESS_LZ4, COMPRESS_LZS);
	gives("lzs:1000", COMPRESS_LZS, COMPRESS_LZ4, COMPRESS_LZS);
	gives("LZS:7, OC-LZ4:6", COMPRESS_LZS, COMPRESS_LZ4, COMPRESS_LZS);
	gives("lzs:91 lzs:79", COMPRESS_LZ4, COMPRESS_LZ4, COMPRESS_LZS); // the last one counts
	gives("oc-lz4:0", COMPRESS_LZS, COMPRESS_NONE, COMPRESS_LZS);
	gives("oc-lz4:0,lzs:0", COMPRESS_NONE, COMPRESS_NONE, COMPRESS_NONE);
}

static void test_what_is_no_order(void **state)
{
	refuses("lzs");
	refuses("lzs:");
	refuses("lzs:x");
	refuses("lzs:1x");
	refuses("lzs:-1");
	refuses(":1");
	refuses("deflate:1");
	refuses("lzs:1,gzip:2");
	refuses("lzs:1;oc-lz4:2");
	refuses("lzs:12345678901234567890");
}

static void test_off(void **state)
{
	const struct packing off = { 0 };

	assert_int_equal(packing_choose(&off, LZ4 | LZS), COMPRESS_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_what_is_no_order),
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
