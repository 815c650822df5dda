// Groups of a login form: what the configuration says, what sec-mod adds, and names for labels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/worker/groups.h"

// Pairs of key and value, NULL at the end.
static void load(struct groups *g, const char *const *pairs)
{
	struct snapshot_writer *w = snapshot_writer_new();
	struct snapshot *s;
	int fd;

	for (; pairs[0]; pairs += 2)
		assert_int_equal(snapshot_put(w, pairs[0], pairs[1]), 0);
	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(snapshot_open(fd, &s), 0);
	close(fd);
	assert_int_equal(groups_load(g, s, 0), 0);
	snapshot_free(s);
}

static void are(const struct groups *g, const char *expected)
{
	char text[1024] = "";

	for (unsigned i = 0; i < g->n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%s;", g->choice[i].name, g->choice[i].label);
	assert_string_equal(text, expected);
}

static void test_configuration(void **state)
{
	static const char *const pairs[] = {
		"select-group", "staff[The staff]", "select-group", "guests",       "select-group", "staff[again]", "select-group",
		"[x]",          "select-group",     "x[",           "select-group", "y[]",          "select-group", "z[a]b",
		"select-group", "w[[a]]",           NULL,
	};
	static const char *const none[] = { NULL };
	static const char *const all[] = {
		"auto-select-group", "1", "select-group-by-url", "1", "default-select-group", "none", NULL
	};
	static const char *const cisco[] = { "cisco-client-compat", "1", "default-select-group", "", NULL };
	struct groups g;

	load(&g, pairs);
	are(&g, "staff=The staff;guests=guests;w=[a];");
	assert_false(g.automatic || g.by_url || g.none);
	groups_fini(&g);
	load(&g, none);
	are(&g, "");
	groups_fini(&g);
	load(&g, all);
	assert_true(g.automatic && g.by_url);
	assert_string_equal(g.none, "none");
	groups_fini(&g);
	load(&g, cisco);
	assert_true(g.by_url && !g.none);
	groups_fini(&g);
}

static void test_more_of_them(void **state)
{
	static const char *const pairs[] = { "select-group", "staff[The staff]", "default-select-group", "none", NULL };
	struct groups g, more;
	char names[4 * LIMIT_GROUPS + 8] = "";

	load(&g, pairs);
	assert_int_equal(groups_copy(&more, &g, "a,staff,two words,a,,b"), 0);
	are(&more, "staff=The staff;a=a;two words=two words;b=b;");
	assert_string_equal(more.none, "none");
	groups_fini(&more);
	for (unsigned i = 0; i < LIMIT_GROUPS; i++)
		snprintf(names + strlen(names), 8, "%03x,", i);
	assert_int_equal(groups_copy(&more, &g, names), 0);
	assert_int_equal(more.n, LIMIT_GROUPS);
	groups_fini(&more);
	groups_fini(&g);
}

static void test_names(void **state)
{
	static struct group_choice choice[] = { { "a", "b" }, { "b", "c" }, { "d", "d" } };
	static const struct groups g = { .choice = choice, .n = 3, .none = (char *)"nothing" };
	static const struct {
		const char *text, *name;
		bool has;
	} rows[] = {
		{ "b", "a", true }, // what a user sees counts first
		{ "a", "a", true },  { "c", "b", true },       { "d", "d", true },
		{ "e", "e", false }, { "nothing", "", false }, { "", "", false },
	};
	char out[LIMIT_GROUP + 1];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		groups_name(&g, rows[i].text, out);
		assert_string_equal(out, rows[i].name);
		assert_int_equal(groups_has(&g, rows[i].text), rows[i].has);
		strcpy(out, rows[i].text);
		groups_name(&g, out, out);
		assert_string_equal(out, rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_more_of_them),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
