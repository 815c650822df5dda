#include "control/main/unixsocket.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/err.h"

#define BACKLOG 8

static bool somebody_answers(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool yes;

	if (fd < 0)
		return false;
	yes = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN || errno == EPROTOTYPE;
	close(fd);
	return yes;
}

static int socket_bind(int fd, const struct sockaddr_un *sun)
{
	mode_t mask = umask(0177);
	int ret = bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) < 0 ? -errno : 0;

	umask(mask);
	return ret;
}

// A socket that a dead gateway has left behind is replaced; anything else in its place is not ours to remove.
static int socket_bind_anew(int fd, const struct sockaddr_un *sun)
{
	int ret = socket_bind(fd, sun);
	struct stat st;

	if (ret != -EADDRINUSE)
		return ret;
	if (lstat(sun->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode) || somebody_answers(sun))
		return ret;
	if (unlink(sun->sun_path) < 0)
		return -errno;
	return socket_bind(fd, sun);
}

static int open_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, ret;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	ret = socket_bind_anew(fd, &sun);
	if (ret == 0 && listen(fd, BACKLOG) < 0)
		ret = -errno;
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

int unixsocket_open(const char *path)
{
	int fd = open_at(path);

	if (fd < 0)
		return errno_log(-fd, "%s: %s", path, fd == -EADDRINUSE ? "another gateway answers there" : strerror(-fd));
	return fd;
}
