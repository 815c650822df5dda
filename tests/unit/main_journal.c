// Entries for systemd's journal, byte for byte.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "control/main/journal.h"
#include "proto/messages.h"

static void is(const struct journal_line *l, const char *expected)
{
	char out[JOURNAL_ENTRY_MAX + 1];
	size_t n = journal_entry(l, out);

	out[n] = 0;
	assert_string_equal(out, expected);
}

static void a_line(void **unused)
{
	is(&(struct journal_line){ LOG_WARNING, LOG_DAEMON, "penstock-worker[12]", "it's late", NULL },
	   "PRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=penstock-worker\nSYSLOG_PID=12\nMESSAGE=it's late\n");
	is(&(struct journal_line){ LOG_INFO, LOG_LOCAL0, "sec-mod", "x", NULL },
	   "PRIORITY=6\nSYSLOG_FACILITY=16\nSYSLOG_IDENTIFIER=sec-mod\nMESSAGE=x\n");
}

static void no_field_can_be_forged(void **unused)
{
	is(&(struct journal_line){ LOG_INFO, LOG_DAEMON, "w[1\nUSER=root]", "a\nPRIORITY=0\x7f", NULL },
	   "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=w\nSYSLOG_PID=1?USER=root\nMESSAGE=a?PRIORITY=0?\n");
}

static void an_event(void **unused)
{
	struct msg_admin_event m = {
		.kind = EVENT_BAN, .user = "anna", .vhost = "default", .seconds = 300, .sid_len = 2, .sid = { 1, 0xab }
	};

	assert_int_equal(addr_parse("2001:db8::/64", &m.client), 0);
	is(&(struct journal_line){ LOG_NOTICE, LOG_DAEMON, "penstockd[1]", "banned", &m },
	   "PRIORITY=5\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=penstockd\nSYSLOG_PID=1\nMESSAGE=banned\nPENSTOCK_EVENT=ban\nPENSTOCK_"
	   "USER=anna\n"
	   "PENSTOCK_VHOST=default\nPENSTOCK_SESSION=01ab\nPENSTOCK_CLIENT=2001:db8::/64\nPENSTOCK_SECONDS=300\n");
}

static void it_has_an_end(void **unused)
{
	static char text[2 * JOURNAL_ENTRY_MAX];
	static char out[JOURNAL_ENTRY_MAX];
	struct msg_admin_event m = { .kind = EVENT_LOGIN, .user = "anna" };
	const struct journal_line l = { LOG_INFO, LOG_DAEMON, "penstockd[1]", text, &m };

	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(journal_entry(&l, out), JOURNAL_ENTRY_MAX);
	assert_int_equal(out[JOURNAL_ENTRY_MAX - 1], '\n');
}

static void whose_stderr(void **unused)
{
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	assert_true(journal_has(STDERR_FILENO, stream));
	assert_false(journal_has(STDERR_FILENO, NULL));
	assert_false(journal_has(STDERR_FILENO, "8:1"));
	strcat(stream, "x");
	assert_false(journal_has(STDERR_FILENO, stream));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line),        cmocka_unit_test(no_field_can_be_forged), cmocka_unit_test(an_event),
		cmocka_unit_test(it_has_an_end), cmocka_unit_test(whose_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
