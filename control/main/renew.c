#include "control/main/renew.h"

#include <string.h>
#include <unistd.h>

#include "control/main/config.h"
#include "control/main/conn.h"
#include "control/main/handover.h"
#include "control/main/keep.h"
#include "control/main/supervise.h"
#include "proto/err.h"

#define POLL_MS 250
#define PATIENCE_SECONDS 300 // where there is no auth-timeout

static bool is_due(const struct gateway *g)
{
	return g->secmod && strcmp(g->secmod->version, g->self->version) != 0;
}

static void poll_later(struct gateway *g)
{
	const struct timeval tv = { .tv_usec = POLL_MS * 1000 };

	evtimer_add(&g->renew, &tv);
}

// By then who was there at first has come to an end, one way or the other: somebody is always there to begin, and strangers need
// only connect for that.
static void patience_begin(struct gateway *g)
{
	uint64_t seconds = g->policy.auth_timeout ? g->policy.auth_timeout : PATIENCE_SECONDS;

	g->renew_due_ms = clock_ms() + 1000 * seconds;
}

// Who has a tunnel needs it no more.
static bool somebody_logs_in(const struct gateway *g)
{
	const struct conn *c;

	TAILQ_FOREACH(c, &g->conns, all)
	if (!c->tunnel && c->link.chan.state != MW_CLOSING)
		return true;
	return false;
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;
	bool busy = somebody_logs_in(g);

	// one that has died has been started anew by itself
	if (g->phase != GATEWAY_UP || !is_due(g))
		return;
	if (!g->secmod->ready || g->secmod->stuck || g->reload || g->upgrade || !keep_works(g) ||
	    (busy && clock_ms() < g->renew_due_ms)) {
		poll_later(g);
		return;
	}
	log_notice("sec-mod %s makes room for %s%s", g->secmod->version, PENSTOCK_VERSION,
	           busy ? "; somebody was always logging in, and has to begin anew" : "");
	child_retire(g->secmod);
}

void renew_begin(struct gateway *g)
{
	const struct config_word trial = { "@trial", "1" };
	struct pictures p;

	if (!is_due(g))
		return;
	if (!g->keeps_sessions) {
		log_notice("sec-mod stays at version %s: without session-file all cookies would be void", g->secmod->version);
		return;
	}
	evtimer_assign(&g->renew, g->base, on_poll, g);
	if (pictures_take_with(g, g->config, &trial, &p) < 0)
		return;
	supervise_next(g, &child_secmod, &p);
	pictures_drop(&p);
}

void renew_tried(struct child *c, bool ok, const char *text)
{
	if (c->leaving)
		return;
	c->leaving = true;
	child_kill(c);
	if (ok) {
		patience_begin(c->g);
		poll_later(c->g);
	} else {
		log_err("sec-mod %s cannot start: %s; the one of before goes on", PENSTOCK_VERSION, text);
	}
}

void renew_give_up(struct gateway *g)
{
	if (evtimer_initialized(&g->renew))
		evtimer_del(&g->renew);
}
