#include "control/main/link.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/secret.h"

// So many messages of one peer before the others get their turn.
#define SERVE_BURST 16

struct link_item {
	STAILQ_ENTRY(link_item) next;
	enum msg_number number;
	int fds[LIMIT_FDS];
	union msg_any *msg; // only as long as its kind needs
};

static void item_free(struct link_item *item)
{
	const struct msg_desc *d = &msg_descs[item->number];

	for (int i = 0; i < d->fds; i++)
		if (item->fds[i] >= 0)
			close(item->fds[i]);
	if (item->msg && d->secrecy == MSG_SECRET)
		secret_wipe(item->msg, d->size);
	free(item->msg);
	free(item);
}

static struct link_item *item_new(enum msg_number number, const void *msg, const int *fds)
{
	const struct msg_desc *d = &msg_descs[number];
	struct link_item *item = calloc(1, sizeof(*item));

	if (!item)
		return NULL;
	item->number = number;
	for (int i = 0; i < d->fds; i++)
		item->fds[i] = -1;
	item->msg = malloc(d->size);
	if (!item->msg)
		goto fail;
	memcpy(item->msg, msg, d->size);
	for (int i = 0; i < d->fds; i++) {
		item->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (item->fds[i] < 0)
			goto fail;
	}
	return item;
fail:
	item_free(item);
	return NULL;
}

static void link_fail(struct link *l, int why)
{
	if (l->ending || l->chan.fd < 0)
		return;
	l->ending = true;
	l->why = why;
	event_active(&l->timer, EV_TIMEOUT, 0);
}

static void stall_restart(struct link *l)
{
	const struct timeval stall = { LINK_STALL_SECONDS, 0 };

	if (STAILQ_EMPTY(&l->queue) || l->patient)
		evtimer_del(&l->timer);
	else
		evtimer_add(&l->timer, &stall);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;
	char scrap[64];

	for (int i = 0; i < SERVE_BURST && l->chan.fd >= 0 && !l->ending; i++) {
		int ret;

		if (i == 0 && l->touched)
			l->touched(l->who);
		if (l->deaf) {
			ssize_t n = recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT);

			ret = n < 0 ? -errno : (int)n;
		} else {
			ret = chan_serve(&l->chan, l->handlers, l->who, 1);
			l->heard = l->heard || ret > 0;
		}
		if (ret == -EAGAIN)
			return;
		if (ret <= 0)
			link_fail(l, ret);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;
	struct link_item *item;
	bool moved = false;

	while ((item = STAILQ_FIRST(&l->queue))) {
		int ret = chan_send(&l->chan, item->number, item->msg, item->fds);

		if (ret == -EAGAIN)
			break;
		if (ret == -EINVAL)
			log_err("%s: cannot send %s: a field is out of its bounds", l->chan.name, msg_descs[item->number].name);
		else if (ret < 0 && ret != -EPIPE) {
			link_fail(l, ret);
			break;
		}
		moved = true;
		STAILQ_REMOVE_HEAD(&l->queue, next);
		l->queued--;
		item_free(item);
	}
	if (l->ending)
		return;
	if (moved)
		stall_restart(l);
	if (!STAILQ_EMPTY(&l->queue))
		return;
	event_del(&l->writable);
	if (l->drained)
		l->drained(l->who);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;
	int why = l->why;

	if (!l->ending) {
		log_warn("%s: does not read", l->chan.name);
		why = -ETIMEDOUT;
	}
	l->ending = true;
	event_del(&l->readable);
	event_del(&l->writable);
	l->ended(l->who, why);
}

int link_open(struct link *l, struct event_base *base, unsigned queue_max)
{
	STAILQ_INIT(&l->queue);
	l->queued = 0;
	l->queue_max = queue_max;
	l->ending = false;
	l->deaf = false;
	event_assign(&l->readable, base, l->chan.fd, EV_READ | EV_PERSIST, on_readable, l);
	event_assign(&l->writable, base, l->chan.fd, EV_WRITE | EV_PERSIST, on_writable, l);
	evtimer_assign(&l->timer, base, on_timer, l);
	if (event_add(&l->readable, NULL) == 0)
		return 0;
	chan_fini(&l->chan);
	return -ENOMEM;
}

void link_close(struct link *l)
{
	struct link_item *item;

	if (l->chan.fd < 0)
		return;
	event_del(&l->readable);
	event_del(&l->writable);
	evtimer_del(&l->timer);
	while ((item = STAILQ_FIRST(&l->queue))) {
		STAILQ_REMOVE_HEAD(&l->queue, next);
		item_free(item);
	}
	l->queued = 0;
	// the keeper has it, too, and may be slow
	shutdown(l->chan.fd, SHUT_RDWR);
	chan_fini(&l->chan);
}

static int link_queue(struct link *l, enum msg_number number, const void *msg, const int *fds)
{
	struct link_item *item;

	if (l->queued >= l->queue_max)
		return errno_log(ENOBUFS, "%s: does not read", l->chan.name);
	item = item_new(number, msg, fds);
	if (!item)
		return errno_log(ENOMEM, "%s: cannot queue: %s", l->chan.name, strerror(errno));
	if (l->queued == 0 && event_add(&l->writable, NULL) < 0) {
		item_free(item);
		return errno_log(ENOMEM, "%s: cannot queue: out of memory", l->chan.name);
	}
	STAILQ_INSERT_TAIL(&l->queue, item, next);
	if (l->queued++ == 0)
		stall_restart(l);
	return 0;
}

int link_send(struct link *l, enum msg_number number, const void *msg, const int *fds)
{
	int ret = -EAGAIN;

	if (l->chan.fd < 0 || l->ending)
		return -EPIPE;
	if (STAILQ_EMPTY(&l->queue))
		ret = chan_send(&l->chan, number, msg, fds);
	if (ret == -EAGAIN)
		ret = link_queue(l, number, msg, fds);
	if (ret == -EINVAL)
		log_err("%s: cannot send %s: a field is out of its bounds", l->chan.name, msg_descs[number].name);
	else if (ret < 0 && ret != -EPIPE) // closed: what it said last is still to be read, and then comes the end
		link_fail(l, ret);
	return ret;
}

void link_hold(struct link *l, bool on)
{
	if (l->chan.fd < 0 || l->ending)
		return;
	if (on)
		event_del(&l->readable);
	else
		event_add(&l->readable, NULL);
}

void link_deafen(struct link *l)
{
	l->deaf = true;
}

void link_read_rest(struct link *l)
{
	for (int i = 0; i < 64 && l->chan.fd >= 0 && !l->ending && !l->deaf; i++)
		on_readable(l->chan.fd, EV_READ, l);
}

bool link_is_quiet(const struct link *l)
{
	return l->chan.fd < 0 || (l->queued == 0 && !l->ending);
}

int link_open_again(struct link *l, struct event_base *base, unsigned queue_max, enum role peer)
{
	bool deaf = l->deaf;
	int ret;

	l->chan.self = ROLE_MAIN;
	l->chan.peer = (uint8_t)peer;
	if (l->chan.fd < 0)
		return 0;
	ret = link_open(l, base, queue_max);
	l->deaf = deaf;
	return ret;
}
