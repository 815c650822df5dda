#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pcapng.h"
#include "proto/file.h"

// A file that was there before is emptied only once nobody else can read what comes. Pipes and devices are as they are.
static int make_private(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_uid != geteuid())
		return -EPERM;
	return fchmod(fd, 0600) < 0 || ftruncate(fd, 0) < 0 ? -errno : 0;
}

int capture_open(struct capture *c, const char *path)
{
	uint8_t head[PCAPNG_ROOM];
	int ret = 0;

	*c = (struct capture){ .fd = STDOUT_FILENO };
	if (strcmp(path, "-") != 0) {
		c->fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		ret = c->fd < 0 ? -errno : make_private(c->fd);
	}
	if (ret == 0)
		ret = file_write(c->fd, head, pcapng_begin(head));
	if (ret < 0)
		capture_close(c);
	return ret;
}

int capture_add(struct capture *c, const struct msg_admin_packet *m)
{
	uint8_t buf[PCAPNG_ROOM];
	int ret = file_write(c->fd, buf, pcapng_packet(buf, m));

	if (ret < 0)
		c->error = -ret;
	else
		c->packets++;
	return ret;
}

int capture_close(struct capture *c)
{
	int fd = c->fd;

	c->fd = -1;
	return fd > STDERR_FILENO && close(fd) < 0 ? -errno : 0;
}
