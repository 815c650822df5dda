#include "control/main/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/main/caller.h"
#include "control/main/events.h"
#include "control/main/handover.h"
#include "control/main/supervise.h"
#include "control/main/watch.h"
#include "proto/err.h"
#include "proto/text.h"

// All of `show dataplane`, or one session with all its routes; lists come record by record.
#define CLIENT_QUEUE (4 * LIMIT_ITEMS)
#define RECORDS_A_TURN 32
#define ROWS_MAX 131072 // sessions that one list can hold

static int on_admin_req(void *who, const struct msg_admin_req *m, const int *fds);

#define HANDLERS from_ctl
#define ON_CTL_MAIN(...) __VA_ARGS__
#include "proto/handlers.h"

// --------------------------------------------------------------------------------------------------------------- answers

static void answer_forget(struct admin_client *a)
{
	for (size_t i = 0; a->rows && i < a->count; i++) {
		free(a->rows[i].user);
		free(a->rows[i].group);
		free(a->rows[i].vhost);
		free(a->rows[i].user_agent);
	}
	free(a->rows);
	free(a->ids);
	free(a->bans);
	free(a->quotas);
	a->rows = NULL;
	a->ids = NULL;
	a->bans = NULL;
	a->quotas = NULL;
	a->count = a->at = a->room = 0;
	a->n_drops = 0;
	a->cut = false;
	a->next = NULL;
	a->waits = 0;
	a->list_due = false;
	a->command = NULL;
	a->listens = a->link.patient = false;
}

void admin_end(struct admin_client *a, bool ok, const char *fmt, ...)
{
	struct msg_admin_end m = { .ok = ok };
	char text[sizeof(m.message)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	// half a character at its end, or what a trial has said: no message may have that, and who asks would wait for ever
	text_copy(m.message, sizeof(m.message) - 1, text);
	LINK_SEND(&a->link, ADMIN_END, &m);
	answer_forget(a);
}

void admin_end_synced(struct admin_client *a, const char *fmt, ...)
{
	struct child *secmod = a->g->secmod;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->sentence, sizeof(a->sentence), fmt, ap);
	va_end(ap);
	// whoever takes its place is told again (keep.h)
	if (!secmod || !secmod->ready) {
		admin_end(a, true, "%s", a->sentence);
		return;
	}
	admin_wait(a, MSG_SESSION_SYNCED);
	LINK_SEND(&secmod->link, SESSION_SYNC, &(struct msg_session_sync){ .token = a->token });
}

static void stream_step(struct admin_client *a)
{
	for (int i = 0; i < RECORDS_A_TURN && a->next && a->link.queued == 0 && !a->link.ending; i++) {
		if (a->next(a))
			continue;
		if (a->cut)
			admin_end(a, true, "the list was too long: some are left out");
		else
			admin_end(a, true, "%s", "");
		return;
	}
	if (a->next && a->link.queued == 0)
		event_active(&a->more, EV_TIMEOUT, 0);
}

static void on_more(evutil_socket_t fd, short what, void *arg)
{
	stream_step(arg);
}

static void on_drained(void *who)
{
	stream_step(who);
	events_drained(who);
}

void admin_stream(struct admin_client *a, bool (*next)(struct admin_client *))
{
	a->next = next;
	event_active(&a->more, EV_TIMEOUT, 0);
}

void admin_wait(struct admin_client *a, enum msg_number number)
{
	a->waits = number;
}

// Administrators first.
static struct admin_client *next_to_list(struct admin *admin)
{
	struct admin_client *a, *reader = NULL;

	TAILQ_FOREACH(a, &admin->clients, all)
	{
		if (a->list_due && !a->reads_only)
			return a;
		if (a->list_due && !reader)
			reader = a;
	}
	return reader;
}

static void list_next(struct gateway *g)
{
	struct admin_client *a = g->admin->listing || !g->secmod ? NULL : next_to_list(g->admin);

	if (!a)
		return;
	a->list_due = false;
	g->admin->listing = true;
	g->admin->listed = a->token;
	LINK_SEND(&g->secmod->link, SESSION_LIST, &(struct msg_session_list){ .token = a->token });
}

void admin_list(struct admin_client *a)
{
	admin_wait(a, MSG_SESSION_ROWS_END);
	a->list_due = true;
	list_next(a->g);
}

static int on_admin_req(void *who, const struct msg_admin_req *m, const int *fds)
{
	struct admin_client *a = who;

	if (a->command)
		return errno_log(EPROTO, "%s: a question before the last one is answered", a->link.chan.name);
	a->report = (struct report){ .to = &a->link, .section = "" };
	a->token = ++a->g->admin->last_token & INT32_MAX; // the others are those of metrics.c
	command_start(a, m);
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- clients

static void client_free(struct admin_client *a)
{
	struct admin *admin = a->g->admin;

	watch_hang_up(a);
	TAILQ_REMOVE(&admin->clients, a, all);
	admin->count--;
	admin->readers -= a->reads_only;
	link_close(&a->link);
	evtimer_del(&a->more);
	answer_forget(a);
	free(a);
}

static void on_ended(void *who, int why)
{
	client_free(who);
}

static bool has_room(const struct admin *admin, enum caller_right right)
{
	return admin->count < ADMIN_CLIENTS_MAX && (right == CALLER_ADMIN || admin->readers < ADMIN_READERS_MAX);
}

static void client_enter(struct admin_client *a)
{
	a->link.handlers = from_ctl;
	a->link.who = a;
	a->link.ended = on_ended;
	a->link.drained = on_drained;
	evtimer_assign(&a->more, a->g->base, on_more, a);
	TAILQ_INSERT_TAIL(&a->g->admin->clients, a, all);
	a->g->admin->count++;
	a->g->admin->readers += a->reads_only;
}

static void client_new(void *gateway, int fd)
{
	struct gateway *g = gateway;
	struct admin_client *a;
	struct ucred who;
	enum caller_right right = caller_right(fd, g->policy.readers, &who);

	if (right == CALLER_STRANGER)
		log_warn("admin socket: refused uid %u (pid %d)", who.uid, (int)who.pid);
	if (right == CALLER_STRANGER || !has_room(g->admin, right)) {
		close(fd);
		return;
	}
	a = calloc(1, sizeof(*a));
	if (!a) {
		log_err("admin socket: out of memory: a client is turned away");
		close(fd);
		return;
	}
	a->g = g;
	a->reads_only = right == CALLER_READER;
	chan_init(&a->link.chan, fd, ROLE_MAIN, ROLE_CTL, CHAN_PLAIN, "%s (uid %u, pid %d)", a->reads_only ? "reader" : "admin",
	          who.uid, (int)who.pid);
	client_enter(a);
	if (link_open(&a->link, g->base, CLIENT_QUEUE) == 0)
		return;
	log_err("admin socket: out of memory: a client is turned away");
	client_free(a);
}

// ---------------------------------------------------------------------------------------------------------------- socket

int admin_open(struct gateway *g, const char *path)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int ret = -ENOMEM;

	if (!admin)
		return ret;
	TAILQ_INIT(&admin->clients);
	ret = unixsocket_open(&admin->socket, g->base, path, client_new, g);
	if (ret < 0) {
		free(admin);
		return ret;
	}
	g->admin = admin;
	admin->group = g->policy.readers;
	return g->policy.readers ? unixsocket_share(&admin->socket, g->policy.readers) : 0;
}

void admin_sync_readers(struct gateway *g)
{
	struct admin_client *a, *next;

	if (!g->admin || g->admin->group == g->policy.readers)
		return;
	for (a = TAILQ_FIRST(&g->admin->clients); a; a = next) {
		next = TAILQ_NEXT(a, all);
		if (a->reads_only)
			client_free(a);
	}
	g->admin->group = g->policy.readers;
	// its failure is logged; whoever comes is asked for his group anyway
	unixsocket_share(&g->admin->socket, g->policy.readers);
}

void admin_close(struct gateway *g)
{
	struct admin_client *a;

	if (!g->admin)
		return;
	while ((a = TAILQ_FIRST(&g->admin->clients))) {
		if (a->listens)
			admin_end(a, true, "%s", "");
		client_free(a);
	}
	unixsocket_close(&g->admin->socket);
	free(g->admin);
	g->admin = NULL;
}

// --------------------------------------------------------------------------------------------------------- peers' answers

struct admin_client *admin_find(struct gateway *g, uint32_t token, enum msg_number number)
{
	struct admin_client *a;

	if (!g->admin)
		return NULL;
	TAILQ_FOREACH(a, &g->admin->clients, all)
	if (a->token == token && a->waits == number)
		return a;
	return NULL;
}

static bool rows_grow(struct admin_client *a)
{
	size_t room = a->room ? a->room * 2 : 64;
	struct admin_row *rows;

	if (a->count < a->room)
		return true;
	if (a->count >= ROWS_MAX)
		return false;
	rows = realloc(a->rows, room * sizeof(*rows));
	if (!rows)
		return false;
	a->rows = rows;
	a->room = room;
	return true;
}

void admin_row_add(struct admin_client *a, const struct admin_row *row)
{
	struct admin_row copy = *row;

	copy.user = strdup(row->user);
	copy.group = strdup(row->group);
	copy.vhost = strdup(row->vhost);
	copy.user_agent = strdup(row->user_agent);
	if (copy.user && copy.group && copy.vhost && copy.user_agent && rows_grow(a)) {
		a->rows[a->count++] = copy;
		return;
	}
	a->cut = true;
	free(copy.user);
	free(copy.group);
	free(copy.vhost);
	free(copy.user_agent);
}

void admin_session_row(struct gateway *g, const struct msg_session_row *m)
{
	struct admin_client *a = admin_find(g, m->token, MSG_SESSION_ROWS_END);
	struct admin_row row = {
		.user = (char *)m->user,
		.group = (char *)m->group,
		.vhost = (char *)m->vhost,
		.user_agent = (char *)m->user_agent,
		.client = m->client,
		.created = m->created,
		.expires = m->expires,
		.in_use = m->in_use,
		.certified = m->certified,
	};

	if (!a)
		return;
	memcpy(row.sid, m->sid, SID_SIZE);
	snprintf(row.method, sizeof(row.method), "%s", m->method);
	snprintf(row.acct_id, sizeof(row.acct_id), "%s", m->acct_id);
	admin_row_add(a, &row);
}

void admin_session_rows_end(struct gateway *g, const struct msg_session_rows_end *m)
{
	struct admin_client *a = admin_find(g, m->token, MSG_SESSION_ROWS_END);

	if (g->admin && g->admin->listing && m->token == g->admin->listed) {
		g->admin->listing = false;
		list_next(g);
	}
	if (!a)
		return;
	a->waits = 0;
	command_rows(a);
}

void admin_session_synced(struct gateway *g, const struct msg_session_synced *m)
{
	struct admin_client *a = admin_find(g, m->token, MSG_SESSION_SYNCED);

	if (a)
		admin_end(a, true, "%s", a->sentence);
}

void admin_auth_status_row(struct gateway *g, const struct msg_auth_status_row *m)
{
	struct admin_client *a = admin_find(g, m->token, MSG_AUTH_STATUS_END);

	if (a)
		report_health(&a->report, m);
}

void admin_auth_status_end(struct gateway *g, const struct msg_auth_status_end *m)
{
	struct admin_client *a = admin_find(g, m->token, MSG_AUTH_STATUS_END);

	if (!a)
		return;
	report_begin(&a->report, "");
	report_number(&a->report, "Connections", m->connections, NULL);
	report_number(&a->report, "Logins under way", m->attempts, NULL);
	report_bool(&a->report, "Logins wait", g->logins_wait);
	admin_end(a, true, "%s", "");
}

static void admin_tell(struct gateway *g, enum msg_number waits, bool ok, const char *text)
{
	struct admin_client *a;

	if (!g->admin)
		return;
	TAILQ_FOREACH(a, &g->admin->clients, all)
	if (a->waits == waits)
		admin_end(a, ok, "%s", text);
}

void admin_reloaded(struct gateway *g, bool ok, const char *text)
{
	admin_tell(g, MSG_SECMOD_RELOADED, ok, text);
}

void admin_upgraded(struct gateway *g, bool ok, const char *text)
{
	admin_tell(g, MSG_ADMIN_END, ok, text);
}

void admin_peer_lost(struct gateway *g, enum msg_number number, const char *why)
{
	if (g->admin && number == MSG_SESSION_ROWS_END)
		g->admin->listing = false;
	admin_tell(g, number, false, why);
}

void admin_dataplane_lost(struct gateway *g, const char *why)
{
	admin_peer_lost(g, MSG_DATAPLANE_STATS_END, why);
	admin_peer_lost(g, MSG_TUNNEL_VIEW, why);
	admin_peer_lost(g, MSG_WATCH_END, why);
	admin_peer_lost(g, MSG_TUNNEL_CHANGED, why);
}

// -------------------------------------------------------------------------------------------------------------- handover

struct socket {
	int fd;
	char *path;
	uint32_t group;
	uint32_t last_token; // what is still under way for another must not be taken for an answer
};

static const struct state_field socket_fields[] = {
	STATE_FD(struct socket, fd),
	STATE_STRING(struct socket, path),
	STATE_NUMBER(struct socket, group),
	STATE_NUMBER(struct socket, last_token),
};

static const struct state_field client_fields[] = {
	LINK_FIELDS(struct admin_client),
	STATE_NUMBER(struct admin_client, token),
	STATE_NUMBER(struct admin_client, reads_only),
	STATE_UPTO(struct admin_client, waits, MSG_NUMBERS - 1),
	STATE_NUMBER(struct admin_client, listens),
	STATE_NUMBER(struct admin_client, wanted),
	STATE_NUMBER(struct admin_client, lost),
};

struct asked {
	char *command;
};

static const struct state_field asked_fields[] = { STATE_STRING(struct asked, command) };

bool admin_only(struct gateway *g, enum msg_number waits, const char *why)
{
	struct admin_client *a, *next;
	bool quiet = true;

	for (a = g->admin ? TAILQ_FIRST(&g->admin->clients) : NULL; a; a = next) {
		next = TAILQ_NEXT(a, all);
		if (a->waits == waits)
			quiet = quiet && link_is_quiet(&a->link);
		// who listens and reads slowly has to come again, too
		if (a->waits == waits || (a->listens && link_is_quiet(&a->link)))
			continue;
		if (a->command)
			admin_end(a, false, "%s", why);
		client_free(a);
	}
	return quiet;
}

void admin_save(const struct gateway *g, struct state_writer *w)
{
	if (!g->admin)
		return;
	state_write(w, "admin",
	            STATE_PARTS(STATE_PART("", socket_fields,
	                                   &((struct socket){ g->admin->socket.fd, g->admin->socket.path, g->admin->group,
	                                                      g->admin->last_token }))));
}

void admin_clients_save(const struct gateway *g, struct state_writer *w)
{
	const struct admin_client *a;

	if (!g->admin)
		return;
	TAILQ_FOREACH(a, &g->admin->clients, all)
	{
		const struct asked asked = { a->command ? (char *)command_words(a->command) : NULL };

		state_write(w, "admin-client", STATE_PARTS(STATE_PART("", client_fields, a), STATE_PART("", asked_fields, &asked)));
	}
}

int admin_restore(struct handover *h, const struct state_record *rec)
{
	struct admin *admin = h->g->admin ? NULL : calloc(1, sizeof(*admin));
	struct socket s = { 0 };
	int ret = admin ? state_read(rec, STATE_PARTS(STATE_PART("", socket_fields, &s))) : -EBADMSG;

	if (ret == 0)
		ret = s.path && s.fd >= 0 ? unixsocket_again(&admin->socket, h->g->base, s.path, s.fd, client_new, h->g) : -EBADMSG;
	free(s.path);
	if (ret < 0) {
		free(admin);
		return ret;
	}
	TAILQ_INIT(&admin->clients);
	admin->group = s.group;
	admin->last_token = s.last_token;
	h->g->admin = admin;
	return 0;
}

int admin_client_restore(struct handover *h, const struct state_record *rec)
{
	struct admin_client *a = h->g->admin ? calloc(1, sizeof(*a)) : NULL;
	struct asked asked = { 0 };
	int ret =
	        a ? state_read(rec, STATE_PARTS(STATE_PART("", client_fields, a), STATE_PART("", asked_fields, &asked))) : -EBADMSG;

	if (ret == 0 && asked.command)
		a->command = command_find(asked.command);
	free(asked.command);
	if (ret < 0 || a->link.chan.fd < 0) {
		free(a);
		return ret < 0 ? ret : -EBADMSG;
	}
	a->g = h->g;
	client_enter(a);
	a->report = (struct report){ .to = &a->link, .section = "" };
	a->link.patient = a->listens;
	return link_open_again(&a->link, h->g->base, CLIENT_QUEUE, ROLE_CTL);
}
