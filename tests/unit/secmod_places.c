// Where sec-mod may write once it is confined, and what it says of where it may not.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/log.h"
#include "proto/sandbox.h"
#include "secmod/places.h"

static char top[] = "/tmp/penstock-places-XXXXXX";

static const char *under(const char *name)
{
	static char path[4][128];
	static unsigned n;

	n = (n + 1) % 4;
	snprintf(path[n], sizeof(path[n]), "%s/%s", top, name);
	return path[n];
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static struct snapshot *picture(void)
{
	struct snapshot_writer *w = snapshot_writer_new();
	struct snapshot *snap;
	char way[256];
	int fd;

	assert_non_null(w);
	snprintf(way, sizeof(way), "plain[passwd=%s,otp=%s]", under("etc/passwd"), under("link"));
	assert_int_equal(snapshot_put(w, "session-file", under("run/sessions")), 0);
	assert_int_equal(snapshot_put(w, "acct-spool", under("var/deep/acct")), 0);
	assert_int_equal(snapshot_put(w, "acct", "radius"), 0);
	assert_int_equal(snapshot_put(w, "auth", way), 0);
	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(snapshot_open(fd, &snap), 0);
	close(fd);
	return snap;
}

static int can_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : close(fd);
}

#define T(path, can)                                                                              \
	do {                                                                                      \
		if (places_allow(under(path), text) != (can))                                     \
			_exit(10);                                                                \
		if (can_write(under(path)) != ((can) ? 0 : -EACCES))                              \
			_exit(11);                                                                \
		if (!(can) && (strncmp(text, top, strlen(top)) != 0 || !strstr(text, "restart"))) \
			_exit(12);                                                                \
	} while (0)

static void confined(struct snapshot *snap)
{
	char text[LIMIT_TEXT + 1] = "";

	if (sandbox_harden() < 0 || places_confine() < 0)
		_exit(1);
	T("run/sessions", true);
	T("run/anything", true);
	T("var/deep/acct", true); // the directory is not there yet: it can be made
	T("etc/passwd", true);    // one-time passwords are put beside it some day
	T("elsewhere/otp", true); // where the link leads
	T("other/otp", false);
	T("runaway", false); // a name is not a directory for beginning with one
	if (places_allow(under("nowhere/at/all"), text))
		_exit(13);
	_exit(0);
}

static void only_where_the_configuration_writes(void **state)
{
	struct snapshot *snap;
	int status;
	pid_t pid;

	if (sandbox_landlock() == 0 || sandbox_sanitized())
		skip();
	snap = picture();
	places_find(snap);
	assert_int_equal(access(under("run"), F_OK), 0); // made, as it is a directory of our own
	pid = fork();
	if (pid == 0)
		confined(snap);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	snapshot_free(snap);
}

static void lists_for_helpers(void **state)
{
	char list[256];

	snprintf(list, sizeof(list), "/nowhere:%s", under("etc"));
	assert_true(places_contain(list, under("etc/passwd")));
	assert_false(places_contain(list, under("other/otp")));
	assert_false(places_contain(list, under("etc/nothing")));
	assert_false(places_contain("", under("etc/passwd")));
	snprintf(list, sizeof(list), "%s:/nowhere", under("elsewhere"));
	assert_true(places_contain(list, under("link")));
	assert_false(places_contain(list, under("etc/passwd")));
}

static void anywhere_before(void **state)
{
	char text[LIMIT_TEXT + 1];

	assert_true(places_allow(under("other/otp"), text));
}

static int make(void **state)
{
	static const char *const directories[] = { "etc", "var", "elsewhere", "other" };

	log_init("test", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	if (mkdtemp(top) == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(directories) / sizeof(*directories); i++)
		assert_int_equal(mkdir(under(directories[i]), 0700), 0);
	touch(under("etc/passwd"));
	touch(under("elsewhere/otp"));
	touch(under("other/otp"));
	return symlink(under("elsewhere/otp"), under("link"));
}

static int clean(void **state)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -r %s", top);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anywhere_before),
		cmocka_unit_test(lists_for_helpers),
		cmocka_unit_test(only_where_the_configuration_writes),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
