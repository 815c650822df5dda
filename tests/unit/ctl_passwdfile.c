// penstock-passwd: what an edit makes of a file, and the program itself.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/ctl/passwdfile.h"

static void edits(void **state)
{
	static const struct {
		const char *in;
		struct passwdfile_edit e;
		const char *out; // NULL: no such user
	} rows[] = {
		// a new user goes to the end
		{ "", { PASSWDFILE_SET, "joe", NULL, "H" }, "joe:*:H\n" },
		{ "ann:*:A\n", { PASSWDFILE_SET, "joe", "a,b", "H" }, "ann:*:A\njoe:a,b:H\n" },
		{ "ann:*:A", { PASSWDFILE_SET, "joe", "", "H" }, "ann:*:A\njoe:*:H\n" },
		// a known one stays in place; without -g with the old groups; a new password unlocks
		{ "joe:g:O\nann:*:A\n", { PASSWDFILE_SET, "joe", NULL, "H" }, "joe:g:H\nann:*:A\n" },
		{ "joe:g:O\nann:*:A\n", { PASSWDFILE_SET, "joe", "x", "H" }, "joe:x:H\nann:*:A\n" },
		{ "joe:g:!O\n", { PASSWDFILE_SET, "joe", "", "H" }, "joe:*:H\n" },
		{ "joe:g:1\njoe:h:2\n", { PASSWDFILE_SET, "joe", NULL, "H" }, "joe:g:H\n" },
		// only whole names count
		{ "joey:*:J\nxjoe:*:X\n", { PASSWDFILE_SET, "joe", NULL, "H" }, "joey:*:J\nxjoe:*:X\njoe:*:H\n" },
		// what is not ours stays
		{ "# joe\n\njoe\njoe:x\njoe:*:1\n", { PASSWDFILE_DELETE, .user = "joe" }, "# joe\n\njoe\njoe:x\n" },
		{ "joe:*:1\nann:*:A\njoe:*:2\n", { PASSWDFILE_DELETE, .user = "joe" }, "ann:*:A\n" },
		{ "joe:*:1\n", { PASSWDFILE_DELETE, .user = "ann" }, NULL },
		{ "", { PASSWDFILE_DELETE, .user = "ann" }, NULL },
		// locking twice is locking once
		{ "joe:*:H\n", { PASSWDFILE_LOCK, .user = "joe" }, "joe:*:!H\n" },
		{ "joe:*:!H\n", { PASSWDFILE_LOCK, .user = "joe" }, "joe:*:!H\n" },
		{ "ann:*:A\njoe:a,b:H", { PASSWDFILE_LOCK, .user = "joe" }, "ann:*:A\njoe:a,b:!H\n" },
		{ "joe:*:!H\n", { PASSWDFILE_UNLOCK, .user = "joe" }, "joe:*:H\n" },
		{ "joe:*:!!H\n", { PASSWDFILE_UNLOCK, .user = "joe" }, "joe:*:H\n" },
		{ "joe:*:H\n", { PASSWDFILE_UNLOCK, .user = "joe" }, "joe:*:H\n" },
		{ "joe:*:\n", { PASSWDFILE_LOCK, .user = "joe" }, "joe:*:!\n" },
		{ "joe:*:H\n", { PASSWDFILE_LOCK, .user = "ann" }, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = 12345;
		char *out = NULL;
		int ret = passwdfile_edit(rows[i].in, strlen(rows[i].in), &rows[i].e, &out, &len);

		assert_int_equal(ret, rows[i].out != NULL ? 0 : -ENOENT);
		if (rows[i].out == NULL)
			continue;
		assert_int_equal(len, strlen(rows[i].out));
		assert_memory_equal(out, rows[i].out, len);
		free(out);
	}
}

static void names(void **state)
{
	static const char *const good[] = { "joe", "joe@example.org", "j.d", "DOM\\joe", "j\xc3\xb6", "a b", "!x", "0" };
	static const char *const bad[] = { "",     "a:b",   "a/b", "../a", "a\nb", "a\rb", "a\tb", "\x1b[2J",
		                           "\x7f", "j\xff", "#x",  ".",    "..",   ".joe", "a..b" };
	char longest[200];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_null(passwdfile_check_user(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_non_null(passwdfile_check_user(bad[i]));
	memset(longest, 'a', sizeof(longest));
	longest[128] = '\0';
	assert_null(passwdfile_check_user(longest));
	longest[128] = 'a';
	longest[129] = '\0';
	assert_non_null(passwdfile_check_user(longest));
	assert_null(passwdfile_check_groups("a,b c"));
	assert_null(passwdfile_check_groups(""));
	assert_non_null(passwdfile_check_groups("a:b"));
	assert_non_null(passwdfile_check_groups("a\nb"));
	assert_non_null(passwdfile_check_groups("../x"));
	assert_non_null(passwdfile_check_groups("a,b/c"));
	assert_non_null(passwdfile_check_groups("a,.hidden"));
	assert_non_null(passwdfile_check_groups("a,b..c"));
	assert_non_null(passwdfile_check_groups("a,,b"));
	assert_non_null(passwdfile_check_groups("a,"));
	assert_non_null(passwdfile_check_groups(","));
}

static void lines(void **state)
{
	static const struct {
		const char *text, *user, *hash; // of the line that counts; NULL: no such user
		bool locked;
	} rows[] = {
		{ "joe:*:H", "joe", "H", false },
		{ "ann:*:A\njoe:a,b:!!H:more \n", "joe", "H", true },
		{ "joe:*:H \t\r\n", "joe", "H", false },
		{ "joe:*:1\njoe:*:2\n", "joe", "1", false },
		{ "joe:*:\n", "joe", "", false },
		{ "#joe:*:H\njoe\njoe:x\n\n:*:H\nxjoe:*:H\njoex:*:H\n", "joe", NULL, false },
		{ "", "joe", NULL, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct passwdfile_line l;
		bool found = passwdfile_find(rows[i].text, strlen(rows[i].text), rows[i].user, &l);

		assert_int_equal(found, rows[i].hash != NULL);
		if (!found)
			continue;
		assert_int_equal(l.hash_len, strlen(rows[i].hash));
		assert_memory_equal(l.hash, rows[i].hash, l.hash_len);
		assert_int_equal(l.locked, rows[i].locked);
	}
}

// ----------------------------------------------------------------------------------------------------------- the program

static char dir[] = "/tmp/ctl_passwdfile.XXXXXX";

static int run(const char *format, ...)
{
	const char *build = getenv("BUILD");
	char command[1024], arguments[512];
	va_list ap;
	int status;

	va_start(ap, format);
	vsnprintf(arguments, sizeof(arguments), format, ap);
	va_end(ap);
	snprintf(command, sizeof(command), "P='%s/penstock-passwd'; p() { \"$P\" -c '%s/file' \"$@\" 2>/dev/null; }; %s",
	         build != NULL && build[0] != '\0' ? build : "build", dir, arguments);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *content(void)
{
	static char text[1024];
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n] = '\0';
	return text;
}

static void the_program(void **state)
{
	char path[64], before[1024];
	struct stat st;

	snprintf(path, sizeof(path), "%s/file", dir);
	assert_int_equal(run("echo secret | p -g staff,vpn joe"), 0);
	assert_memory_equal(content(), "joe:staff,vpn:$y$", 17);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(run("printf secret | p --groupname=x ann"), 0);
	assert_non_null(strstr(content(), "\nann:x:$y$"));
	strcpy(before, content());

	assert_int_equal(run("echo | p eve"), 1); // empty
	assert_int_equal(run("p eve </dev/null"), 1);
	assert_int_equal(run("printf 'a\\tb\\n' | p eve"), 1); // no login could send it
	assert_int_equal(run("head -c 300 /dev/zero | tr '\\0' a | p eve"), 1);
	assert_int_equal(run("echo x | p 'a:b'"), 1);
	assert_int_equal(run("echo x | p"), 1);
	assert_int_equal(run("echo x | p a b"), 1);
	assert_int_equal(run("p -d -l joe"), 1);
	assert_int_equal(run("p --delete nobody"), 1);
	assert_int_equal(run("p --lock nobody"), 1);
	assert_int_equal(run("p --nonsense joe"), 1);
	assert_string_equal(content(), before);

	assert_int_equal(run("p -l joe && p -l joe"), 0);
	assert_memory_equal(content(), "joe:staff,vpn:!$y$", 18);
	assert_int_equal(run("p -u joe"), 0);
	assert_string_equal(content(), before);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(run("p -d joe"), 0);
	assert_memory_equal(content(), "ann:x:$y$", 9);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640); // as the operator made it
	assert_int_equal(run("p --version && p --help"), 0);
}

// Said before the password is asked for, and with what to do.
static void no_directory(void **state)
{
	assert_int_equal(run("\"$P\" -c %s/none/passwd joe 2>&1 </dev/null | grep -q 'mkdir -p %s/none$'", dir, dir), 0);
	assert_int_equal(run("echo x | \"$P\" -c %s/none/passwd joe 2>/dev/null", dir), 1);
	assert_int_equal(run("P=$(realpath \"$P\"); cd %s && echo x | \"$P\" -c here joe && rm here", dir), 0);
}

static void verifying(void **state)
{
	assert_int_equal(run("rm -f %s/file; echo right | p -g a,b joe", dir), 0);
	assert_int_equal(run("echo right | p --verify joe"), 0);
	assert_int_equal(run("echo wrong | p --verify joe"), 2);
	assert_int_equal(run("echo | p --verify joe"), 1);
	assert_int_equal(run("echo right | p --verify ann"), 1);
	assert_int_equal(run("echo right | \"$P\" -c %s/none --verify joe 2>/dev/null", dir), 1);
	assert_int_equal(run("p -l joe && echo right | p --verify joe >%s/said", dir), 2);
	assert_int_equal(run("grep -qx 'joe: the password is right, and the user is locked' %s/said && rm %s/said", dir, dir), 0);
	assert_int_equal(run("echo x | p ann && p --list | tr -s ' ' >%s/list", dir), 0);
	assert_int_equal(run("printf 'joe a,b locked\nann * open\n' | cmp -s %s/list && rm %s/list", dir, dir), 0);
	assert_int_equal(run("p --list joe || p --list -d || p --verify -l joe"), 1);
}

// What a link points to is changed, also where that is not there yet.
static void links(void **state)
{
	char path[64];
	struct stat st;

	assert_int_equal(
	        run("rm -f %s/file; mkdir %s/real; ln -s real/passwd %s/file; echo x | p joe && echo x | p ann", dir, dir, dir), 0);
	snprintf(path, sizeof(path), "%s/file", dir);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_non_null(strstr(content(), "\nann:"));
	assert_int_equal(run("rm -r %s/file %s/real", dir, dir), 0);
	assert_int_equal(run("mkdir %s/file; echo x | p joe; r=$?; rmdir %s/file; exit $r", dir, dir), 1);
}

static void one_time_passwords(void **state)
{
	assert_int_equal(run("\"$P\" -o %s/file --issuer 'The VPN' joe >%s/uri", dir, dir), 0);
	assert_memory_equal(content(), "HOTP/T30\tjoe\t-\t", 15);
	assert_int_equal(strlen(content()), 15 + 40 + 1);
	assert_int_equal(run("grep -qxE "
	                     "'otpauth://totp/"
	                     "The%%20VPN:joe\\?secret=[A-Z2-7]{32}&issuer=The%%20VPN&algorithm=SHA1&digits=6&period=30' %s/uri",
	                     dir),
	                 0);
	assert_int_equal(
	        run("\"$P\" --otp=%s/file --hotp ann >%s/uri && grep -q '^otpauth://hotp/.*counter=0$' %s/uri && rm %s/uri", dir,
	            dir, dir, dir),
	        0);
	assert_non_null(strstr(content(), "\nHOTP\tann\t-\t"));
	assert_int_equal(run("p -o %s/file -d joe", dir), 0);
	assert_memory_equal(content(), "HOTP\tann\t-\t", 11);
	assert_int_equal(run("p -o %s/file -d joe", dir), 1);
	assert_int_equal(run("p -o %s/file 'a b'", dir), 1);
	assert_int_equal(run("p -o %s/file -l ann", dir), 1);
	assert_int_equal(run("p --hotp ann </dev/null"), 1);
	assert_int_equal(run("rm -f %s/file; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do p -o %s/file u$i >/dev/null & done; wait; "
	                     "test $(cut -f2 %s/file | sort -u | wc -l) = 12",
	                     dir, dir, dir),
	                 0);
	assert_int_equal(run("rm %s/file", dir), 0);
}

static void many_at_once(void **state)
{
	int lines = 0;

	assert_int_equal(run("rm -f %s/file; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo x | p u$i & done; wait", dir), 0);
	for (const char *s = content(); (s = strchr(s, '\n')) != NULL; s++)
		lines++;
	assert_int_equal(lines, 12);
	assert_int_equal(run("test $(ls %s | wc -l) = 1", dir), 0); // nothing else is left
}

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
		cmocka_unit_test(edits),        cmocka_unit_test(names),
		cmocka_unit_test(lines),        cmocka_unit_test(the_program),
		cmocka_unit_test(no_directory), cmocka_unit_test(verifying),
		cmocka_unit_test(links),        cmocka_unit_test(one_time_passwords),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
