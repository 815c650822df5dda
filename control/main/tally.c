#include "control/main/tally.h"

#include <string.h>

#include "control/main/session.h"
#include "control/main/supervise.h"

// NULL: sec-mod knows nothing of the session.
static struct link *secmod_of(const struct tunnel *t)
{
	return t->session->orphan || !t->g->secmod ? NULL : &t->g->secmod->link;
}

static uint32_t seconds_of(const struct session *s)
{
	return s->since_ms ? (uint32_t)((clock_ms() - s->since_ms) / 1000) : 0;
}

static void on_interval(evutil_socket_t fd, short what, void *arg)
{
	const struct tunnel *t = arg;
	const struct session *s = t->session;
	struct link *secmod = secmod_of(t);
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
}

static void tell_up(const struct tunnel *t, bool again)
{
	const struct session *s = t->session;
	struct link *secmod = secmod_of(t);
	struct msg_session_up m = {
		.sid_len = SID_SIZE,
		.id = s->id,
		.client = t->client,
		.local = t->local,
		.ipv4 = address_told(s, 4),
		.ipv6 = address_told(s, 6),
		.again = again,
		.seconds = seconds_of(s),
	};

	if (!secmod)
		return;
	memcpy(m.sid, s->sid, SID_SIZE);
	snprintf(m.hostname, sizeof(m.hostname), "%s", t->info->hostname);
	snprintf(m.cipher, sizeof(m.cipher), "%s", t->info->tls_cipher);
	if (again) {
		m.bytes_in = s->ended.bytes_in;
		m.bytes_out = s->ended.bytes_out;
		m.packets_in = s->ended.packets_in;
		m.packets_out = s->ended.packets_out;
	}
	LINK_SEND(secmod, SESSION_UP, &m);
}

void tally_again(const struct tunnel *t)
{
	tell_up(t, true);
}

void tally_up(struct tunnel *t)
{
	const struct timeval interval = { .tv_sec = t->terms->stats_report_time };

	tell_up(t, false);
	event_assign(&t->report, t->g->base, -1, EV_PERSIST, on_interval, t);
	if (t->terms->stats_report_time)
		event_add(&t->report, &interval);
}

void tally_stop(struct tunnel *t)
{
	if (event_initialized(&t->report))
		event_del(&t->report);
}

void tally_over(struct tunnel *t)
{
	struct link *secmod = secmod_of(t);
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

	memcpy(m.sid, t->session->sid, SID_SIZE);
	if (secmod)
		LINK_SEND(secmod, SESSION_CLOSE, &m);
}
