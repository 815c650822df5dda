#include "control/main/lobby.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/main/conn.h"
#include "control/main/door.h"
#include "control/main/events.h"
#include "control/main/handover.h"
#include "control/main/listen.h"
#include "proto/err.h"

#define WAITERS_MOST 4096 // what a few thousand clients need who come at once; each is a socket and its first bytes
#define FILES_SHARE 8     // and no more than that part of our descriptors
#define PLACE_SHARE 2     // one place has no more than that part of them
#define STARTUPS_MIN 64
#define STARTUPS_SHARE 4  // of what there is of clients, and of descriptors
#define STARTUPS_MAX 1024 // some 300 MB of workers
#define ANSWERS_A_CPU 4   // a worker waits for sec-mod now and then: enough that no CPU is idle, and few enough that each is quick
#define FRESH_A_CPU 32    // with those that wait for their clients: as many as a CPU brings to a session in FRESH_MS
#define FRESH_MS 250      // a client that is coming back needs two round trips; who has not done that keeps nobody waiting
#define ANSWER_MS 1000    // a worker that has said nothing for so long waits for its client
#define SILENT_MS 1000    // a client's first bytes come with its ACK; who has sent nothing for so long has to make room
#define LOGIN_MS 5000     // who has been logging in for less makes room only where his place has more than others
#define TICK_MS 50
#define SAY_MS 10000

// Where connections come from: who has a network of IPv6 has all of its addresses.
struct source {
	struct hlink link;
	TAILQ_ENTRY(source) turn;
	struct addr network;
	bool proxy; // says nothing about whose they are: all are its
	bool waits; // in turns
	size_t waiters, starts;
	struct waiter_list ready, silent; // oldest first
};

struct waiter {
	TAILQ_ENTRY(waiter) all; // of lobby.silent
	TAILQ_ENTRY(waiter) of_source;
	struct gateway *g;
	struct source *source;
	struct event readable;
	int fd;
	bool ready, proxied;
	struct addr client, local;
	uint64_t since_ms, heard_ms; // heard_ms: of its first bytes
};

static void tick_soon(struct lobby *l)
{
	static const struct timeval tv = { .tv_usec = TICK_MS * 1000 };

	if (!evtimer_pending(&l->tick, NULL))
		evtimer_add(&l->tick, &tv);
}

// --------------------------------------------------------------------------------------------------------------- sources

static struct source *source_get(struct gateway *g, const struct addr *client, bool proxy)
{
	struct lobby *l = &g->lobby;
	struct source *s;
	struct addr key;
	uint64_t hash;

	ban_place(client, &key);
	hash = htab_hash(&key, sizeof(key));
	for (struct hlink *i = htab_first(&l->sources, hash); i; i = htab_next(i)) {
		s = HTAB_OF(i, struct source, link);
		if (s->proxy == proxy && memcmp(&s->network, &key, sizeof(key)) == 0)
			return s;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->network = key;
	s->proxy = proxy;
	TAILQ_INIT(&s->ready);
	TAILQ_INIT(&s->silent);
	htab_insert(&l->sources, &s->link, hash);
	return s;
}

static void source_put(struct lobby *l, struct source *s)
{
	if (s->waiters || s->starts)
		return;
	if (l->heavy == s)
		l->heavy = NULL;
	htab_remove(&l->sources, &s->link);
	free(s);
}

// What counts of it where it is to be compared with others.
static size_t weight(const struct source *s, size_t of)
{
	return s->proxy && of ? 1 : of;
}

// --------------------------------------------------------------------------------------------------------------- waiters

static void source_settle(struct lobby *l, struct source *s)
{
	bool waits = !TAILQ_EMPTY(&s->ready);

	if (waits && !s->waits)
		TAILQ_INSERT_TAIL(&l->turns, s, turn);
	else if (!waits && s->waits)
		TAILQ_REMOVE(&l->turns, s, turn);
	s->waits = waits;
}

// Out of all lists; the descriptor is the caller's.
static int waiter_free(struct waiter *w)
{
	struct lobby *l = &w->g->lobby;
	struct source *s = w->source;
	int fd = w->fd;

	event_del(&w->readable);
	if (!w->ready)
		TAILQ_REMOVE(&l->silent, w, all);
	TAILQ_REMOVE(w->ready ? &s->ready : &s->silent, w, of_source);
	source_settle(l, s);
	l->waiters--;
	s->waiters--;
	source_put(l, s);
	free(w);
	return fd;
}

static void waiter_drop(struct waiter *w)
{
	close(waiter_free(w));
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct waiter *w = arg;
	struct lobby *l = &w->g->lobby;

	TAILQ_REMOVE(&l->silent, w, all);
	TAILQ_REMOVE(&w->source->silent, w, of_source);
	w->ready = true;
	w->heard_ms = clock_ms();
	TAILQ_INSERT_TAIL(&w->source->ready, w, of_source);
	source_settle(l, w->source);
	lobby_pump(w->g);
}

static struct waiter *waiter_add(struct gateway *g, struct source *s, const struct waiter *like)
{
	struct lobby *l = &g->lobby;
	struct waiter *w = malloc(sizeof(*w));

	if (!w)
		return NULL;
	*w = *like;
	w->g = g;
	w->source = s;
	w->ready = false;
	event_assign(&w->readable, g->base, w->fd, EV_READ, on_readable, w);
	if (event_add(&w->readable, NULL) < 0) {
		free(w);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&l->silent, w, all);
	TAILQ_INSERT_TAIL(&s->silent, w, of_source);
	l->waiters++;
	s->waiters++;
	tick_soon(l);
	return w;
}

size_t lobby_waiters_most(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / FILES_SHARE > WAITERS_MOST)
		return WAITERS_MOST;
	return files.rlim_cur / FILES_SHARE;
}

bool lobby_is_full(const struct gateway *g)
{
	return g->lobby.waiters > lobby_waiters_most();
}

// ------------------------------------------------------------------------------------------------------------ their bounds

// In any order: who has most, or had when it was last looked and still has more than `than`.
static struct source *heavy_source(struct lobby *l, size_t than)
{
	if (l->heavy && weight(l->heavy, l->heavy->waiters) > than)
		return l->heavy;
	l->heavy = NULL;
	for (size_t i = 0; i <= l->sources.mask; i++)
		for (struct hlink *k = l->sources.buckets[i]; k; k = k->next) {
			struct source *s = HTAB_OF(k, struct source, link);

			if (!l->heavy || weight(s, s->waiters) > weight(l->heavy, l->heavy->waiters))
				l->heavy = s;
		}
	return l->heavy && weight(l->heavy, l->heavy->waiters) > than ? l->heavy : NULL;
}

// The last of whoever has most; or who has been silent for long.
static bool make_place(struct gateway *g, const struct source *for_whom)
{
	struct lobby *l = &g->lobby;
	struct source *s = for_whom ? heavy_source(l, weight(for_whom, for_whom->waiters) + 1) : NULL;
	struct waiter *w = s ? TAILQ_LAST(TAILQ_EMPTY(&s->silent) ? &s->ready : &s->silent, waiter_list) : TAILQ_FIRST(&l->silent);

	if (!w || (!s && w->since_ms + SILENT_MS > clock_ms()))
		return false;
	stats_refused(g, REFUSED_STARTUPS);
	waiter_drop(w);
	return true;
}

// NULL: no. It is not yet counted.
static struct source *place_of(struct gateway *g, const struct waiter *w)
{
	struct source *s = source_get(g, &w->client, w->proxied);
	uint32_t share = g->policy.startups_per_source;
	size_t most = lobby_waiters_most();

	if (!s)
		return NULL;
	if (s->proxy || (s->waiters < most / PLACE_SHARE && (!share || s->waiters + s->starts < share)))
		return s;
	source_put(&g->lobby, s);
	return NULL;
}

bool lobby_take(struct gateway *g, int fd, const struct addr *client, const struct addr *local, bool proxied)
{
	const struct waiter like = { .fd = fd, .client = *client, .local = *local, .proxied = proxied, .since_ms = clock_ms() };
	struct source *s = place_of(g, &like);
	struct waiter *w;

	if (!s) {
		stats_refused(g, REFUSED_STARTUPS);
		close(fd);
		return false;
	}
	w = waiter_add(g, s, &like);
	if (w && g->lobby.waiters > lobby_waiters_most())
		make_place(g, s);
	if (w)
		return true;
	log_err("out of memory");
	source_put(&g->lobby, s);
	close(fd);
	return false;
}

// ---------------------------------------------------------------------------------------------------------------- startups

size_t lobby_startups_most(const struct gateway *g)
{
	size_t clients = g->policy.max_clients ? g->policy.max_clients : g->tunnels_max, most = g->policy.startups;
	size_t files = door_files(g) / STARTUPS_SHARE;

	if (!most) {
		most = clients / STARTUPS_SHARE;
		most = most < STARTUPS_MIN ? STARTUPS_MIN : most > STARTUPS_MAX ? STARTUPS_MAX : most;
	}
	return most < files ? most : files ? files : 1;
}

void lobby_enter(struct conn *c, bool answered)
{
	struct lobby *l = &c->g->lobby;

	c->source = source_get(c->g, &c->client, c->of_proxy);
	if (!c->source) // no memory: it counts for nobody
		return;
	c->source->starts++;
	l->starts_count++;
	TAILQ_INSERT_TAIL(&l->starts, c, start);
	if (answered)
		return;
	c->is_fresh = true;
	TAILQ_INSERT_TAIL(&l->fresh, c, fresh);
	l->fresh_count++;
	l->answers++;
	tick_soon(l);
}

static void fresh_over(struct conn *c)
{
	struct lobby *l = &c->g->lobby;

	if (!c->is_fresh)
		return;
	c->is_fresh = false;
	TAILQ_REMOVE(&l->fresh, c, fresh);
	l->fresh_count--;
	l->answers -= !c->answered_ms;
}

void lobby_answered(struct conn *c)
{
	c->answered_ms = clock_ms();
	if (!c->is_fresh)
		return;
	c->g->lobby.answers--;
	lobby_pump(c->g);
}

static void fresh_expire(struct lobby *l, uint64_t now)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&l->fresh); c; c = next) {
		next = TAILQ_NEXT(c, fresh);
		if (c->answered_ms ? c->answered_ms + FRESH_MS <= now : c->since_ms + ANSWER_MS <= now)
			fresh_over(c);
	}
}

void lobby_leave(struct conn *c)
{
	struct lobby *l = &c->g->lobby;

	if (!c->source)
		return;
	fresh_over(c);
	TAILQ_REMOVE(&l->starts, c, start);
	l->starts_count--;
	c->source->starts--;
	source_put(l, c->source);
	c->source = NULL;
	lobby_pump(c->g);
}

void lobby_move(struct conn *c)
{
	struct source *s, *before = c->source;

	if (!before || !(s = source_get(c->g, &c->client, c->of_proxy)))
		return;
	s->starts++;
	before->starts--;
	c->source = s;
	source_put(&c->g->lobby, before);
}

// Who is the first to make room for others: the oldest of the place that has most. NULL: nobody.
static struct conn *heaviest(struct gateway *g)
{
	struct conn *c, *found = NULL;

	TAILQ_FOREACH(c, &g->lobby.starts, start)
	if (conn_may_go(c) && (!found || weight(c->source, c->source->starts) > weight(found->source, found->source->starts)))
		found = c;
	return found;
}

// For one more of that place, if it would still have less; or for anybody, if it has been there for long.
static bool gives_way(const struct conn *c, const struct source *for_whom)
{
	return weight(c->source, c->source->starts) > weight(for_whom, for_whom->starts) + 1 ||
	       c->since_ms + LOGIN_MS <= clock_ms();
}

static void make_room(struct gateway *g, struct conn *c)
{
	struct lobby *l = &g->lobby;

	if (!l->said_ms || l->said_ms + SAY_MS <= clock_ms()) {
		events_gateway(
		        g, LOG_LEVEL_WARN,
		        "%zu connections have no session yet, as many as max-startups allows: those of whoever has most make "
		        "room for others",
		        l->starts_count);
		l->said_ms = clock_ms();
	}
	stats_refused(g, REFUSED_STARTUPS);
	conn_evict(c);
}

// ------------------------------------------------------------------------------------------------------------------- turns

// Nobody needs a worker to be told that nobody is there.
static bool hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

// Thousands of places may wait, and each of them for the same one to give way: that is looked for only once.
static struct source *next_turn(struct gateway *g)
{
	struct lobby *l = &g->lobby;
	struct source *s = TAILQ_FIRST(&l->turns);
	struct conn *c;

	if (!s || l->starts_count < lobby_startups_most(g))
		return s;
	c = heaviest(g);
	while (c && s && !gives_way(c, s))
		s = TAILQ_NEXT(s, turn);
	if (!c || !s)
		return NULL;
	make_room(g, c);
	return s;
}

static void serve(struct gateway *g, struct source *s)
{
	struct lobby *l = &g->lobby;
	struct waiter w = *TAILQ_FIRST(&s->ready);
	uint32_t silent_s = (uint32_t)((w.heard_ms - w.since_ms) / 1000);
	int ret;

	// the next of that place comes after the other places
	TAILQ_REMOVE(&l->turns, s, turn);
	TAILQ_INSERT_TAIL(&l->turns, s, turn);
	waiter_free(TAILQ_FIRST(&s->ready));
	if (hung_up(w.fd) || (!w.proxied && abuse_banned(g, &w.client))) {
		close(w.fd);
		return;
	}
	ret = conn_start(g, w.fd, &w.client, &w.local, w.proxied, silent_s);
	if (ret == -EMFILE || ret == -ENFILE || ret == -ENOBUFS || ret == -ENOMEM)
		listen_rest(g, -ret);
}

void lobby_pump(struct gateway *g)
{
	struct lobby *l = &g->lobby;
	struct source *s;

	if (l->pumping) // what is done here calls us: it ends connections, and takes more
		return;
	l->pumping = true;
	while (l->answers < ANSWERS_A_CPU * l->cpus && l->fresh_count < FRESH_A_CPU * l->cpus && listen_serves(g) &&
	       (s = next_turn(g)))
		serve(g, s);
	listen_resume(g); // there may be room for more
	l->pumping = false;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;
	struct lobby *l = &g->lobby;
	uint64_t now = clock_ms();
	struct waiter *w;

	fresh_expire(l, now);
	while (lobby_is_full(g) && make_place(g, NULL))
		;
	while (g->policy.auth_timeout && (w = TAILQ_FIRST(&l->silent)) && w->since_ms + g->policy.auth_timeout * 1000ULL <= now) {
		struct addr client = w->client;
		bool known = !w->proxied;

		waiter_drop(w);
		events_stall(g, &client);
		if (known)
			abuse_score(g, &client, ABUSE_STALL);
	}
	lobby_pump(g);
	if (l->waiters || l->fresh_count)
		tick_soon(l);
}

// ----------------------------------------------------------------------------------------------------------- begin and end

void lobby_init(struct gateway *g)
{
	struct lobby *l = &g->lobby;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		CPU_SET(0, &cpus);
	l->cpus = (unsigned)CPU_COUNT(&cpus);
	evtimer_assign(&l->tick, g->base, on_tick, g);
}

static struct waiter *any(const struct lobby *l)
{
	struct source *s = TAILQ_FIRST(&l->turns);

	return s ? TAILQ_FIRST(&s->ready) : TAILQ_FIRST(&l->silent);
}

void lobby_clear(struct gateway *g)
{
	struct waiter *w;

	while ((w = any(&g->lobby)))
		waiter_drop(w);
}

void lobby_fini(struct gateway *g)
{
	lobby_clear(g);
	if (evtimer_initialized(&g->lobby.tick))
		evtimer_del(&g->lobby.tick);
}

static void source_ban(struct lobby *l, struct source *s)
{
	size_t left = s->waiters;

	while (left-- > 0) // with its last waiter a place is no more
		waiter_drop(TAILQ_FIRST(TAILQ_EMPTY(&s->ready) ? &s->silent : &s->ready));
}

// An IPv6 ban may be wider than a place is: all are looked at.
void lobby_ban(struct gateway *g, const struct addr *network)
{
	struct lobby *l = &g->lobby;
	struct waiter *w, *next;
	struct source *s, *after;

	for (w = TAILQ_FIRST(&l->silent); w; w = next) {
		next = TAILQ_NEXT(w, all);
		if (!w->proxied && addr_in(&w->client, network))
			waiter_drop(w);
	}
	for (s = TAILQ_FIRST(&l->turns); s; s = after) {
		after = TAILQ_NEXT(s, turn);
		if (!s->proxy && addr_in(&s->network, network))
			source_ban(l, s);
	}
}

// -------------------------------------------------------------------------------------------------------------- handover

static const struct state_field fields[] = {
	STATE_FD(struct waiter, fd),          STATE_ADDR(struct waiter, client),     STATE_ADDR(struct waiter, local),
	STATE_NUMBER(struct waiter, proxied), STATE_NUMBER(struct waiter, since_ms),
};

STATE_COVERS(struct waiter, 240);

static void list_save(const struct waiter_list *list, bool of_source, struct state_writer *w)
{
	const struct waiter *i;

	for (i = TAILQ_FIRST(list); i; i = of_source ? TAILQ_NEXT(i, of_source) : TAILQ_NEXT(i, all))
		state_write(w, "waiter", STATE_PARTS(STATE_PART("", fields, i)));
}

void lobby_save(const struct gateway *g, struct state_writer *w)
{
	const struct source *s;

	TAILQ_FOREACH(s, &g->lobby.turns, turn)
	list_save(&s->ready, true, w);
	list_save(&g->lobby.silent, false, w);
}

// Whose bytes are there already becomes ready with the first turn of the loop.
int lobby_restore(struct handover *h, const struct state_record *rec)
{
	struct waiter like = { .fd = -1 };
	int ret = state_read(rec, STATE_PARTS(STATE_PART("", fields, &like)));
	struct source *s;

	if (ret < 0)
		return ret;
	if (like.fd < 0 || !like.client.family)
		return -EBADMSG;
	s = source_get(h->g, &like.client, like.proxied);
	return s && waiter_add(h->g, s, &like) ? 0 : -ENOMEM;
}
