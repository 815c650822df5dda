#include "control/main/tally.h"

#include <string.h>

#include "control/main/handover.h"
#include "control/main/session.h"
#include "control/main/supervise.h"

// NULL: sec-mod knows nothing of the session.
static struct link *secmod_of(const struct session *s)
{
	return s->orphan || !s->g->secmod ? NULL : &s->g->secmod->link;
}

static uint32_t seconds_of(const struct session *s)
{
	return s->since_ms ? (uint32_t)((clock_ms() - s->since_ms) / 1000) : 0;
}

static void interval_start(struct tunnel *t)
{
	const struct timeval interval = { .tv_sec = t->terms->stats_report_time };

	if (t->terms->stats_report_time)
		evtimer_add(&t->report, &interval);
}

static void on_interval(evutil_socket_t fd, short what, void *arg)
{
	struct tunnel *t = arg;
	const struct session *s = t->session;
	struct link *secmod = secmod_of(s);
	struct msg_session_stats m = {
		.sid_len = SID_SIZE,
		.bytes_in = t->now.bytes_in,
		.bytes_out = t->now.bytes_out,
		.packets_in = t->now.packets_in,
		.packets_out = t->now.packets_out,
		.seconds = seconds_of(s),
	};

	memcpy(m.sid, s->sid, SID_SIZE);
	if (secmod)
		LINK_SEND(secmod, SESSION_STATS, &m);
	interval_start(t);
}

static struct msg_session_up up_of(const struct session *s, bool again)
{
	struct msg_session_up m = {
		.sid_len = SID_SIZE,
		.id = s->id,
		.client = s->client,
		.local = s->local,
		.ipv4 = address_told(s, 4),
		.ipv6 = address_told(s, 6),
		.again = again,
		.seconds = seconds_of(s),
	};

	memcpy(m.sid, s->sid, SID_SIZE);
	if (!again)
		return m;
	m.bytes_in = s->ended.bytes_in;
	m.bytes_out = s->ended.bytes_out;
	m.packets_in = s->ended.packets_in;
	m.packets_out = s->ended.packets_out;
	return m;
}

static void tell_up(const struct tunnel *t, bool again)
{
	struct msg_session_up m = up_of(t->session, again);
	struct link *secmod = secmod_of(t->session);

	if (!secmod)
		return;
	snprintf(m.hostname, sizeof(m.hostname), "%s", t->info->hostname);
	snprintf(m.cipher, sizeof(m.cipher), "%s", t->info->tls_cipher);
	LINK_SEND(secmod, SESSION_UP, &m);
}

void tally_again(const struct session *s)
{
	struct msg_session_close over = { .sid_len = SID_SIZE, .up = 1, .reason = (uint8_t)s->reason, .seconds = s->ended_seconds };
	const struct msg_session_up m = up_of(s, true);
	struct link *secmod = secmod_of(s);

	if (s->tunnel && s->tunnel->phase == TUNNEL_UP) {
		tell_up(s->tunnel, true);
		return;
	}
	if (!secmod || s->tunnels || !s->client.family)
		return;
	// nobody is connected: it was, and that is over
	memcpy(over.sid, s->sid, SID_SIZE);
	LINK_SEND(secmod, SESSION_UP, &m);
	LINK_SEND(secmod, SESSION_CLOSE, &over);
}

void tally_up(struct tunnel *t)
{
	session_changed(t->session);
	t->session->client = t->client;
	t->session->local = t->local;
	tell_up(t, false);
	evtimer_assign(&t->report, t->g->base, on_interval, t);
	interval_start(t);
}

uint64_t tally_due(const struct tunnel *t)
{
	return event_initialized(&t->report) ? handover_due(&t->report) : 0;
}

void tally_resume(struct tunnel *t, uint64_t due_ms)
{
	evtimer_assign(&t->report, t->g->base, on_interval, t);
	handover_arm(&t->report, due_ms);
}

void tally_stop(struct tunnel *t)
{
	if (event_initialized(&t->report))
		event_del(&t->report);
}

void tally_over(struct tunnel *t)
{
	struct link *secmod = secmod_of(t->session);
	struct msg_session_close m = {
		.sid_len = SID_SIZE,
		.up = t->was_up,
		.revoke = t->revoke,
		.reason = (uint8_t)t->reason,
		.bytes_in = t->now.bytes_in,
		.bytes_out = t->now.bytes_out,
		.packets_in = t->now.packets_in,
		.packets_out = t->now.packets_out,
		.seconds = seconds_of(t->session),
	};

	session_changed(t->session);
	if (t->was_up) {
		t->session->reason = t->reason;
		t->session->ended_seconds = m.seconds;
	}
	memcpy(m.sid, t->session->sid, SID_SIZE);
	if (secmod)
		LINK_SEND(secmod, SESSION_CLOSE, &m);
}

void tally_unused(struct gateway *g, const uint8_t *sid)
{
	struct msg_session_close m = { .sid_len = SID_SIZE, .reason = END_ERROR };

	memcpy(m.sid, sid, SID_SIZE);
	if (g->secmod)
		LINK_SEND(&g->secmod->link, SESSION_CLOSE, &m);
}
