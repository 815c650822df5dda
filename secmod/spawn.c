#include "secmod/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/sandbox.h"
#include "secmod/places.h"

static struct {
	pthread_mutex_t lock; // a request and its reply
	int fd;
	bool unfiltered;
} spawner = { PTHREAD_MUTEX_INITIALIZER, -1, false };

static int start_clean(int fd)
{
	char *const argv[] = { "penstock-secmod", SPAWNER_OPTION, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all, none;
	pid_t pid;
	int ret;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&files, fd, SPAWN_FD);
	// what a sanitizer reports has to be read by somebody
	for (int i = 0; i <= (sandbox_sanitized() ? 1 : 2); i++)
		posix_spawn_file_actions_addopen(&files, i, "/dev/null", O_RDWR, 0);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	ret = -posix_spawn(&pid, "/proc/self/exe", &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return ret;
}

int spawner_start(const char *places, bool filtered)
{
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ret = setenv(PLACES_VARIABLE, places, 1) < 0 ? -errno : start_clean(fds[1]);
	close(fds[1]);
	spawner.unfiltered = !filtered;
	if (ret == 0)
		spawner.fd = fds[0];
	else
		close(fds[0]);
	return ret;
}

int spawner_fd(void)
{
	return spawner.fd;
}

bool spawner_is_alive(void)
{
	struct pollfd p = { .fd = spawner.fd, .events = POLLIN };

	return poll(&p, 1, 0) < 0 || (p.revents & (POLLHUP | POLLERR)) == 0;
}

static int ask(enum spawn_kind kind, int fd)
{
	struct spawn_request request = { .kind = kind, .unfiltered = spawner.unfiltered };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { &request, sizeof(request) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.room) };
	ssize_t n;

	control.head = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	do
		n = sendmsg(spawner.fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int hear(struct spawn_reply *reply)
{
	ssize_t n;

	do
		n = recv(spawner.fd, reply, sizeof(*reply), 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n != sizeof(*reply) ? -EPIPE : 0;
}

int spawn_helper(enum spawn_kind kind, int fd, pid_t *pid)
{
	struct spawn_reply reply;
	int ret;

	pthread_mutex_lock(&spawner.lock);
	ret = ask(kind, fd);
	if (ret == 0)
		ret = hear(&reply);
	pthread_mutex_unlock(&spawner.lock);
	if (ret < 0)
		return ret;
	if (reply.error == 0)
		*pid = reply.pid;
	else if (reply.pid > 0)
		waitpid(reply.pid, NULL, 0); // it could not become the program
	return -reply.error;
}
