#include "secmod/names.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "secmod/secmod.h"
#include "secmod/spawn.h"

#define PATIENCE_MS 20000
// Main is not to think that we hang (control/main/pulse.c).
#define PATIENCE_IN_LOOP_MS 2000

static bool in_loop; // once it runs, what waits there holds up all

int names_host_here(const char *name, struct addr *out)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct addrinfo *found;

	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return -EHOSTUNREACH;
	addr_from_sockaddr(found->ai_addr, out);
	freeaddrinfo(found);
	return out->family != 0 ? 0 : -EHOSTUNREACH;
}

void names_groups_here(gid_t gid_min, void (*each)(void *who, const char *name), void *who)
{
	const struct group *gr;

	setgrent();
	while ((gr = getgrent()) != NULL)
		if (gr->gr_gid >= gid_min)
			each(who, gr->gr_name);
	endgrent();
}

// --------------------------------------------------------------------------------------------------------------- a question

struct question {
	int fd;
	pid_t pid;
};

static int question_ask(struct question *q, const struct names_request *request)
{
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	q->fd = fds[0];
	ret = send(q->fd, request, sizeof(*request), MSG_NOSIGNAL) == sizeof(*request) ? 0 : -EPIPE;
	if (ret == 0)
		ret = spawn_helper(SPAWN_NAMES, fds[1], &q->pid);
	close(fds[1]);
	if (ret < 0)
		close(q->fd);
	return ret;
}

static int question_hear(const struct question *q, struct names_reply *reply, int64_t until_ms)
{
	struct pollfd p = { .fd = q->fd, .events = POLLIN };
	int64_t now = monotonic_ms();

	if (poll(&p, 1, now < until_ms ? (int)(until_ms - now) : 0) != 1)
		return -ETIMEDOUT;
	if (recv(q->fd, reply, sizeof(*reply), 0) != sizeof(*reply))
		return -EPIPE;
	reply->name[NAMES_TEXT] = '\0';
	return 0;
}

static void question_end(const struct question *q)
{
	close(q->fd);
	kill(q->pid, SIGKILL);
	while (waitpid(q->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int names_host(const char *name, struct addr *out)
{
	struct names_request request = { .kind = NAMES_HOST };
	struct names_reply reply;
	struct question q;
	int ret;

	if (spawner_fd() < 0)
		return names_host_here(name, out);
	snprintf(request.name, sizeof(request.name), "%s", name);
	ret = question_ask(&q, &request);
	if (ret < 0)
		return ret;
	ret = question_hear(&q, &reply, monotonic_ms() + PATIENCE_MS);
	question_end(&q);
	if (ret == 0 && reply.addr.family != 4 && reply.addr.family != 6)
		ret = -EHOSTUNREACH;
	if (ret == 0)
		*out = reply.addr;
	return ret;
}

int names_groups(gid_t gid_min, void (*each)(void *who, const char *name), void *who)
{
	const struct names_request request = { .kind = NAMES_GROUPS, .gid_min = gid_min };
	int64_t until_ms = monotonic_ms() + (in_loop ? PATIENCE_IN_LOOP_MS : PATIENCE_MS);
	struct names_reply reply = { .more = 1 };
	struct question q;
	int ret;

	if (spawner_fd() < 0)
		return names_groups_here(gid_min, each, who), 0;
	ret = question_ask(&q, &request);
	if (ret < 0)
		return ret;
	while ((ret = question_hear(&q, &reply, until_ms)) == 0 && reply.more)
		each(who, reply.name);
	question_end(&q);
	return ret;
}

void names_hurry(void)
{
	in_loop = true;
}
