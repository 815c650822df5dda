// The snapshot: what main puts in is what children get, and nothing but a sealed one is taken.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/limits.h"
#include "proto/snapshot.h"

static void what_goes_in_comes_out(void **state)
{
	struct snapshot_writer *w = snapshot_writer_new();
	struct snapshot *s;
	int fd;

	assert_non_null(w);
	assert_int_equal(snapshot_put(w, "tcp-port", "443"), 0);
	assert_int_equal(snapshot_put(w, "route", "10.0.0.0/8"), 0);
	assert_int_equal(snapshot_put(w, "route", "fd00::/8"), 0);
	assert_int_equal(snapshot_put(w, "banner", "two\nlines = one value"), 0);
	assert_int_equal(snapshot_put(w, "empty", ""), 0);
	assert_int_equal(snapshot_put(w, "on", "1"), 0);
	assert_int_equal(snapshot_put(w, "off", "0"), 0);
	assert_int_equal(snapshot_put(w, "", "x"), -EINVAL);
	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(snapshot_open(fd, &s), 0);
	close(fd); // the picture outlives its descriptor

	assert_int_equal(snapshot_number(s, "tcp-port"), 443);
	assert_string_equal(snapshot_get(s, "route"), "10.0.0.0/8");
	assert_string_equal(snapshot_nth(s, "route", 1), "fd00::/8");
	assert_null(snapshot_nth(s, "route", 2));
	assert_string_equal(snapshot_get(s, "banner"), "two\nlines = one value");
	assert_string_equal(snapshot_get(s, "empty"), "");
	assert_null(snapshot_get(s, "443")); // values are no keys
	assert_null(snapshot_get(s, ""));
	assert_true(snapshot_bool(s, "on"));
	assert_false(snapshot_bool(s, "off"));
	assert_false(snapshot_bool(s, "absent"));
	assert_int_equal(snapshot_number(s, "absent"), 0);
	snapshot_free(s);
	snapshot_free(NULL);
}

static void a_vhost_has_its_own_and_what_it_inherits(void **state)
{
	struct snapshot_writer *w = snapshot_writer_new();
	struct snapshot *s;
	int fd;

	snapshot_put(w, "route", "10.0.0.0/8");
	snapshot_put(w, "route", "fd00::/8");
	snapshot_put(w, "dpd", "90");
	snapshot_put(w, "banner", "@vhost");
	snapshot_put(w, "ocsp-response", "/a");
	assert_int_equal(snapshot_put_vhost(w, "a.example"), 0);
	snapshot_put(w, "route", "192.0.2.0/24");
	snapshot_put(w, "no-udp", "1");
	assert_int_equal(snapshot_put_vhost(w, "b.example"), 0);
	snapshot_put(w, "dpd", "7");
	snapshot_put(w, "ocsp-response", "");
	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(snapshot_open(fd, &s), 0);
	close(fd);

	assert_int_equal(snapshot_vhosts(s), 3);
	assert_string_equal(snapshot_vhost_name(s, 0), "");
	assert_string_equal(snapshot_vhost_name(s, 1), "a.example");
	assert_string_equal(snapshot_vhost_name(s, 2), "b.example");
	assert_string_equal(snapshot_nth(s, "route", 1), "fd00::/8"); // the default one's
	assert_null(snapshot_get(s, "no-udp"));
	assert_string_equal(snapshot_vhost_nth(s, 1, "route", 0), "192.0.2.0/24"); // its list in the other's place
	assert_null(snapshot_vhost_nth(s, 1, "route", 1));
	assert_int_equal(snapshot_vhost_number(s, 1, "dpd"), 90);
	assert_true(snapshot_vhost_bool(s, 1, "no-udp"));
	assert_string_equal(snapshot_vhost_get(s, 1, "ocsp-response"), "/a");
	assert_string_equal(snapshot_vhost_nth(s, 2, "route", 1), "fd00::/8");
	assert_int_equal(snapshot_vhost_number(s, 2, "dpd"), 7);
	assert_false(snapshot_vhost_bool(s, 2, "no-udp"));
	assert_null(snapshot_vhost_get(s, 2, "ocsp-response")); // none, whatever the default one has
	assert_string_equal(snapshot_vhost_get(s, 2, "banner"), "@vhost");
	snapshot_free(s);
}

static void not_more_than_there_is_room_for(void **state)
{
	struct snapshot_writer *w = snapshot_writer_new();
	struct snapshot *s;
	int fd;

	for (unsigned i = 1; i <= LIMIT_VHOSTS; i++)
		snapshot_put_vhost(w, "x");
	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(snapshot_open(fd, &s), -EBADMSG);
	close(fd);
}

static void thousands_of_routes(void **state)
{
	struct snapshot_writer *w = snapshot_writer_new();
	struct snapshot *s;
	char text[32];
	unsigned i;
	int fd;

	for (i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.0/24", i / 256, i % 256);
		assert_int_equal(snapshot_put(w, "route", text), 0);
	}
	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(snapshot_open(fd, &s), 0);
	assert_string_equal(snapshot_nth(s, "route", 2999), "10.11.183.0/24");
	assert_null(snapshot_nth(s, "route", 3000));
	snapshot_free(s);
	close(fd);
}

static void nobody_changes_it_afterwards(void **state)
{
	struct snapshot_writer *w = snapshot_writer_new();
	int fd;

	snapshot_put(w, "a", "b");
	assert_int_equal(snapshot_finish(w, &fd), 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	close(fd);
}

static int open_bytes(const char *bytes, size_t len, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), ret;
	struct snapshot *s = NULL;

	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	ret = snapshot_open(fd, &s);
	snapshot_free(s);
	close(fd);
	return ret;
}

static void only_sealed_and_whole_ones_are_taken(void **state)
{
#define HEAD "penstock snapshot 1\0"
#define BYTES(s) s, sizeof(s) - 1
	int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, pipes[2];
	struct snapshot *s;

	assert_int_equal(open_bytes(BYTES(HEAD), all), 0);
	assert_int_equal(open_bytes(BYTES(HEAD "k\0v\0"), all), 0);
	assert_int_equal(open_bytes(BYTES(HEAD "k\0v\0"), all & ~F_SEAL_WRITE), -EBADMSG);
	assert_int_equal(open_bytes(BYTES(HEAD "k\0v\0"), all & ~F_SEAL_SEAL), -EBADMSG);
	assert_int_equal(open_bytes(BYTES(HEAD "k\0v"), all), -EBADMSG);
	assert_int_equal(open_bytes(BYTES(HEAD "k\0"), all), -EBADMSG);
	assert_int_equal(open_bytes(BYTES("penstock"), all), -EBADMSG);
	assert_int_equal(open_bytes(BYTES("penstock snapshot 2\0k\0v\0"), all), -EBADMSG);
	assert_int_equal(open_bytes("", 0, all), -EBADMSG);
	assert_int_equal(snapshot_open(-1, &s), -EBADF);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(snapshot_open(pipes[0], &s), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),          cmocka_unit_test(a_vhost_has_its_own_and_what_it_inherits),
		cmocka_unit_test(not_more_than_there_is_room_for), cmocka_unit_test(thousands_of_routes),
		cmocka_unit_test(nobody_changes_it_afterwards),    cmocka_unit_test(only_sealed_and_whole_ones_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
