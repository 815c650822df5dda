// Preloaded into a program: a disk that is broken. While the file DISK_FAULT begins with an x, what the program writes to files
// fails; its standard descriptors (a log) and files that have no name are spared.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const volatile char *order;

static void __attribute__((constructor)) begin(void)
{
	const char *path = getenv("DISK_FAULT");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p = fd >= 0 ? mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (p == MAP_FAILED)
		_exit(125);
	close(fd);
	order = p;
}

static bool fails(int fd)
{
	struct stat st;

	if (order == NULL || *order != 'x' || fd <= STDERR_FILENO || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink == 0)
		return false;
	errno = EIO;
	return true;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	static ssize_t (*real)(int, const void *, size_t);

	if (!real)
		real = dlsym(RTLD_NEXT, "write");
	return fails(fd) ? -1 : real(fd, bytes, len);
}

// The data are in the kernel, and the disk does not take them.
int fsync(int fd)
{
	static int (*real)(int);

	if (!real)
		real = dlsym(RTLD_NEXT, "fsync");
	return fails(fd) ? -1 : real(fd);
}
