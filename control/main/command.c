// The operator's commands: one table. Each ends with admin_end(), streams its records, or waits for a peer.
#include <stdlib.h>

#include "control/main/admin.h"
#include "control/main/caller.h"
#include "control/main/events.h"
#include "control/main/limit.h"
#include "control/main/quota_row.h"
#include "control/main/reload.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "control/main/upgrade.h"
#include "control/main/usage.h"
#include "control/main/view.h"
#include "control/main/wallclock.h"
#include "control/main/watch.h"
#include "proto/err.h"

// Of a session's full name, what lists show and commands take at least.
#define SID_PREFIX 6

struct admin_command {
	const char *words;
	void (*start)(struct admin_client *a);
	void (*rows)(struct admin_client *a); // the list of all sessions has come
	bool brief;                           // may be asked for what fits a line
	bool valid;                           // only sessions whose cookie is still good
};

// -------------------------------------------------------------------------------------------------------------- sessions

static void show_status(struct admin_client *a)
{
	report_status(&a->report, a->g);
	admin_end(a, true, "%s", "");
}

// A table of them all is asked for by people, who read little of each.
static bool is_brief(const struct admin_client *a)
{
	return strcmp(a->argument, "brief") == 0;
}

static bool next_session(struct admin_client *a)
{
	while (a->at < a->count) {
		const struct session *s = session_find_id(a->g, a->ids[a->at++]);

		if (!s || !s->tunnel)
			continue;
		if (a->command->brief && is_brief(a))
			report_session_brief(&a->report, s);
		else
			report_session(&a->report, s);
		return true;
	}
	return false;
}

static bool next_iroutes(struct admin_client *a)
{
	const struct session *s;

	if (a->at >= a->count)
		return false;
	s = session_find_id(a->g, a->ids[a->at++]);
	if (s && s->tunnel)
		report_iroutes(&a->report, s);
	return true;
}

// The sessions are listed now and looked up when their turn comes: who reads slowly sees who is still there.
static void stream_sessions(struct admin_client *a, const char *user, bool (*next)(struct admin_client *))
{
	const struct session *s;

	a->ids = calloc(a->g->sessions_count + 1, sizeof(*a->ids));
	if (!a->ids) {
		admin_end(a, false, "out of memory");
		return;
	}
	TAILQ_FOREACH(s, &a->g->sessions, all)
	if (s->tunnel && (!user || strcmp(s->user, user) == 0))
		a->ids[a->count++] = s->id;
	admin_stream(a, next);
}

static void show_users(struct admin_client *a)
{
	stream_sessions(a, NULL, next_session);
}

static void show_iroutes(struct admin_client *a)
{
	stream_sessions(a, NULL, next_iroutes);
}

static void show_user(struct admin_client *a)
{
	const struct session *s;

	TAILQ_FOREACH(s, &a->g->sessions, all)
	if (s->tunnel && strcmp(s->user, a->argument) == 0)
		break;
	if (!s)
		admin_end(a, false, "user '%s' is not connected", a->argument);
	else
		stream_sessions(a, a->argument, next_session);
}

static struct session *session_of_number(struct gateway *g, const char *text)
{
	char *end;
	unsigned long id = strtoul(text, &end, 10);

	return *end || id > UINT32_MAX ? NULL : session_find_id(g, (uint32_t)id);
}

// NULL: the answer has ended.
static struct session *session_of_id(struct admin_client *a)
{
	struct session *s = session_of_number(a->g, a->argument);

	if (s && s->tunnel)
		return s;
	admin_end(a, false, "there is no connection with id '%s'", a->argument);
	return NULL;
}

static void show_id(struct admin_client *a)
{
	const struct session *s = session_of_id(a);

	if (!s)
		return;
	report_session(&a->report, s);
	view_ask(a, s);
}

static void disconnect_user(struct admin_client *a)
{
	struct session *s, *next;
	unsigned n = 0;

	for (s = TAILQ_FIRST(&a->g->sessions); s; s = next) {
		next = TAILQ_NEXT(s, all);
		if (!s->tunnel || strcmp(s->user, a->argument) != 0)
			continue;
		conn_end(s->tunnel->conn, END_BY_ADMIN);
		n++;
	}
	if (n)
		admin_end(a, true, "user '%s' was disconnected (%u connection%s)", a->argument, n, n == 1 ? "" : "s");
	else
		admin_end(a, false, "user '%s' is not connected", a->argument);
}

static void disconnect_id(struct admin_client *a)
{
	struct session *s = session_of_id(a);

	if (!s)
		return;
	conn_end(s->tunnel->conn, END_BY_ADMIN);
	admin_end(a, true, "connection %s was disconnected", a->argument);
}

static void terminate_id(struct admin_client *a)
{
	struct session *s = session_of_id(a);

	if (!s)
		return;
	session_terminate(s, END_TERMINATED);
	admin_end_synced(a, "connection %s was terminated", a->argument);
}

// ------------------------------------------------------------------------------------------ sessions, connected or not

static struct session *session_of_row(const struct admin_client *a, const struct admin_row *row)
{
	return row->id ? session_find_id(a->g, row->id) : session_find(a->g, row->sid);
}

static void row_of_session(struct admin_client *a, struct session *s)
{
	struct admin_row row = {
		.id = s->id,
		.user = s->user,
		.group = s->group,
		.vhost = s->vhost,
		.user_agent = s->tunnel->info->user_agent,
		.client = s->tunnel->client,
		.created = (uint64_t)wallclock_then(s->created),
		.in_use = true,
		.certified = s->certified,
	};

	memcpy(row.sid, s->sid, SID_SIZE);
	snprintf(row.method, sizeof(row.method), "%s", s->method);
	snprintf(row.acct_id, sizeof(row.acct_id), "%s", s->acct_id);
	admin_row_add(a, &row);
}

// Connected clients outlive the sec-mod that let them in; the one that came after it knows nothing of them.
static void rows_complete(struct admin_client *a)
{
	struct session *s;

	for (size_t i = 0; i < a->count; i++)
		if ((s = session_find(a->g, a->rows[i].sid)))
			s->listed = a->token;
	TAILQ_FOREACH(s, &a->g->sessions, all)
	if (s->tunnel && s->listed != a->token)
		row_of_session(a, s);
	a->command->rows(a);
}

// Whether it can be asked; else the answer has ended.
static bool can_ask(struct admin_client *a, const struct child *c, const char *name)
{
	if (!c || !c->ready)
		admin_end(a, false, "%s is not running; try again", name);
	else if (c->stuck)
		admin_end(a, false, "%s does not answer", name);
	else
		return true;
	return false;
}

static void ask_rows(struct admin_client *a)
{
	struct child *secmod = a->g->secmod;

	if (can_ask(a, secmod, "sec-mod"))
		admin_list(a);
}

static void report_row(struct admin_client *a, const struct admin_row *row, const struct session *s)
{
	struct report *r = &a->report;
	char text[ADDR_TEXT], sid[2 * SID_SIZE + 1];

	report_sid(row->sid, sid);
	report_begin(r, "");
	report_text(r, "Session", "%.6s", sid);
	report_text(r, "Full session", "%s", sid);
	report_time(r, "Created", "raw_created", (time_t)row->created);
	if (row->expires)
		report_time(r, "Expires", "raw_expires", (time_t)row->expires);
	report_text(r, "State", "%s", s && s->tunnel ? "connected" : s ? "disconnected" : "authenticated");
	report_text(r, "Username", "%s", row->user);
	report_text(r, "Groupname", "%s", row->group[0] ? row->group : "(none)");
	report_vhost(r, row->vhost);
	report_text(r, "User-Agent", "%s", row->user_agent);
	report_text(r, "Remote IP", "%s", addr_text(&row->client, text));
	report_location(r);
	report_login(r, row->method, row->acct_id);
	report_bool(r, "session_is_open", s && s->tunnel);
	report_bool(r, "tls_auth_ok", row->certified); // by a certificate
	report_bool(r, "in_use", row->in_use);
	report_bool(r, "valid", !row->id);
}

static bool next_row(struct admin_client *a)
{
	const struct admin_row *row;
	const struct session *s;

	do {
		if (a->at >= a->count)
			return false;
		row = &a->rows[a->at++];
		s = session_of_row(a, row);
	} while (row->id && (!s || a->command->valid)); // it has ended since, or has no cookie
	report_row(a, row, s);
	return true;
}

static void show_sessions_rows(struct admin_client *a)
{
	admin_stream(a, next_row);
}

static void revoke_row(struct admin_client *a, const struct admin_row *row)
{
	struct msg_session_revoke m = { .sid_len = SID_SIZE };
	struct session *s = session_of_row(a, row);

	if (s) {
		session_terminate(s, END_TERMINATED);
		return;
	}
	// logged in, but not connected yet
	memcpy(m.sid, row->sid, SID_SIZE);
	if (a->g->secmod)
		LINK_SEND(&a->g->secmod->link, SESSION_REVOKE, &m);
}

static void terminate_user(struct gateway *g, const char *user)
{
	struct msg_session_revoke m = { 0 };
	struct session *s, *next;

	for (s = TAILQ_FIRST(&g->sessions); s; s = next) {
		next = TAILQ_NEXT(s, all);
		if (strcmp(s->user, user) == 0)
			session_terminate(s, END_TERMINATED);
	}
	// those who have logged in, but not connected yet
	snprintf(m.user, sizeof(m.user), "%.*s", LIMIT_USER, user);
	if (g->secmod)
		LINK_SEND(&g->secmod->link, SESSION_REVOKE, &m);
}

static void terminate_user_rows(struct admin_client *a)
{
	unsigned n = 0;

	for (size_t i = 0; i < a->count; i++)
		n += strcmp(a->rows[i].user, a->argument) == 0;
	if (!n) {
		admin_end(a, false, "user '%s' has no session", a->argument);
		return;
	}
	terminate_user(a->g, a->argument);
	admin_end_synced(a, "user '%s' was terminated (%u session%s)", a->argument, n, n == 1 ? "" : "s");
}

static bool sid_begins(const struct admin_row *row, const char *prefix)
{
	char sid[2 * SID_SIZE + 1];

	report_sid(row->sid, sid);
	return strncasecmp(sid, prefix, strlen(prefix)) == 0;
}

// The one row that is meant. NULL: the answer has ended.
static const struct admin_row *row_of_argument(struct admin_client *a)
{
	const struct admin_row *found = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < a->count; i++) {
		if (!sid_begins(&a->rows[i], a->argument))
			continue;
		found = &a->rows[i];
		n++;
	}
	if (n == 1)
		return found;
	admin_end(a, false, n ? "more than one session begins with '%s'" : "there is no session '%s'", a->argument);
	return NULL;
}

static void terminate_session_rows(struct admin_client *a)
{
	const struct admin_row *found = row_of_argument(a);

	if (!found)
		return;
	revoke_row(a, found);
	admin_end_synced(a, "session '%s' was terminated", a->argument);
}

static void show_session_rows(struct admin_client *a)
{
	const struct admin_row *found = row_of_argument(a);
	const struct session *s;

	if (!found)
		return;
	s = session_of_row(a, found);
	report_row(a, found, s);
	if (s)
		view_ask(a, s);
	else
		admin_end(a, true, "%s", "");
}

static void ask_row(struct admin_client *a)
{
	if (strlen(a->argument) < SID_PREFIX)
		admin_end(a, false, "a session is named by at least its first six characters");
	else
		ask_rows(a);
}

// By our own short number, too, which no first six characters can be.
static void show_session(struct admin_client *a)
{
	const struct session *s;
	char sid[2 * SID_SIZE + 1];

	if (strlen(a->argument) < SID_PREFIX) {
		s = session_of_number(a->g, a->argument);
		if (!s) {
			admin_end(a, false, "there is no session '%s'", a->argument);
			return;
		}
		report_sid(s->sid, sid);
		snprintf(a->argument, sizeof(a->argument), "%s", sid);
	}
	ask_row(a);
}

// ------------------------------------------------------------------------------------------------------------------ bans

static bool next_ban(struct admin_client *a)
{
	if (a->at >= a->count)
		return false;
	report_ban(&a->report, &a->bans[a->at++]);
	return true;
}

static void show_bans(struct admin_client *a, bool scored)
{
	size_t room = ban_entries(a->g->bans);

	a->bans = calloc(room + 1, sizeof(*a->bans));
	if (!a->bans) {
		admin_end(a, false, "out of memory");
		return;
	}
	a->count = ban_rows(a->g->bans, clock_seconds(), scored, a->bans, room);
	admin_stream(a, next_ban);
}

static void show_ip_bans(struct admin_client *a)
{
	show_bans(a, false);
}

static void show_ip_ban_points(struct admin_client *a)
{
	show_bans(a, true);
}

// As ban.h scores: an IPv4 address by itself, an IPv6 one with its /64 and /48.
static bool has_one_score(const struct addr *who)
{
	return who->family == 4 ? who->prefix == 32 : who->prefix == 128 || who->prefix == 64 || who->prefix == 48;
}

static void unban_ip(struct admin_client *a)
{
	struct addr who;

	if (addr_parse(a->argument, &who) < 0)
		admin_end(a, false, "'%s' is no IP address", a->argument);
	else if (!has_one_score(&who))
		admin_end(a, false, "'%s' is a network: a ban is lifted for one IPv4 address, or for one IPv6 address, /64 or /48",
		          a->argument);
	else if (!ban_lift(a->g->bans, &who))
		admin_end(a, false, "%s is neither banned nor scored", a->argument);
	else {
		events_unban(a->g, &who);
		admin_end(a, true, "%s is no longer banned", a->argument);
	}
}

// ---------------------------------------------------------------------------------------------------------------- quotas

static bool next_quota(struct admin_client *a)
{
	if (a->at >= a->count)
		return false;
	report_quota(&a->report, &a->quotas[a->at++]);
	return true;
}

static bool quotas_take(struct admin_client *a, const char *user)
{
	a->quotas = usage_rows(a->g, user, &a->count);
	if (!a->quotas)
		admin_end(a, false, "out of memory");
	return a->quotas;
}

static void show_quota(struct admin_client *a)
{
	if (quotas_take(a, NULL))
		admin_stream(a, next_quota);
}

static void show_quota_user(struct admin_client *a)
{
	if (!quotas_take(a, a->argument))
		return;
	if (a->count)
		admin_stream(a, next_quota);
	else
		admin_end(a, false, "of user '%s' nothing has been counted", a->argument);
}

static void reset_quota_user(struct admin_client *a)
{
	if (usage_reset(a->g, a->argument))
		admin_end(a, true, "user '%s' begins anew", a->argument);
	else
		admin_end(a, false, "of user '%s' nothing has been counted", a->argument);
}

// --------------------------------------------------------------------------------------------------------------- gateway

static void show_auth(struct admin_client *a)
{
	struct child *secmod = a->g->secmod;

	if (!can_ask(a, secmod, "sec-mod"))
		return;
	admin_wait(a, MSG_AUTH_STATUS_END);
	LINK_SEND(&secmod->link, AUTH_STATUS, &(struct msg_auth_status){ .token = a->token });
}

static void ask_dataplane(struct admin_client *a, bool threads)
{
	struct child *dataplane = a->g->dataplane;

	if (!can_ask(a, dataplane, "the dataplane"))
		return;
	admin_wait(a, MSG_DATAPLANE_STATS_END);
	LINK_SEND(&dataplane->link, DATAPLANE_STATS, &(struct msg_dataplane_stats){ .token = a->token, .threads = threads });
}

static void show_dataplane(struct admin_client *a)
{
	ask_dataplane(a, false);
}

static void show_dataplane_cores(struct admin_client *a)
{
	ask_dataplane(a, true);
}

static void reload(struct admin_client *a)
{
	if (a->g->reload) {
		admin_end(a, false, "another reload is going on; try again");
		return;
	}
	// its result comes through admin_reloaded(), perhaps at once
	admin_wait(a, MSG_SECMOD_RELOADED);
	reload_start(a->g);
}

static void maintenance_on(struct admin_client *a)
{
	door_maintain(a->g, true);
	admin_end(a, true, "new connections are refused; %zu go on", a->g->conns_count);
}

static void maintenance_off(struct admin_client *a)
{
	door_maintain(a->g, false);
	admin_end(a, true, "the gateway is %s", door_state(a->g));
}

static void upgrade(struct admin_client *a)
{
	if (a->g->upgrade) {
		admin_end(a, false, "another upgrade is going on; try again");
		return;
	}
	// from whichever program goes on then
	admin_wait(a, MSG_ADMIN_END);
	upgrade_start(a->g);
}

static void stop_now(struct admin_client *a)
{
	admin_end(a, true, "the gateway stops");
	gateway_stop(a->g, 0, "the operator asked for it");
}

static const struct admin_command commands[] = {
	{ "show status", .start = show_status },
	{ "show users", show_users, .brief = true },
	{ "show user", .start = show_user },
	{ "show id", .start = show_id },
	{ "show iroutes", .start = show_iroutes },
	{ "show session", show_session, .rows = show_session_rows },
	{ "show sessions", ask_rows, .rows = show_sessions_rows },
	{ "show sessions all", ask_rows, .rows = show_sessions_rows },
	{ "show sessions valid", ask_rows, .rows = show_sessions_rows, .valid = true },
	{ "show events", .start = events_listen },
	{ "show ip bans", .start = show_ip_bans },
	{ "show ip ban points", .start = show_ip_ban_points },
	{ "show auth", .start = show_auth },
	{ "show dataplane", .start = show_dataplane },
	{ "show dataplane cores", .start = show_dataplane_cores },
	{ "trace session", .start = watch_trace },
	{ "capture session", .start = watch_capture },
	{ "unban ip", .start = unban_ip },
	{ "disconnect user", .start = disconnect_user },
	{ "disconnect id", .start = disconnect_id },
	{ "terminate user", ask_rows, .rows = terminate_user_rows },
	{ "terminate id", .start = terminate_id },
	{ "terminate session", ask_row, .rows = terminate_session_rows },
	{ "show quota", .start = show_quota },
	{ "show quota user", .start = show_quota_user },
	{ "reset quota user", .start = reset_quota_user },
	{ "limit user", .start = limit_user },
	{ "limit session", .start = limit_session },
	{ "reload", .start = reload },
	{ "maintenance on", .start = maintenance_on },
	{ "maintenance off", .start = maintenance_off },
	{ "upgrade", .start = upgrade },
	{ "stop now", .start = stop_now },
};

const struct admin_command *command_find(const char *words)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(commands[i].words, words) == 0)
			return &commands[i];
	return NULL;
}

const char *command_words(const struct admin_command *c)
{
	return c->words;
}

void command_start(struct admin_client *a, const struct msg_admin_req *m)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].words, m->command) != 0)
			continue;
		if (a->reads_only && !caller_may_read(m->command)) {
			log_notice("%s: refused: %s %s", a->link.chan.name, m->command, m->argument);
			admin_end(a, false, "only root may do this: members of occtl-readonly-group may look, and change nothing");
			return;
		}
		a->command = &commands[i];
		snprintf(a->argument, sizeof(a->argument), "%s", m->argument);
		log_line(strncmp(m->command, "show", 4) == 0 ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE, "%s: %s %s", a->link.chan.name,
		         m->command, m->argument);
		a->command->start(a);
		return;
	}
	admin_end(a, false, "no such command: %s", m->command);
}

void command_rows(struct admin_client *a)
{
	if (a->command && a->command->rows)
		rows_complete(a);
}
