#include "control/main/pulse.h"

#include <stdlib.h>

#include "control/main/admin.h"
#include "control/main/listen.h"
#include "control/main/notify.h"
#include "control/main/reload.h"
#include "control/main/upgrade.h"
#include "control/main/wallclock.h"
#include "proto/err.h"
#include "proto/sandbox.h"

// In ticks and not in time: after a pause of the whole machine nobody is to blame.
#define TICK_MS 500
#define TICKS_QUIET 2 // then it is asked
#define TICKS_STUCK 8

static void ask(struct child *c)
{
	if (c->kind == &child_secmod)
		LINK_SEND(&c->link, SECMOD_PING, &(struct msg_secmod_ping){ .number = c->pings });
	else if (c->kind == &child_dataplane)
		LINK_SEND(&c->link, DATAPLANE_PING, &(struct msg_dataplane_ping){ .number = c->pings });
	else
		LINK_SEND(&c->link, NURSERY_PING, &(struct msg_nursery_ping){ .number = c->pings });
	c->pings++;
}

// Who was started to be debugged (penstockd -x) may stand still as long as somebody looks at him.
static bool may_be_killed(void)
{
	return !getenv(SANDBOX_TRACEABLE);
}

// Another takes its place as soon as it has been reaped, with the pauses of one that dies again and again (supervise.c).
static void lost(struct child *c)
{
	bool fatal = may_be_killed();
	char text[64];

	c->stuck = true;
	log_err("%s (pid %d) has not answered for %d seconds%s", c->kind->name, (int)c->pid,
	        (TICKS_STUCK - TICKS_QUIET) * TICK_MS / 1000, fatal ? ": it is killed" : "");
	snprintf(text, sizeof(text), "%s does not answer", c->kind->name);
	if (c->kind == &child_secmod) {
		admin_peer_lost(c->g, MSG_SESSION_ROWS_END, text);
		reload_peer_lost(c->g, text);
	} else if (c->kind == &child_dataplane) {
		admin_dataplane_lost(c->g, text);
	}
	if (fatal)
		child_kill(c);
}

static void found(struct child *c)
{
	if (c->stuck)
		log_notice("%s (pid %d) answers again", c->kind->name, (int)c->pid);
	c->stuck = false;
	c->silence = 0;
	reload_resume(c->g);
	upgrade_resume(c->g);
}

static void feel(struct child *c)
{
	if (!c->ready || c->leaving || c->link.chan.fd < 0)
		return;
	if (c->link.heard) {
		c->link.heard = false;
		found(c);
		return;
	}
	c->silence++;
	if (c->silence == TICKS_QUIET)
		ask(c);
	else if (c->silence == TICKS_STUCK)
		lost(c);
}

static void tick_set(struct gateway *g)
{
	const struct timeval tv = { .tv_usec = TICK_MS * 1000 };

	evtimer_add(&g->pulse, &tv);
}

static void status_tell(const struct gateway *g)
{
	const struct child *missing = pulse_missing(g);

	if (g->phase != GATEWAY_UP)
		return;
	if (missing)
		notify_status("%s does not answer; %zu clients connected", missing->kind->name, g->sessions_active);
	else
		notify_status("%s%s%zu clients connected", g->accepting ? "" : door_state(g), g->accepting ? "" : "; ",
		              g->sessions_active);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;
	struct child *all[] = { g->secmod, g->dataplane, g->nursery };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i])
			feel(all[i]);
	listen_resume(g); // where there was no memory for it when it was due
	wallclock_look(g);
	status_tell(g);
	tick_set(g);
}

void pulse_open(struct gateway *g)
{
	evtimer_assign(&g->pulse, g->base, on_tick, g);
	wallclock_look(g);
	tick_set(g);
}

void pulse_close(struct gateway *g)
{
	evtimer_del(&g->pulse);
}

const struct child *pulse_missing(const struct gateway *g)
{
	const struct child *all[] = { g->secmod, g->dataplane, g->nursery };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i] && all[i]->stuck)
			return all[i];
	return NULL;
}
