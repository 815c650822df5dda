// The loop: what has happened on the sockets, and what the time asks for.
#include "swarm.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define TICK 0.02
#define BATCH 256

char loop_udp[UDP_SOCKETS];
double now;
static int loop = -1;
static double last_tick;

int loop_watch(int fd, void *what)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = what };

	if (loop < 0)
		loop = epoll_create1(EPOLL_CLOEXEC);
	return epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e);
}

static void clock_read(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void loop_turn(int timeout_ms)
{
	struct epoll_event events[BATCH];
	int i, n = epoll_wait(loop, events, BATCH, timeout_ms);

	clock_read();
	for (i = 0; i < n; i++) {
		char *what = events[i].data.ptr;

		if (what >= loop_udp && what < loop_udp + UDP_SOCKETS)
			dtls_receive((unsigned)(what - loop_udp));
		else
			client_step(events[i].data.ptr);
	}
}

static bool logging_in(const struct client *c)
{
	return c->stage > STAGE_DOWN && c->stage < STAGE_UP && !c->asked_back;
}

// Who has a cookie comes back at once, as real clients do; logins are let in a number at a time.
void loop_tick(void)
{
	unsigned i, under_way = 0;

	if (now - last_tick < TICK)
		return;
	last_tick = now;
	for (i = 0; i < wish.clients; i++)
		under_way += logging_in(&swarm[i]);
	for (i = 0; i < wish.clients; i++) {
		struct client *c = &swarm[i];

		client_tick(c);
		if (c->stage != STAGE_DOWN || !c->wanted || now < c->retry_at)
			continue;
		if (!c->cookie[0] && under_way >= wish.at_once)
			continue;
		under_way += !c->cookie[0];
		client_begin(c);
	}
}
