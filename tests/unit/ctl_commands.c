// Words and commands: what is typed, and which row of the table it calls.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/ctl/commands.h"

// "a|b|c": the words of a line, or "!" where it cannot be split.
static const char *split(const char *line)
{
	static char out[256];
	char copy[256];
	struct words w;
	int i;

	snprintf(copy, sizeof(copy), "%s", line);
	if (words_split(copy, &w) < 0)
		return "!";
	out[0] = '\0';
	for (i = 0; i < w.count; i++)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s", i ? "|" : "", w.word[i]);
	return out;
}

static void splits_like_a_shell(void **state)
{
	assert_string_equal(split(""), "");
	assert_string_equal(split("  \t "), "");
	assert_string_equal(split("show users"), "show|users");
	assert_string_equal(split("  show\t users \n"), "show|users");
	assert_string_equal(split("show user 'a b'"), "show|user|a b");
	assert_string_equal(split("show user \"a \\\" b\""), "show|user|a \" b");
	assert_string_equal(split("show user a\\ b"), "show|user|a b");
	assert_string_equal(split("a''b ''"), "ab|");
	assert_string_equal(split("'\\'"), "\\");
	assert_string_equal(split("a\\"), "a\\");
	assert_string_equal(split("show user 'a"), "!");
	assert_string_equal(split("\""), "!");
	assert_string_equal(split("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"), "1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16");
	assert_string_equal(split("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"), "!");
}

static void calls(const char *line, enum command_fault want, const char *words, const char *argument)
{
	const struct command *c;
	const char *arg;
	char copy[256];
	struct words w;

	snprintf(copy, sizeof(copy), "%s", line);
	assert_int_equal(words_split(copy, &w), 0);
	assert_int_equal(command_find(&w, &c, &arg), want);
	if (words)
		assert_string_equal(c->words, words);
	if (argument)
		assert_string_equal(arg, argument);
	else
		assert_null(arg);
}

static void finds_commands(void **state)
{
	calls("show status", COMMAND_FOUND, "show status", NULL);
	calls("show ip bans", COMMAND_FOUND, "show ip bans", NULL);
	calls("show user anna", COMMAND_FOUND, "show user", "anna");
	calls("terminate session x", COMMAND_FOUND, "terminate session", "x");
	calls("show user users", COMMAND_FOUND, "show user", "users");
	// as short as is clear
	calls("sh st", COMMAND_FOUND, "show status", NULL);
	calls("di u anna", COMMAND_FOUND, "disconnect user", "anna");
	calls("un ip 192.0.2.1", COMMAND_FOUND, "unban ip", "192.0.2.1");
	// a whole word wins over those that it begins
	calls("show users", COMMAND_FOUND, "show users", NULL);
	calls("show user", COMMAND_NO_ARGUMENT, "show user", NULL);
	calls("s status", COMMAND_UNKNOWN, NULL, NULL); // show, stop
	calls("show u", COMMAND_UNKNOWN, NULL, NULL);   // users, user
	calls("d u anna", COMMAND_UNKNOWN, NULL, NULL); // disconnect, doctor
	calls("do", COMMAND_FOUND, "doctor", NULL);
	calls("doctor x.conf", COMMAND_FOUND, "doctor", "x.conf");
	calls("", COMMAND_INCOMPLETE, NULL, NULL);
	calls("show", COMMAND_INCOMPLETE, NULL, NULL);
	calls("show ip", COMMAND_INCOMPLETE, NULL, NULL);
	// other words for them
	calls("show cookies valid", COMMAND_FOUND, "show sessions valid", NULL);
	calls("quit", COMMAND_FOUND, "exit", NULL);
	calls("?", COMMAND_FOUND, "help", NULL);
	calls("stop later", COMMAND_UNKNOWN, NULL, NULL);
	calls("show '' x", COMMAND_UNKNOWN, NULL, NULL);
	// a command that others go on from
	calls("show sessions", COMMAND_FOUND, "show sessions", NULL);
	calls("show sessions all", COMMAND_FOUND, "show sessions all", NULL);
	calls("sh sessions v", COMMAND_FOUND, "show sessions valid", NULL);
	calls("sh se v", COMMAND_UNKNOWN, NULL, NULL); // sessions, session
	calls("show sessions new", COMMAND_TOO_MANY, "show sessions", NULL);
	calls("show sessions all x", COMMAND_TOO_MANY, "show sessions all", NULL);
	calls("reload now", COMMAND_TOO_MANY, "reload", NULL);
	calls("show user a b", COMMAND_TOO_MANY, "show user", "a");
	// an argument of several words
	calls("trace session", COMMAND_NO_ARGUMENT, "trace session", NULL);
	calls("trace session 1", COMMAND_FOUND, "trace session", "1");
	calls("trace s 1 20", COMMAND_FOUND, "trace session", "1");
	calls("trace session 1 20 seconds=3 30", COMMAND_TOO_MANY, "trace session", "1");
	calls("capture session 1 x.pcapng", COMMAND_FOUND, "capture session", "1");
	calls("c s 1 x packets=1 bytes=2 seconds=3", COMMAND_FOUND, "capture session", "1");
	calls("c s 1 x packets=1 bytes=2 seconds=3 4", COMMAND_TOO_MANY, "capture session", "1");
}

// The words that may follow, parted by blanks.
static const char *next(const char *before, const char *prefix)
{
	static char out[256];
	struct piece at[32];
	char copy[256];
	struct words w;
	size_t n, i;

	snprintf(copy, sizeof(copy), "%s", before);
	assert_int_equal(words_split(copy, &w), 0);
	n = command_next(&w, w.count, prefix, at, 32);
	out[0] = '\0';
	for (i = 0; i < n; i++)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%.*s", i ? " " : "", (int)at[i].len, at[i].text);
	return out;
}

static void completes_words(void **state)
{
	assert_string_equal(next("", "t"), "trace terminate top");
	assert_string_equal(next("", "s"), "show stop");
	assert_string_equal(next("show", "s"), "status session sessions");
	assert_string_equal(next("show ip", ""), "bans ban");
	assert_string_equal(next("terminate", ""), "user id session");
	assert_string_equal(next("show users", ""), "");
	assert_string_equal(next("show sessions", ""), "all valid");
	assert_string_equal(next("nonsense", ""), "");
}

static void every_command_calls_itself(void **state)
{
	char line[128];
	size_t i;

	for (i = 0; i < commands_count; i++) {
		int words = command_argument_words(commands[i].argument);

		if (commands[i].alias_of)
			continue;
		snprintf(line, sizeof(line), "%s%s", commands[i].words, words == 0 ? "" : words == 1 ? " 7" : " 7 8");
		calls(line, COMMAND_FOUND, commands[i].words, commands[i].argument == ARG_NONE ? NULL : "7");
		assert_true(strlen(commands[i].words) < 64); // ADMIN_REQ's bound
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_like_a_shell),
		cmocka_unit_test(finds_commands),
		cmocka_unit_test(completes_words),
		cmocka_unit_test(every_command_calls_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
