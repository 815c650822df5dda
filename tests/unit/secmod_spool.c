// Accounting records on disk: what was written comes back in order, what is torn does not, and what is too much goes by its kind.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "secmod/spool.h"

static char dir[64];
static uint8_t data[SPOOL_RECORD_MAX + 1];

static void append(struct spool *s, enum spool_kind kind, uint64_t when, size_t len, unsigned expect_dropped)
{
	const struct spool_record r = { kind, when, 7, data, len };
	unsigned dropped;

	assert_int_equal(spool_append(s, &r, 1, &dropped), 0);
	assert_int_equal(dropped, expect_dropped);
}

// The times of all records of the oldest file, as a text; the file is gone afterwards.
static const char *take(struct spool *s)
{
	static char out[4096];
	struct spool_record r;
	uint8_t *bytes;
	uint64_t file;
	size_t len, at = 0, n;

	out[0] = '\0';
	if (spool_read(s, &file, &bytes, &len) < 0)
		return "nothing";
	for (; (n = spool_parse(bytes + at, len - at, &r)) > 0; at += n) {
		assert_memory_equal(r.data, data, r.len);
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%c%llu", at ? " " : "", "?SIP"[r.kind],
		         (unsigned long long)r.when);
	}
	free(bytes);
	assert_int_equal(spool_remove(s, file), 0);
	return out;
}

static struct spool *fresh(uint64_t most)
{
	struct spool *s;

	snprintf(dir, sizeof(dir), "/tmp/penstock-spool-XXXXXX");
	assert_non_null(mkdtemp(dir));
	strcat(dir, "/a/b");
	s = spool_open(dir, most);
	assert_non_null(s);
	return s;
}

static void over(struct spool *s)
{
	char command[128];

	spool_close(s);
	snprintf(command, sizeof(command), "rm -rf '%.*s'", (int)(strlen(dir) - 4), dir);
	assert_int_equal(system(command), 0);
}

static void keeps_order(void **unused)
{
	struct spool *s = fresh(1 << 20);

	assert_string_equal(take(s), "nothing");
	append(s, SPOOL_START, 1, 100, 0);
	append(s, SPOOL_INTERIM, 2, 0, 0);
	append(s, SPOOL_STOP, 3, SPOOL_RECORD_MAX, 0);
	append(s, SPOOL_STOP, 4, SPOOL_RECORD_MAX + 1, 1); // longer than any packet
	assert_string_equal(take(s), "S1 I2 P3");
	assert_string_equal(take(s), "nothing");
	assert_int_equal(spool_bytes(s), 0);
	over(s);
}

static void survives_a_restart(void **unused)
{
	struct spool *s = fresh(1 << 20);
	struct stat st;

	append(s, SPOOL_START, 1, 10, 0);
	spool_close(s);
	assert_int_equal(chmod(dir, 0755), 0);
	s = spool_open(dir, 1 << 20);
	assert_non_null(s);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700); // for nobody else
	append(s, SPOOL_STOP, 2, 10, 0);
	assert_string_equal(take(s), "S1"); // a file that others have written is not written on
	append(s, SPOOL_START, 3, 10, 0);
	assert_string_equal(take(s), "P2 S3");
	over(s);
}

static void what_is_lent_is_written_no_more(void **unused)
{
	struct spool *s = fresh(1 << 20);
	uint8_t *bytes;
	uint64_t file;
	size_t len;

	append(s, SPOOL_START, 1, 10, 0);
	assert_int_equal(spool_read(s, &file, &bytes, &len), 0);
	append(s, SPOOL_STOP, 2, 10, 0);
	free(bytes);
	assert_int_equal(spool_remove(s, file), 0);
	assert_int_equal(spool_remove(s, file), -ENOENT);
	assert_string_equal(take(s), "P2");
	over(s);
}

static void edit(const char *suffix, off_t at, off_t cut)
{
	char command[256];

	if (cut >= 0)
		snprintf(command, sizeof(command), "truncate -s %lld %s/*%s", (long long)cut, dir, suffix);
	else
		snprintf(command, sizeof(command), "printf X | dd of=$(echo %s/*%s) bs=1 seek=%lld conv=notrunc status=none", dir,
		         suffix, (long long)at);
	assert_int_equal(system(command), 0);
}

static void drops_what_is_torn(void **unused)
{
	static const off_t record = 32 + 10;

	for (off_t cut = 2 * record - 1; cut >= record; cut--) {
		struct spool *s = fresh(1 << 20);

		append(s, SPOOL_START, 1, 10, 0);
		append(s, SPOOL_STOP, 2, 10, 0);
		edit(".acct", 0, cut);
		assert_string_equal(take(s), "S1");
		over(s);
	}
}

static void drops_what_is_changed(void **unused)
{
	for (off_t at = 42; at < 84; at++) {
		struct spool *s = fresh(1 << 20);

		append(s, SPOOL_START, 1, 10, 0);
		append(s, SPOOL_STOP, 2, 10, 0);
		edit(".acct", at, -1);
		assert_string_equal(take(s), "S1");
		over(s);
	}
}

static void interims_go_first(void **unused)
{
	struct spool *s = fresh(10 * (32 + 100));

	for (uint64_t i = 0; i < 5; i++) {
		append(s, SPOOL_START, i, 100, 0);
		append(s, SPOOL_INTERIM, i, 100, 0);
	}
	append(s, SPOOL_STOP, 5, 100, 5); // it takes the whole file's
	append(s, SPOOL_INTERIM, 6, 100, 0);
	assert_string_equal(take(s), "S0 S1 S2 S3 S4");
	assert_string_equal(take(s), "P5 I6");
	over(s);
}

static void starts_and_stops_stay(void **unused)
{
	struct spool *s = fresh(10 * (32 + 100));

	for (uint64_t i = 0; i < 20; i++)
		append(s, SPOOL_START, i, 100, 0);
	append(s, SPOOL_INTERIM, 20, 100, 1); // there is no room for these any more
	append(s, SPOOL_START, 21, 100, 1);   // twice the bound is the end for all
	assert_int_equal(spool_bytes(s), 20 * 132);
	over(s);
}

static void large_batches_are_several_files(void **unused)
{
	struct spool_record r[64];
	struct spool *s = fresh(1 << 20);
	unsigned dropped, files = 0;

	for (uint64_t i = 0; i < 64; i++)
		r[i] = (struct spool_record){ SPOOL_START, i, i, data, SPOOL_RECORD_MAX };
	assert_int_equal(spool_append(s, r, 64, &dropped), 0);
	assert_int_equal(dropped, 0);
	while (strcmp(take(s), "nothing") != 0)
		files++;
	assert_int_equal(files, 5);
	over(s);
}

static void what_cannot_be_read_is_set_aside(void **unused)
{
	struct spool *s = fresh(1 << 20);
	char path[128];

	append(s, SPOOL_START, 1, 10, 0);
	spool_close(s);
	snprintf(path, sizeof(path), "%s/0000000000000000.acct", dir);
	assert_int_equal(truncate(strcat(strcpy(path, dir), "/0000000000000001.acct"), 42), 0);
	snprintf(path, sizeof(path), "truncate -s 10000000 %s/0000000000000000.acct", dir);
	assert_int_equal(system(path), 0);
	s = spool_open(dir, 1 << 20);
	assert_non_null(s);
	assert_string_equal(take(s), "S1");
	over(s);
}

static void refuses_directories_of_others(void **unused)
{
	char path[64] = "/tmp/penstock-spool-XXXXXX", link[80];

	assert_non_null(mkdtemp(path));
	snprintf(link, sizeof(link), "%s/link", path);
	assert_int_equal(symlink("/tmp", link), 0);
	assert_null(spool_open(link, 1 << 20));
	assert_null(spool_open("relative", 1 << 20));
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_null(spool_open(path, 1 << 20));
	}
	unlink(link);
	rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(survives_a_restart),
		cmocka_unit_test(what_is_lent_is_written_no_more),
		cmocka_unit_test(drops_what_is_torn),
		cmocka_unit_test(drops_what_is_changed),
		cmocka_unit_test(interims_go_first),
		cmocka_unit_test(starts_and_stops_stay),
		cmocka_unit_test(large_batches_are_several_files),
		cmocka_unit_test(what_cannot_be_read_is_set_aside),
		cmocka_unit_test(refuses_directories_of_others),
	};

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
