#include "control/main/limit.h"

#include <stdlib.h>
#include <string.h>

#include "control/main/admin.h"
#include "control/main/config_value.h"
#include "control/main/session.h"

// Bytes and seconds, as the options of these names take them.
static const struct {
	const char *name;
	enum change_what what;
	uint64_t most;
} limits[] = {
	{ "rx=", CHANGE_RX_RATE, LIMIT_RATE },
	{ "tx=", CHANGE_TX_RATE, LIMIT_RATE },
	{ "session-timeout=", CHANGE_SESSION_TIMEOUT, INT32_MAX },
	{ "idle-timeout=", CHANGE_IDLE_TIMEOUT, INT32_MAX },
};

#define LIMITS (sizeof(limits) / sizeof(*limits))

static void set(struct msg_session_change *m, enum change_what what, uint64_t n)
{
	m->what |= what;
	if (what == CHANGE_RX_RATE)
		m->rx_rate = n;
	else if (what == CHANGE_TX_RATE)
		m->tx_rate = n;
	else if (what == CHANGE_SESSION_TIMEOUT)
		m->session_timeout = (uint32_t)n;
	else
		m->idle_timeout = (uint32_t)n;
}

bool limit_take(struct msg_session_change *m, const char *word)
{
	for (size_t i = 0; i < LIMITS; i++) {
		size_t len = strlen(limits[i].name);
		uint64_t n;

		if (strncmp(word, limits[i].name, len) != 0)
			continue;
		if ((m->what & limits[i].what) || value_size(word + len, &n) < 0 || n > limits[i].most)
			return false;
		set(m, limits[i].what, n);
		return true;
	}
	return false;
}

// The first word is cut off the argument, and stays in its place; the others are limits. False: the answer has ended.
static bool take_all(struct admin_client *a, struct msg_session_change *m)
{
	char copy[sizeof(a->argument)], *rest, *word;

	snprintf(copy, sizeof(copy), "%s", a->argument);
	a->argument[strcspn(a->argument, " ")] = '\0';
	for (strtok_r(copy, " ", &rest); (word = strtok_r(NULL, " ", &rest));)
		if (!limit_take(m, word)) {
			admin_end(a, false,
			          "'%s' is no limit: rx=BYTES, tx=BYTES (a second), session-timeout=SECONDS, idle-timeout=SECONDS",
			          word);
			return false;
		}
	if (m->what)
		return true;
	admin_end(a, false, "which limit? rx=BYTES, tx=BYTES, session-timeout=SECONDS, idle-timeout=SECONDS");
	return false;
}

// What is being waited for is counted in a->count, what went well in a->at.
static void finish(struct admin_client *a)
{
	if (a->at == a->count)
		admin_end(a, true, "%zu session%s changed", a->count, a->count == 1 ? " is" : "s are");
	else
		admin_end(a, false, "%zu of %zu sessions could not be changed; try again", a->count - a->at, a->count);
}

void limit_done(struct gateway *g, uint32_t token, enum change_result result)
{
	struct admin_client *a = admin_find(g, token, MSG_TUNNEL_CHANGED);

	if (!a)
		return;
	a->at += result == CHANGE_DONE;
	if (--a->room == 0)
		finish(a);
}

// Who answers at once answers before the last has been asked, so one more is waited for until then.
static void begin(struct admin_client *a)
{
	a->count = a->at = 0;
	a->room = 1;
	admin_wait(a, MSG_TUNNEL_CHANGED);
}

static void change(struct admin_client *a, struct session *s, const struct msg_session_change *m)
{
	a->count++;
	a->room++;
	change_by_operator(s, m, a->token);
}

static void all_asked(struct admin_client *a)
{
	if (--a->room == 0)
		finish(a);
}

void limit_user(struct admin_client *a)
{
	struct msg_session_change m = { 0 };
	struct session *s, *next;

	if (!take_all(a, &m))
		return;
	begin(a);
	// a session-timeout that is over already ends one
	for (s = TAILQ_FIRST(&a->g->sessions); s; s = next) {
		next = TAILQ_NEXT(s, all);
		if (!s->gone && strcmp(s->user, a->argument) == 0)
			change(a, s, &m);
	}
	if (a->count)
		all_asked(a);
	else
		admin_end(a, false, "user '%s' has no session", a->argument);
}

void limit_session(struct admin_client *a)
{
	struct msg_session_change m = { 0 };
	struct session *s;

	if (!take_all(a, &m))
		return;
	s = session_find_name(a->g, a->argument);
	if (!s) {
		admin_end(a, false, "there is no session '%s'", a->argument);
		return;
	}
	begin(a);
	change(a, s, &m);
	all_asked(a);
}
