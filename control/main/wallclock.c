#include "control/main/wallclock.h"

#include <stdlib.h>

#include "control/main/events.h"
#include "control/main/gateway.h"
#include "control/main/session.h"
#include "control/main/terms.h"
#include "control/main/tunnel.h"

#define SET_LEAST_US 1000000 // less than that nobody sees by seconds

// As exact as both can be read, so that the same moment is always the same second.
static int64_t ahead_us(void)
{
	struct timespec wall, runs;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &runs);
	return ((int64_t)wall.tv_sec - runs.tv_sec) * 1000000 + (wall.tv_nsec - runs.tv_nsec) / 1000;
}

time_t wallclock_then(int64_t ms)
{
	return (time_t)((ms * 1000 + ahead_us() + 500000) / 1000000);
}

int64_t wallclock_of(time_t then)
{
	return ((int64_t)then * 1000000 - ahead_us()) / 1000;
}

static void retime(struct gateway *g)
{
	struct session *s;

	TAILQ_FOREACH(s, &g->sessions, all)
	if (s->tunnel && s->tunnel->phase == TUNNEL_UP && s->tunnel->terms->valid_until)
		tunnel_retime(s->tunnel);
}

void wallclock_look(struct gateway *g)
{
	int64_t now = ahead_us(), by = now - g->wall_ahead_us;
	bool first = g->wall_ahead_us == 0;

	if (!first && llabs(by) < SET_LEAST_US)
		return;
	g->wall_ahead_us = now;
	if (first)
		return;
	events_gateway(g, LOG_LEVEL_NOTICE, "the clock of this machine was set %s by %lld s", by > 0 ? "forward" : "back",
	               ((long long)llabs(by) + 500000) / 1000000);
	retime(g);
}
