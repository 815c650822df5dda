#include "netns.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "err.h"

#define DIRECTORY "/run/netns/"

bool netns_is_name(const char *name)
{
	return name[0] && strlen(name) <= NAME_MAX && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int netns_enter(const char *name, int *back)
{
	char path[sizeof(DIRECTORY) + NAME_MAX];
	int own, ret;

	*back = -1;
	if (!name || !name[0])
		return 0;
	if (!netns_is_name(name))
		return -EINVAL;
	snprintf(path, sizeof(path), DIRECTORY "%s", name);
	own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return -errno;
	ret = enter(path);
	if (ret < 0) {
		close(own);
		return ret;
	}
	*back = own;
	return 0;
}

void netns_leave(int back)
{
	if (back < 0)
		return;
	if (setns(back, CLONE_NEWNET) < 0) {
		log_err("the way back into our own network namespace is barred: %s", strerror(errno));
		abort();
	}
	close(back);
}
