// Quotas: what counts in which day and month, what is used up, and the file; with a calendar of the test's own.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/main/config_value.h"
#include "control/main/filewriter.h"
#include "control/main/quota.h"
#include "proto/limits.h"

static struct quota_book book;

static int begin(void **state)
{
	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	return quota_book_init(&book);
}

static int end(void **state)
{
	quota_book_fini(&book);
	return 0;
}

// ----------------------------------------------------------------------------------------------------------------- count

static void uses(struct quota_user *u, uint32_t day, uint64_t bytes, uint64_t of_day, uint64_t of_month)
{
	const struct quota_date date = { day, day / 100 };

	quota_add(u, &date, bytes);
	assert_int_equal(u->day.bytes, of_day);
	assert_int_equal(u->month.bytes, of_month);
}

static void days_and_months(void **state)
{
	struct quota_user *u = quota_get(&book, "", "anna");

	uses(u, 20261126, 100, 100, 100);
	uses(u, 20261126, 50, 150, 150);
	uses(u, 20261127, 1, 1, 151);  // midnight
	uses(u, 20261126, 1, 2, 152);  // the clock was a little fast: nothing is lost, nothing counts twice
	uses(u, 20261127, 1, 1, 153);  // it passes midnight again
	uses(u, 20261201, 10, 10, 10); // the next month
	uses(u, 20270101, 5, 5, 5);
	uses(u, 20360101, 5, 5, 5);   // far ahead, by mistake
	uses(u, 20270102, 5, 10, 10); // and back: counted as of now, not until 2036
	uses(u, 20270103, 1, 1, 11);
	uses(u, 0, 4, 5, 15);        // a machine has started, and nobody has set its clock yet
	uses(u, 20270103, 1, 6, 16); // now it is: it is still that day
	quota_reset(u);
	uses(u, 20270103, 11, 11, 11);
	uses(u, 20270103, UINT64_MAX, UINT64_MAX, UINT64_MAX); // it does not begin anew
}

static void what_is_used_up(void **state)
{
	struct quota_user u = { .day = { 1, 100 }, .month = { 1, 1000 } };
#define USED_UP(d, m) quota_exceeded(&u, &(struct quota_limits){ .day = (d), .month = (m) })
	assert_null(USED_UP(0, 0));
	assert_null(USED_UP(101, 1001));
	assert_string_equal(USED_UP(100, 0), "the quota of this day is used up");
	assert_string_equal(USED_UP(0, 1000), "the quota of this month is used up");
	assert_string_equal(USED_UP(1, 1), "the quota of this month is used up");
	assert_string_equal(USED_UP(99, 1001), "the quota of this day is used up");
	quota_reset(&u);
	assert_null(USED_UP(1, 1));
}

static void the_calendar_is_local(void **state)
{
	assert_int_equal(quota_today(1795733999).day, 20261126); // 23:59:59 in Berlin
	assert_int_equal(quota_today(1795734000).day, 20261127); // 00:00:00
	assert_int_equal(quota_today(1795734000).month, 202611);
	assert_int_equal(quota_today(3600).day, 0);
}

static void users_are_of_virtual_hosts(void **state)
{
	struct quota_user *u = quota_get(&book, "", "bert");

	assert_ptr_equal(quota_get(&book, "", "bert"), u);
	assert_ptr_not_equal(quota_get(&book, "lab.example", "bert"), u);
	assert_null(quota_find(&book, "", "carl"));
}

// ------------------------------------------------------------------------------------------------------------------ file

#define HEAD "penstock quota 1\n"

static void the_book_comes_back(void **state)
{
	static const char text[] =
	        HEAD "20261126 1048576 202611 73400320 - anna\n20261126 0 202611 5000 lab.example bert of the lab\nend 2\n";
	struct quota_book b;
	unsigned line;
	size_t len;
	char *out;

	assert_int_equal(quota_book_init(&b), 0);
	assert_int_equal(quota_parse(&b, text, strlen(text), &line), 0);
	assert_int_equal(quota_find(&b, "", "anna")->day.bytes, 1048576);
	assert_int_equal(quota_find(&b, "", "anna")->month.bytes, 73400320);
	assert_int_equal(quota_find(&b, "lab.example", "bert of the lab")->month.bytes, 5000);
	out = quota_print(&b, &len);
	assert_int_equal(len, strlen(text));
	assert_string_equal(out, text);
	free(out);
	quota_book_fini(&b);
}

static void broken_files(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
	} bad[] = {
		{ "", 1 },
		{ "penstock quota 2\nend 0\n", 1 },
		{ HEAD, 2 },                                       // cut off
		{ HEAD "1 2 3 4 - anna\n", 3 },                    // likewise
		{ HEAD "1 2 3 4 - anna\nend 1", 3 },               // in the last line
		{ HEAD "1 2 3 4 - anna\nend 2\n", 3 },             // one is missing
		{ HEAD "1 2 3 4 - anna\nend 1\nmore\n", 3 },       // something behind it
		{ HEAD "1 2 3 4 -\nend 1\n", 2 },                  // no user
		{ HEAD "1 2 3 4 - \nend 1\n", 2 },                 // likewise
		{ HEAD "1 2 3 - anna\nend 1\n", 2 },               // no month
		{ HEAD "1 -2 3 4 - anna\nend 1\n", 2 },            // no number
		{ HEAD "1 2 3 99999999999999999999 - anna\n", 2 }, // too large
		{ HEAD "4294967296 2 3 4 - anna\nend 1\n", 2 },
		{ HEAD "1 2 3 4 - anna\n1 2 3 4 - anna\nend 2\n", 3 }, // twice
		{ HEAD "1 2 3 4 - an\x1bna\nend 1\n", 2 },
	};
	struct quota_book b;
	unsigned line;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(quota_book_init(&b), 0);
		if (quota_parse(&b, bad[i].text, strlen(bad[i].text), &line) != -EINVAL || line != bad[i].line)
			fail_msg("%s: line %u", bad[i].text, line);
		quota_book_fini(&b);
	}
}

static void who_counts_no_more_is_forgotten(void **state)
{
	const struct quota_date today = { 20261201, 202612 };
	struct quota_book b;

	assert_int_equal(quota_book_init(&b), 0);
	uses(quota_get(&b, "", "last month"), 20261130, 5, 5, 5);
	uses(quota_get(&b, "", "this month"), 20261201, 5, 5, 5);
	quota_get(&b, "", "nothing");
	quota_get(&b, "", "connected")->holders = 1;
	quota_forget(&b, &today);
	assert_null(quota_find(&b, "", "last month"));
	assert_null(quota_find(&b, "", "nothing"));
	assert_non_null(quota_find(&b, "", "this month"));
	assert_non_null(quota_find(&b, "", "connected"));
	assert_int_equal(b.count, 2);
	quota_book_fini(&b);
}

// ---------------------------------------------------------------------------------------------------------------- writer

static void has(const char *path, const char *text)
{
	char read[64] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_int_equal(fread(read, 1, sizeof(read) - 1, f), strlen(text));
	assert_string_equal(read, text);
	fclose(f);
}

static void a_file_is_replaced_whole(void **state)
{
	char dir[] = "/tmp/penstock-quota-XXXXXX", path[96], deep[64], command[128];
	struct filewriter *w;
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(deep, sizeof(deep), "%s/a/b", dir);
	snprintf(path, sizeof(path), "%s/file", deep);
	w = filewriter_new(path); // with its directories
	assert_non_null(w);
	filewriter_put(w, strdup("first"), 5);
	assert_int_equal(filewriter_free(w), 0);
	has(path, "first");
	w = filewriter_new(path);
	for (int i = 0; i < 100; i++)
		filewriter_put(w, strdup("between"), 7);
	filewriter_put(w, strdup("last"), 4);
	assert_int_equal(filewriter_free(w), 0); // which waits for it
	has(path, "last");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	// what cannot be written is said
	snprintf(command, sizeof(command), "rm -r %s", deep);
	w = filewriter_new(path);
	assert_int_equal(system(command), 0);
	filewriter_put(w, strdup("nowhere"), 7);
	assert_int_equal(filewriter_free(w), -ENOENT);
	assert_null(filewriter_new("/dev/null/x/y"));
	assert_int_equal(errno, ENOTDIR);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

// ---------------------------------------------------------------------------------------------------------------- values

static void sizes(void **state)
{
	static const char *const wrong[] = { "", "K", "-1", "1.5G", "1KB", "1 K", "1k2", "99999999999999999999", "99999999999T" };
	uint64_t n;

#define SIZE(text, expected)                               \
	do {                                               \
		assert_int_equal(value_size(text, &n), 0); \
		assert_int_equal(n, expected);             \
	} while (0)
	SIZE("0", 0);
	SIZE("500", 500);
	SIZE("3K", 3000);
	SIZE("20m", 20000000);
	SIZE("2G", 2000000000);
	SIZE("1T", 1000000000000);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(value_size(wrong[i], &n), -EINVAL);
}

static void dates(void **state)
{
	static const char *const wrong[] = {
		"",           "2027",        "2027-3-1",         "2027-13-01",          "2027-00-10",
		"2027-04-31", "2027-02-29",  "2027-03-31 24:00", "2027-03-31 18",       "2027-03-31 18:00:60",
		"31.3.2027",  "2027-03-31x", "2027-03-31 ",      "2027-03-31 18:00:00Z"
	};
	time_t a, b;

#define UNTIL(text, expected)                               \
	do {                                                \
		assert_int_equal(value_until(text, &a), 0); \
		assert_int_equal(a, expected);              \
	} while (0)
	UNTIL("2026-11-26", 1795734000);          // the end of that day in Berlin
	UNTIL("2026-11-27 00:00", 1795734000);    // the same
	UNTIL("2026-11-26T23:59:59", 1795733999); // a second before
	UNTIL("2026-12-31", 1798758000);
	UNTIL("2028-02-29", 1835478000);
	// how operators say "long ago": before the epoch in Berlin, and never no end
	UNTIL("1970-01-01 00:00", 1);
	UNTIL("1970-01-01 01:00:00", 1);
	UNTIL("1970-01-01 01:00:02", 2);
	// a day of 23 hours: summer begins
	assert_int_equal(value_until("2027-03-27", &a), 0);
	assert_int_equal(value_until("2027-03-28", &b), 0);
	assert_int_equal(b - a, 23 * 3600);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (value_until(wrong[i], &a) == 0)
			fail_msg("%s is a date", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_and_months),
		cmocka_unit_test(what_is_used_up),
		cmocka_unit_test(the_calendar_is_local),
		cmocka_unit_test(users_are_of_virtual_hosts),
		cmocka_unit_test(the_book_comes_back),
		cmocka_unit_test(broken_files),
		cmocka_unit_test(who_counts_no_more_is_forgotten),
		cmocka_unit_test(a_file_is_replaced_whole),
		cmocka_unit_test(sizes),
		cmocka_unit_test(dates),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
