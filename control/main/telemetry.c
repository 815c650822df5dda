#include "control/main/telemetry.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/main/supervise.h"
#include "control/main/unixsocket.h"
#include "proto/err.h"

#define PAUSE_MS 200

struct telemetry {
	int fd;
	char *path;
	struct event *readable, pause;
	uint32_t clients; // so far
};

static void hand_over(struct gateway *g, int fd)
{
	const struct msg_telemetry_client m = { .client = ++g->telemetry->clients };
	struct child *dataplane = g->dataplane;

	if (dataplane && dataplane->ready && !dataplane->stuck)
		link_send(&dataplane->link, MSG_TELEMETRY_CLIENT, &m, &fd);
	close(fd);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	event_add(arg, NULL);
}

// Not more than one in a pause: each of them is work for the dataplane.
static void on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	const struct timeval pause = { .tv_usec = PAUSE_MS * 1000 };
	struct gateway *g = arg;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		hand_over(g, fd);
	event_del(g->telemetry->readable);
	evtimer_add(&g->telemetry->pause, &pause);
}

int telemetry_open(struct gateway *g, const char *path)
{
	struct telemetry *t = calloc(1, sizeof(*t));
	int ret = -ENOMEM;

	if (!t)
		return ret;
	t->path = strdup(path);
	if (!t->path)
		goto out;
	ret = t->fd = unixsocket_open(path);
	if (ret < 0)
		goto out;
	t->readable = event_new(g->base, t->fd, EV_READ | EV_PERSIST, on_accept, g);
	if (!t->readable || event_add(t->readable, NULL) < 0)
		goto close_socket;
	evtimer_assign(&t->pause, g->base, on_pause_over, t->readable);
	g->telemetry = t;
	return 0;
close_socket:
	ret = -ENOMEM;
	if (t->readable)
		event_free(t->readable);
	close(t->fd);
	unlink(path);
out:
	free(t->path);
	free(t);
	return ret;
}

void telemetry_close(struct gateway *g)
{
	struct telemetry *t = g->telemetry;

	if (!t)
		return;
	evtimer_del(&t->pause);
	event_free(t->readable);
	close(t->fd);
	unlink(t->path);
	free(t->path);
	free(t);
	g->telemetry = NULL;
}
