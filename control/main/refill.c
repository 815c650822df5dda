#include "control/main/refill.h"

#include <stdlib.h>
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

static void step_soon(struct gateway *g)
{
	static const struct timeval now;

	evtimer_add(&g->refill.step, &now);
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
			tunnel_lost(t);
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
	int lane[2], ret = tunnel_lane(t, lane);

	if (ret < 0) {
		give_up(t, strerror(-ret));
		return;
	}
	t->lane_fd = lane[0];
	ret = order_send(t, lane[1]);
	close(lane[1]);
	if (ret < 0) { // it has died again
		lane_forget(t);
		return;
	}
	t->where = WHERE_ASKED;
	t->g->refill.asked++;
}

static void log_end(const struct gateway *g)
{
	const struct refill *r = &g->refill;

	if (r->done || r->failed)
		log_notice("the new dataplane has the tunnels of %u sessions, %llu ms after the old one died%s", r->done,
		           (unsigned long long)(clock_ms() - r->since_ms), r->failed ? "; some could not go on" : "");
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;
	struct refill *r = &g->refill;
	unsigned asked = 0;
	uint32_t stop = r->at + LOOKS;

	if (!g->dataplane || !g->dataplane->ready)
		return;
	for (; r->at < g->tunnels_max && r->at < stop && asked < BURST && r->asked < WINDOW; r->at++) {
		struct tunnel *t = g->tunnels[r->at];

		if (!t || t->where != WHERE_NOWHERE || t->phase == TUNNEL_DELETING)
			continue;
		ask(t);
		asked++;
	}
	if (r->at < g->tunnels_max && r->asked < WINDOW)
		step_soon(g);
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
	step_soon(g);
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
	step_soon(g);
}
