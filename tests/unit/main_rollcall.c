// When a worker counts as one that hangs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/main/conn.h"
#include "control/main/rollcall.h"

static struct conn c;
static bool ask;

static int begin(void **unused)
{
	c = (struct conn){ 0 };
	return 0;
}

// After so many looks, at which something lies unread or not, it hangs; 0: never.
static unsigned hangs_after(unsigned looks, bool unread)
{
	for (unsigned n = 1; n <= looks; n++)
		if (!rollcall_look(&c, unread, &ask))
			return n;
	return 0;
}

static void who_reads_is_there(void **unused)
{
	assert_int_equal(hangs_after(1000, false), 0);
	for (int i = 0; i < 100; i++) { // a busy one: now and then something lies there
		assert_int_equal(hangs_after(ROLLCALL_UNREAD - 1, true), 0);
		assert_int_equal(hangs_after(1, false), 0);
	}
}

static void who_reads_nothing_is_not(void **unused)
{
	assert_int_equal(hangs_after(1000, true), ROLLCALL_UNREAD);
}

static void it_is_asked_now_and_then(void **unused)
{
	for (int turn = 0; turn < 3; turn++)
		for (int n = 1; n <= ROLLCALL_QUIET; n++) {
			assert_true(rollcall_look(&c, false, &ask));
			assert_int_equal(ask, n == ROLLCALL_QUIET);
		}
}

static void nobody_is_asked_who_has_not_read(void **unused)
{
	c.quiet = ROLLCALL_QUIET - 1;
	assert_true(rollcall_look(&c, true, &ask));
	assert_false(ask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_reads_is_there, begin),
		cmocka_unit_test_setup(who_reads_nothing_is_not, begin),
		cmocka_unit_test_setup(it_is_asked_now_and_then, begin),
		cmocka_unit_test_setup(nobody_is_asked_who_has_not_read, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
