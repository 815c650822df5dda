// How long keys may live before they are changed without the client.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/rekey.h"

#define T(time, deadline) assert_int_equal(rekey_deadline(time), deadline)

static void test_deadlines(void **state)
{
	T(0, 0); // never
	T(1, 1);
	T(4, 6); // half as long again
	T(59, 88);
	T(60, 90); // and never more than half a minute
	T(86400, 86430);
	T(UINT32_MAX, UINT32_MAX + 30ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_deadlines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
