// Sends one packet again and again as fast as the socket takes it, in a thread of its own, until its peer has had enough of it.
#pragma once
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "probe.h"

#define FLOODER_BURST 10

struct flooder {
	pthread_t thread;
	int fd;
	bool gently; // FLOODER_BURST packets in two milliseconds
	uint8_t packet[LIMIT_MESSAGE];
	size_t len;
	_Atomic bool stop;
	_Atomic long sent;
	_Atomic bool ended; // the peer has closed
};

static void *flooder_run(void *arg)
{
	struct flooder *f = arg;
	struct pollfd p = { .fd = f->fd, .events = POLLOUT };

	while (!f->stop) {
		if (send(f->fd, f->packet, f->len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
			f->sent++;
			if (f->gently && f->sent % FLOODER_BURST == 0)
				usleep(2000);
			continue;
		}
		if (errno != EAGAIN && errno != ENOBUFS) {
			f->ended = true;
			break;
		}
		poll(&p, 1, 10);
	}
	return NULL;
}

static PROBE_UNUSED int flooder_start(struct flooder *f, int fd, const void *packet, size_t len)
{
	f->fd = fd;
	f->len = len;
	f->stop = f->ended = false;
	f->sent = 0;
	memcpy(f->packet, packet, len);
	return pthread_create(&f->thread, NULL, flooder_run, f) == 0 ? 0 : -1;
}

static PROBE_UNUSED void flooder_stop(struct flooder *f)
{
	f->stop = true;
	pthread_join(f->thread, NULL);
}
