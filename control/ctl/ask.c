#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ask.h"
#include "capture.h"
#include "events.h"
#include "proto/log.h"

#define ANSWER_TIMEOUT_MS 90000 // a reload loads certificates and waits for a new nursery; a trace takes a minute
#define CAPTURE_TIMEOUT_MS ((LIMIT_WATCH_SECONDS + 30) * 1000)

#define HANDLERS from_main
#define ON_MAIN_CTL(...) __VA_ARGS__
#include "proto/handlers.h"

static int on_admin_value(void *who, const struct msg_admin_value *m, const int *fds)
{
	return answer_add(who, m);
}

static int on_admin_packet(void *who, const struct msg_admin_packet *m, const int *fds)
{
	struct answer *a = who;

	return a->capture ? capture_add(a->capture, m) : -EPROTO;
}

static int on_admin_event(void *who, const struct msg_admin_event *m, const int *fds)
{
	struct answer *a = who;

	return a->events ? events_add(a->events, m) : -EPROTO;
}

static int on_admin_end(void *who, const struct msg_admin_end *m, const int *fds)
{
	struct answer *a = who;

	a->ended = true;
	a->ok = m->ok;
	snprintf(a->message, sizeof(a->message), "%s", m->message);
	return 0;
}

static const char *connect_fault(int error)
{
	switch (error) {
	case ENOENT:
		return "the gateway is not running: its socket is not there";
	case ECONNREFUSED:
		return "the gateway is not running: nobody listens on its socket";
	case EACCES:
	case EPERM:
		return "permission denied: only root may ask the gateway, and members of the group that occtl-readonly-group names";
	case EAGAIN:
		return "the gateway is busy";
	case EPROTOTYPE:
		return "this socket is not the gateway's";
	default:
		return strerror(error);
	}
}

int ask_open(struct ask *k, const char *path, const char **why)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, error;

	k->path = path;
	chan_init(&k->chan, -1, ROLE_CTL, ROLE_MAIN, CHAN_PLAIN, "gateway");
	if (strlen(path) >= sizeof(sa.sun_path)) {
		*why = "this path is too long for a socket";
		return -ENAMETOOLONG;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0) {
		k->chan.fd = fd;
		return 0;
	}
	error = errno;
	*why = connect_fault(error);
	if (fd >= 0)
		close(fd);
	return -error;
}

void ask_close(struct ask *k)
{
	chan_fini(&k->chan);
}

static const char *answer_fault(int error)
{
	switch (-error) {
	case EPIPE:
		return "the gateway closed the connection: it may be stopping, or refuse to talk to this user";
	case ETIMEDOUT:
		return "the gateway does not answer";
	case EINVAL:
		return "this argument is too long or holds control characters";
	case ENOMEM:
		return "out of memory";
	default:
		return "the gateway's answer makes no sense: is it of another version?";
	}
}

// Events may be far between: only the end of the channel ends them.
static int await_end(struct ask *k, struct answer *a)
{
	int ret;

	do
		ret = chan_await(&k->chan, from_main, a, MSG_ADMIN_END, a->capture ? CAPTURE_TIMEOUT_MS : ANSWER_TIMEOUT_MS);
	while (ret == -ETIMEDOUT && a->events);
	return ret;
}

int ask_command(struct ask *k, const char *command, const char *argument, struct answer *a, const char **why)
{
	struct msg_admin_req req = { 0 };
	int ret = -EINVAL;

	if (argument && strlen(argument) >= sizeof(req.argument))
		goto out;
	snprintf(req.command, sizeof(req.command), "%s", command);
	snprintf(req.argument, sizeof(req.argument), "%s", argument ? argument : "");
	log_debug("asking %s: %s %s", k->path, req.command, req.argument);
	ret = CHAN_SEND(&k->chan, ADMIN_REQ, &req);
	if (ret == 0)
		ret = await_end(k, a);
	log_debug("%zu values, %s", a->count, a->ended ? "complete" : "cut off");
out:
	if (ret < 0)
		*why = answer_fault(ret);
	return ret;
}
