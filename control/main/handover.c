#include "control/main/handover.h"

#include <stdlib.h>
#include <string.h>

#include "control/main/admin.h"
#include "control/main/config.h"
#include "control/main/inner.h"
#include "control/main/listen.h"
#include "control/main/lobby.h"
#include "control/main/metrics.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "control/main/usage.h"
#include "proto/err.h"

// ---------------------------------------------------------------------------------------------------------------- timers

uint64_t handover_due(const struct event *timer)
{
	struct timeval due, now, left;
	int64_t ms;

	if (!event_initialized(timer) || !event_pending(timer, EV_TIMEOUT, &due))
		return 0;
	// by libevent's own idea of the wall clock, in which `due` is: who sets the real one moves no timer
	event_base_gettimeofday_cached(event_get_base(timer), &now);
	evutil_timersub(&due, &now, &left);
	ms = (int64_t)left.tv_sec * 1000 + left.tv_usec / 1000;
	return clock_ms() + (ms > 0 ? (uint64_t)ms : 0);
}

void handover_arm(struct event *timer, uint64_t due_ms)
{
	uint64_t now = clock_ms(), left = due_ms > now ? due_ms - now : 0;
	const struct timeval tv = { .tv_sec = (time_t)(left / 1000), .tv_usec = (suseconds_t)(left % 1000 * 1000) };

	if (due_ms)
		evtimer_add(timer, &tv);
}

// --------------------------------------------------------------------------------------------------------------- process

#define P(kind, member) STATE_##kind(struct handover_process, member)

static const struct state_field process_fields[] = {
	P(STRING, pid_file), P(FD, pid_fd),    P(STRING, program), P(STRING, version),
	P(NUMBER, left_ms),  P(FD, keeper_fd), P(FD, page_fd),
};

#undef P

static int process_restore(struct handover *h, const struct state_record *rec)
{
	struct handover_process *p = &h->process;
	int ret = p->program ? -EBADMSG : state_read(rec, STATE_PARTS(STATE_PART("", process_fields, p)));

	return ret < 0 ? ret : p->program && p->version ? 0 : -EBADMSG;
}

// -------------------------------------------------------------------------------------------------------------- messages

// Children of before and their workers go on speaking as they do: what they and main, or they and those who come after, say to
// each other has to mean the same. Only penstockctl is free, and penstock-metrics, which is started anew.
struct message {
	uint32_t number;
	uint64_t hash;
	char name[48];
};

static const struct state_field message_fields[] = {
	STATE_UPTO(struct message, number, MSG_NUMBERS - 1),
	STATE_NUMBER(struct message, hash),
	STATE_TEXT(struct message, name),
};

struct generation {
	uint32_t generation, messages;
};

static const struct state_field generation_fields[] = {
	STATE_NUMBER(struct generation, generation),
	STATE_NUMBER(struct generation, messages),
};

static uint64_t mix(uint64_t h, uint64_t value)
{
	for (int i = 0; i < 8; i++, value >>= 8)
		h = (h ^ (value & 0xff)) * 0x100000001b3ULL; // FNV-1a
	return h;
}

static uint64_t message_hash(const struct msg_desc *d)
{
	const struct msg_field *f = d->fields();
	uint64_t h = 0xcbf29ce484222325ULL;
	const uint64_t all[] = { d->from, d->to, d->fds, d->secrecy, d->times, d->per_second, d->states, d->n_fields };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		h = mix(h, all[i]);
	for (unsigned i = 0; i < d->n_fields; i++) {
		h = mix(mix(mix(h, f[i].kind), f[i].min), f[i].max);
		for (const char *p = f[i].name; *p; p++)
			h = mix(h, (uint8_t)*p);
	}
	return h;
}

static bool is_between_parts(const struct msg_desc *d)
{
	return d->name && d->from != ROLE_CTL && d->to != ROLE_CTL && d->from != ROLE_METRICS && d->to != ROLE_METRICS;
}

static unsigned messages_count(void)
{
	unsigned n = 0;

	for (int i = 0; i < MSG_NUMBERS; i++)
		n += is_between_parts(&msg_descs[i]);
	return n;
}

static void messages_save(struct state_writer *w)
{
	const struct generation g = { PARTS_GENERATION, messages_count() };

	state_write(w, "parts", STATE_PARTS(STATE_PART("", generation_fields, &g)));
	for (int i = 0; i < MSG_NUMBERS; i++) {
		const struct msg_desc *d = &msg_descs[i];
		struct message m = { .number = (uint32_t)i };

		if (!is_between_parts(d))
			continue;
		m.hash = message_hash(d);
		snprintf(m.name, sizeof(m.name), "%s", d->name);
		state_write(w, "message", STATE_PARTS(STATE_PART("", message_fields, &m)));
	}
}

static int generation_restore(struct handover *h, const struct state_record *rec)
{
	struct generation g = { 0 };
	int ret = state_read(rec, STATE_PARTS(STATE_PART("", generation_fields, &g)));

	if (ret == 0 && (g.generation != PARTS_GENERATION || g.messages != messages_count()))
		ret = errno_log(ENOTSUP, "the parts of this version speak otherwise to each other than those that run");
	return ret;
}

static int message_restore(struct handover *h, const struct state_record *rec)
{
	struct message m = { 0 };
	int ret = state_read(rec, STATE_PARTS(STATE_PART("", message_fields, &m)));

	if (ret < 0)
		return ret;
	if (!is_between_parts(&msg_descs[m.number]) || message_hash(&msg_descs[m.number]) != m.hash)
		return errno_log(ENOTSUP, "the parts of this version speak otherwise to each other than those that run: %s",
		                 m.name);
	return 0;
}

// ---------------------------------------------------------------------------------------------------------- configuration

// Twice: the gateway's, and the one that its new nursery is given.
static int both(struct handover *h, const struct state_record *rec, int (*restore)(struct config *, const struct state_record *))
{
	int ret = h->g->config && !h->g->base ? restore(h->g->config, rec) : -EBADMSG;

	return ret < 0 ? ret : restore(h->config_again, rec);
}

static int on_config(struct handover *h, const struct state_record *rec)
{
	int ret = h->g->config ? -EBADMSG : config_restore(&h->g->config, rec);

	return ret < 0 ? ret : config_restore(&h->config_again, rec);
}

static int on_vhost(struct handover *h, const struct state_record *rec)
{
	return both(h, rec, config_vhost_restore);
}

static int on_option(struct handover *h, const struct state_record *rec)
{
	return both(h, rec, config_option_restore);
}

// --------------------------------------------------------------------------------------------------------------- gateway

#define N(member) STATE_NUMBER(struct gateway, member)

static const struct state_field gateway_fields[] = {
	N(pause_logged_ms), N(stranger_logged_ms), N(logins_wait),  N(door.maintenance), N(door.full),
	N(door.shut),       N(conn_last),          N(session_last), N(keeps_sessions),   N(had_secmod),
};

#undef N

struct key {
	uint64_t hash_key;
};

static const struct state_field key_fields[] = { STATE_NUMBER(struct key, hash_key) };
static const struct state_field inner_fields[] = { STATE_TEXT(struct gateway, inner), STATE_NUMBER(struct gateway, inner_mtu) };

// The configuration is whole: what is made of it.
static int on_gateway(struct handover *h, const struct state_record *rec)
{
	struct gateway *g = h->g;
	struct key key = { 0 };
	int ret = g->config && !g->base ? config_restored(g->config) : -EBADMSG;

	if (ret == 0)
		ret = config_restored(h->config_again);
	if (ret == 0)
		ret = state_read(rec, STATE_PARTS(STATE_PART("", gateway_fields, g), STATE_PART("", key_fields, &key)));
	if (ret < 0)
		return ret;
	htab_set_key(key.hash_key);
	g->phase = GATEWAY_UP;
	ret = gateway_begin(g);
	// what users have used is in its file: nobody left it to the keeper each second
	return ret == 0 && h->kept ? usage_open(g) : ret;
}

static int on_inner(struct handover *h, const struct state_record *rec)
{
	return state_read(rec, STATE_PARTS(STATE_PART("", inner_fields, h->g)));
}

static int on_ban(struct handover *h, const struct state_record *rec)
{
	return h->g->bans ? ban_restore(h->g->bans, rec) : -EBADMSG;
}

static int on_guess(struct handover *h, const struct state_record *rec)
{
	return h->g->bans ? ban_guess_restore(h->g->bans, rec) : -EBADMSG;
}

// --------------------------------------------------------------------------------------------------------------- together

static void terms_once(struct terms *t, uint32_t *last, struct state_writer *w)
{
	if (t && !t->number)
		terms_save(t, ++*last, w);
}

static void terms_all(struct gateway *g, struct state_writer *w)
{
	uint32_t last = 0;
	struct session *s;

	// first nobody has a number, whatever was written before
	for (int pass = 0; pass < 2; pass++) {
		TAILQ_FOREACH(s, &g->sessions, all)
		if (s->changed.filter && pass == 0)
			s->changed.filter->number = 0;
		else
			terms_once(s->changed.filter, &last, w);
		for (uint32_t i = 0; i < g->tunnels_max; i++) {
			struct tunnel *t = g->tunnels[i];

			if (t && pass == 0)
				t->terms->number = 0;
			else if (t)
				terms_once(t->terms, &last, w);
		}
	}
}

static void base_save(struct gateway *g, const struct handover_process *process, struct state_writer *w)
{
	state_write(w, "process", STATE_PARTS(STATE_PART("", process_fields, process)));
	messages_save(w);
	config_save(g->config, w);
}

static void gateway_save(struct gateway *g, struct state_writer *w)
{
	const struct key key = { htab_key() };

	state_write(w, "gateway", STATE_PARTS(STATE_PART("", gateway_fields, g), STATE_PART("", key_fields, &key)));
}

static void counts_save(struct gateway *g, struct state_writer *w)
{
	stats_save(g, w);
	figures_save(g, w);
}

static void insides_save(struct gateway *g, struct state_writer *w)
{
	inner_save(g, w);
	state_write(w, "inner", STATE_PARTS(STATE_PART("", inner_fields, g)));
}

int handover_save(struct gateway *g, const struct handover_process *process, struct state_writer *w)
{
	const struct session *s;
	const struct conn *c;

	base_save(g, process, w);
	gateway_save(g, w);
	counts_save(g, w);
	metrics_save(g, w);
	ban_save(g->bans, w);
	listen_save(g, w);
	lobby_save(g, w);
	admin_save(g, w);
	admin_clients_save(g, w);
	supervise_save(g, w);
	usage_save(g, w);
	terms_all(g, w);
	TAILQ_FOREACH(s, &g->sessions, all)
	session_save(s, w);
	TAILQ_FOREACH(c, &g->conns, all)
	conn_save(c, w);
	tunnel_table_save(g, w);
	for (uint32_t i = 0; i < g->tunnels_max; i++)
		if (g->tunnels[i])
			tunnel_save(g->tunnels[i], w);
	insides_save(g, w);
	return w->error ? errno_log(-w->error, "the state cannot be written: %s", strerror(-w->error)) : 0;
}

// ---------------------------------------------------------------------------------------------------------------- keeper

// Its own end of things the keeper need not keep.
static void base_part(struct gateway *g, struct state_writer *w)
{
	struct handover_process process = *g->self;

	process.keeper_fd = process.page_fd = -1;
	base_save(g, &process, w);
}

static void numbers_part(const struct gateway *g, struct state_writer *w)
{
	if (g->tunnels)
		tunnel_table_save(g, w);
}

void handover_part(struct gateway *g, enum vault_kind kind, void *object, struct state_writer *w)
{
	struct terms *t = object;

	switch (kind) {
	case VAULT_BASE:
		base_part(g, w);
		break;
	case VAULT_GATEWAY:
		gateway_save(g, w);
		break;
	case VAULT_FIGURES:
		counts_save(g, w);
		break;
	case VAULT_METRICS:
		metrics_save(g, w);
		break;
	case VAULT_BANS:
		ban_save(g->bans, w);
		break;
	case VAULT_LISTENERS:
		listen_save(g, w);
		break;
	case VAULT_ADMIN:
		admin_save(g, w);
		break;
	case VAULT_CHILD:
		child_save(object, w);
		break;
	case VAULT_TERMS:
		terms_save(t, t->kept, w);
		break;
	case VAULT_SESSION:
		session_save(object, w);
		break;
	case VAULT_CONN:
		conn_save(object, w);
		break;
	case VAULT_NUMBERS:
		numbers_part(g, w);
		break;
	case VAULT_TUNNEL:
		tunnel_save(object, w);
		break;
	case VAULT_INNER:
		insides_save(g, w);
		break;
	default:
		break;
	}
}

static void terms_mark(struct gateway *g, struct terms *t, void (*each)(struct gateway *g, struct deposit_mark *m))
{
	terms_keep(g, t);
	each(g, &t->mark);
}

void handover_marks(struct gateway *g, void (*each)(struct gateway *g, struct deposit_mark *m))
{
	struct child *child;
	struct session *s;
	struct conn *c;

	TAILQ_FOREACH(child, &g->children, all)
	each(g, &child->mark);
	TAILQ_FOREACH(s, &g->sessions, all)
	{
		if (s->changed.filter)
			terms_mark(g, s->changed.filter, each);
		each(g, &s->mark);
	}
	TAILQ_FOREACH(c, &g->conns, all)
	each(g, &c->mark);
	for (uint32_t i = 0; i < g->tunnels_max; i++) {
		if (!g->tunnels[i])
			continue;
		terms_mark(g, g->tunnels[i]->terms, each);
		each(g, &g->tunnels[i]->mark);
	}
}

struct terms *handover_terms(const struct handover *h, uint32_t number)
{
	uint32_t low = 0, high = h->n_terms, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (h->terms[middle]->number == number)
			return h->terms[middle];
		if (h->terms[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

// --------------------------------------------------------------------------------------------------------------- restore

static const struct {
	const char *record;
	int (*restore)(struct handover *h, const struct state_record *rec);
} records[] = {
	{ "process", process_restore },
	{ "parts", generation_restore },
	{ "message", message_restore },
	{ "config", on_config },
	{ "vhost", on_vhost },
	{ "option", on_option },
	{ "gateway", on_gateway },
#define RECORDS_EARLY 7 // before there is a gateway; those that follow are put into it
	{ "stats", stats_restore },
	{ "figures", figures_restore },
	{ "figures-login", figures_login_restore },
	{ "figures-vhost", figures_vhost_restore },
	{ "metrics", metrics_restore },
	{ "ban", on_ban },
	{ "guess", on_guess },
	{ "listener", listen_restore },
	{ "waiter", lobby_restore },
	{ "admin", admin_restore },
	{ "admin-client", admin_client_restore },
	{ "child", supervise_restore },
	{ "usage", usage_restore },
	{ "quota-user", usage_user_restore },
	{ "terms", terms_restore },
	{ "terms-item", terms_item_restore },
	{ "terms-iroute", terms_iroute_restore },
	{ "session", session_restore },
	{ "conn", conn_restore },
	{ "tunnels", tunnel_table_restore },
	{ "tunnel", tunnel_restore },
	{ "iroute", iroute_restore },
	{ "inner-network", inner_restore },
	{ "inner", on_inner },
};

static int record_restore(struct handover *h, const struct state_record *rec)
{
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		if (strcmp(records[i].record, rec->name) != 0)
			continue;
		if (i >= RECORDS_EARLY && !h->g->base)
			return errno_log(EBADMSG, "state: %s: out of turn", rec->name);
		return records[i].restore(h, rec);
	}
	return errno_log(ENOTSUP, "state: %s: this version does not know it", rec->name);
}

// It is a gateway that works, and not a part of one.
static int check(const struct handover *h)
{
	const struct gateway *g = h->g;

	// what had died with the one before us is started anew
	bool whole = h->kept || (g->secmod && g->dataplane && g->nursery && g->tunnels && g->inner[0]);

	if (!h->process.program || !g->base || !whole)
		return errno_log(EBADMSG, "state: a part of it is missing");
	return 0;
}

int handover_restore(struct handover *h, const uint8_t *buf, size_t len)
{
	int ret = gateway_tables_init(h->g), more = 0;
	struct state_record rec;

	h->process.pid_fd = h->process.keeper_fd = h->process.page_fd = -1;
	if (ret == 0)
		ret = state_reader_init(&h->reader, buf, len);
	while (ret == 0 && (more = state_next(&h->reader, &rec)) > 0)
		ret = record_restore(h, &rec);
	if (ret == 0)
		ret = more < 0 ? more : check(h);
	if (ret < 0)
		return ret;
	tunnel_table_restored(h->g);
	return 0;
}

void handover_fini(struct handover *h)
{
	for (uint32_t i = 0; i < h->n_terms; i++)
		terms_put(h->terms[i]);
	free(h->terms);
	config_free(h->config_again);
	state_reader_fini(&h->reader);
	free(h->process.pid_file);
	free(h->process.program);
	free(h->process.version);
	*h = (struct handover){ 0 };
}
