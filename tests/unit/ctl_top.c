// What `top` makes of two looks: rates, their order, and what has come or gone meanwhile.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/ctl/top.h"

static struct top before, now;
static struct answer out;
static uint32_t record;

static void cell(struct answer *a, uint8_t kind, const char *section, const char *key, const char *text, uint64_t number)
{
	struct msg_admin_value v = { .record = record, .kind = kind, .number = number };

	snprintf(v.section, sizeof(v.section), "%s", section);
	snprintf(v.key, sizeof(v.key), "%s", key);
	snprintf(v.text, sizeof(v.text), "%s", text);
	assert_int_equal(answer_add(a, &v), 0);
}

static void user(struct top *t, uint64_t id, const char *name, uint64_t rx, uint64_t tx)
{
	record++;
	cell(&t->users, VALUE_NUMBER, "", "ID", "", id);
	cell(&t->users, VALUE_TEXT, "", "Username", name, 0);
	cell(&t->users, VALUE_NUMBER, "", "RX", "", rx);
	cell(&t->users, VALUE_NUMBER, "", "TX", "", tx);
}

static void counter(struct top *t, const char *name, const char *role, uint64_t value)
{
	record++;
	cell(&t->dataplane, VALUE_TEXT, "counters", "name", name, 0);
	cell(&t->dataplane, VALUE_NUMBER, "counters", "value", "", value);
	cell(&t->dataplane, VALUE_TEXT, "counters", "role", role, 0);
}

// "anna 8000 16000, bert 0 0": users and their rates in bits a second.
static const char *users(enum top_order by)
{
	static char text[512];
	size_t from, end;

	answer_fini(&out);
	assert_int_equal(top_between(&before, &now, by, &out), 0);
	text[0] = '\0';
	for (from = 0; from < out.count; from = end) {
		end = answer_record_end(&out, from);
		if (strcmp(out.cells[from].section, "users") == 0)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s %llu %llu", text[0] ? ", " : "",
			         answer_cell(&out, from, end, "Username")->text,
			         (unsigned long long)answer_cell(&out, from, end, "raw_rx_bits")->number,
			         (unsigned long long)answer_cell(&out, from, end, "raw_tx_bits")->number);
	}
	return text;
}

static uint64_t whole(const char *key)
{
	return answer_cell(&out, 0, answer_record_end(&out, 0), key)->number;
}

static int clear(void **state)
{
	top_fini(&before);
	top_fini(&now);
	answer_fini(&out);
	record = 0;
	before.at_ms = 1000;
	now.at_ms = 3000;
	return 0;
}

static void rates_are_bits_a_second(void **state)
{
	user(&before, 1, "anna", 1000, 2000);
	user(&now, 1, "anna", 3000, 6000);
	assert_string_equal(users(TOP_TRAFFIC), "anna 8000 16000");
	now.at_ms = before.at_ms;
	assert_string_equal(users(TOP_TRAFFIC), "anna 0 0");
}

static void connections_come_and_go(void **state)
{
	user(&before, 1, "gone", 1000, 2000);
	user(&before, 3, "anew", 9000, 9000);
	user(&now, 2, "new", 250, 500);
	user(&now, 3, "anew", 100, 100); // its counters were begun again
	assert_string_equal(users(TOP_TRAFFIC), "new 1000 2000, anew 0 0");
	assert_int_equal(whole("Connected"), 2);
	assert_int_equal(whole("raw_rx_bits"), 1000);
}

static void orders(void **state)
{
	user(&before, 1, "anna", 0, 1000);
	user(&before, 2, "bert", 0, 0);
	user(&before, 3, "carl", 0, 0);
	user(&now, 1, "anna", 250, 1000);
	user(&now, 2, "bert", 0, 1000);
	user(&now, 3, "carl", 500, 0);
	assert_string_equal(users(TOP_TRAFFIC), "bert 0 4000, carl 2000 0, anna 1000 0");
	assert_string_equal(users(TOP_RX), "carl 2000 0, anna 1000 0, bert 0 4000");
	assert_string_equal(users(TOP_TX), "bert 0 4000, anna 1000 0, carl 2000 0");
	assert_string_equal(users(TOP_TOTAL), "anna 1000 0, bert 0 4000, carl 2000 0");
	assert_string_equal(users(TOP_NAME), "anna 1000 0, bert 0 4000, carl 2000 0");
}

static void drops_have_names(void **state)
{
	size_t from = 0;

	counter(&before, "drop_mac", "drop", 10);
	counter(&before, "outer_rx", "in", 10);
	counter(&now, "drop_mac", "drop", 30);
	counter(&now, "drop_spoof", "drop", 0);
	counter(&now, "outer_rx", "in", 30);
	assert_string_equal(users(TOP_NAME), "");
	while (strcmp(out.cells[from].section, "drops") != 0)
		from++;
	assert_string_equal(out.cells[from].text, "drop_mac");
	assert_int_equal(out.cells[from + 1].number, 10);
	assert_int_equal(out.count, from + 2);
}

static void rates_are_short(void **state)
{
	char text[32];

#define R(bits, want)                       \
	top_rate(bits, text, sizeof(text)); \
	assert_string_equal(text, want)
	R(0, "0 bit/s");
	R(999, "999 bit/s");
	R(1000, "1.0 kbit/s");
	R(1234567, "1.2 Mbit/s");
	R(98765432100, "98.8 Gbit/s");
	R(UINT64_MAX, "18446.7 Pbit/s");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, clear, clear)
	const struct CMUnitTest tests[] = {
		T(rates_are_bits_a_second), T(connections_come_and_go), T(orders), T(drops_have_names), T(rates_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
