// What a login brings with it: kept in order, bounded, and nothing that one line of a file could not hold.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "secmod/grants.h"

static void keeps_their_order(void **state)
{
	const char *key, *value;
	struct grants *g = NULL;

	assert_int_equal(grants_count(NULL), 0);
	assert_false(grants_nth(NULL, 0, &key, &value));
	assert_int_equal(grants_add(&g, "route", "10.0.0.0/8"), 0);
	assert_int_equal(grants_add(&g, "dpd", ""), 0);
	assert_int_equal(grants_add(&g, "route", "fd00::/8"), 0);
	assert_int_equal(grants_count(g), 3);
	assert_true(grants_nth(g, 1, &key, &value));
	assert_string_equal(key, "dpd");
	assert_string_equal(value, "");
	assert_true(grants_nth(g, 2, &key, &value));
	assert_string_equal(value, "fd00::/8");
	assert_false(grants_nth(g, 3, &key, &value));
	assert_string_equal(grants_find(g, "route"), "fd00::/8");
	assert_null(grants_find(g, "mtu"));
	grants_free(g);
	grants_free(NULL);
}

static void refuses_what_is_no_line(void **state)
{
	char longest[LIMIT_TEXT + 2], key[LIMIT_GRANT_KEY + 2];
	struct grants *g = NULL;

	memset(longest, 'x', sizeof(longest));
	longest[LIMIT_TEXT + 1] = '\0';
	memset(key, 'k', sizeof(key));
	key[LIMIT_GRANT_KEY + 1] = '\0';
	assert_int_equal(grants_add(&g, "", "x"), -EINVAL);
	assert_int_equal(grants_add(&g, key, "x"), -EINVAL);
	assert_int_equal(grants_add(&g, "route", longest), -EINVAL);
	assert_int_equal(grants_add(&g, "route", "10.0.0.0/8\nno-udp = true"), -EINVAL);
	assert_int_equal(grants_add(&g, "route", "\x1b[2J"), -EINVAL);
	assert_null(g);
	assert_int_equal(grants_add(&g, key + 1, longest + 1), 0);
	grants_free(g);
}

static void is_bounded(void **state)
{
	struct grants *g = NULL;
	char value[16];

	for (int i = 0; i < LIMIT_GRANTS; i++) {
		snprintf(value, sizeof(value), "%d", i);
		assert_int_equal(grants_add(&g, "route", value), 0);
	}
	assert_int_equal(grants_add(&g, "route", "one more"), -E2BIG);
	assert_int_equal(grants_count(g), LIMIT_GRANTS);
	assert_string_equal(grants_find(g, "route"), "511");
	grants_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_their_order),
		cmocka_unit_test(refuses_what_is_no_line),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
