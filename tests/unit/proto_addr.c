// Addresses: text, sockaddr and wire forms as tables of facts.
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/addr.h"
#include "proto/utf8.h"

static void text_forms(void **state)
{
	static const struct {
		const char *text, *ip, *prefix, *mask; // ip NULL: refused
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1/32", "255.255.255.255" },
		{ "10.0.0.0/8", "10.0.0.0", "10.0.0.0/8", "255.0.0.0" },
		{ "10.1.2.0/23", "10.1.2.0", "10.1.2.0/23", "255.255.254.0" },
		{ "0.0.0.0/0", "0.0.0.0", "0.0.0.0/0", "0.0.0.0" },
		{ "2001:DB8::1", "2001:db8::1", "2001:db8::1/128", "" },
		{ "fd00::/8", "fd00::", "fd00::/8", "" },
		{ "::/0", "::", "::/0", "" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "" },
		{ .text = "" },
		{ .text = "/8" },
		{ .text = "192.0.2" },
		{ .text = "192.0.2.1 " },
		{ .text = " 192.0.2.1" },
		{ .text = "192.0.2.1/" },
		{ .text = "192.0.2.1/33" },
		{ .text = "192.0.2.1/-1" },
		{ .text = "192.0.2.1/+1" },
		{ .text = "192.0.2.1/08" },
		{ .text = "192.0.2.1/8/8" },
		{ .text = "192.0.2.1/0x8" },
		{ .text = "192.0.2.1/4294967304" },
		{ .text = "::1/129" },
		{ .text = "[::1]" },
		{ .text = "::1%lo" },
		{ .text = "256.0.0.1" },
		{ .text = "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000" },
	};
	struct addr a, before;
	char out[ADDR_TEXT];
	size_t i;

	memset(&before, 0x5a, sizeof(before));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		a = before;
		assert_int_equal(addr_parse(rows[i].text, &a), rows[i].ip ? 0 : -EINVAL);
		if (!rows[i].ip) {
			assert_memory_equal(&a, &before, sizeof(a));
			continue;
		}
		assert_string_equal(addr_text(&a, out), rows[i].ip);
		assert_string_equal(addr_text_prefix(&a, out), rows[i].prefix);
		assert_string_equal(addr_netmask(&a, out), rows[i].mask);
	}
}

static void text_with_port(void **state)
{
	struct addr v4 = { 4, 32, 65535, { 255, 255, 255, 255 } }, v6 = { 6, 128, 443, { 0x20, 1 } }, none = { 0 };
	char out[ADDR_TEXT];

	assert_string_equal(addr_text_port(&v4, out), "255.255.255.255:65535");
	assert_string_equal(addr_text_port(&v6, out), "[2001::]:443");
	memset(v6.ip, 0xff, 16);
	assert_string_equal(addr_text_port(&v6, out), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:443");
	assert_string_equal(addr_text_port(&none, out), "");
	assert_string_equal(addr_text(&none, out), "");
	assert_string_equal(addr_text_prefix(&none, out), "");
}

static void sockaddr_round_trip(void **state)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::1" };
	struct sockaddr_storage ss;
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	struct sockaddr local = { .sa_family = AF_UNIX };
	struct addr a, b;
	char out[ADDR_TEXT];
	size_t i;

	for (i = 0; i < 2; i++) {
		addr_parse(texts[i], &a);
		a.port = 4443;
		assert_true(addr_to_sockaddr(&a, &ss) > 0);
		addr_from_sockaddr((struct sockaddr *)&ss, &b);
		assert_memory_equal(&a, &b, sizeof(a));
	}
	inet_pton(AF_INET6, "::ffff:192.0.2.9", &mapped.sin6_addr);
	addr_from_sockaddr((struct sockaddr *)&mapped, &a);
	assert_string_equal(addr_text_port(&a, out), "192.0.2.9:80");
	addr_from_sockaddr(&local, &a);
	assert_int_equal(a.family, 0);
	assert_int_equal(addr_to_sockaddr(&a, &ss), 0);
}

static void membership(void **state)
{
	static const struct {
		const char *ip, *network;
		bool in;
	} rows[] = {
		{ "10.1.2.3", "10.0.0.0/8", true },
		{ "11.1.2.3", "10.0.0.0/8", false },
		{ "10.1.3.255", "10.1.2.0/23", true },
		{ "10.1.4.0", "10.1.2.0/23", false },
		{ "10.1.2.3", "0.0.0.0/0", true },
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.2", "10.1.2.3", false },
		{ "::1", "0.0.0.0/0", false },
		{ "10.1.2.3", "::/0", false },
		{ "2001:db8:0:1::5", "2001:db8::/63", true },
		{ "2001:db8:0:2::5", "2001:db8::/63", false },
		{ "2001::1", "::/0", true },
		{ "2001::1", "2001::1", true },
	};
	struct addr ip, network;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(addr_parse(rows[i].ip, &ip), 0);
		assert_int_equal(addr_parse(rows[i].network, &network), 0);
		assert_int_equal(addr_in(&ip, &network), rows[i].in);
	}
	memset(&ip, 0, sizeof(ip));
	assert_false(addr_in(&ip, &ip)); // none is in nothing
}

static void masks(void **state)
{
	static const struct {
		const char *a, *masked;
		bool odd;
	} rows[] = {
		{ "10.1.2.3/8", "10.0.0.0/8", true },
		{ "10.1.2.3/32", "10.1.2.3/32", false },
		{ "10.1.2.3/0", "0.0.0.0/0", true },
		{ "10.0.0.0/8", "10.0.0.0/8", false },
		{ "10.1.255.3/18", "10.1.192.0/18", true },
		{ "fd00::1/8", "fd00::/8", true },
		{ "fdff::/9", "fd80::/9", true },
		{ "2001:db8::1/127", "2001:db8::/127", true },
		{ "2001:db8::1/128", "2001:db8::1/128", false },
	};
	char text[ADDR_TEXT];
	struct addr a;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(addr_parse(rows[i].a, &a), 0);
		assert_int_equal(addr_mask(&a), rows[i].odd);
		assert_string_equal(addr_text_prefix(&a, text), rows[i].masked);
	}
}

static void wire_form(void **state)
{
	struct addr a, b;
	uint8_t wire[ADDR_WIRE];

	addr_parse("192.0.2.0/24", &a);
	a.port = 0x1234;
	addr_pack(&a, wire);
	assert_memory_equal(wire, ((uint8_t[ADDR_WIRE]){ 4, 24, 0x12, 0x34, 192, 0, 2 }), ADDR_WIRE);
	assert_int_equal(addr_unpack(wire, &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(addr_equal(&a, &b));
	wire[19] = 1;
	assert_int_equal(addr_unpack(wire, &b), -EINVAL);
	memset(wire, 0, sizeof(wire));
	assert_int_equal(addr_unpack(wire, &b), 0);
	wire[3] = 1; // "none" with a port
	assert_int_equal(addr_unpack(wire, &b), -EINVAL);
}

static void printable_characters(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} rows[] = {
		{ "a", 1 },
		{ " ", 1 },
		{ "~", 1 },
		{ "\xc3\xab", 2 },
		{ "\xe2\x82\xac", 3 },
		{ "\xf0\x9f\x98\x80", 4 },
		{ "", 0 },
		{ "\n", 0 },
		{ "\x1b", 0 },
		{ "\x7f", 0 },
		{ "\xc2\x9b", 0 },
		{ "\xc2\xa0", 2 }, // C1, and the first after
		{ "\x80", 0 },
		{ "\xc3", 0 },
		{ "\xc3(", 0 },
		{ "\xc0\x80", 0 },
		{ "\xe0\x80\x80", 0 },
		{ "\xf0\x80\x80\x80", 0 }, // overlong
		{ "\xed\xa0\x80", 0 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xff", 0 }, // surrogate, beyond Unicode
		{ "\xe2\x80\xae", 0 },
		{ "\xe2\x81\xa6", 0 }, // direction overrides
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(utf8_printable((const uint8_t *)rows[i].text, strlen(rows[i].text)), rows[i].len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_forms),           cmocka_unit_test(text_with_port), cmocka_unit_test(sockaddr_round_trip),
		cmocka_unit_test(membership),           cmocka_unit_test(masks),          cmocka_unit_test(wire_form),
		cmocka_unit_test(printable_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
