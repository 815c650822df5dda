// What a RADIUS server's answer means to us: groups, settings, questions; and that a lie in it makes all of it useless.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "secmod/radius_answer.h"
#include "secmod/radius_packet.h"

#define MICROSOFT 26, 12, 0, 0, 1, 55
#define ROARING_PENGUIN 26, 12, 0, 0, 39, 71
#define FD 0xfd, 0, 0, 0, 0, 0, 0, 0 // the first half of fd00::/8 addresses

static char said[8192]; // "key=value " of each setting
static int most;        // settings that can be kept

static int on_setting(void *who, const char *key, const char *value)
{
	size_t used = strlen(said);

	if (most-- == 0)
		return -ENOSPC;
	snprintf(said + used, sizeof(said) - used, "%s=%s ", key, value);
	return 0;
}

static const char *read_as(uint8_t code, const uint8_t *attributes, size_t len, const char *wanted, char separator,
                           struct radius_answer *out)
{
	const struct radius_reading how = { wanted, separator, on_setting, NULL };
	uint8_t *bytes = malloc(RADIUS_HEADER + len);
	const char *why;

	memset(bytes, 0, RADIUS_HEADER);
	bytes[0] = code;
	if (len > 0)
		memcpy(bytes + RADIUS_HEADER, attributes, len);
	said[0] = '\0';
	most = 1000;
	why = radius_answer_read(bytes, RADIUS_HEADER + len, &how, out);
	free(bytes);
	return why;
}

#define ATTRIBUTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

struct row {
	const uint8_t *attributes;
	size_t len;
	const char *said; // NULL: the answer is useless
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct radius_answer a;
		uint8_t copy[256] = { 0 };
		const char *why;

		if (rows[i].len > 0)
			memcpy(copy, rows[i].attributes, rows[i].len);
		why = read_as(RADIUS_ACCESS_ACCEPT, copy, rows[i].len, "", ';', &a);
		if ((why == NULL) != (rows[i].said != NULL) || (why == NULL && strcmp(said, rows[i].said) != 0))
			fail_msg("row %zu: %s, '%s'", i, why != NULL ? why : "fine", said);
	}
}

// 14122, its attribute 9, of so many letters.
static const char *ends_at(const char *when)
{
	uint8_t bytes[64] = { 26, (uint8_t)(8 + strlen(when)), 0, 0, 14122 >> 8, 14122 & 0xff, 9, (uint8_t)(2 + strlen(when)) };
	struct radius_answer a;

	memcpy(bytes + 8, when, strlen(when));
	return read_as(RADIUS_ACCESS_ACCEPT, bytes, bytes[1], "", ';', &a) == NULL ? said : NULL;
}

static void ends_of_accounts(void **state)
{
	static const char *const wrong[] = {
		"",
		"2027-03-31",
		"2027-03-31 18:00:00",
		"2027-13-31T18:00:00",
		"2027-03-00T18:00:00",
		"2027-03-31T24:00:00",
		"2027-03-31T18:00:00+1:00",
		"2027-03-31T18:00:00+15:00",
		"2027-03-31T18:00:00 01:00",
		"2027-03-31T18:00:00Z ",
		"2027-03-31T18:00:00Europe/Berlin",
		" 027-03-31T18:00:00",
	};

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	assert_string_equal(ends_at("2027-01-31T18:00:00"), "valid-until=2027-01-31 18:00:00 ");
	assert_string_equal(ends_at("2027-01-31T18:00:00Z"), "valid-until=2027-01-31 19:00:00 ");
	assert_string_equal(ends_at("2027-01-31T18:00:00+01:00"), "valid-until=2027-01-31 18:00:00 ");
	assert_string_equal(ends_at("2027-01-31T18:00:00-05:30"), "valid-until=2027-02-01 00:30:00 ");
	assert_string_equal(ends_at("2027-07-31T18:00:00Z"), "valid-until=2027-07-31 20:00:00 ");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (ends_at(wrong[i]) != NULL)
			fail_msg("%s is taken: %s", wrong[i], said);
}

static void addresses(void **state)
{
	const struct row rows[] = {
		{ NULL, 0, "" },
		{ ATTRIBUTES(8, 6, 10, 99, 0, 77), "explicit-ipv4=10.99.0.77 " },
		{ ATTRIBUTES(8, 6, 10, 99, 0, 77, 9, 6, 255, 255, 255, 0), "explicit-ipv4=10.99.0.77 ipv4-network=10.99.0.0/24 " },
		{ ATTRIBUTES(9, 6, 255, 255, 0, 0, 8, 6, 10, 99, 0, 77), "explicit-ipv4=10.99.0.77 ipv4-network=10.99.0.0/16 " },
		{ ATTRIBUTES(8, 6, 10, 99, 0, 77, 9, 6, 255, 255, 255, 255), "explicit-ipv4=10.99.0.77 " },
		{ ATTRIBUTES(8, 6, 10, 99, 0, 1, 9, 6, 255, 255, 255, 0), "explicit-ipv4=10.99.0.1 " }, // the gateway's place
		{ ATTRIBUTES(8, 6, 10, 99, 0, 255, 9, 6, 255, 255, 255, 0), "explicit-ipv4=10.99.0.255 " },
		{ ATTRIBUTES(8, 6, 255, 255, 255, 254), "" }, // we are to choose
		{ ATTRIBUTES(8, 6, 255, 255, 255, 255), "" },
		{ ATTRIBUTES(9, 6, 255, 255, 255, 0), "" },
		{ ATTRIBUTES(9, 6, 255, 0, 255, 0), NULL },
		{ ATTRIBUTES(8, 5, 10, 99, 0), NULL },
		{ ATTRIBUTES(8, 6, 10, 99, 0, 77, 8, 6, 10, 99, 0, 78), NULL },

		{ ATTRIBUTES(168, 18, FD, 0, 0, 0, 0, 0, 0, 0, 7), "explicit-ipv6=fd00::7 " },
		{ ATTRIBUTES(168, 10, FD), NULL },
		{ ATTRIBUTES(97, 12, 0, 64, FD), "route=fd00::/64 " },
		{ ATTRIBUTES(97, 4, 0, 0), "route=default " },
		{ ATTRIBUTES(97, 4, 0, 64), NULL },
		{ ATTRIBUTES(97, 12, 0, 129, FD), NULL },
		{ ATTRIBUTES(97, 5, 0, 4, 0xfd), NULL }, // bits behind the prefix
		{ ATTRIBUTES(123, 12, 0, 56, FD), "explicit-ipv6=fd00:: iroute=fd00::/56 " },
		{ ATTRIBUTES(123, 12, 0, 56, FD, 168, 18, FD, 0, 0, 0, 0, 0, 0, 0, 7), "explicit-ipv6=fd00::7 iroute=fd00::/56 " },
		{ ATTRIBUTES(123, 4, 0, 0), NULL },
	};

	check_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void routes_and_servers(void **state)
{
	const struct row rows[] = {
		{ ATTRIBUTES(22, 12, '1', '0', '.', '1', '.', '0', '.', '0', '/', '8'), "route=10.0.0.0/8 " },
		{ ATTRIBUTES(22, 18, '1', '0', '.', '0', '.', '0', '.', '0', '/', '8', ' ', '0', '.', '0', ' ', '1'),
		  "route=10.0.0.0/8 " },
		{ ATTRIBUTES(22, 10, '1', '0', '.', '0', '.', '0', '.', '0'), "route=10.0.0.0/8 " },
		{ ATTRIBUTES(22, 10, '1', '0', '.', '0', '.', '0', '.', '9'), NULL }, // not meant to be 10.0.0.0/8
		{ ATTRIBUTES(22, 11, '0', '.', '0', '.', '0', '.', '0', '/', '0'), "route=default " },
		{ ATTRIBUTES(22, 9, 'f', 'd', '0', '0', ':', ':', '/'), NULL },
		{ ATTRIBUTES(22, 13, '1', '0', '.', '0', '.', '0', '.', '0', '/', '8', ';'), NULL },
		{ ATTRIBUTES(22, 13, '1', '0', '.', '0', '.', '0', '.', '0', '/', '8', '\n'), NULL },
		{ ATTRIBUTES(22, 13, '1', '0', '.', '0', '.', '0', '.', '0', '/', '8', '\0'), NULL },
		{ ATTRIBUTES(22, 7, '$', '(', 'i', 'd', ')'), NULL },
		{ ATTRIBUTES(22, 2), NULL },
		{ ATTRIBUTES(99, 9, 'f', 'd', '0', '0', ':', ':', '7'), "route=fd00::7/128 " },
		{ ATTRIBUTES(99, 10, 'f', 'd', '0', '0', ':', ':', '/', '8'), "route=fd00::/8 " },

		{ ATTRIBUTES(MICROSOFT, 28, 6, 10, 0, 0, 53, MICROSOFT, 29, 6, 10, 0, 0, 54), "dns=10.0.0.53 dns=10.0.0.54 " },
		{ ATTRIBUTES(169, 18, FD, 0, 0, 0, 0, 0, 0, 0, 5), "dns=fd00::5 " },
		{ ATTRIBUTES(169, 6, 10, 0, 0, 53), NULL },
		{ ATTRIBUTES(26, 11, 0, 0, 1, 55, 28, 5, 10, 0, 0), NULL },
		{ ATTRIBUTES(MICROSOFT, 16, 6, 1, 2, 3, 4), "" }, // another of Microsoft's
	};

	check_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void times_and_limits(void **state)
{
	const struct row rows[] = {
		{ ATTRIBUTES(27, 6, 0, 0, 14, 16), "session-timeout=3600 " },
		{ ATTRIBUTES(28, 6, 0, 0, 0, 60), "idle-timeout=60 " },
		{ ATTRIBUTES(85, 6, 0, 0, 2, 88), "stats-report-time=600 " },
		{ ATTRIBUTES(85, 6, 0, 0, 0, 1), "stats-report-time=10 " },
		{ ATTRIBUTES(27, 6, 0xff, 0xff, 0xff, 0xff), "session-timeout=2147483647 " },
		{ ATTRIBUTES(27, 6, 0, 0, 0, 0, 28, 6, 0, 0, 0, 0, 85, 6, 0, 0, 0, 0), "" }, // that is no limit, and not said
		{ ATTRIBUTES(27, 5, 0, 14, 16), NULL },
		{ ATTRIBUTES(27, 6, 0, 0, 14, 16, 27, 6, 0, 0, 14, 16), NULL },

		{ ATTRIBUTES(ROARING_PENGUIN, 1, 6, 0, 0, 0, 8), "rx-data-per-sec=1000 " },
		{ ATTRIBUTES(ROARING_PENGUIN, 2, 6, 0xff, 0xff, 0xff, 0xff), "tx-data-per-sec=536870911875 " },
		{ ATTRIBUTES(26, 11, 0, 0, 39, 71, 1, 5, 0, 0, 8), NULL },
		{ ATTRIBUTES(26, 11, 0, 0, 39, 71, 1, 6, 0, 0, 8), NULL }, // a limit that cannot be read is still one
		{ ATTRIBUTES(26, 8, 0, 0, 0, 9, 1, 2), "" },               // nobody's we know

		{ ATTRIBUTES(6, 6, 0, 0, 0, 2), "" },
		{ ATTRIBUTES(6, 6, 0, 0, 0, 6), NULL }, // an administrator's shell
		{ ATTRIBUTES(6, 3, 2), NULL },
		{ ATTRIBUTES(11, 4, 'x', ';', 250, 2), "" }, // not for us
	};

	check_rows(rows, sizeof(rows) / sizeof(*rows));
}

// Class after Class.
static void groups(void **state)
{
	static const struct {
		const char *classes[3], *wanted, *group; // group NULL: the answer is useless; "-": not a member
		char separator;
	} rows[] = {
		{ { NULL }, "", "", ';' },
		{ { NULL }, "staff", "-", ';' },
		{ { "staff" }, "", "staff", ';' },
		{ { "OU=staff" }, "", "staff", ';' },
		{ { "OU=staff;guests" }, "", "staff", ';' },
		{ { "OU=staff;guests" }, "guests", "guests", ';' },
		{ { "OU=staff;guests" }, "guest", "-", ';' },
		{ { "OU=staff, guests" }, "guests", "guests", ',' },
		{ { "OU=staff;guests" }, "", "staff;guests", ',' },
		{ { "OU= staff ;; guests ;" }, "guests", "guests", ';' },
		{ { "OU=" }, "", "", ';' },
		{ { "staff", "guests" }, "guests", "guests", ';' },
		{ { "OU=staff", "OU=guests" }, "", "staff", ';' },
		{ { "CACS:0a1e:ise/1", "OU=staff" }, "", "staff", ';' }, // a server's own, for accounting
		{ { "\x01\x02", "staff" }, "", "staff", ';' },
		{ { "..", "../../etc" }, "", "", ';' },
		{ { "OU=../x" }, "", NULL, ';' },
		{ { "OU=a:b" }, "", NULL, ';' },
		{ { "OU=staff\n" }, "", NULL, ';' },
		{ { "OU=.hidden" }, "", NULL, ';' },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t bytes[256];
		struct radius_answer a;
		const char *why, *group;
		size_t len = 0;

		for (size_t k = 0; k < 3 && rows[i].classes[k] != NULL; k++) {
			bytes[len] = RADIUS_CLASS;
			bytes[len + 1] = (uint8_t)(2 + strlen(rows[i].classes[k]));
			memcpy(bytes + len + 2, rows[i].classes[k], strlen(rows[i].classes[k]));
			len += bytes[len + 1];
		}
		why = read_as(RADIUS_ACCESS_ACCEPT, bytes, len, rows[i].wanted, rows[i].separator, &a);
		group = why != NULL ? NULL : a.member ? a.group : "-";
		if ((group == NULL) != (rows[i].group == NULL) || (group != NULL && strcmp(group, rows[i].group) != 0))
			fail_msg("row %zu: %s, '%s'", i, why != NULL ? why : "fine", group);
	}
}

static void as_many_as_there_may_be(void **state)
{
	uint8_t bytes[RADIUS_MAX];
	struct radius_answer a;
	size_t len = 0;

	for (unsigned i = 0; i < RADIUS_GROUPS_MAX; i++, len += 4)
		memcpy(bytes + len, "\x19\x04g", 3), bytes[len + 3] = (uint8_t)('a' + i % 26);
	assert_null(read_as(RADIUS_ACCESS_ACCEPT, bytes, len, "gz", ';', &a));
	assert_string_equal(a.group, "gz");
	memcpy(bytes + len, "\x19\x03g", 3);
	assert_string_equal(read_as(RADIUS_ACCESS_ACCEPT, bytes, len + 3, "", ';', &a), "Class names too many groups");

	// more settings than can be kept: nobody gets in with a part of them
	const struct radius_reading how = { "", ';', on_setting, NULL };

	memset(bytes, 0, RADIUS_HEADER);
	bytes[0] = RADIUS_ACCESS_ACCEPT;
	memcpy(bytes + RADIUS_HEADER, "\x1b\x06\0\0\0\x09\x08\x06\x0a\x63\0\x09", 12);
	for (most = 0; most < 2;) {
		const int room = most;

		said[0] = '\0';
		assert_string_equal(radius_answer_read(bytes, RADIUS_HEADER + 12, &how, &a),
		                    "it grants more than a session can keep");
		most = room + 1;
	}
	assert_null(radius_answer_read(bytes, RADIUS_HEADER + 12, &how, &a));
}

// groupconfig=false: groups count, settings do not.
static void without_settings(void **state)
{
	const struct radius_reading how = { "", ';', NULL, NULL };
	uint8_t bytes[RADIUS_HEADER + 18] = { RADIUS_ACCESS_ACCEPT };
	struct radius_answer a;

	memcpy(bytes + RADIUS_HEADER, "\x19\x07staff\x08\x03\x01\x1b\x06\0\0\0\x09", 16);
	assert_null(radius_answer_read(bytes, RADIUS_HEADER + 16, &how, &a));
	assert_string_equal(a.group, "staff");
	memcpy(bytes + RADIUS_HEADER, "\x06\x06\0\0\0\x06", 6); // what it says of the service counts all the same
	assert_non_null(radius_answer_read(bytes, RADIUS_HEADER + 6, &how, &a));
}

static void questions(void **state)
{
	static const uint8_t question[] = { 18, 7, 'C', 'o', 'd', 'e', ' ', 18, 6, '\n', 0, 27, '?', 24,
		                            5,  1, 0,   2,   76,  6,   0,   0,  0, 1,    8, 3,  1 };
	static const uint8_t two_states[] = { 24, 3, 1, 24, 3, 1 };
	uint8_t longest[10 * 255];
	struct radius_answer a;

	assert_null(read_as(RADIUS_ACCESS_CHALLENGE, question, sizeof(question), "staff", ';', &a));
	assert_int_equal(a.code, RADIUS_ACCESS_CHALLENGE);
	assert_string_equal(a.message, "Code    ?"); // what could move a terminal's cursor is blank
	assert_true(a.echo);
	assert_int_equal(a.state_len, 3);
	assert_memory_equal(a.state, "\1\0\2", 3);
	assert_string_equal(said, "");
	assert_non_null(read_as(RADIUS_ACCESS_CHALLENGE, two_states, sizeof(two_states), "", ';', &a));
	assert_null(read_as(RADIUS_ACCESS_REJECT, question, sizeof(question), "", ';', &a));
	assert_non_null(read_as(RADIUS_ACCESS_REQUEST, NULL, 0, "", ';', &a));

	memset(longest, 'x', sizeof(longest));
	for (size_t i = 0; i < sizeof(longest); i += 255)
		longest[i] = 18, longest[i + 1] = 255;
	assert_null(read_as(RADIUS_ACCESS_CHALLENGE, longest, sizeof(longest), "", ';', &a));
	assert_int_equal(strlen(a.message), LIMIT_PROMPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_of_accounts), cmocka_unit_test(addresses), cmocka_unit_test(routes_and_servers),
		cmocka_unit_test(times_and_limits), cmocka_unit_test(groups),    cmocka_unit_test(as_many_as_there_may_be),
		cmocka_unit_test(without_settings), cmocka_unit_test(questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
