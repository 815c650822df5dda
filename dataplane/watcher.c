#include "watcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "flight.h"

// Sightings taken in a turn, of each core.
#define TURN_SIGHTINGS 256

struct look {
	uint32_t token, packets, told;
	uint64_t bytes, bytes_told, lost;
	uint64_t until; // TSC
	uint16_t snap;
	struct flights flights;
};

struct watcher {
	struct look at[WATCHES_MAX];
	uint32_t serial;
	uint64_t lost[CORES_MAX]; // of each core, when last asked
	struct msg_watch_packet out;
};

struct telling {
	struct control *c;
	struct look *l;
};

int watcher_init(struct control *c)
{
	c->watcher = calloc(1, sizeof(*c->watcher));
	return c->watcher ? 0 : -ENOMEM;
}

static bool looks(const struct control *c, unsigned place)
{
	return c->dp.watched >> place & 1;
}

static void watched_set(struct control *c, unsigned place, bool on)
{
	uint32_t bit = 1u << place;

	__atomic_store_n(&c->dp.watched, on ? c->dp.watched | bit : c->dp.watched & ~bit, __ATOMIC_RELEASE);
}

static void end(struct control *c, unsigned place, enum watch_end why)
{
	struct look *l = &c->watcher->at[place];

	watched_set(c, place, false);
	MAIN_SEND(c, WATCH_END, &(struct msg_watch_end){ .token = l->token, .why = why, .lost = l->lost });
}

void watcher_start(struct control *c, const struct msg_watch_start *m)
{
	struct msg_watch_end none = { .token = m->token, .why = WATCH_BUSY };
	struct look *l;
	unsigned place = 0;

	while (place < WATCHES_MAX && looks(c, place))
		place++;
	if (!tunnel_of(c, m->tunnel))
		none.why = WATCH_GONE;
	if (place == WATCHES_MAX || none.why == WATCH_GONE) {
		MAIN_SEND(c, WATCH_END, &none);
		return;
	}
	l = &c->watcher->at[place];
	*l = (struct look){ .token = m->token, .packets = m->packets, .bytes = m->bytes, .snap = m->snap };
	l->until = c->now + m->seconds * c->dp.tsc_hz;
	c->dp.watch[place] = (struct watched){ m->tunnel, ++c->watcher->serial };
	watched_set(c, place, true);
}

void watcher_stop(struct control *c, uint32_t token)
{
	for (unsigned i = 0; i < WATCHES_MAX; i++)
		if (looks(c, i) && c->watcher->at[i].token == token)
			watched_set(c, i, false);
}

void watcher_tunnel_gone(struct control *c, uint32_t tunnel)
{
	for (unsigned i = 0; i < WATCHES_MAX; i++)
		if (looks(c, i) && c->dp.watch[i].tunnel == tunnel)
			end(c, i, WATCH_GONE);
}

static uint64_t wall_ns(const struct control *c, uint64_t tsc)
{
	double ago = (double)(int64_t)(rte_rdtsc() - tsc) * 1e9 / (double)c->dp.tsc_hz;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec - (uint64_t)ago;
}

static void tell(void *who, const struct flight *f, enum counter verdict)
{
	struct telling *t = who;
	struct msg_watch_packet *m = &t->c->watcher->out;
	struct path path = { .key = f->path };
	char text[FLIGHT_TEXT];

	if (t->l->told >= t->l->packets || t->l->bytes_told >= t->l->bytes)
		return;
	m->token = t->l->token;
	m->number = t->l->told + 1;
	m->time_ns = wall_ns(t->c, f->at);
	m->core = t->c->dp.cores[f->core]->id;
	m->inward = f->inward;
	m->drop = counter_descs[verdict].role == COUNTER_DROP;
	snprintf(m->verdict, sizeof(m->verdict), "%s", counter_descs[verdict].name);
	snprintf(m->stages, sizeof(m->stages), "%s", flight_stages(f, text));
	snprintf(m->outer_text, sizeof(m->outer_text), "%s", flight_outer(f, text));
	snprintf(m->inner_text, sizeof(m->inner_text), "%s", flight_inner(f, text));
	path_peer(&path, &m->peer);
	path_ours(&path, &m->local);
	m->outer_size = f->outer.len;
	m->inner_size = f->inner.len;
	m->outer_len = RTE_MIN(f->outer.cut, t->l->snap);
	m->inner_len = RTE_MIN(f->inner.cut, t->l->snap);
	memcpy(m->outer, f->outer.data, m->outer_len);
	memcpy(m->inner, f->inner.data, m->inner_len);
	if (!main_offer(t->c, MSG_WATCH_PACKET, m)) {
		t->l->lost++;
		return;
	}
	t->l->told++;
	t->l->bytes_told += m->outer_len + m->inner_len;
}

static void turn_core(struct control *c, unsigned core)
{
	struct watch_queue *q = c->dp.cores[core]->sightings;
	uint32_t lost = __atomic_load_n(&q->lost, __ATOMIC_RELAXED);
	const struct sighting *s;

	for (unsigned i = 0; i < WATCHES_MAX; i++)
		if (looks(c, i))
			c->watcher->at[i].lost += (uint32_t)(lost - c->watcher->lost[core]);
	c->watcher->lost[core] = lost;
	for (unsigned n = 0; n < TURN_SIGHTINGS && (s = watch_peek(q)); n++) {
		struct look *l = &c->watcher->at[s->place];
		// what an earlier watch has left behind is nobody's
		if (looks(c, s->place) && c->dp.watch[s->place].serial == s->serial)
			flights_take(&l->flights, s, tell, &(struct telling){ c, l });
		watch_read(q);
	}
}

void watcher_turn(struct control *c)
{
	if (!c->dp.watched)
		return;
	for (unsigned i = 0; i < c->dp.n_cores; i++)
		turn_core(c, i);
	for (unsigned i = 0; i < WATCHES_MAX; i++) {
		const struct look *l = &c->watcher->at[i];
		if (!looks(c, i))
			continue;
		if (l->told >= l->packets)
			end(c, i, WATCH_PACKETS);
		else if (l->bytes_told >= l->bytes)
			end(c, i, WATCH_BYTES);
		else if (c->now > l->until)
			end(c, i, WATCH_SECONDS);
	}
}
