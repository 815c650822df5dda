// KDC_PROXY_MESSAGE: what is taken out of one, and what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/worker/kkdcp.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1
#define MESSAGE "\xa0\x09\x04\x07\x00\x00\x00\x03\x6a\x01\x00"

static int parse(const uint8_t *der, size_t len, struct kkdcp *out)
{
	uint8_t *exact = calloc(len ? len : 1, 1); // so that one byte too many is found
	int ret;

	memcpy(exact, der, len);
	ret = kkdcp_parse(exact, len, out);
	free(exact);
	return ret;
}

static void test_taken(void **state)
{
	struct kkdcp k;

#define T(text, named)                                       \
	do {                                                 \
		assert_int_equal(parse(BYTES(text), &k), 0); \
		assert_int_equal(k.len, 3);                  \
		assert_string_equal(k.realm, named);         \
	} while (0)
	T("\x30\x0b" MESSAGE, "");
	T("\x30\x14" MESSAGE "\xa1\x07\x1b\x05"
	  "A.ORG",
	  "A.ORG");
	T("\x30\x10" MESSAGE "\xa2\x03\x02\x01\x00", "");
	T("\x30\x19" MESSAGE "\xa1\x07\x1b\x05"
	  "A.ORG"
	  "\xa2\x03\x02\x01\x00",
	  "A.ORG");
	T("\x30\x0b\xa0\x09\x04\x07\x00\x00\x00\x03\x6c\x01\x00", ""); // TGS-REQ
#undef T
}

static void test_refused(void **state)
{
	struct kkdcp k;

#define T(text) assert_int_equal(parse(BYTES(text), &k), -EBADMSG)
	T("");
	T("\x30");
	T("\x30\x00");
	T("\x31\x0b" MESSAGE);
	T("\x30\x0a" MESSAGE);
	T("\x30\x0c" MESSAGE);
	T("\x30\x0b" MESSAGE "\x00");
	T("\x30\x80" MESSAGE "\x00\x00");                          // indefinite length
	T("\x30\x81\x0b" MESSAGE);                                 // not the fewest bytes
	T("\x30\x82\x00\x0b" MESSAGE);                             // neither
	T("\x30\x84\xff\xff\xff\xff" MESSAGE);                     // 4 GiB
	T("\x30\x0b\xa0\x09\x04\x07\x00\x00\x00\x04\x6a\x01\x00"); // the length within says more
	T("\x30\x0b\xa0\x09\x04\x07\x00\x00\x00\x02\x6a\x01\x00"); // or less
	T("\x30\x0b\xa0\x09\x04\x07\x00\x00\x00\x03\x6a\x02\x00"); // a request cut off
	T("\x30\x0b\xa0\x09\x04\x07\x00\x00\x00\x03\x6a\x00\x00"); // something behind it
	T("\x30\x0b\xa0\x09\x04\x07\x00\x00\x00\x03\x6e\x01\x00"); // AP-REQ: nothing for a KDC
	T("\x30\x08\xa0\x06\x04\x04\x00\x00\x00\x00");             // nothing at all
	T("\x30\x16" MESSAGE MESSAGE);                             // twice
	T("\x30\x09\xa1\x07\x1b\x05"
	  "A.ORG"); // a realm alone
	T("\x30\x14" MESSAGE "\xa1\x07\x1b\x05"
	  "A ORG"); // and none that could be one
	T("\x30\x0f" MESSAGE "\xa1\x02\x1b\x00");
	T("\x30\x19" MESSAGE "\xa2\x03\x02\x01\x00"
	  "\xa1\x07\x1b\x05"
	  "A.ORG"); // out of order
#undef T
}

// What was wrapped has the lengths that DER wants, at each of their borders.
static void test_wrap(void **state)
{
	static const size_t lengths[] = {
		1, 113, 117, 119, 121, 123, 124, 131, 240, 250, 251, 252, 255, 256, 1400, LIMIT_KERBEROS
	};
	static uint8_t in[LIMIT_KERBEROS], out[LIMIT_KERBEROS + KKDCP_OVERHEAD];

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		size_t len = lengths[i], body = len, n;
		struct kkdcp k;

		// a request whose own length is right, or kkdcp_parse() would not have it
		memset(in, 7, sizeof(in));
		in[0] = 0x6a;
		body -= len < 0x82 ? 2 : len < 0x103 ? 3 : 4;
		if (len < 0x82) {
			in[1] = (uint8_t)body;
		} else if (len < 0x103) {
			in[1] = 0x81;
			in[2] = (uint8_t)body;
		} else {
			in[1] = 0x82;
			in[2] = (uint8_t)(body >> 8);
			in[3] = (uint8_t)body;
		}
		n = kkdcp_wrap(in, len, out);
		assert_true(n <= len + KKDCP_OVERHEAD);
		if (len < 2)
			continue;
		assert_int_equal(parse(out, n, &k), 0);
		assert_int_equal(k.len, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_taken), cmocka_unit_test(test_refused),
		                            cmocka_unit_test(test_wrap) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
