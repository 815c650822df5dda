#include "control/main/unixsocket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/err.h"

#define BACKLOG 8
#define PAUSE_MS 200

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

static int socket_bind(int fd, const struct sockaddr_un *sun, mode_t mode)
{
	mode_t mask = umask(0777 & ~mode);
	int ret = bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) < 0 ? -errno : 0;

	umask(mask);
	return ret;
}

// A socket that a dead gateway has left behind is replaced; anything else in its place is not ours to remove.
static int socket_bind_anew(int fd, const struct sockaddr_un *sun, mode_t mode)
{
	int ret = socket_bind(fd, sun, mode);
	struct stat st;

	if (ret != -EADDRINUSE)
		return ret;
	if (lstat(sun->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode) || somebody_answers(sun))
		return ret;
	if (unlink(sun->sun_path) < 0)
		return -errno;
	return socket_bind(fd, sun, mode);
}

int unixsocket_listen(const char *path, int type, mode_t mode)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, ret;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	ret = socket_bind_anew(fd, &sun, mode);
	if (ret == 0 && listen(fd, BACKLOG) < 0)
		ret = -errno;
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

static void on_pause_over(evutil_socket_t fd, short what, void *readable)
{
	event_add(readable, NULL);
}

void unixsocket_pause(struct unixsocket *u)
{
	const struct timeval pause = { .tv_usec = PAUSE_MS * 1000 };

	event_del(u->readable);
	evtimer_add(&u->pause, &pause);
}

static void spare_keep(struct unixsocket *u)
{
	if (u->spare < 0)
		u->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int client_accept(struct unixsocket *u)
{
	int fd = accept4(u->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || u->spare < 0)
		return fd;
	close(u->spare);
	u->spare = -1;
	return accept4(u->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	struct unixsocket *u = arg;
	int fd;

	spare_keep(u);
	fd = client_accept(u);
	if (fd >= 0)
		u->on_client(u->who, fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		unixsocket_pause(u); // it would be readable again at once, and for ever
}

static int watch(struct unixsocket *u, struct event_base *base, const char *path)
{
	u->path = strdup(path);
	u->readable = event_new(base, u->fd, EV_READ | EV_PERSIST, on_accept, u);
	if (!u->path || !u->readable || event_add(u->readable, NULL) < 0)
		return errno_log(ENOMEM, "%s: out of memory", path);
	spare_keep(u);
	evtimer_assign(&u->pause, base, on_pause_over, u->readable);
	return 0;
}

static void fini(struct unixsocket *u, const char *path)
{
	if (u->readable)
		event_free(u->readable);
	if (u->spare >= 0)
		close(u->spare);
	close(u->fd);
	unlink(path);
	free(u->path);
}

int unixsocket_open(struct unixsocket *u, struct event_base *base, const char *path, void (*on_client)(void *who, int fd),
                    void *who)
{
	int fd = unixsocket_listen(path, SOCK_SEQPACKET, 0600), ret;

	if (fd < 0)
		return errno_log(-fd, "%s: %s", path, fd == -EADDRINUSE ? "another gateway answers there" : strerror(-fd));
	*u = (struct unixsocket){ .fd = fd, .spare = -1, .on_client = on_client, .who = who };
	ret = watch(u, base, path);
	if (ret < 0)
		fini(u, path);
	return ret;
}

int unixsocket_share(const struct unixsocket *u, gid_t group)
{
	// closed to all while it changes hands
	if (chmod(u->path, 0600) < 0 || lchown(u->path, (uid_t)-1, group) < 0 || (group && chmod(u->path, 0660) < 0))
		return errno_log(errno, "%s: its group cannot be set: %s", u->path, strerror(errno));
	return 0;
}

int unixsocket_again(struct unixsocket *u, struct event_base *base, const char *path, int fd, void (*on_client)(void *who, int fd),
                     void *who)
{
	*u = (struct unixsocket){ .fd = fd, .spare = -1, .on_client = on_client, .who = who };
	return watch(u, base, path);
}

void unixsocket_close(struct unixsocket *u)
{
	evtimer_del(&u->pause);
	fini(u, u->path);
}
