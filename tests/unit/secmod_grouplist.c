// The groups that a method tells a login form of: sorted, each once, bounded.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "secmod/grouplist.h"

static void add(struct grouplist *g, const char *name)
{
	grouplist_add(g, name, strlen(name));
}

static void is(struct grouplist *g, const char *expected, bool trimmed)
{
	bool more = g->trimmed;
	char *text = grouplist_finish(g);

	assert_string_equal(text, expected);
	assert_int_equal(more, trimmed);
	assert_int_equal(g->n, 0);
	free(text);
}

static void sorted_and_once(void **state)
{
	struct grouplist g = { 0 };

	is(&g, "", false);
	add(&g, "staff");
	add(&g, "a");
	add(&g, "staff");
	add(&g, "staffer");
	add(&g, "sta");
	grouplist_add(&g, "vpn,more", 3);
	add(&g, "a");
	is(&g, "a,sta,staff,staffer,vpn", false);
	add(&g, "");
	add(&g, "a,b");
	add(&g, "a\nb");
	add(&g, "\xff");
	add(&g, "two words");
	is(&g, "two words", false);
}

static void bounded(void **state)
{
	struct grouplist g = { 0 };
	char name[LIMIT_GROUP + 2] = "";

	for (unsigned i = 0; i < LIMIT_GROUPS + 1; i++) {
		snprintf(name, sizeof(name), "%u", i);
		add(&g, name);
	}
	assert_int_equal(g.n, LIMIT_GROUPS);
	assert_true(g.trimmed);
	free(grouplist_finish(&g));
	memset(name, 'x', LIMIT_GROUP + 1);
	add(&g, name);
	assert_int_equal(g.n, 0);
	name[LIMIT_GROUP] = '\0';
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, 4, "%03u", i);
		name[3] = 'x';
		add(&g, name);
	}
	assert_int_equal(g.n, LIMIT_GROUP_LIST / (LIMIT_GROUP + 1));
	assert_true(g.size <= LIMIT_GROUP_LIST && g.trimmed);
	free(grouplist_finish(&g));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(sorted_and_once), cmocka_unit_test(bounded) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
