// Names in what clients are told: %{U} and %{G}.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "control/main/placeholder.h"

static void becomes(const char *text, bool in_url, const char *want)
{
	char out[32];

	assert_int_equal(placeholder_fill(text, "anna@b c", "a/b", in_url, out, sizeof(out)), 0);
	assert_string_equal(out, want);
}

static void test_names(void **state)
{
	becomes("", false, "");
	becomes("X: %{U}", false, "X: anna@b c");
	becomes("X: %{U}%{G}%{U}", false, "X: anna@b ca/banna@b c");
	becomes("%{U}/%{G}?%{", true, "anna@b%20c/a%2Fb?%{");
	becomes("http://p/%{g}", true, "http://p/%{g}");
	becomes("100%", false, "100%");
}

static void test_room(void **state)
{
	char out[8] = "before";

	assert_int_equal(placeholder_fill("%{U}", "1234567", "", false, out, sizeof(out)), 0);
	assert_string_equal(out, "1234567");
	assert_int_equal(placeholder_fill("%{U}", "12345678", "", false, out, sizeof(out)), -E2BIG);
	assert_string_equal(out, "");
	assert_int_equal(placeholder_fill("12345678", "", "", false, out, sizeof(out)), -E2BIG);
	assert_int_equal(placeholder_fill("%{U}", "12345 ", "", true, out, sizeof(out)), -E2BIG);
	assert_int_equal(placeholder_fill("%{U}", "1234 ", "", true, out, sizeof(out)), 0);
	assert_string_equal(out, "1234%20");
}

static void test_unknown(void **state)
{
	assert_null(placeholder_unknown("%{U} %{G} % {U}"));
	assert_string_equal(placeholder_unknown("%{U} %{X}"), "%{X}");
	assert_string_equal(placeholder_unknown("%{U"), "%{U");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
