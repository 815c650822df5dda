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
static int64_t lost;

// A record comes and authenticates: is it taken?
#define T(sequence, taken) assert_int_equal(replay_check(&window, sequence) && replay_take(&window, sequence, &lost), taken)
#define FRESH (memset(&window, 0, sizeof(window)), lost = 0)

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

// What leaves the window unseen is lost, as soon as its 64 have left, and not before.
#define MISSING_BELOW(n) (((n) + 92) / 100) // of those that end in 07
static void test_loss(void **state)
{
	FRESH;
	for (uint64_t s = 0; s < 10 * W; s++)
		if (s % 100 != 7)
			T(s, true);
	assert_int_equal(lost, MISSING_BELOW(9 * W - 64)); // a window back, and the 64 across its edge
	T(107, false);
	assert_int_equal(lost, MISSING_BELOW(9 * W - 64));
	for (uint64_t s = 10 * W; s < 11 * W; s++)
		T(s, true);
	assert_int_equal(lost, MISSING_BELOW(10 * W - 64));
}

static void test_loss_of_a_jump(void **state)
{
	FRESH;
	for (uint64_t s = 0; s < W; s++)
		T(s, true);
	T(5 * W, true); // some 3 windows are missing, of which two are beyond hope
	assert_int_equal(lost, 3 * W);
	for (uint64_t s = 5 * W + 1; s < 7 * W; s++)
		T(s, true);
	assert_int_equal(lost, 4 * W);
	T(1ULL << 40, true);
	assert_int_equal(lost, (1LL << 40) - 4 * W);
}

static void test_late_is_not_lost(void **state)
{
	FRESH;
	T(2 * W, true);
	for (uint64_t s = W + 1; s < 2 * W; s++)
		T(s, true);
	for (uint64_t s = 2 * W + 1; s < 4 * W; s++)
		T(s, true);
	assert_true(lost <= 0);
}

// Its handshake's records have no place here: what came first says where counting begins.
static void test_loss_begins_with_the_first(void **state)
{
	FRESH;
	for (uint64_t s = 3; s < 3 * W; s++)
		T(s, true);
	assert_int_equal(lost, 0);
}

// All that is missing is found in the end, whatever the order was.
static void test_loss_random(void **state)
{
	enum { N = 64 * W };
	uint64_t taken = 0, top = 0;

	FRESH;
	srand(2);
	while (top < N) {
		uint64_t s = top + (uint64_t)rand() % (rand() % 1000 ? 5 : 3000), back = (uint64_t)rand() % 200;
		s = back < s ? s - back : s;
		if (top == 0)
			s = 0;
		if (!replay_check(&window, s))
			continue;
		assert_true(replay_take(&window, s, &lost));
		taken++;
		top = s >= top ? s + 1 : top;
	}
	T(top + 64 + 3 * W, true); // everything leaves
	top += 2 * W;
	top -= top % 64;
	assert_in_range(lost, top - taken, top - taken + 192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_highest),
		cmocka_unit_test(test_jump_forgets_old_words),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_checking_moves_nothing),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_loss_of_a_jump),
		cmocka_unit_test(test_late_is_not_lost),
		cmocka_unit_test(test_loss_begins_with_the_first),
		cmocka_unit_test(test_loss_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
