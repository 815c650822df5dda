#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static int path_of(char path[PATH_MAX])
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state && state[0] == '/') {
		snprintf(path, PATH_MAX, "%s/penstockctl", state);
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -1;
		return snprintf(path, PATH_MAX, "%s/penstockctl/history", state) < PATH_MAX ? 0 : -1;
	}
	return home && home[0] == '/' && snprintf(path, PATH_MAX, "%s/.penstockctl_history", home) < PATH_MAX ? 0 : -1;
}

// Root may have somebody else's home (sudo): what lies there is neither followed nor taken for our own.
static int open_own(int flags)
{
	char path[PATH_MAX];
	struct stat st;
	int fd = path_of(path) < 0 ? -1 : open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1)
		return fd;
	close(fd);
	return -1;
}

void history_read(History *h)
{
	char path[64];
	HistEvent event;
	int fd = open_own(O_RDONLY);

	if (fd < 0)
		return;
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	history(h, &event, H_LOAD, path);
	close(fd);
}

// What libedit would write, in a file of no disk: it wants one whose mode it can set.
static FILE *written(History *h)
{
	int fd = memfd_create("history", MFD_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w+");
	HistEvent event;

	if (!f) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	if (history(h, &event, H_SAVE_FP, f) >= 0 && fflush(f) == 0)
		return f;
	fclose(f);
	return NULL;
}

// In one piece, after room has been made for it: a disk that is full keeps what it has.
static int file_replace(int fd, FILE *from)
{
	off_t len = ftello(from), at = 0;
	int ret = len < 0 || fchmod(fd, 0600) < 0 ? errno : len > 0 ? posix_fallocate(fd, 0, len) : 0;

	while (ret == 0 && at < len)
		if (sendfile(fd, fileno(from), &at, (size_t)(len - at)) <= 0)
			ret = EIO;
	return ret == 0 && ftruncate(fd, len) < 0 ? -errno : -ret;
}

void history_write(History *h)
{
	static bool told;
	int fd = open_own(O_RDWR | O_CREAT), ret;
	FILE *text;

	if (fd < 0)
		return;
	text = written(h);
	ret = text ? file_replace(fd, text) : -ENOMEM;
	if (ret < 0 && !told)
		fprintf(stderr, "penstockctl: the history is not kept: %s\n", strerror(-ret));
	told = ret < 0;
	if (text)
		fclose(text);
	close(fd);
}
