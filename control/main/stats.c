#include "control/main/stats.h"

#include "control/main/handover.h"
#include "control/main/tunnel.h"

// ----------------------------------------------------------------------------------------------------------------- reset

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	stats_reset(arg);
	stats_rearm(arg);
}

void stats_reset(struct gateway *g)
{
	struct stats *st = &g->stats;

	st->before = stats_total(g);
	st->reset = time(NULL);
	st->login_ms_max = st->session_seconds_max = 0;
	st->mtu_min = st->mtu_max = 0;
}

void stats_rearm(struct gateway *g)
{
	const struct timeval period = { .tv_sec = (time_t)g->policy.stats_seconds };

	if (!evtimer_initialized(&g->stats.timer))
		return;
	evtimer_del(&g->stats.timer);
	if (g->policy.stats_seconds)
		evtimer_add(&g->stats.timer, &period);
}

void stats_begin(struct gateway *g)
{
	g->stats.up_since = g->figures.loaded = time(NULL);
	g->stats.up_since_ms = clock_ms();
	evtimer_assign(&g->stats.timer, g->base, on_timer, g);
	stats_reset(g);
	stats_rearm(g);
}

void stats_end(struct gateway *g)
{
	if (evtimer_initialized(&g->stats.timer))
		evtimer_del(&g->stats.timer);
}

// ----------------------------------------------------------------------------------------------------------------- count

static void grow(uint64_t *max, uint64_t value)
{
	if (value > *max)
		*max = value;
}

void stats_login(struct gateway *g, bool failed, uint32_t ms)
{
	g->stats.total.logins++;
	g->stats.total.logins_failed += failed;
	g->stats.total.login_ms += ms;
	grow(&g->stats.login_ms_max, ms);
}

void stats_refused(struct gateway *g, enum refused why)
{
	g->stats.total.refused[why]++;
}

void stats_tunnel_up(struct gateway *g, const struct tunnel *t)
{
	struct stats *st = &g->stats;

	st->total.sessions++;
	if (!st->mtu_min || t->mtu < st->mtu_min)
		st->mtu_min = t->mtu;
	if (t->mtu > st->mtu_max)
		st->mtu_max = t->mtu;
}

void stats_tunnel_over(struct gateway *g, const struct tunnel *t)
{
	uint64_t seconds = (clock_ms() - t->since_ms) / 1000;
	struct stats_sums *s = &g->stats.total;

	s->ended++;
	s->ended_idle += t->reason == END_IDLE;
	s->ended_timeout += t->reason == END_SESSION_TIMEOUT;
	s->ended_error += t->reason >= END_ERROR;
	s->session_seconds += seconds;
	s->bytes_in += t->now.bytes_in;
	s->bytes_out += t->now.bytes_out;
	grow(&g->stats.session_seconds_max, seconds);
}

// ------------------------------------------------------------------------------------------------------------------- ask

struct stats_sums stats_total(const struct gateway *g)
{
	struct stats_sums s = g->stats.total;

	for (uint32_t i = 0; i < g->tunnels_max; i++) {
		if (!g->tunnels[i])
			continue;
		s.bytes_in += g->tunnels[i]->now.bytes_in;
		s.bytes_out += g->tunnels[i]->now.bytes_out;
	}
	return s;
}

struct stats_sums stats_period(const struct gateway *g)
{
	const struct stats_sums *before = &g->stats.before;
	struct stats_sums s = stats_total(g);

	s.sessions -= before->sessions;
	s.logins -= before->logins;
	s.logins_failed -= before->logins_failed;
	s.login_ms -= before->login_ms;
	s.ended -= before->ended;
	s.ended_idle -= before->ended_idle;
	s.ended_timeout -= before->ended_timeout;
	s.ended_error -= before->ended_error;
	s.session_seconds -= before->session_seconds;
	s.bytes_in -= before->bytes_in;
	s.bytes_out -= before->bytes_out;
	for (unsigned i = 0; i < REFUSED_KINDS; i++)
		s.refused[i] -= before->refused[i];
	return s;
}

// -------------------------------------------------------------------------------------------------------------- handover

#define SUMS(member)                                                                                              \
	STATE_NUMBER(struct stats, member.sessions), STATE_NUMBER(struct stats, member.logins),                   \
	        STATE_NUMBER(struct stats, member.logins_failed), STATE_NUMBER(struct stats, member.login_ms),    \
	        STATE_NUMBER(struct stats, member.ended), STATE_NUMBER(struct stats, member.ended_idle),          \
	        STATE_NUMBER(struct stats, member.ended_timeout), STATE_NUMBER(struct stats, member.ended_error), \
	        STATE_NUMBER(struct stats, member.session_seconds), STATE_NUMBER(struct stats, member.bytes_in),  \
	        STATE_NUMBER(struct stats, member.bytes_out), STATE_BYTES(struct stats, member.refused)

static const struct state_field fields[] = {
	STATE_NUMBER(struct stats, up_since),
	STATE_NUMBER(struct stats, reset),
	STATE_NUMBER(struct stats, up_since_ms),
	SUMS(total),
	SUMS(before),
	STATE_NUMBER(struct stats, login_ms_max),
	STATE_NUMBER(struct stats, session_seconds_max),
	STATE_NUMBER(struct stats, mtu_min),
	STATE_NUMBER(struct stats, mtu_max),
	STATE_NUMBER(struct stats, latency_median_ns),
	STATE_NUMBER(struct stats, latency_stdev_ns),
};

STATE_COVERS(struct stats, 480);

struct when {
	uint64_t reset_due;
};

static const struct state_field when_fields[] = { STATE_NUMBER(struct when, reset_due) };

void stats_save(const struct gateway *g, struct state_writer *w)
{
	const struct when when = { handover_due(&g->stats.timer) };

	state_write(w, "stats", STATE_PARTS(STATE_PART("", fields, &g->stats), STATE_PART("", when_fields, &when)));
}

int stats_restore(struct handover *h, const struct state_record *rec)
{
	struct stats *st = &h->g->stats;
	struct when when = { 0 };
	int ret = state_read(rec, STATE_PARTS(STATE_PART("", fields, st), STATE_PART("", when_fields, &when)));

	evtimer_assign(&st->timer, h->g->base, on_timer, h->g);
	handover_arm(&st->timer, when.reset_due);
	return ret;
}
