// What a header of the PROXY protocol says, byte by byte and whole, and what is none.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "control/worker/proxy.h"

#define ENDS(client, local) client " > " local

static uint8_t buf[PROXY_HEADER_MAX + 64];

// "CLIENT:PORT > LOCAL:PORT", "nobody", "more" or what is wrong.
static const char *says(const void *bytes, size_t len)
{
	static char text[3 * ADDR_TEXT];
	char client[ADDR_TEXT], local[ADDR_TEXT];
	struct proxy_header h = { .client.family = 99 };
	const char *why = NULL;
	int ret = proxy_parse(bytes, len, &h, &why);

	if (ret < 0)
		assert_int_equal(h.client.family, 99);
	if (ret == -EAGAIN)
		return "more";
	if (ret < 0)
		return why;
	assert_in_range(ret, 1, len);
	if (!h.client.family)
		return "nobody";
	snprintf(text, sizeof(text), ENDS("%s", "%s"), addr_text_port(&h.client, client), addr_text_port(&h.local, local));
	return text;
}

// Whole, it says so, whatever stands behind it; with any of its bytes missing it is waited for.
static void header_says(const void *bytes, size_t len, const char *want)
{
	struct proxy_header h;
	const char *why;

	for (size_t i = 0; i < len; i++)
		assert_string_equal(says(bytes, i), "more");
	assert_string_equal(says(bytes, len), want);
	memcpy(buf, bytes, len);
	memcpy(buf + len, "\x16\x03\x01 and TLS", 11);
	assert_int_equal(proxy_parse(buf, len + 11, &h, &why), len);
}

static void line_says(const char *line, const char *want)
{
	header_says(line, strlen(line), want);
}

static void line_is_wrong(const char *line, const char *want)
{
	if (!strstr(says(line, strlen(line)), want))
		fail_msg("%s: %s, not %s", line, says(line, strlen(line)), want);
}

static void version_1(void **state)
{
	line_says("PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n", ENDS("203.0.113.7:4711", "192.0.2.1:443"));
	line_says("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
	          ENDS("255.255.255.255:65535", "255.255.255.255:65535"));
	line_says("PROXY TCP6 2001:db8::7 2001:db8::1 0 443\r\n", ENDS("[2001:db8::7]:0", "[2001:db8::1]:443"));
	line_says("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	          ENDS("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"));
	line_says("PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 1 2\r\n", ENDS("203.0.113.7:1", "192.0.2.1:2"));
	line_says("PROXY UNKNOWN\r\n", "nobody");
	line_says("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "nobody");
	line_says("PROXY UNKNOWN \x80\xff\r\n", "nobody");
}

static void version_1_wrong(void **state)
{
	char line[128];

	line_is_wrong("PROXY\t", "no PROXY header");
	line_is_wrong("proxy ", "no PROXY header");
	line_is_wrong("GET / HTTP/1.1\r\n", "no PROXY header");
	line_is_wrong("\x16\x03\x01\x02", "TLS begins at once");
	line_is_wrong("PROXY \r\n", "neither");
	line_is_wrong("PROXY TCP4\r\n", "neither");
	line_is_wrong("PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", "neither");
	line_is_wrong("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "neither");
	line_is_wrong("PROXY UNKNOWNS\r\n", "neither");
	line_is_wrong("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "CR LF");
	line_is_wrong("PROXY\n", "no PROXY");
	line_is_wrong("PROXY \n", "CR LF");
	line_is_wrong("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "too few words");
	line_is_wrong("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "too many words");
	line_is_wrong("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "too many words");
	line_is_wrong("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n", "without a port");
	line_is_wrong("PROXY TCP4 ::1 1.2.3.4 1 2\r\n", "without an address");
	line_is_wrong("PROXY TCP6 ::1 1.2.3.4 1 2\r\n", "without an address");
	line_is_wrong("PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n", "without an address");
	line_is_wrong("PROXY TCP4 1.2.3.4/8 1.2.3.4 1 2\r\n", "without an address");
	line_is_wrong("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", "without a port");
	line_is_wrong("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "without a port");
	line_is_wrong("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", "without a port");
	line_is_wrong("PROXY TCP4 1.2.3.4 1.2.3.4 123456 2\r\n", "without a port");
	assert_string_equal(says("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n", 33), "a PROXY line with a NUL in it");

	// 107 bytes are the most that there is.
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + 105, "\r\n", 2);
	header_says(line, 107, "nobody");
	memset(line + 105, 'x', 2);
	assert_string_equal(says(line, 106), "more");
	assert_string_equal(says(line, 107), "a PROXY line longer than 107 bytes");
	memcpy(line + 106, "\r\n", 2);
	assert_string_equal(says(line, 108), "a PROXY line longer than 107 bytes");
}

// ------------------------------------------------------------------------------------------------------------- version 2

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\xcb\x00\x71\x07\xc0\x00\x02\x01\x12\x67\x01\xbb" // 203.0.113.7 to 192.0.2.1, ports 4711 and 443
#define IPV6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x67\x01\xbb"
#define BOTH ENDS("203.0.113.7:4711", "192.0.2.1:443")

struct bytes {
	uint8_t at[PROXY_HEADER_MAX + 16];
	size_t len;
};

static struct bytes v2(unsigned command, unsigned family, const void *body, size_t len)
{
	struct bytes b = { .len = 16 + len };

	memcpy(b.at, SIGNATURE, 12);
	b.at[12] = (uint8_t)command;
	b.at[13] = (uint8_t)family;
	b.at[14] = (uint8_t)(len >> 8);
	b.at[15] = (uint8_t)len;
	memcpy(b.at + 16, body, len);
	return b;
}

#define V2(command, family, body) v2(command, family, body, sizeof(body) - 1)
#define SAYS(command, family, body, want)                      \
	do {                                                   \
		struct bytes made = V2(command, family, body); \
		header_says(made.at, made.len, want);          \
	} while (0)
#define IS_WRONG(command, family, body, want)                                  \
	do {                                                                   \
		struct bytes made = V2(command, family, body);                 \
		if (!strstr(says(made.at, made.len), want))                    \
			fail_msg("%s, not %s", says(made.at, made.len), want); \
	} while (0)

static void version_2(void **state)
{
	SAYS(0x21, 0x11, IPV4, BOTH);
	SAYS(0x21, 0x21, IPV6, ENDS("[2001:db8::7]:4711", "[2001:db8::1]:443"));
	SAYS(0x21, 0x21, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04\0\0\0\0\0\0\0\0\0\0\xff\xff\x05\x06\x07\x08\0\1\0\2",
	     ENDS("1.2.3.4:1", "5.6.7.8:2"));
	SAYS(0x20, 0x00, "", "nobody");
	SAYS(0x20, 0x11, IPV4, "nobody"); // a health check that says from where
	SAYS(0x20, 0xff, "\1\2\3", "nobody");
	SAYS(0x21, 0x00, "", "nobody");
	SAYS(0x21, 0x31, IPV6, "nobody");
	SAYS(0x21, 0x11, IPV4 "\x04\0\0", BOTH);              // NOOP
	SAYS(0x21, 0x11, IPV4 "\x05\0\3abc\x01\0\2h2", BOTH); // an identifier, ALPN
	SAYS(0x21, 0x11,
	     IPV4 "\x20\0\x0e\x07\0\0\0\0\x22\0\x06"
	          "a\r\nb;c",
	     BOTH); // TLS with a certificate, whose name is nobody's here
}

static void version_2_wrong(void **state)
{
	struct bytes b;

	IS_WRONG(0x11, 0x11, IPV4, "version or command");
	IS_WRONG(0x31, 0x11, IPV4, "version or command");
	IS_WRONG(0x22, 0x11, IPV4, "version or command");
	IS_WRONG(0x21, 0x12, IPV4, "something else than TCP");
	IS_WRONG(0x21, 0x22, IPV6, "something else than TCP");
	IS_WRONG(0x21, 0x10, IPV4, "something else than TCP");
	IS_WRONG(0x21, 0x41, IPV4, "something else than TCP");
	IS_WRONG(0x21, 0x11, "\1\2\3", "too short for its addresses");
	IS_WRONG(0x21, 0x11, "", "too short for its addresses");
	IS_WRONG(0x21, 0x21, IPV4, "too short for its addresses");
	IS_WRONG(0x21, 0x11, IPV4 "\x05", "a field of a wrong length");
	IS_WRONG(0x21, 0x11, IPV4 "\x05\0\4abc", "a field of a wrong length");
	IS_WRONG(0x21, 0x11,
	         IPV4 "\x05\xff\xff"
	              "abc",
	         "a field of a wrong length");
	IS_WRONG(0x21, 0x11, IPV4 "\x20\0\4\x07\0\0\0", "for TLS that is too short");
	IS_WRONG(0x21, 0x11,
	         IPV4 "\x20\0\x0b\x07\0\0\0\0\x22\0\x06"
	              "abc",
	         "for TLS of a wrong length");
	b = V2(0x21, 0x11, IPV4);
	b.at[3] = 'x';
	assert_string_equal(says(b.at, b.len), "no PROXY header");

	memset(buf, 0, sizeof(buf));
	b = v2(0x21, 0x00, buf, PROXY_HEADER_MAX - 16);
	header_says(b.at, b.len, "nobody");
	b = v2(0x21, 0x00, buf, PROXY_HEADER_MAX - 15);
	assert_string_equal(says(b.at, 16), "a PROXY header longer than 4096 bytes");
}

// CRC-32C, whose value of "123456789" is e3069283 (RFC 3720 B.4).
static void checksums(void **state)
{
	struct bytes b = V2(0x21, 0x11,
	                    IPV4 "\x03\0\4\0\0\0\0"
	                         "\x04\0\1x");
	static const uint8_t right[4] = { 0xbf, 0xb3, 0xaf, 0xf8 };

	assert_string_equal(says(b.at, b.len), "a PROXY header with a wrong checksum");
	memcpy(b.at + 31, right, 4);
	header_says(b.at, b.len, BOTH);
	b.at[19] ^= 1;
	assert_string_equal(says(b.at, b.len), "a PROXY header with a wrong checksum");
	IS_WRONG(0x21, 0x11, IPV4 "\x03\0\3\0\0\0", "wrong checksum");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1),       cmocka_unit_test(version_1_wrong), cmocka_unit_test(version_2),
		cmocka_unit_test(version_2_wrong), cmocka_unit_test(checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
