#include "control/main/events.h"

#include <stdlib.h>
#include <string.h>

#include "control/main/admin.h"
#include "control/main/session.h"

// Events that may wait for a slow listener; more are lost.
#define WAITING_MAX 256
// The operator's door has places for others, too.
#define LISTENERS_MAX (ADMIN_CLIENTS_MAX / 2)

static uint64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool anybody_listens(const struct gateway *g)
{
	const struct admin_client *a;

	if (g->admin)
		TAILQ_FOREACH(a, &g->admin->clients, all)
	if (a->listens)
		return true;
	return false;
}

static void tell_lost(struct admin_client *a)
{
	struct msg_admin_event m = { .kind = EVENT_LOST, .time_ms = wall_ms(), .lost = a->lost };

	if (!a->lost)
		return;
	a->lost = 0;
	LINK_SEND(&a->link, ADMIN_EVENT, &m);
}

static void tell_one(struct admin_client *a, const struct msg_admin_event *m)
{
	if (a->link.queued >= WAITING_MAX || a->lost) {
		a->lost++;
		return;
	}
	LINK_SEND(&a->link, ADMIN_EVENT, m);
	if (a->wanted && --a->wanted == 0)
		admin_end(a, true, "%s", "");
}

static void tell(struct gateway *g, struct msg_admin_event *m)
{
	struct admin_client *a;

	m->time_ms = wall_ms();
	TAILQ_FOREACH(a, &g->admin->clients, all)
	if (a->listens)
		tell_one(a, m);
}

void events_drained(struct admin_client *a)
{
	if (a->listens)
		tell_lost(a);
}

void events_listen(struct admin_client *a)
{
	unsigned long wanted = 0;
	const struct admin_client *other;
	size_t listeners = 0, readers = 0;
	char *end;

	if (a->argument[0]) {
		wanted = strtoul(a->argument, &end, 10);
		if (a->argument[0] < '1' || a->argument[0] > '9' || *end || wanted > UINT32_MAX) {
			admin_end(a, false, "'%s' is no number of events", a->argument);
			return;
		}
	}
	TAILQ_FOREACH(other, &a->g->admin->clients, all)
	{
		listeners += other->listens;
		readers += other->listens && other->reads_only;
	}
	if (listeners >= LISTENERS_MAX || (a->reads_only && readers >= LISTENERS_MAX / 2)) {
		admin_end(a, false, "%zu listen already", listeners);
		return;
	}
	a->wanted = (uint32_t)wanted;
	a->lost = 0;
	a->listens = a->link.patient = true;
}

// ----------------------------------------------------------------------------------------------------------------- kinds

#define COPY(to, from) snprintf((to), sizeof(to), "%s", (from))

static void put_session(struct msg_admin_event *m, const struct session *s)
{
	m->id = s->id;
	m->sid_len = SID_SIZE;
	memcpy(m->sid, s->sid, SID_SIZE);
	COPY(m->user, s->user);
	COPY(m->group, s->group);
	COPY(m->vhost, s->vhost[0] ? s->vhost : "default");
}

static void put_tunnel(struct msg_admin_event *m, const struct tunnel *t)
{
	put_session(m, t->session);
	COPY(m->device, t->g->inner);
	m->client = t->client;
	m->ipv4 = t->session->ipv4;
	m->ipv6 = t->session->ipv6;
}

void events_login(struct gateway *g, const struct msg_auth_event *e, const char *outcome)
{
	struct msg_admin_event m = { .kind = e->outcome == AUTH_OK ? EVENT_LOGIN : EVENT_LOGIN_FAILED,
		                     .client = e->client,
		                     .milliseconds = e->milliseconds };

	if (!anybody_listens(g))
		return;
	COPY(m.user, e->user);
	COPY(m.group, e->group);
	COPY(m.vhost, e->vhost[0] ? e->vhost : "default");
	COPY(m.method, e->method);
	COPY(m.reason, outcome);
	tell(g, &m);
}

void events_connect(const struct tunnel *t)
{
	struct msg_admin_event m = { .kind = EVENT_CONNECT };

	if (!anybody_listens(t->g))
		return;
	put_tunnel(&m, t);
	tell(t->g, &m);
}

void events_refused(const struct conn *c, const char *user, const char *reason)
{
	struct msg_admin_event m = { .kind = EVENT_REFUSED, .client = c->client };

	if (!anybody_listens(c->g))
		return;
	COPY(m.user, user);
	COPY(m.reason, reason);
	tell(c->g, &m);
}

void events_disconnect(const struct tunnel *t)
{
	struct msg_admin_event m = { .kind = EVENT_DISCONNECT,
		                     .seconds = (uint32_t)((clock_ms() - t->since_ms) / 1000),
		                     .bytes_in = t->now.bytes_in,
		                     .bytes_out = t->now.bytes_out };

	if (!anybody_listens(t->g))
		return;
	put_tunnel(&m, t);
	COPY(m.reason, end_reason_text(t->reason));
	tell(t->g, &m);
}

void events_session_end(struct gateway *g, const struct msg_session_gone *gone, const struct session *s)
{
	struct msg_admin_event m = { .kind = EVENT_SESSION_END, .sid_len = SID_SIZE };

	if (!anybody_listens(g))
		return;
	memcpy(m.sid, gone->sid, SID_SIZE);
	if (s)
		put_session(&m, s);
	COPY(m.reason, end_reason_text((enum end_reason)gone->reason));
	tell(g, &m);
}

void events_worker(const struct conn *c, enum event_kind kind, const char *reason)
{
	struct msg_admin_event m = { .kind = kind, .client = c->client };

	if (!anybody_listens(c->g))
		return;
	if (c->tunnel)
		put_tunnel(&m, c->tunnel);
	COPY(m.reason, reason);
	tell(c->g, &m);
}

void events_process(struct gateway *g, const char *name, const char *reason)
{
	struct msg_admin_event m = { .kind = EVENT_PROCESS };

	if (!anybody_listens(g))
		return;
	COPY(m.process, name);
	COPY(m.reason, reason);
	tell(g, &m);
}

void events_ban(struct gateway *g, const struct addr *network, const char *reason)
{
	struct msg_admin_event m = { .kind = EVENT_BAN, .client = *network, .seconds = g->policy.bans.ban_seconds };

	if (!anybody_listens(g))
		return;
	COPY(m.reason, reason);
	tell(g, &m);
}

void events_unban(struct gateway *g, const struct addr *network)
{
	struct msg_admin_event m = { .kind = EVENT_UNBAN, .client = *network };

	if (anybody_listens(g))
		tell(g, &m);
}
