// The dataplane says which tunnels are there and what they carried.
#include "control/main/admin.h"
#include "control/main/inner.h"
#include "control/main/metrics.h"
#include "control/main/nic.h"
#include "control/main/peers.h"
#include "control/main/recover.h"
#include "control/main/refill.h"
#include "control/main/reload.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "control/main/view.h"
#include "control/main/watch.h"
#include "proto/err.h"

#define HANDLERS from_dataplane
#define ON_DATAPLANE_MAIN(...) __VA_ARGS__
#include "proto/handlers.h"

const chan_handler *const from_dataplane_handlers = from_dataplane;

// Ports are up: now the interface behind them gets its addresses.
static int inner_setup(struct gateway *g, const struct msg_dataplane_ready *m)
{
	if (refill_room(g, m->tunnels_max) < 0)
		return errno_log(ENOMEM, "no memory for %u tunnels", m->tunnels_max);
	return inner_up(g, m->inner);
}

static int on_dataplane_nic(void *who, const struct msg_dataplane_nic *m, const int *fds)
{
	struct child *c = who;

	log_info("dataplane: the kernel's interface beside %s is %s", m->device, m->interface);
	if (nic_up(c->g->config, m->interface, m->mtu) < 0)
		child_kill(c); // the reason is logged; what came in there would get no answer
	return 0;
}

static int on_dataplane_ready(void *who, const struct msg_dataplane_ready *m, const int *fds)
{
	char text[3 * LIMIT_TEXT];
	struct child *c = who;
	bool ok = m->ok && c->g->dataplane == c;

	if (ok && inner_setup(c->g, m) < 0) {
		// the reason is logged; without its interface no packet would pass
		child_kill(c);
		return 0;
	}
	snprintf(text, sizeof(text), "%s; %s; inner interface %s; room for %u tunnels", m->text, m->memory, m->inner,
	         m->tunnels_max);
	child_ready(c, ok, ok ? text : m->text);
	if (!ok)
		return 0;
	reload_tell_dataplane(c->g);
	refill_begin(c->g);
	return 0;
}

static int on_tunnel_reply(void *who, const struct msg_tunnel_reply *m, const int *fds)
{
	tunnel_replied(((struct child *)who)->g, m);
	return 0;
}

static int on_tunnel_changed(void *who, const struct msg_tunnel_changed *m, const int *fds)
{
	change_done(((struct child *)who)->g, m);
	return 0;
}

static int on_tunnel_state(void *who, const struct msg_tunnel_state *m, const int *fds)
{
	tunnel_changed(((struct child *)who)->g, m);
	return 0;
}

static int on_tunnel_counters(void *who, const struct msg_tunnel_counters *m, const int *fds)
{
	tunnel_counted(((struct child *)who)->g, m);
	return 0;
}

static int on_tunnel_held(void *who, const struct msg_tunnel_held *m, const int *fds)
{
	recover_tunnel(((struct child *)who)->g, m);
	return 0;
}

static int on_tunnels_told(void *who, const struct msg_tunnels_told *m, const int *fds)
{
	recover_told(who);
	return 0;
}

static int on_tunnel_drop(void *who, const struct msg_tunnel_drop *m, const int *fds)
{
	view_drop(((struct child *)who)->g, m);
	return 0;
}

static int on_tunnel_view(void *who, const struct msg_tunnel_view *m, const int *fds)
{
	view_told(((struct child *)who)->g, m);
	return 0;
}

static int on_watch_packet(void *who, const struct msg_watch_packet *m, const int *fds)
{
	watch_packet(((struct child *)who)->g, m);
	return 0;
}

static int on_watch_end(void *who, const struct msg_watch_end *m, const int *fds)
{
	watch_ended(((struct child *)who)->g, m);
	return 0;
}

static int on_dp_port(void *who, const struct msg_dp_port *m, const int *fds)
{
	struct gateway *g = ((struct child *)who)->g;

	if (metrics_asked(m->token))
		samples_dp_port(metrics_samples(g, m->token), m);
	else
		view_dp_port(g, m);
	return 0;
}

static int on_dp_core(void *who, const struct msg_dp_core *m, const int *fds)
{
	struct gateway *g = ((struct child *)who)->g;

	if (metrics_asked(m->token))
		samples_dp_core(metrics_samples(g, m->token), m);
	else
		view_dp_core(g, m);
	return 0;
}

static int on_dp_pool(void *who, const struct msg_dp_pool *m, const int *fds)
{
	struct gateway *g = ((struct child *)who)->g;

	if (metrics_asked(m->token))
		samples_dp_pool(metrics_samples(g, m->token), m);
	else
		view_dp_pool(g, m);
	return 0;
}

static int on_dp_ring(void *who, const struct msg_dp_ring *m, const int *fds)
{
	struct gateway *g = ((struct child *)who)->g;

	if (metrics_asked(m->token))
		samples_dp_ring(metrics_samples(g, m->token), m);
	else
		view_dp_ring(g, m);
	return 0;
}

static int on_dp_counter(void *who, const struct msg_dp_counter *m, const int *fds)
{
	struct gateway *g = ((struct child *)who)->g;

	if (metrics_asked(m->token))
		samples_dp_counter(metrics_samples(g, m->token), m);
	else
		view_dp_counter(g, m);
	return 0;
}

static int on_dp_latency(void *who, const struct msg_dp_latency *m, const int *fds)
{
	struct stats *st = &((struct child *)who)->g->stats;

	st->latency_median_ns = m->median_ns;
	st->latency_stdev_ns = m->stdev_ns;
	return 0;
}

static int on_dataplane_stats_end(void *who, const struct msg_dataplane_stats_end *m, const int *fds)
{
	struct gateway *g = ((struct child *)who)->g;

	if (!metrics_asked(m->token)) {
		view_dp_end(g, m);
		return 0;
	}
	samples_dp_end(metrics_samples(g, m->token), m);
	metrics_answered(g, m->token, PART_DATAPLANE);
	return 0;
}

// That anything came at all is what counts (pulse.h).
static int on_dataplane_pong(void *who, const struct msg_dataplane_pong *m, const int *fds)
{
	return 0;
}
