#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/replay.h"

#define W REPLAY_WINDOW
static struct replay_window window;

// A record comes and authenticates: is it taken?
#define T(sequence, taken) assert_int_equal(replay_check(&window, sequence) && replay_take(&window, sequence), taken)
#define FRESH memset(&window, 0, sizeof(window))

static void test_order(void **state)
{
	FRESH;
	T(0, true);
	T(0, false);
	T(1, true);
	T(9, true);
	T(8, true);  // late is fine
	T(8, false); // twice is not
	T(9, false);
	T(W + 9, true);
	T(9, false); // fell off the left edge
	T(10, true);
	T(10, false);
}

static void test_edges(void **state)
{
	FRESH;
	T(W - 1, true);
	T(0, true);
	T(W, true);
	T(0, false);
	T(1, true);
	T(W - 1, false);
	T(64 * W, true);
	T(63 * W, false);
	T(63 * W + 1, true);
	T(63 * W + 1, false);
}

static void test_jump_forgets_old_words(void **state)
{
	FRESH;
	for (uint64_t s = 0; s < 2 * W; s++)
		T(s, true);
	T(10 * W, true);
	for (uint64_t s = 9 * W + 1; s < 10 * W; s++)
		T(s, true);
	for (uint64_t s = 9 * W + 1; s <= 10 * W; s++)
		T(s, false);
}

static void test_highest(void **state)
{
	uint64_t last = (1ULL << 48) - 1;

	FRESH;
	T(last, true);
	T(last, false);
	T(last - 1, true);
	T(last - W + 1, true);
	T(last - W, false);
}

static void test_checking_moves_nothing(void **state)
{
	FRESH;
	T(5, true);
	assert_true(replay_check(&window, 1000000));
	T(6, true);
	assert_true(replay_check(&window, 1000000));
}

// Against the plain thing: a list of all that was taken.
static void test_random(void **state)
{
	enum { N = 20000 };
	static bool seen[N + 3 * W];
	uint64_t top = 0;

	FRESH;
	srand(1);
	for (unsigned i = 0; i < 4 * N; i++) {
		uint64_t base = top > 2 * W ? top - 2 * W : 0, s = base + (uint64_t)rand() % (2 * W + (rand() % 50 ? 8 : 300));
		if (s >= N + 2 * W)
			continue;
		bool expected = !seen[s] && (s >= top || top - s <= W);
		T(s, expected);
		seen[s] |= expected;
		top = s >= top ? s + 1 : top;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),   cmocka_unit_test(test_edges),
		cmocka_unit_test(test_highest), cmocka_unit_test(test_jump_forgets_old_words),
		cmocka_unit_test(test_random),  cmocka_unit_test(test_checking_moves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
