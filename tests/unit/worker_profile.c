// The profile for AnyConnect: which files can be one, and what it is called.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/worker/profile.h"

static char dir[] = "/tmp/worker_profile.XXXXXX";

static const char *put(const char *name, const char *text, size_t len)
{
	static char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	return path;
}

static void named(const char *name, const char *expected)
{
	char text[LIMIT_TEXT + 1];
	const char *path = put(name, "<x/>", 4);
	struct profile p;

	assert_int_equal(profile_load(&p, path, text), 0);
	assert_string_equal(p.name, expected);
	assert_int_equal(p.len, 4);
	assert_memory_equal(p.text, "<x/>", 4);
	assert_string_equal(p.sha1, "2401adb2cffefdbfcd7f63f17b91a5d946e7855c");
	profile_free(&p);
	unlink(path);
}

static void test_names(void **state)
{
	char longest[PROFILE_NAME + 2];

	named("vpn.xml", "vpn.xml");
	named("VPN-2_b.XML", "VPN-2_b.XML");
	named("our vpn.xml", "profile.xml"); // which a header and a URL could not have
	named("a;b", "profile.xml");
	named("&fh:", "profile.xml");
	memset(longest, 'a', sizeof(longest));
	longest[PROFILE_NAME] = 0;
	named(longest, longest);
	longest[PROFILE_NAME] = 'a';
	longest[PROFILE_NAME + 1] = 0;
	named(longest, "profile.xml");
}

static void refused(const char *path, int error, const char *why)
{
	char text[LIMIT_TEXT + 1] = "";
	struct profile p;

	assert_int_equal(profile_load(&p, path, text), -error);
	assert_null(p.text);
	assert_non_null(strstr(text, why));
	assert_non_null(strstr(text, path));
}

static void test_what_is_none(void **state)
{
	char *big = calloc(1, LIMIT_PROFILE + 1), text[LIMIT_TEXT + 1];
	struct profile p;

	memset(big, 'x', LIMIT_PROFILE + 1);
	refused("/nowhere/vpn.xml", ENOENT, "No such file");
	refused(dir, EINVAL, "no text");
	refused("/dev/null", EINVAL, "no text");
	refused(put("zero", "a\0b", 3), EINVAL, "no text");
	refused(put("big", big, LIMIT_PROFILE + 1), EFBIG, "too large");
	assert_int_equal(profile_load(&p, put("empty", "", 0), text), 0); // as it is, so it is told
	assert_non_null(p.text);
	profile_free(&p);
	assert_int_equal(profile_load(&p, put("most", big, LIMIT_PROFILE), text), 0);
	profile_free(&p);
	free(big);
}

static void test_paths(void **state) {}

static int make_dir(void **state)
{
	return mkdtemp(dir) != NULL ? 0 : -1;
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
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
