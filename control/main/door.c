#include "control/main/door.h"

#include <sys/resource.h>

#include "control/main/deposit.h"
#include "control/main/events.h"
#include "control/main/gateway.h"
#include "control/main/listen.h"
#include "control/main/notify.h"
#include "proto/err.h"

#define RETRY_MS 1000
#define FDS_OF_MAIN 256 // listeners, children, the CLI
#define FDS_OF_LOGIN 2  // a connection's channel, and for a while its lane, or sec-mod's end of another
#define FDS_OF_TUNNEL 1 // once it is up: its channel

static void timer_set(struct gateway *g, uint32_t ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(&g->door.timer, &tv);
}

// ------------------------------------------------------------------------------------------------------------------ full

// However many clients are allowed: the operator's door, the children and who waits keep their descriptors. So many connections
// have room if all that have no tunnel yet need theirs at once.
size_t door_files(const struct gateway *g)
{
	struct rlimit files;
	size_t ours = FDS_OF_MAIN + lobby_waiters_most();
	size_t spared = g->sessions_active * (FDS_OF_LOGIN - FDS_OF_TUNNEL);

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > FDS_OF_MAIN + ours)
		return (files.rlim_cur - ours + spared) / FDS_OF_LOGIN;
	return FDS_OF_MAIN;
}

// Who has no session yet has room of his own (max-startups), so that strangers cannot fill the gateway.
static size_t room(const struct gateway *g, const char **limit)
{
	size_t files = door_files(g) - lobby_startups_most(g);
	size_t clients = g->policy.max_clients ? g->policy.max_clients : g->tunnels_max;

	if (clients && clients <= files) {
		*limit = "max-clients";
		return clients;
	}
	*limit = "open files (ulimit -n)";
	return files;
}

// A place that is free for a moment is no news for a load balancer.
static void look(struct gateway *g)
{
	struct door *d = &g->door;
	const char *limit;
	size_t most = room(g, &limit);

	if (!d->full && g->clients_count >= most) {
		d->full = true;
		stats_refused(g, REFUSED_CLIENTS);
		events_gateway(g, LOG_LEVEL_WARN,
		               "full: there are %zu clients, as many as %s allows; new ones are refused until there are %zu",
		               g->clients_count, limit, most * 9 / 10);
	} else if (d->full && g->clients_count <= most * 9 / 10) {
		d->full = false;
		events_gateway(g, LOG_LEVEL_NOTICE, "there is room for clients again");
	}
}

// ---------------------------------------------------------------------------------------------------------- open and shut

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;

	if (g->door.draining)
		gateway_stop(g, 0, g->conns_count ? "the time to drain is over" : "nobody is left");
	else
		door_settle(g);
}

static void open_again(struct gateway *g)
{
	// somebody else may have taken the port meanwhile
	if (listen_start(g) < 0) {
		listen_shut(g, false);
		timer_set(g, RETRY_MS);
		return;
	}
	g->door.shut = false;
}

void door_settle(struct gateway *g)
{
	struct door *d = &g->door;

	if (g->phase != GATEWAY_UP)
		return;
	look(g);
	if (d->draining && g->conns_count == 0 && TAILQ_EMPTY(&g->lobby.turns))
		timer_set(g, 0);
	if (!d->shut && (d->full || d->maintenance || d->draining)) {
		// a full one has no place for who waits
		listen_shut(g, !d->full);
		d->shut = true;
	} else if (d->shut && !d->full && !d->maintenance && !d->draining) {
		open_again(g);
	}
	listen_resume(g);
}

void door_init(struct gateway *g)
{
	evtimer_assign(&g->door.timer, g->base, on_timer, g);
}

int door_begin(struct gateway *g)
{
	g->door.shut = g->door.maintenance;
	return g->door.shut ? 0 : listen_start(g);
}

void door_end(struct gateway *g)
{
	evtimer_del(&g->door.timer);
	g->door.draining = false;
}

void door_maintain(struct gateway *g, bool on)
{
	if (g->door.maintenance == on)
		return;
	g->door.maintenance = on;
	deposit_part(g, VAULT_GATEWAY);
	if (on)
		events_gateway(g, LOG_LEVEL_NOTICE, "maintenance begins: new connections are refused, %zu go on", g->conns_count);
	else
		events_gateway(g, LOG_LEVEL_NOTICE, "maintenance is over");
	door_settle(g);
}

void door_drain(struct gateway *g, const char *why)
{
	uint32_t ms = g->policy.drain_ms;

	if (g->phase != GATEWAY_UP || g->door.draining || !ms || !g->conns_count) {
		gateway_stop(g, 0, why);
		return;
	}
	log_notice("%s: new connections are refused; %zu go on for %u ms (server-drain-ms)", why, g->conns_count, ms);
	g->door.draining = true;
	deposit_end(g); // another main would not know that it is to stop
	notify_stopping(ms);
	timer_set(g, ms);
	door_settle(g);
}

const char *door_state(const struct gateway *g)
{
	if (g->door.draining)
		return "draining";
	if (g->door.maintenance)
		return "maintenance";
	if (g->door.full)
		return "full";
	return g->accepting ? "online" : "not accepting clients";
}
