// Scores and bans, with a clock of the test's own.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "control/main/ban.h"

static const struct ban_rules rules = { .max_score = 80, .ban_seconds = 300, .reset_seconds = 1200 };

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static bool points(struct ban_list *b, const char *who, uint32_t n, uint64_t now)
{
	struct addr a = ip(who);

	return ban_score(b, &a, n, now);
}

static bool banned(struct ban_list *b, const char *who, uint64_t now)
{
	struct addr a = ip(who);

	return ban_active(b, &a, now);
}

static bool lift(struct ban_list *b, const char *who)
{
	struct addr a = ip(who);

	return ban_lift(b, &a);
}

static void eight_wrong_passwords(void **unused)
{
	struct ban_list *b = ban_list_new(&rules, 100);

	for (int i = 0; i < 7; i++)
		assert_false(points(b, "192.0.2.1", 10, 1000 + i));
	assert_false(banned(b, "192.0.2.1", 1006));
	assert_true(points(b, "192.0.2.1", 10, 1007));
	assert_true(banned(b, "192.0.2.1", 1007));
	assert_false(points(b, "192.0.2.1", 10, 1008)); // banned already
	assert_false(banned(b, "192.0.2.2", 1008));
	assert_true(banned(b, "192.0.2.1", 1306));
	assert_false(banned(b, "192.0.2.1", 1307));     // served
	assert_false(points(b, "192.0.2.1", 70, 1308)); // and begins anew
	ban_list_free(b);
}

static void scores_fade(void **unused)
{
	struct ban_list *b = ban_list_new(&rules, 100);
	struct ban_row row;

	// 80 points in 1200 seconds: one in 15
	assert_false(points(b, "192.0.2.1", 79, 0));
	assert_int_equal(ban_rows(b, 14, true, &row, 1), 1);
	assert_int_equal(row.score, 79);
	assert_int_equal(ban_rows(b, 16, true, &row, 1), 1);
	assert_int_equal(row.score, 78);
	for (uint64_t now = 17; now <= 600; now++) // looking does not slow it down
		ban_rows(b, now, true, &row, 1);
	assert_int_equal(row.score, 39);
	assert_int_equal(row.since, 0);
	assert_false(points(b, "192.0.2.1", 40, 600));
	assert_true(points(b, "192.0.2.1", 1, 600));

	assert_false(points(b, "192.0.2.2", 79, 0));
	assert_int_equal(ban_rows(b, 1200, true, &row, 1), 0); // nothing is left
	assert_false(points(b, "192.0.2.2", 79, 1200));
	assert_false(points(b, "192.0.2.2", 1, UINT64_MAX / 2)); // long ago does not overflow
	ban_list_free(b);
}

static void slow_guesses_never_add_up(void **unused)
{
	struct ban_list *b = ban_list_new(&rules, 100);

	for (uint64_t now = 0; now < 1000000; now += 150)
		assert_false(points(b, "192.0.2.1", 10, now));
	for (unsigned i = 0; i < 8; i++)
		points(b, "192.0.2.1", 10, 1000000);
	assert_true(banned(b, "192.0.2.1", 1000000));
	ban_list_free(b);
}

static void a_48_has_a_measure_of_its_own(void **unused)
{
	struct ban_list *b = ban_list_new(&rules, 1000);
	struct addr a;
	char who[64];

	// seven guesses from each network: none of them is banned by itself
	for (int i = 0; i < 64; i++) {
		snprintf(who, sizeof(who), "2001:db8:0:%x::1", i / 7);
		a = ip(who);
		assert_int_equal(ban_score(b, &a, 10, 0), i < 63 ? 0 : 48);
	}
	assert_true(banned(b, "2001:db8:0:ffff::1", 0));
	assert_false(banned(b, "2001:db8:1::1", 0));
	assert_true(lift(b, "2001:db8::/48"));
	assert_false(banned(b, "2001:db8:0:ffff::1", 0));
	assert_true(lift(b, "2001:db8::1")); // the /64 has kept its score
	assert_false(lift(b, "2001:db8::1"));
	ban_list_free(b);
}

static void names_are_guessed_from_everywhere(void **unused)
{
	struct ban_list *b = ban_list_new(&rules, 100);
	struct ban_rules off = rules;
	char name[16];

	for (int i = 0; i < 7; i++)
		assert_false(ban_guess(b, "anna", 10, 0));
	assert_true(ban_guess(b, "anna", 10, 0));
	assert_false(ban_guess(b, "bert", 10, 0));
	for (int i = 0; i < 20000; i++) { // nobody else's name hides hers
		snprintf(name, sizeof(name), "user%d", i);
		ban_guess(b, name, 10, 0);
	}
	assert_true(ban_guess(b, "anna", 10, 0));
	assert_false(ban_guess(b, "anna", 10, 1200));
	off.max_score = 0;
	ban_set_rules(b, &off);
	assert_false(ban_guess(b, "anna", UINT32_MAX, 1200));
	ban_list_free(b);
}

static void ipv6_is_scored_by_64(void **unused)
{
	struct ban_list *b = ban_list_new(&rules, 100);

	assert_false(points(b, "2001:db8:0:1::1", 40, 0));
	assert_true(points(b, "2001:db8:0:1:ffff::2", 40, 0));
	assert_true(banned(b, "2001:db8:0:1::3", 1));
	assert_false(banned(b, "2001:db8:0:2::1", 1));
	ban_list_free(b);
}

static void unban(void **unused)
{
	struct ban_list *b = ban_list_new(&rules, 100);

	assert_false(lift(b, "192.0.2.1"));
	assert_true(points(b, "192.0.2.1", 80, 0));
	assert_int_equal(ban_count(b, 0), 1);
	assert_true(lift(b, "192.0.2.1"));
	assert_false(banned(b, "192.0.2.1", 0));
	assert_int_equal(ban_count(b, 0), 0);
	assert_false(points(b, "192.0.2.1", 79, 1)); // the score went with it
	ban_list_free(b);
}

static void zero_is_off(void **unused)
{
	struct ban_rules off = rules;
	struct ban_list *b;

	off.max_score = 0;
	b = ban_list_new(&off, 100);
	assert_false(points(b, "192.0.2.1", UINT32_MAX, 0));
	assert_false(banned(b, "192.0.2.1", 0));
	ban_list_free(b);
}

static void scores_saturate(void **unused)
{
	struct ban_rules high = rules;
	struct ban_list *b;

	high.max_score = UINT32_MAX;
	b = ban_list_new(&high, 100);
	assert_false(points(b, "192.0.2.1", UINT32_MAX - 1, 0));
	assert_true(points(b, "192.0.2.1", UINT32_MAX, 0));
	ban_list_free(b);
}

static void a_spray_cannot_push_out_a_ban(void **unused)
{
	struct ban_list *b = ban_list_new(&rules, 100);
	char who[64];

	assert_true(points(b, "192.0.2.1", 80, 0));
	for (int i = 0; i < 5000; i++) {
		snprintf(who, sizeof(who), "2001:db8:%x::1", i);
		points(b, who, 10, 1);
	}
	assert_true(banned(b, "192.0.2.1", 2));
	assert_int_equal(ban_count(b, 2), 1);
	ban_list_free(b);
}

static void the_table_is_bounded(void **unused)
{
	struct ban_list *b = ban_list_new(&rules, 100);
	struct ban_row rows[200];
	char who[64];

	for (int i = 0; i < 5000; i++) {
		snprintf(who, sizeof(who), "2001:db8:%x::1", i);
		assert_true(points(b, who, 80, 1));
	}
	assert_int_equal(ban_rows(b, 1, false, rows, 200), 99); // and the score of a /48
	assert_int_equal(ban_entries(b), 100);
	assert_int_equal(rows[0].who.ip[5], 4999 & 0xff); // newest first, the oldest went
	assert_true(banned(b, "2001:db8:1387::9", 1));
	assert_false(banned(b, "2001:db8::9", 1));
	assert_int_equal(ban_count(b, 301), 0);
	ban_list_free(b);
}

static void rules_may_change(void **unused)
{
	struct ban_list *b = ban_list_new(&rules, 100);
	struct ban_rules shorter = rules;

	assert_true(points(b, "192.0.2.1", 80, 0));
	shorter.ban_seconds = 10;
	ban_set_rules(b, &shorter);
	assert_true(points(b, "192.0.2.2", 80, 0));
	assert_true(banned(b, "192.0.2.1", 11));
	assert_false(banned(b, "192.0.2.2", 11));
	ban_list_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_wrong_passwords),
		cmocka_unit_test(scores_fade),
		cmocka_unit_test(slow_guesses_never_add_up),
		cmocka_unit_test(a_48_has_a_measure_of_its_own),
		cmocka_unit_test(names_are_guessed_from_everywhere),
		cmocka_unit_test(ipv6_is_scored_by_64),
		cmocka_unit_test(unban),
		cmocka_unit_test(zero_is_off),
		cmocka_unit_test(scores_saturate),
		cmocka_unit_test(a_spray_cannot_push_out_a_ban),
		cmocka_unit_test(the_table_is_bounded),
		cmocka_unit_test(rules_may_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
