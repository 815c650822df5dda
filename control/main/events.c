#include "control/main/events.h"

#include <stdlib.h>
#include <string.h>

#include "control/main/admin.h"
#include "control/main/session.h"
#include "control/main/syslogger.h"
#include "proto/text.h"

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

// A line in the log, and a message to who listens.
static void __attribute__((format(printf, 4, 5)))
happens(struct gateway *g, struct msg_admin_event *m, enum log_level level, const char *fmt, ...)
{
	struct admin_client *a;
	char text[LIMIT_TEXT + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	syslogger_event(m);
	log_line(level, "%s", text);
	syslogger_event(NULL);
	if (!anybody_listens(g))
		return;
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
	char text[ADDR_TEXT];

	COPY(m.user, e->user);
	COPY(m.group, e->group);
	COPY(m.vhost, e->vhost[0] ? e->vhost : "default");
	COPY(m.method, e->method);
	COPY(m.reason, outcome);
	happens(g, &m, LOG_LEVEL_INFO, "login of '%s' from %s by %s: %s (%u ms)", e->user, addr_text(&e->client, text), e->method,
	        outcome, e->milliseconds);
}

void events_connect(const struct tunnel *t)
{
	struct msg_admin_event m = { .kind = EVENT_CONNECT };
	const struct session *s = t->session;
	char ipv4[ADDR_TEXT] = "", ipv6[ADDR_TEXT] = "";

	put_tunnel(&m, t);
	happens(t->g, &m, LOG_LEVEL_INFO, "session %u: user '%s' connected by %s, tunnel %u, %s%s%s, mtu %u", s->id, s->user,
	        t->conn->link.chan.name, t->number, addr_text(&s->ipv4, ipv4), s->ipv4.family && s->ipv6.family ? " " : "",
	        addr_text(&s->ipv6, ipv6), t->mtu);
}

void events_refused(const struct conn *c, const char *user, const char *reason)
{
	struct msg_admin_event m = { .kind = EVENT_REFUSED, .client = c->client };

	COPY(m.user, user);
	COPY(m.reason, reason);
	happens(c->g, &m, LOG_LEVEL_INFO, "%s: no session: %s", c->link.chan.name, reason);
}

void events_disconnect(const struct tunnel *t)
{
	struct msg_admin_event m = { .kind = EVENT_DISCONNECT,
		                     .seconds = (uint32_t)((clock_ms() - t->since_ms) / 1000),
		                     .bytes_in = t->now.bytes_in,
		                     .bytes_out = t->now.bytes_out };

	put_tunnel(&m, t);
	COPY(m.reason, end_reason_text(t->reason));
	happens(t->g, &m, LOG_LEVEL_INFO, "session %u: user '%s' disconnected from %s: %s (after %u s, rx: %llu, tx: %llu)",
	        t->session->id, t->session->user, t->from, m.reason, m.seconds, (unsigned long long)m.bytes_in,
	        (unsigned long long)m.bytes_out);
}

void events_session_end(struct gateway *g, const struct msg_session_gone *gone, const struct session *s)
{
	struct msg_admin_event m = { .kind = EVENT_SESSION_END, .sid_len = SID_SIZE };

	memcpy(m.sid, gone->sid, SID_SIZE);
	if (s)
		put_session(&m, s);
	COPY(m.reason, end_reason_text((enum end_reason)gone->reason));
	happens(g, &m, LOG_LEVEL_DEBUG, "session %u: its cookie is void: %s", m.id, m.reason);
}

void events_worker(const struct conn *c, enum event_kind kind, enum log_level level, const char *reason)
{
	struct msg_admin_event m = { .kind = kind, .client = c->client };

	COPY(m.user, c->user);
	if (c->tunnel)
		put_tunnel(&m, c->tunnel);
	COPY(m.reason, reason);
	happens(c->g, &m, level, "%s: %s", c->link.chan.name, reason);
}

void events_stall(struct gateway *g, const struct addr *client)
{
	struct msg_admin_event m = { .kind = EVENT_STALL, .client = *client };
	char text[ADDR_TEXT];

	snprintf(m.reason, sizeof(m.reason), "login took longer than %u seconds", g->policy.auth_timeout);
	happens(g, &m, LOG_LEVEL_INFO, "%s: %s", addr_text(client, text), m.reason);
}

void events_process(struct gateway *g, const char *name, int pid, const char *reason)
{
	struct msg_admin_event m = { .kind = EVENT_PROCESS };

	COPY(m.process, name);
	COPY(m.reason, reason);
	happens(g, &m, LOG_LEVEL_ERR, "%s (pid %d) %s", name, pid, reason);
}

void events_gateway(struct gateway *g, enum log_level level, const char *fmt, ...)
{
	struct msg_admin_event m = { .kind = EVENT_GATEWAY };
	char text[sizeof(m.reason)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_copy(m.reason, sizeof(m.reason) - 1, text);
	happens(g, &m, level, "%s", m.reason);
}

void events_ban(struct gateway *g, const struct addr *network, const char *reason)
{
	struct msg_admin_event m = { .kind = EVENT_BAN, .client = *network, .seconds = g->policy.bans.ban_seconds };
	char text[ADDR_TEXT];

	COPY(m.reason, reason);
	happens(g, &m, LOG_LEVEL_NOTICE, "%s is banned for %u seconds: %s",
	        network->prefix == 32 ? addr_text(network, text) : addr_text_prefix(network, text), m.seconds, reason);
}

void events_unban(struct gateway *g, const struct addr *network)
{
	struct msg_admin_event m = { .kind = EVENT_UNBAN, .client = *network };
	char text[ADDR_TEXT];

	happens(g, &m, LOG_LEVEL_NOTICE, "%s is no longer banned", addr_text(network, text));
}
