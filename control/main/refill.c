#include "control/main/refill.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/change.h"
#include "control/main/order.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "proto/err.h"

// Tunnels that the dataplane was asked to take and has not answered: each holds a lane's end here.
#define WINDOW 256
// So many, or numbers looked at, before main's other work gets its turn.
#define BURST 32
#define LOOKS 4096
// Messages that may wait for the dataplane before the next tunnel's: one may have thousands of routes.
#define QUEUE_ENOUGH 1024
#define QUEUE_LOOK_US 5000

static void step_in(struct gateway *g, suseconds_t us)
{
	const struct timeval tv = { .tv_usec = us };

	evtimer_add(&g->refill.step, &tv);
}

static void lane_forget(struct tunnel *t)
{
	if (t->lane_fd >= 0)
		close(t->lane_fd);
	t->lane_fd = -1;
}

// -------------------------------------------------------------------------------------------------------------------- lost

// What was counted stays so; the next dataplane counts from 0. Where its client was is still the best guess.
static void lose(struct tunnel *t)
{
	t->where = WHERE_NOWHERE;
	t->before = t->now;
	t->channel = CHANNEL_CSTP;
	t->why = WHY_REFILL;
	lane_forget(t);
	iroute_lost(t);
	change_lost(t);
}

void refill_lose(struct gateway *g)
{
	g->refill.asked = 0;
	g->refill.done = g->refill.failed = 0;
	g->refill.since_ms = clock_ms();
	evtimer_del(&g->refill.step);
	for (uint32_t i = 0; i < g->tunnels_max; i++) {
		struct tunnel *t = g->tunnels[i];

		if (t && t->phase == TUNNEL_DELETING)
			tunnel_over(t);
		else if (t)
			lose(t);
	}
}

// ------------------------------------------------------------------------------------------------------------------- refill

static void give_up(struct tunnel *t, const char *why)
{
	t->g->refill.failed++;
	log_err("session %u: no tunnel in the new dataplane: %s", t->session->id, why);
	t->where = WHERE_NOWHERE;
	conn_end(t->conn, END_DATAPLANE);
}

static void ask(struct tunnel *t)
{
	int ret = tunnel_order(t);

	if (ret == 0) {
		t->where = WHERE_ASKED;
		t->g->refill.asked++;
	} else if (ret != -EPIPE && !t->g->dataplane->link.ending) { // else it has died again
		give_up(t, strerror(-ret));
	}
}

static void log_end(const struct gateway *g)
{
	const struct refill *r = &g->refill;

	if (r->done || r->failed)
		log_notice("the new dataplane has the tunnels of %u sessions, %llu ms after the old one died%s", r->done,
		           (unsigned long long)(clock_ms() - r->since_ms), r->failed ? "; some could not go on" : "");
}

static bool may_ask(const struct gateway *g)
{
	return g->refill.asked < WINDOW && g->dataplane->link.queued < QUEUE_ENOUGH;
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;
	struct refill *r = &g->refill;
	unsigned asked = 0;
	uint32_t stop = r->at + LOOKS;

	if (!g->dataplane || !g->dataplane->ready)
		return;
	for (; r->at < g->tunnels_max && r->at < stop && asked < BURST && may_ask(g); r->at++) {
		struct tunnel *t = g->tunnels[r->at];

		if (!t || t->where != WHERE_NOWHERE || t->phase == TUNNEL_DELETING)
			continue;
		ask(t);
		asked++;
	}
	if (r->at < g->tunnels_max && r->asked < WINDOW)
		step_in(g, may_ask(g) ? 0 : QUEUE_LOOK_US);
	else if (r->at == g->tunnels_max && r->asked == 0)
		log_end(g);
}

void refill_init(struct gateway *g)
{
	evtimer_assign(&g->refill.step, g->base, on_step, g);
}

int refill_room(struct gateway *g, uint32_t tunnels_max)
{
	if (g->tunnels && g->tunnels_max == tunnels_max)
		return 0;
	for (uint32_t i = tunnels_max; i < g->tunnels_max; i++)
		if (g->tunnels[i])
			give_up(g->tunnels[i], "it has room for less");
	return tunnel_table_fit(g, tunnels_max);
}

void refill_begin(struct gateway *g)
{
	g->refill.at = 0;
	step_in(g, 0);
}

static void lane_give(struct tunnel *t)
{
	// a worker that cannot take it loses its channel, and the tunnel ends there
	if (link_send(&t->conn->link, MSG_LANE_NEW, &(struct msg_lane_new){}, &t->lane_fd) < 0)
		log_warn("session %u: its worker gets no lane", t->session->id);
	lane_forget(t);
}

void refill_replied(struct tunnel *t, const struct msg_tunnel_reply *m)
{
	struct gateway *g = t->g;

	t->where = WHERE_DATAPLANE;
	g->refill.asked--;
	if (t->phase == TUNNEL_UP && m->ok) {
		g->refill.done++;
		lane_give(t);
		iroute_up(t);
	} else if (t->phase == TUNNEL_UP) {
		give_up(t, m->text);
	}
	step_in(g, 0);
}
