// One-time passwords: a code is right once, in its window, for its user; by the counter and by the time.
#include <errno.h>
#include <fcntl.h>
#include <liboath/oath.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "secmod/otpfile.h"

static const char secret[] = "12345678901234567890"; // RFC 4226, appendix D
#define HEX "3132333435363738393031323334353637383930"
static char dir[] = "/tmp/secmod_otpfile.XXXXXX", path[64];

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static const char *at_count(uint64_t n)
{
	static char code[8];

	assert_int_equal(oath_hotp_generate(secret, 20, n, 6, false, OATH_HOTP_DYNAMIC_TRUNCATION, code), OATH_OK);
	return code;
}

static const char *at_time(time_t when)
{
	static char code[8];

	assert_int_equal(oath_totp_generate(secret, 20, when, 30, 0, 6, code), OATH_OK);
	return code;
}

#define RIGHT(user, code) assert_int_equal(otpfile_ask(path, user, code), 1)
#define WRONG(user, code) assert_int_equal(otpfile_ask(path, user, code), 0)

static void counters(void **state)
{
	assert_string_equal(at_count(0), "755224"); // RFC 4226, appendix D
	put("HOTP anna - " HEX "\nHOTP bert - " HEX "\n");
	RIGHT("anna", "755224");
	WRONG("anna", "755224");
	WRONG("carl", "755224");
	RIGHT("bert", "755224"); // his own counter
	RIGHT("anna", at_count(OTPFILE_WINDOW));
	WRONG("anna", at_count(OTPFILE_WINDOW));
	WRONG("anna", at_count(7)); // passed over
	WRONG("anna", at_count(2 * OTPFILE_WINDOW + 1));
	RIGHT("anna", at_count(2 * OTPFILE_WINDOW));
	RIGHT("bert", at_count(1));
}

static void times(void **state)
{
	time_t now = time(NULL);

	put("HOTP/T30\tanna\t-\t" HEX "\n");
	WRONG("anna", at_time(now - 30 * (OTPFILE_WINDOW + 3)));
	WRONG("anna", at_time(now + 30 * (OTPFILE_WINDOW + 3)));
	RIGHT("anna", at_time(now - 60));
	WRONG("anna", at_time(now - 60));
	WRONG("anna", at_time(now - 120)); // older than one that was used
	RIGHT("anna", at_time(now));
	WRONG("anna", at_time(now));
}

static void what_is_no_code(void **state)
{
	static const char *const wrong[] = { "",        "1",      "75522",    "7552244",
		                             "755224 ", "75522a", "nonsense", "\xff\xff\xff\xff\xff\xff" };
	char longest[257];

	put("HOTP anna - " HEX "\n");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		WRONG("anna", wrong[i]);
		WRONG("carl", wrong[i]);
	}
	memset(longest, '1', sizeof(longest));
	longest[256] = '\0';
	WRONG("anna", longest);
	WRONG("an", "755224");
	WRONG("HOTP", "755224");
	RIGHT("anna", "755224");
}

// Somebody wants more of this user than a code: that is not given away.
static void a_pin_is_not_passed_over(void **state)
{
	put("HOTP anna 1234 " HEX "\nHOTP bert + " HEX "\n");
	WRONG("anna", "755224");
	WRONG("anna", "1234755224");
	RIGHT("bert", "755224"); // "+": others ask for it
}

static void files(void **state)
{
	struct stat st;
	char link[80];

	put("HOTP anna - " HEX "\n");
	assert_int_equal(otpfile_check(path), 0);
	assert_int_equal(otpfile_check(dir), -EISDIR);
	assert_int_equal(otpfile_check("/nowhere/users.oath"), -ENOENT);
	assert_int_equal(otpfile_ask("/nowhere/users.oath", "anna", "755224"), -ENOENT);
	assert_int_equal(chmod(path, 0640), 0);
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(symlink("users", link), 0);
	assert_int_equal(otpfile_ask(link, "anna", "755224"), 1);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode)); // it stays one
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	WRONG("anna", "755224");
	unlink(link);
}

static void *ask_for_anna(void *code)
{
	return (void *)(intptr_t)otpfile_ask(path, "anna", code);
}

// Whoever comes at the same time: one of them is let in.
static void many_at_once(void **state)
{
	pthread_t threads[8];
	intptr_t sum = 0;
	void *one;

	put("HOTP anna - " HEX "\n");
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_for_anna, "755224"), 0);
	for (size_t i = 0; i < 8; i++) {
		pthread_join(threads[i], &one);
		sum += (intptr_t)one;
	}
	assert_int_equal(sum, 1);
}

// Somebody has the file for good: nobody waits for ever.
static void held(void **state)
{
	int fd;

	put("HOTP anna - " HEX "\n");
	fd = open(path, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(otpfile_ask(path, "anna", "755224"), -EBUSY);
	close(fd);
	RIGHT("anna", "755224");
}

static int make_dir(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/users", dir);
	return 0;
}

static int remove_dir(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters),
		cmocka_unit_test(times),
		cmocka_unit_test(what_is_no_code),
		cmocka_unit_test(a_pin_is_not_passed_over),
		cmocka_unit_test(files),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(held),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
