// The password file: its lines, its hashes, its changes on disk; and auth's grammar.
#include <crypt.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "secmod/authspec.h"
#include "secmod/userfile.h"

#define HASH "$1$abc$defghijklmnopqrstuvwxy"

static struct passwd_table parse(const char *text, size_t len)
{
	struct passwd_table t;
	char *copy = malloc(len + 1);

	memcpy(copy, text, len);
	assert_int_equal(passwd_parse(copy, len, &t), 0);
	return t;
}

static void lines(void **state)
{
	static const struct {
		const char *line, *user, *groups, *hash; // user NULL: left out
		bool locked, bad;
	} rows[] = {
		{ "joe:*:" HASH, "joe", "", HASH, false, false },
		{ "joe::" HASH, "joe", "", HASH, false, false },
		{ "joe:staff,vpn:" HASH, "joe", "staff,vpn", HASH, false, false },
		{ "joe:*:!" HASH, "joe", "", HASH, true, false },
		{ "joe:*:!!" HASH, "joe", "", HASH, true, false },
		{ "joe:*:" HASH "\r", "joe", "", HASH, false, false },
		{ "joe:*:" HASH " \t", "joe", "", HASH, false, false },
		{ "joe:*:" HASH ":more:fields", "joe", "", HASH, false, false },
		{ "joe@example.org:*:" HASH, "joe@example.org", "", HASH, false, false },
		{ "j\xc3\xb6:*:" HASH, "j\xc3\xb6", "", HASH, false, false },
		{ "a b:*:" HASH, "a b", "", HASH, false, false },
		{ "", NULL, NULL, NULL, false, false },
		{ "# joe:*:" HASH, NULL, NULL, NULL, false, false },
		{ "joe", NULL, NULL, NULL, false, true },
		{ "joe:*", NULL, NULL, NULL, false, true },
		{ "joe:*:", NULL, NULL, NULL, false, true },
		{ "joe:*:!", NULL, NULL, NULL, false, true },
		{ ":*:" HASH, NULL, NULL, NULL, false, true },
		{ "joe:*:a b", NULL, NULL, NULL, false, true },
		{ "j\x01:*:" HASH, NULL, NULL, NULL, false, true },
		{ "j\xff:*:" HASH, NULL, NULL, NULL, false, true },
		{ "joe:\x1b[2J:" HASH, NULL, NULL, NULL, false, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct passwd_table t = parse(rows[i].line, strlen(rows[i].line));

		assert_int_equal(t.count, rows[i].user != NULL);
		assert_int_equal(t.bad_lines, rows[i].bad);
		if (rows[i].user != NULL) {
			assert_string_equal(t.entries[0].user, rows[i].user);
			assert_string_equal(t.entries[0].groups, rows[i].groups);
			assert_string_equal(t.entries[0].hash, rows[i].hash);
			assert_int_equal(t.entries[0].locked, rows[i].locked);
		}
		passwd_free(&t);
	}
}

static void whole_files(void **state)
{
	static const char text[] = "zoe:*:z1\nnonsense\nann:*:a1\n\nzoe:*:z2\nnul\0:*:n1\njoe:*:j1";
	struct passwd_table t = parse(text, sizeof(text) - 1);
	char longer[3000];

	assert_int_equal(t.count, 3);
	assert_int_equal(t.bad_lines, 2);
	assert_int_equal(t.first_bad, 2);
	assert_string_equal(passwd_find(&t, "zoe")->hash, "z1"); // the first line of a name counts
	assert_string_equal(passwd_find(&t, "ann")->hash, "a1");
	assert_string_equal(passwd_find(&t, "joe")->hash, "j1");
	assert_null(passwd_find(&t, "nul"));
	assert_null(passwd_find(&t, ""));
	passwd_free(&t);

	t = parse("", 0);
	assert_null(passwd_find(&t, "joe"));
	passwd_free(&t);

	memset(longer, 'x', sizeof(longer));
	memcpy(longer, "joe:*:", 6);
	t = parse(longer, 6 + PASSWD_HASH_MAX);
	assert_int_equal(t.count, 1);
	passwd_free(&t);
	t = parse(longer, 7 + PASSWD_HASH_MAX);
	assert_int_equal(t.count, 0);
	passwd_free(&t);
	t = parse(longer, sizeof(longer));
	assert_int_equal(t.bad_lines, 1);
	passwd_free(&t);
}

static void groups(void **state)
{
	static const struct {
		const char *groups, *wanted, *got; // got NULL: not allowed
	} rows[] = {
		{ "", "", "" },       { "a,b", "", "a" }, { "a,b", "a", "a" },   { "a,b", "b", "b" },
		{ "a,b", "c", NULL }, { "", "a", NULL },  { "ab,b", "a", NULL }, { "a,b", "a,b", NULL },
		{ ",a", "", "a" },    { "a,", "", "a" },  { "ab", "abc", NULL },
	};
	char got[LIMIT_GROUP + 1];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(passwd_group(rows[i].groups, rows[i].wanted, got), rows[i].got != NULL);
		if (rows[i].got != NULL)
			assert_string_equal(got, rows[i].got);
	}
}

// ------------------------------------------------------------------------------------------------------------- on disk

static char path[] = "/tmp/secmod_passwd.XXXXXX";

static void write_file(const char *text)
{
	char temp[64];
	FILE *f;

	snprintf(temp, sizeof(temp), "%s.new", path);
	f = fopen(temp, "w");
	fputs(text, f);
	fclose(f);
	assert_int_equal(rename(temp, path), 0);
}

static bool is_right(struct userfile *f, const char *user, const char *password)
{
	struct crypt_data data = { 0 };
	struct userfile_answer a;
	const char *hash;

	assert_int_equal(userfile_ask(f, user, "", &a), 0);
	hash = crypt_r(password, a.hash, &data);
	return hash != NULL && hash[0] != '*' && strcmp(hash, a.hash) == 0 && a.usable;
}

static void every_kind_of_hash(void **state)
{
	static const char *const kinds[] = { "$y$", "$gy$", "$7$", "$2b$", "$2y$", "$6$", "$5$", "$sha1", "$md5", "$1$", "_", "" };
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], line[1024];
	struct crypt_data data = { 0 };
	struct userfile *f;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		assert_non_null(crypt_gensalt_rn(kinds[i], 0, NULL, 0, setting, sizeof(setting)));
		snprintf(line, sizeof(line), "joe:*:%s\nann:*:!%s\n", crypt_r("right", setting, &data), data.output);
		write_file(line);
		f = userfile_open(path);
		assert_non_null(f);
		assert_true(is_right(f, "joe", "right"));
		assert_false(is_right(f, "joe", "wrong"));
		assert_false(is_right(f, "joe", ""));
		assert_false(is_right(f, "ann", "right")); // locked
		assert_false(is_right(f, "eve", "right")); // unknown, computed on somebody's hash
		userfile_close(f);
	}
}

static void unknown_users_cost_what_others_do(void **state)
{
	struct userfile_answer a, b;
	struct userfile *f;
	char name[16];
	int seen_md5 = 0, seen_des = 0;

	write_file("joe:*:$1$salt$BmfNbi7GQ4DZzvUoQWd3t0\nann:*:abgOeLfPimXQo\nx:*:*\n");
	f = userfile_open(path);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		assert_int_equal(userfile_ask(f, name, "", &a), 0);
		assert_int_equal(userfile_ask(f, name, "", &b), 0);
		assert_false(a.usable);
		assert_string_equal(a.hash, b.hash); // the same name, the same cost
		assert_int_not_equal(crypt_checksalt(a.hash), CRYPT_SALT_INVALID);
		seen_md5 += strncmp(a.hash, "$1$", 3) == 0;
		seen_des += strcmp(a.hash, "abgOeLfPimXQo") == 0;
	}
	assert_in_range(seen_md5, 20, 180);
	assert_in_range(seen_des, 20, 180);
	userfile_close(f);

	write_file("");
	f = userfile_open(path);
	assert_int_equal(userfile_ask(f, "joe", "", &a), 0);
	assert_false(a.usable);
	assert_memory_equal(a.hash, "$y$", 3);
	userfile_close(f);
}

static void follows_the_file(void **state)
{
	struct userfile_answer a;
	struct userfile *f;

	write_file("joe:g1,g2:abgOeLfPimXQo\n");
	f = userfile_open(path);
	assert_int_equal(userfile_ask(f, "joe", "", &a), 0);
	assert_true(a.usable);
	assert_string_equal(a.group, "g1");
	assert_int_equal(userfile_ask(f, "joe", "g2", &a), 0);
	assert_true(a.usable);
	assert_string_equal(a.group, "g2");
	assert_int_equal(userfile_ask(f, "joe", "g3", &a), 0);
	assert_false(a.usable);
	write_file("joe:g1,g2:!abgOeLfPimXQo\n");
	assert_int_equal(userfile_ask(f, "joe", "", &a), 0);
	assert_false(a.usable);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(userfile_ask(f, "joe", "", &a), -ENOENT); // never on an old copy
	write_file("joe:g1,g2:abgOeLfPimXQo\n");
	assert_int_equal(userfile_ask(f, "joe", "", &a), 0);
	assert_true(a.usable);
	userfile_close(f);
	assert_null(userfile_open("/nonexistent/passwd"));
	assert_null(userfile_open("/tmp"));
}

static void auth_grammar(void **state)
{
	static const struct {
		const char *text, *name, *key, *value; // name NULL: refused
		unsigned n;
	} rows[] = {
		{ "pam", "pam", NULL, NULL, 0 },
		{ " pam ", "pam", NULL, NULL, 0 },
		{ "pam[service=vpn]", "pam", "service", "vpn", 1 },
		{ "pam[gid-min=1000,service=vpn]", "pam", "gid-min", "1000", 2 },
		{ "plain[passwd=/etc/p]", "plain", "passwd", "/etc/p", 1 },
		{ "plain[ passwd = \"/etc/p q\" ]", "plain", "passwd", "/etc/p q", 1 },
		{ "plain[/etc/p]", "plain", "", "/etc/p", 1 },
		{ "", NULL, NULL, NULL, 0 },
		{ "[x]", NULL, NULL, NULL, 0 },
		{ "plain[", NULL, NULL, NULL, 0 },
		{ "plain[]", NULL, NULL, NULL, 0 },
		{ "plain[a=b", NULL, NULL, NULL, 0 },
		{ "plain[a=b,]", NULL, NULL, NULL, 0 },
		{ "plain[a=]", NULL, NULL, NULL, 0 },
		{ "plain[a,b,c,d,e,f,g,h,i]", NULL, NULL, NULL, 0 },
		{ "a-method-with-a-name-that-is-too-long", NULL, NULL, NULL, 0 },
	};
	struct authspec s;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(authspec_parse(rows[i].text, &s), rows[i].name != NULL ? 0 : -EINVAL);
		if (rows[i].name == NULL)
			continue;
		assert_string_equal(s.name, rows[i].name);
		assert_int_equal(s.n_options, rows[i].n);
		if (rows[i].n == 0)
			continue;
		assert_string_equal(s.option[0].key, rows[i].key);
		assert_string_equal(s.option[0].value, rows[i].value);
	}
}

static int make_file(void **state)
{
	return close(mkstemp(path));
}

static int remove_file(void **state)
{
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(whole_files),
		cmocka_unit_test(groups),
		cmocka_unit_test(every_kind_of_hash),
		cmocka_unit_test(unknown_users_cost_what_others_do),
		cmocka_unit_test(follows_the_file),
		cmocka_unit_test(auth_grammar),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
