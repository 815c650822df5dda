#include "control/main/metrics.h"

#include <stdlib.h>
#include <unistd.h>

#include "control/main/config.h"
#include "control/main/endpoint.h"
#include "control/main/handover.h"
#include "control/main/peers.h"
#include "control/main/samples.h"
#include "control/main/session.h"
#include "proto/err.h"

// Others' tokens never have this bit.
#define TOKEN_BIT 0x80000000u
#define PATIENCE_MS 2000
#define RETRY_MS 1000
#define SESSIONS_A_TURN 8

struct metrics {
	struct gateway *g;
	struct metrics_place place;
	struct event retry; // the place was taken
	uint32_t listens;   // how many places there were

	// One telling at a time.
	struct samples samples;
	uint32_t answers, token; // the process's own, and what peers are asked with; 0: nothing is being told
	unsigned waits;          // for these (enum part), a bit each
	struct event late;       // a peer does not answer
	struct event more;       // the next sessions are due
	uint32_t *sessions;      // those to be told; NULL: none are
	size_t n_sessions, at;
};

static int on_metrics_ask(void *who, const struct msg_metrics_ask *m, const int *fds);

#define HANDLERS from_metrics
#define ON_METRICS_MAIN(...) __VA_ARGS__
#include "proto/handlers.h"

const chan_handler *const from_metrics_handlers = from_metrics;

static void timer_set(struct event *timer, unsigned ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(timer, &tv);
}

// ---------------------------------------------------------------------------------------------------------------- telling

static void forget(struct metrics *m)
{
	evtimer_del(&m->late);
	evtimer_del(&m->more);
	free(m->sessions);
	m->sessions = NULL;
	m->token = 0;
}

static void end(struct metrics *m)
{
	LINK_SEND(m->samples.to, METRICS_END, &(struct msg_metrics_end){ .token = m->answers });
	forget(m);
}

// As fast as it reads, and the other events get their turn.
static void tell_sessions(struct metrics *m)
{
	for (int i = 0; i < SESSIONS_A_TURN && m->at < m->n_sessions; i++) {
		const struct session *s = session_find_id(m->g, m->sessions[m->at++]);

		if (s && s->tunnel)
			samples_session(&m->samples, s);
	}
	if (m->at == m->n_sessions)
		end(m);
	else if (m->samples.to->queued == 0)
		event_active(&m->more, EV_TIMEOUT, 0);
}

static void on_more(evutil_socket_t fd, short what, void *arg)
{
	tell_sessions(arg);
}

static void on_drained(void *who)
{
	struct metrics *m = ((struct child *)who)->g->metrics;

	if (m && m->sessions)
		tell_sessions(m);
}

static void tell_users(struct metrics *m)
{
	const struct session *s;

	m->sessions = calloc(m->g->sessions_count + 1, sizeof(*m->sessions));
	m->n_sessions = m->at = 0;
	if (!m->sessions) {
		end(m);
		return;
	}
	TAILQ_FOREACH(s, &m->g->sessions, all)
	if (s->tunnel && s->tunnel->phase == TUNNEL_UP)
		m->sessions[m->n_sessions++] = s->id;
	tell_sessions(m);
}

static void answered(struct metrics *m, unsigned by)
{
	m->waits &= ~by;
	if (m->waits || m->sessions)
		return;
	evtimer_del(&m->late);
	if (m->g->policy.metrics_per_user)
		tell_users(m);
	else
		end(m);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	answered(arg, ~0u);
}

static bool can_ask(const struct child *c)
{
	return c && c->ready && !c->stuck;
}

static int on_metrics_ask(void *who, const struct msg_metrics_ask *ask, const int *fds)
{
	static uint32_t last;
	struct child *c = who;
	struct gateway *g = c->g;
	struct metrics *m = g->metrics;

	if (!m || c != g->reporter)
		return 0;
	if (m->token)
		return errno_log(EPROTO, "metrics: asked again before the answer is complete");
	m->answers = ask->token;
	m->token = ++last | TOKEN_BIT;
	m->waits = 0;
	m->samples = (struct samples){ .to = &c->link };
	samples_gateway(&m->samples, g);
	if (can_ask(g->secmod)) {
		m->waits |= 1u << PART_SECMOD;
		LINK_SEND(&g->secmod->link, AUTH_STATUS, &(struct msg_auth_status){ .token = m->token });
	}
	if (can_ask(g->dataplane)) {
		m->waits |= 1u << PART_DATAPLANE;
		LINK_SEND(&g->dataplane->link, DATAPLANE_STATS, &(struct msg_dataplane_stats){ .token = m->token });
	}
	timer_set(&m->late, PATIENCE_MS);
	answered(m, 0);
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- peers

bool metrics_asked(uint32_t token)
{
	return token & TOKEN_BIT;
}

struct samples *metrics_samples(struct gateway *g, uint32_t token)
{
	static struct samples nowhere;

	return g->metrics && g->metrics->token == token ? &g->metrics->samples : &nowhere;
}

void metrics_answered(struct gateway *g, uint32_t token, enum part whose)
{
	if (g->metrics && g->metrics->token == token)
		answered(g->metrics, 1u << whose);
}

// --------------------------------------------------------------------------------------------------------------- process

static void tell_place(struct metrics *m)
{
	const struct msg_metrics_listen listen = { .number = ++m->listens };
	struct child *c = m->g->reporter;

	if (c && c->ready && m->place.fd >= 0)
		link_send(&c->link, MSG_METRICS_LISTEN, &listen, &m->place.fd);
}

void metrics_started(struct child *c)
{
	c->link.drained = on_drained;
	forget(c->g->metrics);
	tell_place(c->g->metrics);
}

void metrics_lost(struct gateway *g)
{
	if (g->metrics)
		forget(g->metrics);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct metrics *m = arg;
	int ret = endpoint_listen(m->place.text);

	if (ret < 0) {
		timer_set(&m->retry, RETRY_MS);
		return;
	}
	m->place.fd = ret;
	log_notice("metrics are told at %s", m->place.text);
	tell_place(m);
}

static struct metrics *metrics_new(struct gateway *g)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->g = g;
	m->place.fd = -1;
	evtimer_assign(&m->retry, g->base, on_retry, m);
	evtimer_assign(&m->late, g->base, on_late, m);
	evtimer_assign(&m->more, g->base, on_more, m);
	return m;
}

static void place_leave(struct metrics_place *p)
{
	if (p->fd >= 0) {
		close(p->fd);
		endpoint_remove(p->text);
	}
	free(p->text);
	*p = (struct metrics_place){ .fd = -1 };
}

void metrics_open(struct gateway *g)
{
	const char *text = config_str(g->config, OPT_METRICS_LISTEN);
	int ret;

	if (!text)
		return;
	g->metrics = metrics_new(g);
	if (g->metrics)
		g->metrics->place.text = strdup(text);
	if (!g->metrics || !g->metrics->place.text) {
		log_err("metrics: out of memory");
		metrics_close(g);
		return;
	}
	ret = endpoint_listen(text);
	if (ret >= 0) {
		g->metrics->place.fd = ret;
		return;
	}
	log_err("metrics-listen: %s: %s; it is tried again", text, strerror(-ret));
	timer_set(&g->metrics->retry, RETRY_MS);
}

void metrics_close(struct gateway *g)
{
	struct metrics *m = g->metrics;

	if (!m)
		return;
	g->metrics = NULL;
	forget(m);
	evtimer_del(&m->retry);
	place_leave(&m->place);
	free(m);
}

// ---------------------------------------------------------------------------------------------------------------- reload

int metrics_prepare(struct gateway *g, const struct config *c, struct metrics_place *out)
{
	const char *now = g->metrics ? g->metrics->place.text : NULL, *text = config_str(c, OPT_METRICS_LISTEN);
	int ret;

	if (now && text ? strcmp(now, text) == 0 : now == text)
		return 0;
	*out = (struct metrics_place){ .changes = true, .fd = -1 };
	if (!text)
		return 0;
	out->text = strdup(text);
	ret = out->text ? endpoint_listen(text) : -ENOMEM;
	if (ret < 0)
		return errno_log(-ret, "metrics-listen: %s: %s", text, strerror(-ret));
	out->fd = ret;
	return 0;
}

static void reporter_end(struct gateway *g)
{
	if (!g->reporter)
		return;
	g->reporter->leaving = true;
	child_kill(g->reporter);
}

void metrics_switch(struct gateway *g, struct metrics_place *place)
{
	if (!place->changes)
		return;
	if (!place->text) {
		metrics_close(g);
		reporter_end(g);
		return;
	}
	if (!g->metrics)
		g->metrics = metrics_new(g);
	if (!g->metrics) {
		log_err("metrics: out of memory");
		return;
	}
	evtimer_del(&g->metrics->retry);
	place_leave(&g->metrics->place);
	g->metrics->place = *place;
	*place = (struct metrics_place){ .fd = -1 };
	tell_place(g->metrics);
}

void metrics_forget(struct metrics_place *place)
{
	if (place->changes)
		place_leave(place);
}

// -------------------------------------------------------------------------------------------------------------- handover

static const struct state_field fields[] = {
	STATE_FD(struct metrics, place.fd),
	STATE_STRING(struct metrics, place.text),
	STATE_NUMBER(struct metrics, listens),
};

void metrics_save(const struct gateway *g, struct state_writer *w)
{
	if (g->metrics)
		state_write(w, "metrics", STATE_PARTS(STATE_PART("", fields, g->metrics)));
}

int metrics_restore(struct handover *h, const struct state_record *rec)
{
	struct metrics *m = h->g->metrics ? NULL : metrics_new(h->g);
	int ret = m ? state_read(rec, STATE_PARTS(STATE_PART("", fields, m))) : -EBADMSG;

	if (ret < 0 || !m->place.text) {
		free(m);
		return ret < 0 ? ret : -EBADMSG;
	}
	if (m->place.fd < 0)
		timer_set(&m->retry, RETRY_MS);
	h->g->metrics = m;
	return 0;
}
