#include "control/main/watch.h"

#include <stdlib.h>
#include <string.h>

#include "control/main/session.h"
#include "control/main/supervise.h"

// Packets that may wait for a slow penstockctl; more are lost.
#define WAITING_MAX 512

// What is looked for where the operator does not say.
static const struct msg_watch_start captures = { .packets = 10000, .bytes = 100u << 20, .seconds = 60 };
static const struct msg_watch_start traces = { .packets = 20, .bytes = UINT64_MAX, .seconds = 60 };

static bool number_of(const char *word, const char *key, uint64_t most, uint64_t *out)
{
	size_t len = strlen(key);
	unsigned long long n;
	char *end;

	if (strncmp(word, key, len) != 0 || word[len] < '0' || word[len] > '9')
		return false;
	n = strtoull(word + len, &end, 10);
	if (*end || n == 0 || n > most)
		return false;
	*out = n;
	return true;
}

static bool take_limit(struct msg_watch_start *m, const char *word)
{
	uint64_t n;

	if (number_of(word, "packets=", LIMIT_WATCH_PACKETS, &n))
		m->packets = (uint32_t)n;
	else if (number_of(word, "seconds=", LIMIT_WATCH_SECONDS, &n))
		m->seconds = (uint32_t)n;
	else if (!number_of(word, "bytes=", UINT64_MAX, &m->bytes))
		return false;
	return true;
}

static void start(struct admin_client *a, uint16_t snap)
{
	struct child *dataplane = a->g->dataplane;
	struct msg_watch_start m = snap > 0 ? captures : traces;
	const struct session *s;
	char *save, *word = strtok_r(a->argument, " ", &save), *name = word;

	s = name ? session_find_name(a->g, name) : NULL;
	if (!s || !s->tunnel) {
		admin_end(a, false, "there is no connected session '%s'", name ? name : "");
		return;
	}
	while ((word = strtok_r(NULL, " ", &save)))
		if (!take_limit(&m, word)) {
			admin_end(a, false, "'%s' is no limit: packets=N (to %u), bytes=N, seconds=N (to %u)", word,
			          LIMIT_WATCH_PACKETS, LIMIT_WATCH_SECONDS);
			return;
		}
	if (!dataplane || !dataplane->ready || dataplane->stuck) {
		admin_end(a, false, "the dataplane %s",
		          dataplane && dataplane->stuck ? "does not answer" : "is not running; try again");
		return;
	}
	m.token = a->token;
	m.tunnel = s->tunnel->number;
	m.snap = snap;
	a->captures = snap > 0;
	a->lost = 0;
	admin_wait(a, MSG_WATCH_END);
	LINK_SEND(&dataplane->link, WATCH_START, &m);
}

void watch_trace(struct admin_client *a)
{
	start(a, 0);
}

void watch_capture(struct admin_client *a)
{
	start(a, LIMIT_SNAP);
}

static void report_packet(struct report *r, const struct msg_watch_packet *m)
{
	time_t seconds = (time_t)(m->time_ns / 1000000000);
	char peer[ADDR_TEXT], clock[16];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	report_begin(r, "");
	report_number(r, "Packet", m->number, NULL);
	report_text(r, "Time", "%s.%06u", clock, (unsigned)(m->time_ns % 1000000000 / 1000));
	report_number(r, "raw_time_ns", m->time_ns, NULL);
	report_text(r, "Direction", "%s", m->inward ? "in" : "out");
	report_number(r, "Core", m->core, NULL);
	report_text(r, "Peer", "%s", addr_text_port(&m->peer, peer));
	report_text(r, "Outer", "%s", m->outer_text);
	report_text(r, "Inner", "%s", m->inner_text);
	report_number(r, "raw_outer_bytes", m->outer_size, NULL);
	report_number(r, "raw_inner_bytes", m->inner_size, NULL);
	report_text(r, "Stages", "%s", m->stages);
	report_text(r, "Verdict", "%s", m->verdict);
	report_bool(r, "Dropped", m->drop);
}

static void pass_on(struct admin_client *a, const struct msg_watch_packet *m)
{
	struct msg_admin_packet out = {
		.number = m->number, .time_ns = m->time_ns, .core = m->core, .inward = m->inward, .drop = m->drop
	};

	snprintf(out.stages, sizeof(out.stages), "%s", m->stages);
	snprintf(out.verdict, sizeof(out.verdict), "%s", m->verdict);
	snprintf(out.outer_text, sizeof(out.outer_text), "%s", m->outer_text);
	snprintf(out.inner_text, sizeof(out.inner_text), "%s", m->inner_text);
	out.peer = m->peer;
	out.local = m->local;
	out.outer_size = m->outer_size;
	out.inner_size = m->inner_size;
	out.outer_len = m->outer_len;
	out.inner_len = m->inner_len;
	memcpy(out.outer, m->outer, m->outer_len);
	memcpy(out.inner, m->inner, m->inner_len);
	LINK_SEND(&a->link, ADMIN_PACKET, &out);
}

void watch_packet(struct gateway *g, const struct msg_watch_packet *m)
{
	struct admin_client *a = admin_find(g, m->token, MSG_WATCH_END);

	if (!a)
		return;
	if (a->link.queued >= WAITING_MAX)
		a->lost++;
	else if (a->captures)
		pass_on(a, m);
	else
		report_packet(&a->report, m);
}

void watch_ended(struct gateway *g, const struct msg_watch_end *m)
{
	static const char *const why[] = {
		[WATCH_PACKETS] = "as many packets as were wanted",
		[WATCH_BYTES] = "as many bytes as were wanted",
		[WATCH_SECONDS] = "the time is over",
		[WATCH_GONE] = "the connection has ended",
		[WATCH_BUSY] = "too many look at sessions already",
	};
	struct admin_client *a = admin_find(g, m->token, MSG_WATCH_END);

	if (!a)
		return;
	a->waits = 0;
	if (m->lost + a->lost)
		admin_end(a, m->why != WATCH_BUSY, "%s; %llu more came too fast", why[m->why],
		          (unsigned long long)(m->lost + a->lost));
	else
		admin_end(a, m->why != WATCH_BUSY, "%s", why[m->why]);
}

void watch_hang_up(struct admin_client *a)
{
	struct child *dataplane = a->g->dataplane;

	if (a->waits == MSG_WATCH_END && dataplane && dataplane->ready)
		LINK_SEND(&dataplane->link, WATCH_STOP, &(struct msg_watch_stop){ .token = a->token });
}
