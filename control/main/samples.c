#include "control/main/samples.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/main/session.h"
#include "control/main/supervise.h"
#include "control/main/wallclock.h"

static void tell_part(struct samples *s, enum metric metric, unsigned part, uint64_t value, const char *one, const char *two,
                      const char *three)
{
	struct msg_metrics_sample m = { .metric = (uint16_t)metric, .part = (uint8_t)part, .value = value };

	snprintf(m.label1, sizeof(m.label1), "%s", one);
	snprintf(m.label2, sizeof(m.label2), "%s", two);
	snprintf(m.label3, sizeof(m.label3), "%s", three);
	if (s->to)
		LINK_SEND(s->to, METRICS_SAMPLE, &m);
}

static void tell(struct samples *s, enum metric metric, uint64_t value)
{
	tell_part(s, metric, 0, value, "", "", "");
}

static void tell1(struct samples *s, enum metric metric, uint64_t value, const char *label)
{
	tell_part(s, metric, 0, value, label, "", "");
}

static void tell2(struct samples *s, enum metric metric, uint64_t value, const char *one, const char *two)
{
	tell_part(s, metric, 0, value, one, two, "");
}

// Who adds to an enum adds its word here.
#define WORDS_FOR(words, n) _Static_assert(sizeof(words) / sizeof(*(words)) == (n), "a word for each")

// The default one has no name.
static const char *vhost_text(const char *name)
{
	return name[0] ? name : "default";
}

// ----------------------------------------------------------------------------------------------------------- the gateway

static void tell_part_of(struct samples *s, const struct gateway *g, const char *name, enum part part, const struct child *c)
{
	tell1(s, METRIC_PART_UP, c && c->ready && !c->stuck, name);
	tell1(s, METRIC_PART_STARTS, g->figures.starts[part], name);
	tell1(s, METRIC_PART_QUEUE, c ? c->link.queued : 0, name);
}

static void tell_parts(struct samples *s, const struct gateway *g)
{
	tell_part_of(s, g, "sec-mod", PART_SECMOD, g->secmod);
	tell_part_of(s, g, "dataplane", PART_DATAPLANE, g->dataplane);
	tell_part_of(s, g, "nursery", PART_NURSERY, g->nursery);
	tell_part_of(s, g, "metrics", PART_METRICS, g->reporter);
}

static void tell_gateway(struct samples *s, const struct gateway *g)
{
	const struct figures *f = &g->figures;

	tell1(s, METRIC_BUILD, 1, PENSTOCK_VERSION);
	tell(s, METRIC_START_TIME, (uint64_t)g->stats.up_since);
	tell(s, METRIC_ACCEPTING, g->accepting);
	tell1(s, METRIC_ACCEPT_PAUSES, f->pauses[PAUSE_RESOURCES], "resources");
	tell1(s, METRIC_ACCEPT_PAUSES, f->pauses[PAUSE_LOGINS], "logins");
	tell1(s, METRIC_ACCEPT_PAUSES, f->pauses[PAUSE_PARTS], "parts");
	tell1(s, METRIC_RELOADS, f->reloads, "ok");
	tell1(s, METRIC_RELOADS, f->reloads_refused, "refused");
	tell(s, METRIC_RELOAD_TIME, (uint64_t)f->loaded);
	tell(s, METRIC_CONNECTIONS, g->conns_count);
	tell(s, METRIC_CONNECTIONS_STARTING, g->lobby.starts_count);
	tell(s, METRIC_CONNECTIONS_WAITING, g->lobby.waiters);
	tell(s, METRIC_CONNECTIONS_TAKEN, f->connections);
	tell(s, METRIC_WORKER_CRASHES, f->crashes);
	tell(s, METRIC_BANS_ACTIVE, ban_count(g->bans, clock_seconds()));
	tell(s, METRIC_BANS, f->bans);
	tell(s, METRIC_LATENCY_MEDIAN, g->stats.latency_median_ns);
	tell(s, METRIC_LATENCY_STDEV, g->stats.latency_stdev_ns);
}

static void tell_refused(struct samples *s, const struct gateway *g)
{
	static const char *const words[] = {
		[REFUSED_CLIENTS] = "max-clients",   [REFUSED_STARTUPS] = "max-startups", [REFUSED_PROXY] = "proxy-from",
		[REFUSED_SCRIPT] = "connect-script", [REFUSED_SAME] = "max-same-clients", [REFUSED_ADDRESS] = "address",
		[REFUSED_TUNNEL] = "tunnel"
	};
	WORDS_FOR(words, REFUSED_KINDS);

	for (unsigned i = 0; i < REFUSED_KINDS; i++)
		tell1(s, METRIC_REFUSED, g->stats.total.refused[i], words[i]);
}

static void tell_logins(struct samples *s, const struct gateway *g)
{
	static const char *const words[] = {
		[AUTH_OK] = "ok",           [AUTH_BAD] = "wrong",      [AUTH_ERROR] = "error", [AUTH_ABANDONED] = "abandoned",
		[AUTH_HUNG_UP] = "hung-up", [AUTH_REFUSED] = "refused"
	};
	WORDS_FOR(words, AUTH_OUTCOME_LAST + 1);

	tell(s, METRIC_LOGINS_WAIT, g->logins_wait);
	for (unsigned i = 0; i < g->figures.n_logins; i++) {
		const struct figures_logins *l = &g->figures.logins[i];
		uint64_t all = 0, below = 0;

		for (unsigned o = 0; o <= AUTH_OUTCOME_LAST; o++) {
			tell2(s, METRIC_LOGINS, l->ended[o], l->method, words[o]);
			all += o == AUTH_ABANDONED ? 0 : l->ended[o];
		}
		for (unsigned b = 0; b < METRIC_BOUNDS; b++)
			tell_part(s, METRIC_LOGIN_TIME, b, below += l->within[b], l->method, "", "");
		tell_part(s, METRIC_LOGIN_TIME, METRIC_BOUNDS, all, l->method, "", "");
		tell_part(s, METRIC_LOGIN_TIME, LIMIT_METRIC_PARTS, l->ms, l->method, "", "");
	}
}

// -------------------------------------------------------------------------------------------------------------- sessions

static void tell_ends(struct samples *s, const struct gateway *g)
{
	static const char *const words[] = {
		[END_NONE] = "none",
		[END_BY_USER] = "user",
		[END_TEMPORARY] = "temporary",
		[END_BY_ADMIN] = "admin",
		[END_TERMINATED] = "terminated",
		[END_REPLACED] = "replaced",
		[END_IDLE] = "idle",
		[END_SESSION_TIMEOUT] = "session-timeout",
		[END_AUTH_TIMEOUT] = "auth-timeout",
		[END_QUOTA] = "quota",
		[END_EXPIRED] = "expired",
		[END_DEAD_PEER] = "dead-peer",
		[END_FROZEN] = "frozen",
		[END_SHUTDOWN] = "shutdown",
		[END_ERROR] = "error",
		[END_WORKER] = "worker",
		[END_NURSERY] = "nursery",
		[END_DATAPLANE] = "dataplane",
		[END_MAIN] = "main",
	};
	WORDS_FOR(words, END_REASON_LAST + 1);

	for (unsigned i = 0; i <= END_REASON_LAST; i++)
		tell1(s, METRIC_SESSION_ENDS, g->figures.ends[i], words[i]);
	tell(s, METRIC_SESSION_TIME, g->stats.total.session_seconds);
}

struct vhost_sessions {
	const char *name;
	uint64_t known, active, total;
};

// Sessions of one virtual host often follow each other: the last one that was found is tried first.
static struct vhost_sessions *sessions_of(struct vhost_sessions *all, unsigned *n, unsigned room, const char *name)
{
	static unsigned last;

	if (last < *n && strcmp(all[last].name, name) == 0)
		return &all[last];
	for (last = 0; last < *n; last++)
		if (strcmp(all[last].name, name) == 0)
			return &all[last];
	if (*n == room)
		return &all[last = room - 1];
	all[*n].name = name;
	return &all[(*n)++];
}

static void tell_vhosts(struct samples *s, const struct gateway *g)
{
	enum { ROOM = 2 * LIMIT_VHOSTS };
	struct vhost_sessions all[ROOM] = { 0 }, *v;
	const struct session *session;
	unsigned n = 0;

	for (unsigned i = 0; i < g->policy.n_vhosts; i++)
		sessions_of(all, &n, ROOM, g->policy.vhost[i].name);
	for (unsigned i = 0; i < g->figures.n_vhosts; i++)
		sessions_of(all, &n, ROOM, g->figures.vhosts[i].name)->total += g->figures.vhosts[i].sessions;
	TAILQ_FOREACH(session, &g->sessions, all)
	{
		v = sessions_of(all, &n, ROOM, session->vhost);
		v->known++;
		v->active += session->tunnel && session->tunnel->phase == TUNNEL_UP;
	}
	for (unsigned i = 0; i < n; i++) {
		tell1(s, METRIC_SESSIONS_KNOWN, all[i].known, vhost_text(all[i].name));
		tell1(s, METRIC_SESSIONS_ACTIVE, all[i].active, vhost_text(all[i].name));
		tell1(s, METRIC_SESSIONS, all[i].total, vhost_text(all[i].name));
	}
}

static void tell_tunnels(struct samples *s, struct gateway *g)
{
	const struct figures_traffic t = figures_traffic(g);
	uint64_t on[CHANNEL_LAST + 1] = { 0 };

	for (uint32_t i = 0; i < g->tunnels_max; i++)
		if (g->tunnels[i] && g->tunnels[i]->phase == TUNNEL_UP)
			on[g->tunnels[i]->channel]++;
	tell1(s, METRIC_TUNNELS, on[CHANNEL_CSTP], "cstp");
	tell1(s, METRIC_TUNNELS, on[CHANNEL_DTLS], "dtls");
	tell(s, METRIC_TUNNELS_MAX, g->tunnels_max);
	tell1(s, METRIC_RECEIVED, t.cstp_in, "cstp");
	tell1(s, METRIC_RECEIVED, t.dtls_in, "dtls");
	tell1(s, METRIC_SENT, t.cstp_out, "cstp");
	tell1(s, METRIC_SENT, t.dtls_out, "dtls");
	tell(s, METRIC_RECEIVED_PACKETS, t.packets_in);
	tell(s, METRIC_SENT_PACKETS, t.packets_out);
}

static void tell_pool(void *who, const struct lease_pool *p)
{
	char network[ADDR_TEXT], length[8];
	struct samples *s = who;
	struct addr a = *lease_gateway(p);

	addr_mask(&a);
	addr_text_prefix(&a, network);
	snprintf(length, sizeof(length), "%u", lease_subnet_prefix(p));
	tell2(s, METRIC_POOL_ADDRESSES, lease_size(p), network, length);
	tell2(s, METRIC_POOL_LENT, lease_lent(p), network, length);
}

void samples_gateway(struct samples *s, struct gateway *g)
{
	tell_gateway(s, g);
	tell_parts(s, g);
	tell_refused(s, g);
	tell_logins(s, g);
	tell_ends(s, g);
	tell_vhosts(s, g);
	tell_tunnels(s, g);
	address_pools_each(&g->addresses, tell_pool, s);
}

void samples_session(struct samples *s, const struct session *session)
{
	const struct tunnel *t = session->tunnel;
	const char *user = session->user, *vhost = vhost_text(session->vhost);
	char id[16];

	snprintf(id, sizeof(id), "%u", session->id);
	tell_part(s, METRIC_USER_SINCE, 0, (uint64_t)wallclock_then((int64_t)t->since_ms), user, vhost, id);
	tell_part(s, METRIC_USER_RECEIVED, 0, session->ended.bytes_in + t->now.bytes_in, user, vhost, id);
	tell_part(s, METRIC_USER_SENT, 0, session->ended.bytes_out + t->now.bytes_out, user, vhost, id);
	tell_part(s, METRIC_USER_DROPPED, 0, session->ended.dropped + t->now.dropped, user, vhost, id);
}

// ------------------------------------------------------------------------------------------------------------- dataplane

void samples_dp_port(struct samples *s, const struct msg_dp_port *m)
{
	tell2(s, METRIC_PORT_UP, m->up, m->name, m->role);
	tell2(s, METRIC_PORT_RECEIVED, m->rx_bytes, m->name, m->role);
	tell2(s, METRIC_PORT_SENT, m->tx_bytes, m->name, m->role);
	tell2(s, METRIC_PORT_RECEIVED_PACKETS, m->rx_packets, m->name, m->role);
	tell2(s, METRIC_PORT_SENT_PACKETS, m->tx_packets, m->name, m->role);
	tell2(s, METRIC_PORT_MISSED, m->rx_missed, m->name, m->role);
	tell2(s, METRIC_PORT_ERRORS, m->errors, m->name, m->role);
}

void samples_dp_core(struct samples *s, const struct msg_dp_core *m)
{
	char lcore[16], cpu[16];

	snprintf(lcore, sizeof(lcore), "%u", m->lcore);
	snprintf(cpu, sizeof(cpu), "%u", m->cpu);
	tell2(s, METRIC_CORE_BUSY, m->busy_us, lcore, cpu);
	tell2(s, METRIC_CORE_BUSY_NOW, m->busy_now, lcore, cpu);
	tell2(s, METRIC_CORE_PACKETS, m->packets, lcore, cpu);
	tell2(s, METRIC_CORE_CYCLES, m->cycles_per_packet, lcore, cpu);
	tell2(s, METRIC_CORE_SLEEPS, m->sleeps, lcore, cpu);
	tell2(s, METRIC_CORE_TUNNELS, m->tunnels, lcore, cpu);
}

void samples_dp_pool(struct samples *s, const struct msg_dp_pool *m)
{
	tell1(s, METRIC_MBUFS_FREE, m->free, m->name);
	tell1(s, METRIC_MBUFS, m->total, m->name);
}

void samples_dp_ring(struct samples *s, const struct msg_dp_ring *m)
{
	tell1(s, METRIC_RING_WAITING, m->waiting, m->name);
	tell1(s, METRIC_RING_MOST, m->most, m->name);
	tell1(s, METRIC_RING_ROOM, m->room, m->name);
}

void samples_dp_counter(struct samples *s, const struct msg_dp_counter *m)
{
	static const char *const roles[] = {
		[COUNTER_NOTE] = "note", [COUNTER_DROP] = "end",    [COUNTER_IN] = "in",
		[COUNTER_OUT] = "out",   [COUNTER_TAKEN] = "taken", [COUNTER_GIVEN] = "given",
	};

	if (m->thread[0])
		return;
	if (strncmp(m->name, "drop_", 5) == 0)
		tell1(s, METRIC_DROPS, m->value, m->name + 5);
	else
		tell2(s, METRIC_EVENTS, m->value, m->name, roles[m->role]);
}

void samples_dp_end(struct samples *s, const struct msg_dataplane_stats_end *m)
{
	tell(s, METRIC_MEMORY, m->memory_bytes);
}

// --------------------------------------------------------------------------------------------------------------- sec-mod

// What has the same names as another one gets a number: a server that two files name, for two virtual hosts.
static const char *own_name(struct samples *s, const struct msg_auth_status_row *m, char out[HEALTH_NAME + 8])
{
	char names[2 * HEALTH_NAME + 32];
	unsigned nth = 1;
	uint64_t hash;

	snprintf(names, sizeof(names), "%u %s %s", m->kind, m->owner, m->name);
	hash = htab_hash(names, strlen(names));
	for (unsigned i = 0; i < s->n_names; i++)
		nth += s->names[i] == hash;
	if (s->n_names == SAMPLES_NAMES)
		return NULL;
	s->names[s->n_names++] = hash;
	snprintf(out, HEALTH_NAME + 8, nth > 1 ? "%s #%u" : "%s", m->name, nth);
	return out;
}

void samples_auth_row(struct samples *s, const struct msg_auth_status_row *m)
{
	static const char *const kinds[] = { [HEALTH_METHOD] = "method", [HEALTH_SERVER] = "server", [HEALTH_POOL] = "queue" };
	char text[HEALTH_NAME + 8];
	const char *name = m->kind == HEALTH_WAY ? NULL : own_name(s, m, text), *kind;

	if (!name)
		return;
	kind = kinds[m->kind];
	tell_part(s, METRIC_AUTH_UP, 0, !m->down, kind, name, m->owner);
	tell_part(s, METRIC_AUTH_WAITING, 0, m->outstanding, kind, name, m->owner);
	if (m->room)
		tell_part(s, METRIC_AUTH_ROOM, 0, m->room, kind, name, m->owner);
	tell_part(s, METRIC_AUTH_ASKED, 0, m->asked, kind, name, m->owner);
	tell_part(s, METRIC_AUTH_TIMEOUTS, 0, m->timeouts, kind, name, m->owner);
	tell_part(s, METRIC_AUTH_FAILURES, 0, m->failures, kind, name, m->owner);
	tell_part(s, METRIC_AUTH_AVERAGE, 0, m->average, kind, name, m->owner);
	tell_part(s, METRIC_AUTH_LONGEST, 0, m->most, kind, name, m->owner);
}

void samples_auth_end(struct samples *s, const struct msg_auth_status_end *m)
{
	tell(s, METRIC_AUTH_UNDER_WAY, m->attempts);
}
