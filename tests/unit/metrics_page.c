// What /metrics looks like, in both forms.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/metrics/page.h"

static struct page *page;

static int begin(void **unused)
{
	page = page_new();
	return page ? 0 : -1;
}

static int end(void **unused)
{
	page_free(page);
	return 0;
}

static int add(enum metric metric, unsigned part, uint64_t value, const char *one, const char *two)
{
	struct msg_metrics_sample m = { .metric = (uint16_t)metric, .part = (uint8_t)part, .value = value };

	snprintf(m.label1, sizeof(m.label1), "%s", one);
	snprintf(m.label2, sizeof(m.label2), "%s", two);
	return page_add(page, &m);
}

static const char *text(enum page_form form)
{
	struct evbuffer *b = page_text(page, form);

	evbuffer_add(b, "", 1);
	return (const char *)evbuffer_pullup(b, -1);
}

static void has(enum page_form form, const char *lines)
{
	if (!strstr(text(form), lines))
		fail_msg("no\n%sin\n%s", lines, text(form));
}

static void counters_end_in_total(void **unused)
{
	assert_int_equal(add(METRIC_RELOADS, 0, 3, "ok", ""), 0);
	has(PAGE_OPENMETRICS, "# TYPE penstock_reloads counter\npenstock_reloads_total{result=\"ok\"} 3\n");
	has(PAGE_PLAIN, "# TYPE penstock_reloads_total counter\npenstock_reloads_total{result=\"ok\"} 3\n");
}

static void an_info_is_a_gauge_to_the_older_form(void **unused)
{
	assert_int_equal(add(METRIC_BUILD, 0, 1, "1.2", ""), 0);
	has(PAGE_OPENMETRICS, "# TYPE penstock_build info\npenstock_build_info{version=\"1.2\"} 1\n");
	has(PAGE_PLAIN, "# TYPE penstock_build_info gauge\npenstock_build_info{version=\"1.2\"} 1\n");
}

static void units_and_the_end_are_openmetrics(void **unused)
{
	assert_int_equal(add(METRIC_MEMORY, 0, 0, "", ""), 0);
	has(PAGE_OPENMETRICS, "# UNIT penstock_dataplane_memory_bytes bytes\npenstock_dataplane_memory_bytes 0\n# EOF\n");
	assert_null(strstr(text(PAGE_PLAIN), "UNIT"));
	assert_null(strstr(text(PAGE_PLAIN), "EOF"));
}

static void numbers_are_exact(void **unused)
{
	static const struct {
		uint64_t us;
		const char *line;
	} rows[] = {
		{ 0, "} 0\n" },
		{ 1, "} 0.000001\n" },
		{ 1500000, "} 1.5\n" },
		{ 2000000, "} 2\n" },
		{ UINT64_MAX, "} 18446744073709.551615\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(add(METRIC_CORE_BUSY, 0, rows[i].us, "1", "1"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		has(PAGE_PLAIN, rows[i].line);
}

static void a_name_cannot_leave_its_quotes(void **unused)
{
	assert_int_equal(add(METRIC_USER_SENT, 0, 1, "a\"} 5\nb\\", "x"), 0);
	has(PAGE_OPENMETRICS, "penstock_session_sent_bytes_total{user=\"a\\\"} 5\\nb\\\\\",vhost=\"x\",session=\"\"} 1\n");
}

static void samples_of_a_metric_stand_together(void **unused)
{
	add(METRIC_PART_UP, 0, 1, "one", "");
	add(METRIC_ACCEPTING, 0, 1, "", "");
	add(METRIC_PART_UP, 0, 0, "two", "");
	has(PAGE_PLAIN, "penstock_part_up{part=\"one\"} 1\npenstock_part_up{part=\"two\"} 0\n");
}

static void a_histogram_has_buckets_a_count_and_a_sum(void **unused)
{
	add(METRIC_LOGIN_TIME, 0, 1, "plain", "");
	add(METRIC_LOGIN_TIME, 7, 2, "plain", "");
	add(METRIC_LOGIN_TIME, METRIC_BOUNDS, 3, "plain", "");
	add(METRIC_LOGIN_TIME, LIMIT_METRIC_PARTS, 1234, "plain", "");
	has(PAGE_OPENMETRICS, "penstock_login_duration_seconds_bucket{method=\"plain\",le=\"0.005\"} 1\n"
	                      "penstock_login_duration_seconds_bucket{method=\"plain\",le=\"1.0\"} 2\n"
	                      "penstock_login_duration_seconds_bucket{method=\"plain\",le=\"+Inf\"} 3\n"
	                      "penstock_login_duration_seconds_count{method=\"plain\"} 3\n"
	                      "penstock_login_duration_seconds_sum{method=\"plain\"} 1.234\n");
}

static void what_is_not_in_the_table_is_refused(void **unused)
{
	assert_int_equal(add(METRICS, 0, 1, "", ""), -EINVAL);
	assert_int_equal(add(METRIC_ACCEPTING, 1, 1, "", ""), -EINVAL);
	assert_string_equal(text(PAGE_PLAIN), "");
}

static void the_client_says_which_form(void **unused)
{
	assert_int_equal(page_form_of(NULL), PAGE_PLAIN);
	assert_int_equal(page_form_of("*/*"), PAGE_PLAIN);
	assert_int_equal(page_form_of("text/plain;version=0.0.4;q=0.5"), PAGE_PLAIN);
	assert_int_equal(page_form_of("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"),
	                 PAGE_OPENMETRICS);
}

// OpenMetrics 1.0: a unit is the end of the name, an info has none; and ours: every name begins alike, every bucket is above the
// last.
static void the_table_is_sane(void **unused)
{
	for (unsigned i = 0; i < METRICS; i++) {
		const struct metric_desc *d = &metric_descs[i];
		size_t len = strlen(d->name), unit = strlen(d->unit);

		assert_memory_equal(d->name, "penstock_", 9);
		assert_true(!unit || (len > unit && strcmp(d->name + len - unit, d->unit) == 0));
		assert_true(d->type != METRIC_INFO || !unit);
		assert_true(d->per > 0 && d->help[0]);
		assert_null(strpbrk(d->help, "\\\n\""));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(d->name, metric_descs[j].name);
	}
	for (unsigned i = 1; i < METRIC_BOUNDS; i++)
		assert_true(metric_bounds[i] > metric_bounds[i - 1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counters_end_in_total),
		TEST(an_info_is_a_gauge_to_the_older_form),
		TEST(units_and_the_end_are_openmetrics),
		TEST(numbers_are_exact),
		TEST(a_name_cannot_leave_its_quotes),
		TEST(samples_of_a_metric_stand_together),
		TEST(a_histogram_has_buckets_a_count_and_a_sum),
		TEST(what_is_not_in_the_table_is_refused),
		TEST(the_client_says_which_form),
		cmocka_unit_test(the_table_is_sane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
