// The lines of kkdcp.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "proto/kdcspec.h"

static void test_lines(void **state)
{
	struct kdcspec k;

#define T(text, p, r, t, h, o)                        \
	do {                                          \
		assert_null(kdcspec_parse(text, &k)); \
		assert_string_equal(k.path, p);       \
		assert_string_equal(k.realm, r);      \
		assert_int_equal(k.tcp, t);           \
		assert_string_equal(k.host, h);       \
		assert_string_equal(k.port, o);       \
	} while (0)
	T("/KdcProxy KERBEROS.REALM udp@127.0.0.1:88", "/KdcProxy", "KERBEROS.REALM", false, "127.0.0.1", "88");
	T("/KdcProxy KERBEROS.REALM tcp@[::1]:88", "/KdcProxy", "KERBEROS.REALM", true, "::1", "88");
	T(" /a/b\tR  tcp@kdc.example.org:65535 ", "/a/b", "R", true, "kdc.example.org", "65535");
#undef T
}

static void test_wrong(void **state)
{
	struct kdcspec k;

#define T(text, says) assert_non_null(strstr(kdcspec_parse(text, &k), says))
	T("", "no /PATH");
	T("KdcProxy R udp@h:88", "no /PATH");
	T("/KdcProxy", "no realm");
	T("/KdcProxy R", "neither udp@ nor tcp@");
	T("/KdcProxy R h:88", "neither udp@ nor tcp@");
	T("/KdcProxy R http@h:88", "neither udp@ nor tcp@");
	T("/KdcProxy R udp@h", "HOST:PORT");
	T("/KdcProxy R udp@:88", "HOST:PORT");
	T("/KdcProxy R udp@::1:88", "HOST:PORT");
	T("/KdcProxy R udp@[::1]88", "HOST:PORT");
	T("/KdcProxy R udp@[::1:88", "HOST:PORT");
	T("/KdcProxy R udp@h:0", "HOST:PORT");
	T("/KdcProxy R udp@h:65536", "HOST:PORT");
	T("/KdcProxy R udp@h:88x", "HOST:PORT");
	T("/KdcProxy R udp@h:88 more", "HOST:PORT");
	T("/\x7f R udp@h:88", "path");
#undef T
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_wrong) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
