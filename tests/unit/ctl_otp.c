// One-time passwords' lines in a users file, and what an app is given.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/ctl/otp.h"
#include "control/ctl/qr.h"

static const uint8_t secret[OTP_SECRET_SIZE + 1] = "12345678901234567890"; // RFC 4226, appendix D
#define HEX "3132333435363738393031323334353637383930"
#define BASE32 "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

static void edits(void **state)
{
	static const struct {
		const char *in;
		struct otp_edit e;
		const char *out; // NULL: nothing to remove
	} rows[] = {
		{ "", { "joe", OTP_TIME, secret }, "HOTP/T30\tjoe\t-\t" HEX "\n" },
		{ "# x\nHOTP ann - 00\n", { "joe", OTP_COUNTER, secret }, "# x\nHOTP ann - 00\nHOTP\tjoe\t-\t" HEX "\n" },
		{ "HOTP ann - 00", { "joe", OTP_COUNTER, secret }, "HOTP ann - 00\nHOTP\tjoe\t-\t" HEX "\n" },
		// what liboath has added to a line goes with it: it is about the old secret
		{ "HOTP joe - 00 7 123456 2026-11-26T12:00:00L\n", { "joe", OTP_TIME, secret }, "HOTP/T30\tjoe\t-\t" HEX "\n" },
		{ " HOTP/T30\t joe - 00\nHOTP joe - 01\r\n", { "joe", OTP_TIME, secret }, "HOTP/T30\tjoe\t-\t" HEX "\n" },
		{ "HOTP joey - 0\nHOTP xjoe - 0\njoe HOTP - 0\n#HOTP joe - 0\nHOTP\n", { .user = "joe" }, NULL },
		{ "HOTP joe\nHOTP ann - 0\n", { .user = "joe" }, "HOTP ann - 0\n" },
		{ "HOTP joe - 0", { .user = "joe" }, "" },
		{ "", { .user = "joe" }, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = 12345;
		char *out = NULL;
		int ret = otp_edit(rows[i].in, strlen(rows[i].in), &rows[i].e, &out, &len);

		assert_int_equal(ret, rows[i].out != NULL ? 0 : -ENOENT);
		if (rows[i].out == NULL)
			continue;
		assert_int_equal(len, strlen(rows[i].out));
		assert_memory_equal(out, rows[i].out, len);
		free(out);
	}
}

static void apps(void **state)
{
	static const struct {
		struct otp_edit e;
		const char *issuer, *uri;
	} rows[] = {
		{ { "joe", OTP_TIME, secret },
		  "vpn",
		  "otpauth://totp/vpn:joe?secret=" BASE32 "&issuer=vpn&algorithm=SHA1&digits=6&period=30" },
		{ { "joe@x.org", OTP_COUNTER, secret },
		  "A&B: c",
		  "otpauth://hotp/A%26B%3A%20c:joe%40x.org?secret=" BASE32
		  "&issuer=A%26B%3A%20c&algorithm=SHA1&digits=6&counter=0" },
	};
	char uri[OTP_URI_MAX], user[LIMIT_USER + 1], issuer[OTP_ISSUER + 1];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		otp_uri(&rows[i].e, rows[i].issuer, uri);
		assert_string_equal(uri, rows[i].uri);
	}
	memset(user, '\xff', LIMIT_USER);
	memset(issuer, ' ', OTP_ISSUER);
	user[LIMIT_USER] = issuer[OTP_ISSUER] = '\0';
	otp_uri(&(struct otp_edit){ user, OTP_COUNTER, secret }, issuer, uri);
	assert_string_equal(uri + strlen(uri) - 9, "counter=0");
}

static void users(void **state)
{
	assert_null(otp_check_user("joe@example.org"));
	assert_non_null(otp_check_user("a b"));
	assert_non_null(otp_check_user("#joe"));
	assert_non_null(otp_check_user("a/b"));
}

// A finder pattern stands in the corner, four light modules from the edge: a dark square's upper edge and the light ring below it.
static void pictures(void **state)
{
	char *text = qr_text("otpauth://totp/vpn:joe?secret=" BASE32, 0), *line = text;

	assert_non_null(text);
	for (int i = 0; i < 2; i++)
		line = strchr(line, '\n') + 1;
	assert_memory_equal(line, "████ ▄▄▄▄▄ █", strlen("████ ▄▄▄▄▄ █"));
	free(text);
	text = qr_text("x", 1);
	assert_memory_equal(text, "\x1b[40;97m", 8);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits),
		cmocka_unit_test(apps),
		cmocka_unit_test(users),
		cmocka_unit_test(pictures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
