#include "control/main/activation.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/err.h"

#define FIRST 3 // SD_LISTEN_FDS_START
#define MOST 64

static struct {
	int fd[MOST]; // -1: somebody has it
	enum activation kind[MOST];
	int n;
} given;

static int option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

// NULL: it is what we can use, and *kind says as what.
static const char *why_not(int fd, enum activation *kind)
{
	int domain = option(fd, SO_DOMAIN), type = option(fd, SO_TYPE), protocol = option(fd, SO_PROTOCOL);

	if (domain < 0)
		return "is no socket";
	if (domain != AF_INET && domain != AF_INET6)
		return "is neither IPv4 nor IPv6";
	if (type == SOCK_DGRAM && protocol == IPPROTO_UDP) {
		*kind = ACTIVATION_UDP;
		return NULL;
	}
	if (type != SOCK_STREAM || protocol != IPPROTO_TCP)
		return "is neither TCP nor UDP";
	*kind = ACTIVATION_TCP;
	return option(fd, SO_ACCEPTCONN) == 1 ? NULL : "does not listen (Accept=yes?)";
}

// A number as systemd writes it, or -1.
static long number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long n;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	n = strtol(text, &end, 10);
	return errno || *end ? -1 : n;
}

static int take(int fd)
{
	const char *why = why_not(fd, &given.kind[given.n]);

	if (why)
		return errno_log(EINVAL, "LISTEN_FDS: descriptor %d %s", fd, why);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return errno_log(errno, "LISTEN_FDS: descriptor %d: %s", fd, strerror(errno));
	given.fd[given.n++] = fd;
	return 0;
}

int activation_take(void)
{
	long n = number_of("LISTEN_PID") == getpid() ? number_of("LISTEN_FDS") : 0;
	int ret = 0;

	// they are for nobody behind us
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (n < 0 || n > MOST)
		return errno_log(EINVAL, "LISTEN_FDS is no number up to %d", MOST);
	for (int fd = FIRST; fd < FIRST + n && ret == 0; fd++)
		ret = take(fd);
	return ret;
}

int activation_next(enum activation kind)
{
	int fd;

	for (int i = 0; i < given.n; i++) {
		if (given.fd[i] < 0 || given.kind[i] != kind)
			continue;
		fd = given.fd[i];
		given.fd[i] = -1;
		return fd;
	}
	return -1;
}
