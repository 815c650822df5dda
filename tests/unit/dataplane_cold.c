// What is remembered of a tunnel's dropped packets.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/cold.h"
#include "dataplane/counters.h"

static struct tunnel_cold cold;

static const struct cold_drop *of(enum counter why)
{
	for (unsigned i = 0; i < COLD_DROPS; i++)
		if (cold.drops[i].at && cold.drops[i].why == why)
			return &cold.drops[i];
	return NULL;
}

#define REMEMBERED(reason, n, when)                             \
	do {                                                    \
		assert_non_null(of(COUNT_##reason));            \
		assert_int_equal(of(COUNT_##reason)->times, n); \
		assert_int_equal(of(COUNT_##reason)->at, when); \
	} while (0)
#define FORGOTTEN(reason) assert_null(of(COUNT_##reason))

static void test_reasons_are_counted(void **state)
{
	memset(&cold, 0, sizeof(cold));
	cold_dropped(&cold, COUNT_drop_spoof, 10);
	cold_dropped(&cold, COUNT_drop_replay, 11);
	cold_dropped(&cold, COUNT_drop_spoof, 12);
	REMEMBERED(drop_spoof, 2, 12);
	REMEMBERED(drop_replay, 1, 11);
	assert_int_equal(cold.copies, 1);
	FORGOTTEN(drop_too_big);
}

static void test_the_oldest_makes_room(void **state)
{
	memset(&cold, 0, sizeof(cold));
	cold_dropped(&cold, COUNT_drop_spoof, 1);
	cold_dropped(&cold, COUNT_drop_replay, 2);
	cold_dropped(&cold, COUNT_drop_bad_mac, 3);
	cold_dropped(&cold, COUNT_drop_too_big, 4);
	cold_dropped(&cold, COUNT_drop_spoof, 5);
	cold_dropped(&cold, COUNT_drop_no_keys, 6);
	FORGOTTEN(drop_replay);
	REMEMBERED(drop_spoof, 2, 5);
	REMEMBERED(drop_bad_mac, 1, 3);
	REMEMBERED(drop_too_big, 1, 4);
	REMEMBERED(drop_no_keys, 1, 6);
	assert_int_equal(cold.copies, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons_are_counted),
		cmocka_unit_test(test_the_oldest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
