// Answers on paper: what people and programs read for given cells.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/render.h"
#include "control/ctl/text.h"

#define NOW 1000000

static struct answer a;
static uint32_t record;
static struct look look = { .now = NOW };

static void cell(uint8_t kind, const char *section, const char *key, const char *text, uint64_t number)
{
	struct msg_admin_value v = { .record = record, .kind = kind, .number = number };

	snprintf(v.section, sizeof(v.section), "%s", section);
	snprintf(v.key, sizeof(v.key), "%s", key);
	snprintf(v.text, sizeof(v.text), "%s", text);
	assert_int_equal(answer_add(&a, &v), 0);
}

#define TEXT(key, text) cell(VALUE_TEXT, "", key, text, 0)
#define NUMBER(key, n) cell(VALUE_NUMBER, "", key, "", n)
#define NEXT record++

static void prints(const char *words, bool json, const char *want)
{
	const struct command *c = commands;
	size_t room;
	char *got;
	FILE *out;

	while (strcmp(c->words, words) != 0)
		c++;
	out = open_memstream(&got, &room);
	assert_int_equal(json ? render_json(out, c, &a) : render_text(out, c, &a, &look), 0);
	fclose(out);
	assert_string_equal(got, want);
	free(got);
}

static int clear(void **state)
{
	look.colours = false;
	answer_fini(&a);
	record = 0;
	return 0;
}

static void two_bans(void)
{
	TEXT("IP", "192.0.2.1");
	NUMBER("Score", 80);
	NEXT;
	TEXT("IP", "2001:db8::/64");
	NUMBER("Score", 1200);
}

static void tables_stand_in_columns(void **state)
{
	two_bans();
	prints("show ip bans", false,
	       "ip             score  expires\n"
	       "192.0.2.1         80         \n"
	       "2001:db8::/64   1200         \n");
}

static void lists_are_arrays_of_objects(void **state)
{
	two_bans();
	prints("show ip bans", true,
	       "[\n  {\n    \"IP\": \"192.0.2.1\",\n    \"Score\": 80\n  },\n"
	       "  {\n    \"IP\": \"2001:db8::/64\",\n    \"Score\": 1200\n  }\n]\n");
}

static void nothing_is_said_in_words(void **state)
{
	prints("show users", false, "nobody is connected\n");
	prints("show users", true, "[]\n");
	prints("show status", true, "{}\n");
}

static void a_column_may_have_two_keys(void **state)
{
	NUMBER("ID", 7);
	TEXT("Username", "anna");
	TEXT("IPv4", "");
	TEXT("IPv6", "fd00::2");
	NUMBER("raw_connected_at", NOW - 3700);
	prints("show users", false,
	       "id  user  vhost  ip  vpn-ip   device  since   dtls-cipher  status\n"
	       " 7  anna             fd00::2          1h:01m                     \n");
}

static void records_are_lines(void **state)
{
	NUMBER("ID", 7);
	TEXT("Username", "anna");
	NUMBER("raw_connected_at", NOW);
	NUMBER("_RX", 5);
	TEXT("RX", "5 bytes");
	TEXT("Groupname", "");
	TEXT("Location", "unknown");
	cell(VALUE_LIST, "", "DNS", "192.0.2.53", 0);
	cell(VALUE_LIST, "", "DNS", "192.0.2.54", 0);
	cell(VALUE_BOOL, "", "Restricted to routes", "", 1);
	NEXT;
	NUMBER("ID", 9);
	TEXT("Username", "unknown");
	prints("show user", false,
	       "\tID: 7\n\tUsername: anna\n\tRX: 5 bytes\n\tDNS: 192.0.2.53, 192.0.2.54\n\tRestricted to routes: yes\n\n\tID: 9\n"
	       "\tUsername: unknown\n");
}

static void times_say_how_long_ago(void **state)
{
	TEXT("Up since", "2026-01-02 03:04");
	TEXT("_Up since", "5m:02s");
	cell(VALUE_NUMBER, "", "RX", "5000 (5.0 KB)", 5000);
	TEXT("_RX", "5.0 KB");
	prints("show user", false, "\tUp since: 2026-01-02 03:04 (5m:02s)\n\tRX: 5000 (5.0 KB)\n");
}

static void terminals_have_colours(void **state)
{
	look.colours = true;
	TEXT("State", "connected");
	NUMBER("Dropped packets", 3);
	NEXT;
	TEXT("State", "connecting");
	NUMBER("Dropped packets", 0);
	prints("show user", false,
	       "\tState: \033[32mconnected\033[0m\n\tDropped packets: \033[31m3\033[0m\n\n\tState: "
	       "\033[33mconnecting\033[0m\n\tDropped "
	       "packets: 0\n");
	prints("show users", false,
	       "id  user  vhost  ip  vpn-ip  device  since  dtls-cipher  status\n"
	       "                                                         \033[32mconnected\033[0m\n"
	       "                                                         \033[33mconnecting\033[0m\n");
}

static void a_record_may_have_records(void **state)
{
	TEXT("Username", "anna");
	NEXT;
	cell(VALUE_TEXT, "raw_last_drops", "counter", "drop_spoof", 0);
	cell(VALUE_NUMBER, "raw_last_drops", "times", "", 2);
	NEXT;
	cell(VALUE_TEXT, "raw_last_drops", "counter", "drop_mac", 0);
	prints("show id", false, "\tUsername: anna\n");
	prints("show id", true,
	       "[\n  {\n    \"Username\": \"anna\",\n    \"raw_last_drops\": [\n      {\n        \"counter\": \"drop_spoof\",\n"
	       "        \"times\": 2\n      },\n      {\n        \"counter\": \"drop_mac\"\n      }\n    ]\n  }\n]\n");
}

static void json_keeps_types(void **state)
{
	NUMBER("ID", 7);
	cell(VALUE_NUMBER, "", "RX", "5 bytes", UINT64_MAX);
	TEXT("Groupname", "");
	cell(VALUE_LIST, "", "DNS", "192.0.2.53", 0);
	cell(VALUE_LIST, "", "DNS", "192.0.2.54", 0);
	cell(VALUE_LIST, "", "Routes", "", 0);
	cell(VALUE_BOOL, "", "in_use", "", 0);
	prints("show user", true,
	       "[\n  {\n    \"ID\": 7,\n    \"RX\": 9223372036854775807,\n    \"Groupname\": \"\",\n"
	       "    \"DNS\": [\n      \"192.0.2.53\",\n      \"192.0.2.54\"\n    ],\n    \"Routes\": [],\n    \"in_use\": false\n  "
	       "}\n]\n");
}

static void status_and_ports(void)
{
	TEXT("Status", "online");
	NUMBER("Active sessions", 2);
	NEXT;
	cell(VALUE_TEXT, "ports", "name", "outer0", 0);
	cell(VALUE_NUMBER, "ports", "rx", "", 10);
	NEXT;
	cell(VALUE_TEXT, "ports", "name", "inner", 0);
	cell(VALUE_NUMBER, "ports", "rx", "", 12345);
	NEXT;
	cell(VALUE_NUMBER, "cores", "cpu", "", 0);
	NEXT;
	cell(VALUE_TEXT, "counters", "name", "drop_replay", 0);
	cell(VALUE_NUMBER, "counters", "value", "0", 0);
	NEXT;
	cell(VALUE_TEXT, "counters", "name", "drop_spoof", 0);
	cell(VALUE_NUMBER, "counters", "value", "3", 3);
	NEXT;
	TEXT("memory", "ordinary pages");
}

static void sections_are_tables(void **state)
{
	status_and_ports();
	prints("show dataplane", false,
	       "\t         Status: online\n\tActive sessions: 2\n\tmemory: ordinary pages\n\nports:\n        name       rx\n       "
	       " outer0     10\n        "
	       "inner   12345\n"
	       "\ncores:\n        cpu\n          0\n\ncounters:\n        name        value\n        drop_spoof      3\n");
}

static void sections_are_arrays(void **state)
{
	status_and_ports();
	prints("show dataplane", true,
	       "{\n  \"Status\": \"online\",\n  \"Active sessions\": 2,\n  \"ports\": [\n    {\n      \"name\": \"outer0\",\n      "
	       "\"rx\": 10\n    },\n"
	       "    {\n      \"name\": \"inner\",\n      \"rx\": 12345\n    }\n  ],\n  \"cores\": [\n    {\n      \"cpu\": 0\n    "
	       "}\n  ],\n"
	       "  \"counters\": [\n    {\n      \"name\": \"drop_replay\",\n      \"value\": 0\n    },\n"
	       "    {\n      \"name\": \"drop_spoof\",\n      \"value\": 3\n    }\n  ],\n  \"memory\": \"ordinary pages\"\n}\n");
}

static void a_deed_is_a_sentence(void **state)
{
	snprintf(a.message, sizeof(a.message), "user \"anna\" was disconnected");
	prints("disconnect user", false, "user \"anna\" was disconnected\n");
	prints("disconnect user", true, "{\n  \"message\": \"user \\\"anna\\\" was disconnected\"\n}\n");
}

// What a client calls itself reaches a root terminal: no byte of it may steer that terminal.
static void no_text_steers_the_terminal(void **state)
{
	TEXT("Username", "a\033[2Jb");
	TEXT("Hostname", "\xe2\x80\xae"
	                 "evil\x9b\xff");
	prints("show user", false, "\tUsername: a\\x1b[2Jb\n\tHostname: \\xe2\\x80\\xaeevil\\x9b\\xff\n");
	prints("show user", true,
	       "[\n  {\n    \"Username\": \"a\\\\x1b[2Jb\",\n    \"Hostname\": \"\\\\xe2\\\\x80\\\\xaeevil\\\\x9b\\\\xff\"\n  "
	       "}\n]\n");
}

static void widths_are_columns(void **state)
{
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("anna"), 4);
	assert_int_equal(text_width("Jürgen"), 6);
	assert_int_equal(text_width("日本"), 4);
	assert_int_equal(text_width("e\xcc\x81"), 1); // a combining accent
	assert_int_equal(text_width("\x1b\xff"), 8);
}

static void age(uint64_t seconds, const char *want)
{
	char out[32];

	text_age(seconds, out, sizeof(out));
	assert_string_equal(out, want);
}

static void ages_are_short(void **state)
{
	age(0, "0s");
	age(59, "59s");
	age(60, "1m:00s");
	age(3599, "59m:59s");
	age(3600, "1h:00m");
	age(86399, "23h:59m");
	age(86400, "1d:00h");
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, clear)
	const struct CMUnitTest tests[] = {
		T(tables_stand_in_columns),     T(lists_are_arrays_of_objects), T(nothing_is_said_in_words),
		T(a_column_may_have_two_keys),  T(records_are_lines),           T(json_keeps_types),
		T(times_say_how_long_ago),      T(a_record_may_have_records),   T(terminals_have_colours),
		T(sections_are_tables),         T(sections_are_arrays),         T(a_deed_is_a_sentence),
		T(no_text_steers_the_terminal), T(widths_are_columns),          T(ages_are_short),
	};

	text_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
