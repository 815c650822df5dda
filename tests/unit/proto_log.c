// The log: one write a line, nothing that a peer can forge; and the small secret functions.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/err.h"
#include "proto/log.h"
#include "proto/secret.h"

static int reading = -1, old_stderr = -1;

static int catch_stderr(void **state)
{
	int fds[2];

	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return -1;
	reading = fds[0];
	old_stderr = dup(2);
	dup2(fds[1], 2);
	close(fds[1]);
	log_init("test", LOG_LEVEL_INFO, LOG_FORM_PLAIN);
	return 0;
}

static int release_stderr(void **state)
{
	dup2(old_stderr, 2);
	close(old_stderr);
	close(reading);
	return 0;
}

static const char *logged(void)
{
	static char line[8192];
	ssize_t n = read(reading, line, sizeof(line) - 1);

	line[n > 0 ? n : 0] = 0;
	return line;
}

static const char *expect(const char *form, const char *text)
{
	static char line[4096];

	snprintf(line, sizeof(line), form, (int)getpid(), text);
	return line;
}

static void one_line_an_event(void **state)
{
	log_info("user %s is in", "alice");
	assert_string_equal(logged(), expect("test[%d]: %s\n", "user alice is in"));
	log_debug("too fine");
	assert_string_equal(logged(), "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("now fine");
	assert_string_equal(logged(), expect("test[%d]: %s\n", "now fine"));
	log_init("test", LOG_LEVEL_INFO, LOG_FORM_PRIORITY);
	log_err("bad");
	assert_string_equal(logged(), expect("<3>test[%d]: %s\n", "bad"));
}

static void peers_are_prefixed(void **state)
{
	log_set_peer("[17 192.0.2.1] ");
	log_info("hello");
	assert_string_equal(logged(), expect("test[%d]: %s\n", "[17 192.0.2.1] hello"));
	log_set_peer("");
	log_info("hello");
	assert_string_equal(logged(), expect("test[%d]: %s\n", "hello"));
}

static void nobody_forges_a_line(void **state)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{ "a\nroot logged in", "a\\x0aroot logged in" },
		{ "a\rb\tc", "a\\x0db\\x09c" },
		{ "\x1b[2J", "\\x1b[2J" },
		{ "Zo\xc3\xab", "Zo\xc3\xab" },
		{ "\xc2\x9b", "\\xc2\\x9b" },
		{ "\xff\xc3", "\\xff\\xc3" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		log_info("%s", rows[i].text);
		assert_string_equal(logged(), expect("test[%d]: %s\n", rows[i].shown));
	}
}

static void long_lines_are_cut_and_whole(void **state)
{
	char text[6000];
	const char *line;
	int filler;

	for (filler = 0; filler < 2; filler++) {
		memset(text, filler ? '\n' : 'a', sizeof(text) - 1);
		text[sizeof(text) - 1] = 0;
		log_info("%s", text);
		line = logged();
		assert_in_range(strlen(line), 1500, 2048);
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	}
}

static char sunk[256];
static void sink(enum log_level level, const char *line)
{
	snprintf(sunk, sizeof(sunk), "%d %s", (int)level, line);
}

static void a_sink_takes_the_bare_line(void **state)
{
	log_set_sink(sink);
	log_warn("to\nsyslog");
	log_set_sink(NULL);
	assert_string_equal(sunk, "4 to\\x0asyslog");
	assert_string_equal(logged(), "");
}

static void errors_keep_errno(void **state)
{
	errno = ENOSPC;
	assert_int_equal(errno_log(EPROTO, "mtu above offer"), -EPROTO);
	assert_int_equal(errno, ENOSPC);
	assert_string_equal(logged(), expect("test[%d]: %s\n", "mtu above offer"));
}

static void secrets(void **state)
{
	uint8_t a[64] = { 1 }, b[64] = { 1 }, zero[64] = { 0 };

	assert_true(secret_equal(a, b, 64));
	assert_true(secret_equal(a, zero, 0));
	b[63] ^= 0x80;
	assert_false(secret_equal(a, b, 64));
	assert_true(secret_equal(a, b, 63));
	secret_wipe(a, sizeof(a));
	assert_memory_equal(a, zero, 64);
	secret_wipe(NULL, 0);
	assert_int_equal(secret_random(a, 64), 0);
	assert_int_equal(secret_random(b, 64), 0);
	assert_memory_not_equal(a, b, 64);
}

int main(void)
{
#define CAUGHT(f) cmocka_unit_test_setup_teardown(f, catch_stderr, release_stderr)
	const struct CMUnitTest tests[] = {
		CAUGHT(one_line_an_event),          CAUGHT(peers_are_prefixed),
		CAUGHT(nobody_forges_a_line),       CAUGHT(long_lines_are_cut_and_whole),
		CAUGHT(a_sink_takes_the_bare_line), CAUGHT(errors_keep_errno),
		cmocka_unit_test(secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
