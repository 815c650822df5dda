#include "control/ctl/editfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/secret.h"

#define TRIES 10000 // each one lost to somebody who has changed it, or the name is none that lasts (/dev/stdin)

// Is it still the file that has the name, not one that somebody else has just replaced?
static bool is_current(int fd, const char *path, char real[PATH_MAX], struct stat *st)
{
	struct stat now;

	return realpath(path, real) != NULL && fstat(fd, st) == 0 && stat(real, &now) == 0 && now.st_ino == st->st_ino &&
	       now.st_dev == st->st_dev;
}

static int open_locked(const char *path, bool create, char real[PATH_MAX], struct stat *st)
{
	int fd, ret;

	for (unsigned tries = 0; tries < TRIES; tries++) {
		fd = open(path, O_RDONLY | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
		if (fd < 0)
			return -errno;
		ret = flock(fd, LOCK_EX) < 0 ? -errno : 0;
		if (ret == 0 && is_current(fd, path, real, st))
			return fd;
		close(fd);
		if (ret < 0 && ret != -EINTR)
			return ret;
	}
	return -ESTALE;
}

static int read_all(int fd, size_t size, char **out, size_t *len)
{
	char *text = malloc(size + 1);
	size_t used = 0;
	ssize_t n = 1;

	if (text == NULL)
		return -ENOMEM;
	while (used < size && n > 0) {
		n = read(fd, text + used, size - used);
		if (n > 0)
			used += n;
	}
	*out = text;
	*len = used;
	return n < 0 ? -errno : 0;
}

static int read_regular(int fd, const struct stat *st, char **out, size_t *len)
{
	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	return st->st_size > EDITFILE_MAX ? -EFBIG : read_all(fd, st->st_size, out, len);
}

static int replace(const char *path, const struct stat *like, const char *text, size_t len)
{
	char temp[PATH_MAX];
	int fd, ret;

	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	fd = mkostemp(temp, O_CLOEXEC); // mode 0600
	if (fd < 0)
		return -errno;
	ret = file_write(fd, text, len);
	if (ret == 0 && fsync(fd) < 0)
		ret = -errno;
	if (ret == 0 && (fchown(fd, like->st_uid, like->st_gid) < 0 || fchmod(fd, like->st_mode & 0777) < 0))
		ret = -errno;
	close(fd);
	if (ret == 0 && rename(temp, path) < 0)
		ret = -errno;
	if (ret == 0)
		return file_sync_directory(path);
	unlink(temp);
	return ret;
}

// A signal in the middle of it would leave the half-written file behind.
static int replace_undisturbed(const char *path, const struct stat *like, const char *text, size_t len)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	ret = replace(path, like, text, len);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ret;
}

static void wipe_free(char *text, size_t len)
{
	if (text != NULL)
		secret_wipe(text, len);
	free(text);
}

int editfile(const char *path, bool create, editfile_edit *edit, const void *how)
{
	char *old = NULL, *fresh = NULL, real[PATH_MAX];
	size_t old_len = 0, fresh_len = 0;
	struct stat st;
	int fd, ret;

	fd = open_locked(path, create, real, &st);
	if (fd < 0)
		return fd;
	ret = read_regular(fd, &st, &old, &old_len);
	if (ret == 0)
		ret = edit(old, old_len, how, &fresh, &fresh_len);
	if (ret == 0)
		ret = replace_undisturbed(real, &st, fresh, fresh_len);
	wipe_free(old, old_len);
	wipe_free(fresh, fresh_len);
	close(fd);
	return ret;
}

int editfile_read(const char *path, char **out, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;
	char *text = NULL;
	size_t used = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	ret = fstat(fd, &st) < 0 ? -errno : read_regular(fd, &st, &text, &used);
	close(fd);
	if (ret < 0) {
		wipe_free(text, used);
		return ret;
	}
	*out = text;
	*len = used;
	return 0;
}
