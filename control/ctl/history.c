#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
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

void history_write(History *h)
{
	HistEvent event;
	int fd = open_own(O_RDWR | O_CREAT);
	FILE *out;

	if (fd < 0)
		return;
	out = fchmod(fd, 0600) == 0 && ftruncate(fd, 0) == 0 ? fdopen(fd, "w") : NULL;
	if (!out) {
		close(fd);
		return;
	}
	history(h, &event, H_SAVE_FP, out);
	fclose(out);
}
