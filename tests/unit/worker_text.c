// base64, hex, lists, header numbers, forms, cookies and XML text as tables of facts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/worker/cstp.h"
#include "control/worker/text.h"
#include "proto/utf8.h"

static void decodes(const char *text, const char *want)
{
	uint8_t out[64];
	char back[100];
	int n = base64_decode(text, strlen(text), out, sizeof(out));

	assert_int_equal(n, strlen(want));
	assert_memory_equal(out, want, strlen(want));
	base64_encode(out, (size_t)n, back);
	assert_string_equal(back, text);
}

static void test_base64(void **state)
{
	static const char *const bad[] = { "=",    "A",    "AA",       "AAA",  "====",   "A===",  "AB==",   "AAB=",
		                           "AA=A", "A A=", "AA==AA==", "-_-_", "AAAA\n", "AAA\n", "\377AAA" };
	uint8_t out[3] = { 9, 9, 9 };
	size_t i;

	decodes("", "");
	decodes("Zg==", "f");
	decodes("Zm8=", "fo");
	decodes("Zm9v", "foo");
	decodes("Zm9vYmFy", "foobar");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), out, sizeof(out)), -EINVAL);
	assert_int_equal(base64_decode("Zm9vYg==", 8, out, sizeof(out)), -EINVAL); // no room
	assert_memory_equal(out, "\x09\x09\x09", 3);
}

static void test_hex(void **state)
{
	static const char *const bad[] = { "", "00", "0000000", "00000", "0000 0", "00000g", "00000\377", "0x0000" };
	uint8_t out[3] = { 9, 9, 9 };
	char text[7];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hex_decode(bad[i], out, sizeof(out)), -EINVAL);
	assert_memory_equal(out, "\x09\x09\x09", 3);
	assert_int_equal(hex_decode("00aFf9", out, sizeof(out)), 0);
	hex_encode(out, sizeof(out), text);
	assert_string_equal(text, "00aff9");
}

static void list_is(const char *list, const char *want)
{
	const char *word;
	char text[32] = "";
	size_t len;

	while ((word = list_next(&list, ':', &len)))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "[%.*s]", (int)len, word);
	assert_string_equal(text, want);
}

static void test_lists(void **state)
{
	list_is(NULL, "");
	list_is("", "[]");
	list_is("a", "[a]");
	list_is(" a b :\tc\t", "[a b][c]");
	list_is("a::b:", "[a][][b][]");
}

static void test_numbers(void **state)
{
	assert_int_equal(number_clamped("0"), 0);
	assert_int_equal(number_clamped("1"), 1);
	assert_int_equal(number_clamped("499"), 499);
	assert_int_equal(number_clamped("65535"), 65535);
	assert_int_equal(number_clamped("65536"), 65535);
	assert_int_equal(number_clamped("4294967295"), 65535);
	assert_int_equal(number_clamped("4294967296"), 65535);
	assert_int_equal(number_clamped("99999999999999999999999999"), 65535);
	assert_int_equal(number_clamped("-1"), 0);
	assert_int_equal(number_clamped("1e9"), 0);
	assert_int_equal(number_clamped(" 1"), 0);
	assert_int_equal(number_clamped("0x10"), 0);
	assert_int_equal(number_clamped(""), 0);
	assert_int_equal(number_clamped(NULL), 0);
}

static void form_is(const char *body, const char *name, int want_ret, const char *want)
{
	char out[9] = "before";

	assert_int_equal(form_get(body, strlen(body), name, out, sizeof(out)), want_ret);
	assert_string_equal(out, want_ret < 0 ? "before" : want);
}

static void path_is(const char *path, int ret, const char *name)
{
	char out[8] = "before";

	assert_int_equal(path_name(path, out, sizeof(out)), ret);
	assert_string_equal(out, ret == 0 ? name : "before");
}

static void test_paths(void **state)
{
	path_is("/staff", 0, "staff");
	path_is("//staff/", 0, "staff");
	path_is("/a%20b", 0, "a b");
	path_is("/a+b", 0, "a+b");
	path_is("/%c3%bC", 0, "\xc3\xbc");
	path_is("/1234567", 0, "1234567");
	path_is("/12345678", -EBADMSG, NULL);
	path_is("/", -ENOENT, NULL);
	path_is("", -ENOENT, NULL);
	path_is("/a/b", -ENOENT, NULL);
	path_is("/a%2fb", -EBADMSG, NULL);
	path_is("/a%00b", -EBADMSG, NULL);
	path_is("/a%0ab", -EBADMSG, NULL);
	path_is("/a%ff", -EBADMSG, NULL);
	path_is("/a%", -EBADMSG, NULL);
	path_is("/a%2", -EBADMSG, NULL);
	path_is("/%zz", -EBADMSG, NULL);
}

static void query_is(const char *query, int ret, const char *text)
{
	char out[8] = "";

	assert_int_equal(query_decode(query, strlen(query), out, sizeof(out)), ret);
	if (ret >= 0)
		assert_string_equal(out, text);
}

static void test_queries(void **state)
{
	query_is("", 0, "");
	query_is("secret", 6, "secret");
	query_is("a%20b", 3, "a b");
	query_is("a+b", 3, "a+b");
	query_is("%c3%BC", 2, "\xc3\xbc");
	query_is("1234567", 7, "1234567");
	query_is("12345678", -EBADMSG, NULL);
	query_is("a%00", -EBADMSG, NULL);
	query_is("a%2", -EBADMSG, NULL);
	query_is("%zz", -EBADMSG, NULL);
}

static void test_forms(void **state)
{
	form_is("username=me&password=x%20y+z", "username", 2, "me");
	form_is("username=me&password=x%20y+z", "password", 5, "x y z");
	form_is("group%5flist=a", "group_list", 1, "a");
	form_is("group_list=", "group_list", 0, "");
	form_is("a=1&a=2", "a", 1, "1");
	form_is("", "a", -ENOENT, NULL);
	form_is("a", "a", -ENOENT, NULL);
	form_is("&&=&b=1", "a", -ENOENT, NULL);
	form_is("a=%0", "a", -EBADMSG, NULL);
	form_is("a=%zz", "a", -EBADMSG, NULL);
	form_is("a=%00", "a", -EBADMSG, NULL);
	form_is("a=x%0ay", "a", -EBADMSG, NULL);
	form_is("a=12345678", "a", 8, "12345678");
	form_is("a=123456789", "a", -EBADMSG, NULL);
}

#define COOKIE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void test_cookies(void **state)
{
	uint8_t cookie[COOKIE_SIZE];

	assert_int_equal(cookie_get("webvpn=" COOKIE, cookie), 0);
	assert_int_equal(cookie[31], 31);
	assert_int_equal(cookie_get("webvpncontext=abc; webvpn=" COOKIE "; webvpnc=x", cookie), 0);
	assert_int_equal(cookie_get("webvpn=" COOKIE " ;", cookie), 0);
	assert_int_equal(cookie_get("", cookie), -ENOENT);
	assert_int_equal(cookie_get("webvpnc=" COOKIE, cookie), -ENOENT);
	assert_int_equal(cookie_get("Xwebvpn=" COOKIE, cookie), -ENOENT);
	assert_int_equal(cookie_get("webvpn=", cookie), -EBADMSG);
	assert_int_equal(cookie_get("webvpn=" COOKIE "AAAA", cookie), -EBADMSG);
	assert_int_equal(cookie_get("webvpn=" COOKIE "; webvpn=" COOKIE, cookie), -EBADMSG);
	assert_int_equal(cookie_get("webvpn=\"" COOKIE "\"", cookie), -EBADMSG);
	assert_int_equal(cookie_get("webvpn=****************************************====", cookie), -EBADMSG);
}

static void test_text(void **state)
{
	char out[16];

	text_tame("plain", out, sizeof(out));
	assert_string_equal(out, "plain");
	text_tame("a\nb\x1b[2J", out, sizeof(out));
	assert_string_equal(out, "a?b?[2J");
	text_tame("\xc3\xa9\xff", out, sizeof(out));
	assert_string_equal(out, "\xc3\xa9?");
	text_tame("0123456789abcd\xc3\xa9", out, sizeof(out)); // cut between characters
	assert_string_equal(out, "0123456789abcd");
	text_tame(NULL, out, sizeof(out));
	assert_string_equal(out, "");
	text_xml("<a b='c'>", out, sizeof(out));
	assert_string_equal(out, "&lt;a b=&apos;c"); // no half of an entity
	assert_true(utf8_is_printable("gr\xc3\xbc\xc3\x9f"));
	assert_false(utf8_is_printable("a\tb"));
}

static void test_cstp(void **state)
{
	uint8_t buf[CSTP_HEADER + 2];
	struct cstp_frame f;

	cstp_header(buf, CSTP_DPD_REQUEST, 2);
	memcpy(buf + CSTP_HEADER, "\xb0x", 2);
	assert_memory_equal(buf, "STF\1\0\2\3\0", CSTP_HEADER);
	assert_int_equal(cstp_parse(buf, sizeof(buf), &f), 0);
	assert_int_equal(f.type, CSTP_DPD_REQUEST);
	assert_int_equal(f.len, 2);
	assert_int_equal(cstp_goodbye(&f), END_BY_USER);
	assert_int_equal(cstp_parse(buf, sizeof(buf) - 1, &f), -EBADMSG); // half a frame
	assert_int_equal(cstp_parse(buf, CSTP_HEADER - 1, &f), -EBADMSG);
	buf[5] = 1; // more than a frame
	assert_int_equal(cstp_parse(buf, sizeof(buf), &f), -EBADMSG);
	cstp_header(buf, CSTP_DISCONNECT, 0);
	assert_int_equal(cstp_parse(buf, CSTP_HEADER, &f), 0);
	assert_int_equal(cstp_goodbye(&f), END_TEMPORARY);
	buf[0] = 's';
	assert_int_equal(cstp_parse(buf, CSTP_HEADER, &f), -EBADMSG);
	buf[0] = 'S';
	buf[7] = 1;
	assert_int_equal(cstp_parse(buf, CSTP_HEADER, &f), -EBADMSG);
	cstp_header(buf, CSTP_DATA, 65535);
	assert_memory_equal(buf, "STF\1\xff\xff\0\0", CSTP_HEADER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64),  cmocka_unit_test(test_hex),     cmocka_unit_test(test_lists),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_forms),   cmocka_unit_test(test_paths),
		cmocka_unit_test(test_queries), cmocka_unit_test(test_cookies), cmocka_unit_test(test_text),
		cmocka_unit_test(test_cstp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
