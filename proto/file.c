#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int file_write(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd, ret;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int file_seal(const char *name, const void *bytes, size_t len, int *fd)
{
	int memfd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int ret = memfd < 0 ? -errno : file_write(memfd, bytes, len);

	if (ret == 0 && fcntl(memfd, F_ADD_SEALS, SEALS) < 0)
		ret = -errno;
	if (ret == 0)
		*fd = memfd;
	else if (memfd >= 0)
		close(memfd);
	return ret;
}

int file_map_sealed(int fd, size_t most, const void **map, size_t *len)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *at;

	if (seals < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((seals & SEALS) != SEALS || st.st_size <= 0 || (size_t)st.st_size > most)
		return -EBADMSG;
	// Before Linux 6.7 a write-sealed memfd could not be mapped shared, not even for reading.
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*map = at;
	*len = (size_t)st.st_size;
	return 0;
}
