// Bytes into files, and memory that nobody can change any more.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/file.h"

static void sealed_is_sealed(void **unused)
{
	const void *map;
	size_t len;
	int fd;

	assert_int_equal(file_seal("test", "penstock", 8, &fd), 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 4), -1);
	assert_int_equal(file_map_sealed(fd, 8, &map, &len), 0);
	assert_int_equal(len, 8);
	assert_memory_equal(map, "penstock", 8);
	munmap((void *)map, len);
	assert_int_equal(file_map_sealed(fd, 7, &map, &len), -EBADMSG); // larger than may be
	close(fd);
}

static void what_can_change_is_not_mapped(void **unused)
{
	int open_memfd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), empty, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const void *map;
	size_t len;

	assert_int_equal(file_write(open_memfd, "penstock", 8), 0);
	assert_int_equal(file_map_sealed(open_memfd, 64, &map, &len), -EBADMSG);
	assert_int_equal(file_seal("test", "", 0, &empty), 0);
	assert_int_equal(file_map_sealed(empty, 64, &map, &len), -EBADMSG);
	assert_true(file_map_sealed(null, 64, &map, &len) < 0);
	assert_int_equal(file_map_sealed(-1, 64, &map, &len), -EBADF);
	close(open_memfd);
	close(empty);
	close(null);
}

static void a_full_disk_is_told(void **unused)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_int_equal(file_write(full, "x", 1), -ENOSPC);
	close(full);
	assert_int_equal(file_write(full, "x", 1), -EBADF);
}

static void names_of_directories(void **unused)
{
	static char longest[8192];

	assert_int_equal(file_sync_directory("/tmp/any"), 0);
	assert_int_equal(file_sync_directory("any"), 0);
	assert_int_equal(file_sync_directory("/nowhere/any"), -ENOENT);
	memset(longest, 'a', sizeof(longest) - 1);
	assert_int_equal(file_sync_directory(longest), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealed_is_sealed),
		cmocka_unit_test(what_can_change_is_not_mapped),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test(names_of_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
