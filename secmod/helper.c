#include "secmod/helper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "secmod/spawn.h"

// What a helper may still do after its last word.
#define AFTERMATH_SECONDS 5

struct helper {
	const struct helper_events *events; // NULL: released or killed
	void *who;
	pid_t pid;
	int fd; // -1: closed
	struct event *readable, *deadline;
	TAILQ_ENTRY(helper) next;
};

static struct {
	struct event_base *base;
	unsigned users; // of these
	struct event *child;
	TAILQ_HEAD(, helper) all;
} helpers;

static void hang_up(struct helper *h)
{
	if (h->readable != NULL)
		event_free(h->readable);
	if (h->fd >= 0)
		close(h->fd);
	h->readable = NULL;
	h->fd = -1;
}

static void helper_free(struct helper *h)
{
	hang_up(h);
	if (h->deadline != NULL)
		event_free(h->deadline);
	free(h);
}

// Its number is its own until it has been reaped.
static void end_process(const struct helper *h)
{
	kill(-h->pid, SIGKILL);
	kill(h->pid, SIGKILL);
}

static void tell_end(struct helper *h, const char *reason)
{
	const struct helper_events *events = h->events;

	h->events = NULL;
	if (events != NULL)
		events->ended(h->who, reason);
}

static void on_deadline(evutil_socket_t fd, short what, void *who)
{
	end_process(who);
	tell_end(who, "it took too long");
}

static void on_readable(evutil_socket_t fd, short what, void *who)
{
	struct helper *h = who;

	if (h->events != NULL)
		h->events->readable(h->who);
}

static void describe_end(int status, char out[HELPER_REASON + 1])
{
	if (WIFSIGNALED(status))
		snprintf(out, HELPER_REASON + 1, "it was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(out, HELPER_REASON + 1, "it exited with status %d", WEXITSTATUS(status));
}

// Its last words may still lie in the socket: they are heard before its end.
static void reap(struct helper *h)
{
	char reason[HELPER_REASON + 1], byte;
	int status;

	while (h->events != NULL && h->fd >= 0 && recv(h->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		h->events->readable(h->who);
	kill(-h->pid, SIGKILL); // while the zombie holds its number, its group cannot be anybody else's
	if (waitpid(h->pid, &status, 0) != h->pid)
		return;
	TAILQ_REMOVE(&helpers.all, h, next);
	describe_end(status, reason);
	tell_end(h, reason);
	helper_free(h);
}

static void on_child(evutil_socket_t sig, short what, void *who)
{
	struct helper *h, *next;

	for (h = TAILQ_FIRST(&helpers.all); h != NULL; h = next) {
		siginfo_t info = { 0 };

		next = TAILQ_NEXT(h, next);
		if (waitid(P_PID, h->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == h->pid)
			reap(h);
	}
}

int helpers_start(struct event_base *base)
{
	if (helpers.users > 0) {
		helpers.users++;
		return 0;
	}
	TAILQ_INIT(&helpers.all);
	helpers.child = evsignal_new(base, SIGCHLD, on_child, NULL);
	if (helpers.child == NULL || event_add(helpers.child, NULL) < 0)
		return -ENOMEM;
	helpers.base = base;
	helpers.users = 1;
	return 0;
}

void helpers_stop(void)
{
	struct helper *h;

	if (helpers.users == 0 || --helpers.users > 0)
		return;
	while ((h = TAILQ_FIRST(&helpers.all)) != NULL) {
		end_process(h);
		TAILQ_REMOVE(&helpers.all, h, next);
		helper_free(h);
	}
	event_free(helpers.child);
	helpers.base = NULL;
}

static int launch(struct helper *h, enum spawn_kind kind, unsigned seconds)
{
	const struct timeval in = { .tv_sec = seconds };
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	h->fd = fds[0];
	h->deadline = evtimer_new(helpers.base, on_deadline, h);
	h->readable = event_new(helpers.base, h->fd, EV_READ | EV_PERSIST, on_readable, h);
	ret = h->deadline == NULL || h->readable == NULL || evtimer_add(h->deadline, &in) < 0 || event_add(h->readable, NULL) < 0
	              ? -ENOMEM
	              : 0;
	if (ret == 0)
		ret = evutil_make_socket_nonblocking(h->fd) < 0 ? -EIO : 0;
	if (ret == 0)
		ret = spawn_helper(kind, fds[1], &h->pid);
	close(fds[1]);
	return ret;
}

struct helper *helper_new(enum spawn_kind kind, unsigned seconds, const struct helper_events *events, void *who)
{
	struct helper *h = calloc(1, sizeof(*h));
	int ret;

	if (h == NULL)
		return NULL;
	h->fd = -1;
	h->events = events;
	h->who = who;
	ret = launch(h, kind, seconds);
	if (ret < 0) {
		helper_free(h);
		errno = -ret;
		return NULL;
	}
	TAILQ_INSERT_TAIL(&helpers.all, h, next);
	return h;
}

void helper_kill(struct helper *h)
{
	h->events = NULL;
	hang_up(h);
	end_process(h);
}

void helper_release(struct helper *h)
{
	const struct timeval in = { .tv_sec = AFTERMATH_SECONDS };

	h->events = NULL;
	hang_up(h);
	evtimer_add(h->deadline, &in);
}

int helper_send(struct helper *h, const void *packet, size_t len)
{
	ssize_t n;

	do
		n = send(h->fd, packet, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

ssize_t helper_receive(struct helper *h, void *packet, size_t room)
{
	ssize_t n;

	do
		n = recv(h->fd, packet, room, MSG_TRUNC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return -errno;
	if (n > 0)
		return (size_t)n > room ? -EMSGSIZE : n;
	event_del(h->readable); // how it ended is known when it is reaped
	end_process(h);
	return 0;
}
