#include "control/main/keep.h"

#include <string.h>
#include <unistd.h>

#include "control/main/config.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "control/main/tally.h"
#include "proto/err.h"

static const char *file_of(const struct gateway *g)
{
	const char *path = config_str(g->config, OPT_SESSION_FILE);

	return strcmp(path, "/dev/null") == 0 ? "" : path;
}

void keep_ask(struct child *secmod, const char *text)
{
	struct gateway *g = secmod->g;
	struct msg_sessions_restore m = { .again = g->had_secmod };
	struct session *s;

	TAILQ_FOREACH(s, &g->sessions, all)
	s->kept = false;
	snprintf(g->secmod_says, sizeof(g->secmod_says), "%s", text);
	snprintf(m.path, sizeof(m.path), "%s", file_of(g));
	LINK_SEND(&secmod->link, SESSIONS_RESTORE, &m);
}

// Main has been started anew: session-timeout goes on from where it was.
static void set_times(struct session *s, const struct msg_session_kept *m)
{
	uint64_t now = clock_ms(), wall = (uint64_t)time(NULL), age_ms;

	if (!m->connected)
		return;
	age_ms = wall > m->connected ? (wall - m->connected) * 1000 : 0;
	s->timeout = m->timeout;
	s->since_ms = age_ms < now ? now - age_ms : 1;
	// longer ago than this clock has run
	if (s->timeout && age_ms >= now)
		s->timeout = s->timeout > (age_ms - now) / 1000 ? s->timeout - (uint32_t)((age_ms - now) / 1000) : 1;
}

static struct session *session_again(struct gateway *g, const struct msg_session_kept *m)
{
	struct msg_session_reply as = { .sid_len = SID_SIZE, .created = m->created };
	struct session *s;

	memcpy(as.sid, m->sid, SID_SIZE);
	strcpy(as.user, m->user);
	strcpy(as.group, m->group);
	strcpy(as.vhost, m->vhost);
	strcpy(as.method, m->method);
	strcpy(as.acct_id, m->acct_id);
	as.certified = m->certified;
	s = session_get(g, &as);
	if (!s)
		return NULL;
	set_times(s, m);
	address_restore(s, &m->ipv4, &m->ipv6);
	return s;
}

// What sec-mod's predecessor was told last may have died with it.
static void tell_again(struct session *s)
{
	struct msg_session_close close = { .sid_len = SID_SIZE, .revoke = 1, .reason = END_BY_USER };
	struct msg_session_resume resume = { .uses = s->tunnels, .sid_len = SID_SIZE };

	memcpy(resume.sid, s->sid, SID_SIZE);
	if (s->tunnels)
		LINK_SEND(&s->g->secmod->link, SESSION_RESUME, &resume);
	tally_again(s);
	if (s->voided)
		session_revoke(s);
	memcpy(close.sid, s->sid, SID_SIZE);
	if (s->left && !s->tunnels)
		LINK_SEND(&s->g->secmod->link, SESSION_CLOSE, &close);
}

struct session *keep_find(struct gateway *g, const struct msg_session_kept *m)
{
	struct session *s = session_find(g, m->sid);

	return s || !m->connected ? s : session_again(g, m);
}

int keep_session(struct gateway *g, const struct msg_session_kept *m)
{
	struct session *s = session_find(g, m->sid);

	if (!s && !m->connected) // as after a login: main hears of it when its client connects
		return 0;
	if (!s)
		s = session_again(g, m);
	if (!s)
		return errno_log(ENOMEM, "no memory for the session of '%s'", m->user);
	s->kept = true;
	tell_again(s);
	return 0;
}

void keep_done(struct child *secmod, const struct msg_sessions_restored *m)
{
	struct gateway *g = secmod->g;
	struct session *s, *next;
	unsigned lost = 0;

	g->keeps_sessions = m->ok;
	g->had_secmod = true;
	if (m->text[0])
		log_warn("sec-mod: %s", m->text);
	if (m->count)
		log_notice("sec-mod has the records of %u sessions of before", m->count);
	for (s = TAILQ_FIRST(&g->sessions); s; s = next) {
		next = TAILQ_NEXT(s, all);
		if (s->kept || s->gone)
			continue;
		lost++;
		session_orphan(s);
	}
	if (lost)
		log_warn("sec-mod has no record of %u sessions: their cookies are void", lost);
	child_ready(secmod, true, g->secmod_says);
}

void keep_lease(const struct session *s)
{
	uint64_t age = (clock_ms() - s->since_ms) / 1000, wall = (uint64_t)time(NULL);
	struct msg_session_lease m = { .sid_len = SID_SIZE,
		                       .ipv4 = s->ipv4,
		                       .ipv6 = s->ipv6,
		                       .connected = wall > age ? wall - age : 1,
		                       .timeout = s->timeout };

	memcpy(m.sid, s->sid, SID_SIZE);
	if (s->g->secmod)
		LINK_SEND(&s->g->secmod->link, SESSION_LEASE, &m);
}

bool keep_works(const struct gateway *g)
{
	return g->keeps_sessions && access(file_of(g), F_OK) == 0;
}

void keep_nothing(struct gateway *g)
{
	const char *path = file_of(g);

	if (g->keeps_sessions && path[0] && unlink(path) < 0 && errno != ENOENT)
		log_warn("%s: %s", path, strerror(errno));
}
