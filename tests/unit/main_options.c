// penstockd's command line.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/main/options.h"

static struct options o;

// Words separated by one space each; what it prints is not of interest.
static enum options_next parse(const char *line)
{
	static char copy[256];
	char *argv[16], *save = NULL;
	int argc = 0, out = dup(1), err = dup(2), null = open("/dev/null", O_WRONLY);
	enum options_next next;

	snprintf(copy, sizeof(copy), "penstockd %s", line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	fflush(stdout);
	dup2(null, 1);
	dup2(null, 2);
	next = options_parse(argc, argv, &o);
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	close(null);
	return next;
}

static void nothing_means_a_daemon(void **state)
{
	assert_int_equal(parse(""), OPTIONS_RUN);
	assert_null(o.config);
	assert_null(o.pid_file);
	assert_int_equal(o.debug, -1);
	assert_int_equal(o.syslog_facility, -1);
	assert_false(o.foreground || o.test_config || o.traceable || o.no_chdir || o.log_stderr || o.syslog);
	assert_false(options_to_stderr(&o));
}

static void letters_and_words(void **state)
{
	static const char *const lines[] = {
		"-f -d 4 -c /a -p /b -t -x",
		"-ftx -d4 -c/a -p/b",
		"--foreground --debug=4 --config=/a --pid-file=/b --test-config --traceable",
		"--foreground --debug 4 --config /a --pid-file /b --test-config --traceable",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		assert_int_equal(parse(lines[i]), OPTIONS_RUN);
		assert_string_equal(o.config, "/a");
		assert_string_equal(options_config(&o), "/a");
		assert_string_equal(o.pid_file, "/b");
		assert_int_equal(o.debug, 4);
		assert_true(o.foreground && o.test_config && o.traceable);
		assert_false(o.no_chdir || o.log_stderr || o.syslog);
	}
	assert_int_equal(parse("--no-chdir --syslog --syslog-facility=local3"), OPTIONS_RUN);
	assert_true(o.no_chdir && o.syslog);
	assert_int_equal(o.syslog_facility, LOG_LOCAL3);
	assert_int_equal(parse("--syslog-facility kern"), OPTIONS_RUN);
	assert_int_equal(o.syslog_facility, LOG_KERN);
}

static void where_the_log_goes(void **state)
{
#define L(line, expected)                                          \
	do {                                                       \
		assert_int_equal(parse(line), OPTIONS_RUN);        \
		assert_int_equal(options_to_stderr(&o), expected); \
	} while (0)
	L("", false);
	L("-f", true);
	L("-f --syslog", false);
	L("--syslog", false);
	L("--log-stderr", true);
	L("-f --log-stderr", true);
}

static void wrong_and_done(void **state)
{
	struct options before;

	assert_int_equal(parse("-d 5"), OPTIONS_RUN);
	before = o;
	assert_int_equal(parse("--help"), OPTIONS_DONE);
	assert_int_equal(parse("-h"), OPTIONS_DONE);
	assert_int_equal(parse("-v"), OPTIONS_DONE);
	assert_int_equal(parse("--version"), OPTIONS_DONE);
	assert_int_equal(parse("-d 10"), OPTIONS_WRONG);
	assert_int_equal(parse("-d -1"), OPTIONS_WRONG);
	assert_int_equal(parse("-d x"), OPTIONS_WRONG);
	assert_int_equal(parse("-d"), OPTIONS_WRONG);
	assert_int_equal(parse("-c"), OPTIONS_WRONG);
	assert_int_equal(parse("-q"), OPTIONS_WRONG);
	assert_int_equal(parse("--quiet"), OPTIONS_WRONG);
	assert_int_equal(parse("start"), OPTIONS_WRONG);
	assert_int_equal(parse("--syslog-facility=x"), OPTIONS_WRONG);
	assert_int_equal(parse("--log-stderr --syslog"), OPTIONS_WRONG);
	assert_memory_equal(&before, &o, sizeof(o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_means_a_daemon),
		cmocka_unit_test(letters_and_words),
		cmocka_unit_test(where_the_log_goes),
		cmocka_unit_test(wrong_and_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
