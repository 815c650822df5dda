#include "events.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "proto/eventname.h"
#include "text.h"

static void sid_text(const struct msg_admin_event *m, char hex[2 * SID_SIZE + 1])
{
	hex[0] = '\0';
	for (unsigned i = 0; i < m->sid_len; i++)
		snprintf(hex + 2 * i, 3, "%02x", m->sid[i]);
}

// A host, or the network of a ban.
static const char *client_text(const struct addr *a, char out[ADDR_TEXT])
{
	return a->prefix == (a->family == 4 ? 32 : 128) ? addr_text(a, out) : addr_text_prefix(a, out);
}

// ---------------------------------------------------------------------------------------------------------------- people

static void put_word(FILE *out, const char *before, const char *text)
{
	if (!text[0])
		return;
	fputs(before, out);
	text_put(out, text);
}

static void put_line(FILE *out, const struct msg_admin_event *m)
{
	time_t seconds = (time_t)(m->time_ms / 1000);
	char text[ADDR_TEXT], clock[32], sid[2 * SID_SIZE + 1];
	struct tm tm;

	strftime(clock, sizeof(clock), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &tm));
	fprintf(out, "%s %s", clock, event_name(m->kind));
	put_word(out, " ", m->process);
	put_word(out, " ", m->user);
	put_word(out, " (", m->group);
	if (m->group[0])
		fputc(')', out);
	put_word(out, m->kind == EVENT_BAN || m->kind == EVENT_UNBAN ? " " : " from ", client_text(&m->client, text));
	sid_text(m, sid);
	sid[6] = '\0';
	put_word(out, " session ", sid);
	put_word(out, " ", addr_text(&m->ipv4, text));
	put_word(out, " ", addr_text(&m->ipv6, text));
	put_word(out, " by ", m->method);
	if (m->kind == EVENT_LOST)
		fprintf(out, " %llu events: they came too fast", (unsigned long long)m->lost);
	put_word(out, ": ", m->reason);
	if (m->kind == EVENT_LOGIN || m->kind == EVENT_LOGIN_FAILED)
		fprintf(out, " (%u ms)", m->milliseconds);
	if (m->kind == EVENT_BAN)
		fprintf(out, " (%u s)", m->seconds);
	if (m->kind == EVENT_DISCONNECT)
		fprintf(out, " (%u s, rx %llu, tx %llu)", m->seconds, (unsigned long long)m->bytes_in,
		        (unsigned long long)m->bytes_out);
	fputc('\n', out);
}

// -------------------------------------------------------------------------------------------------------------- programs

// NULL, and no memory, are found at the end.
static int set_text(json_t *o, const char *key, const char *text)
{
	char *escaped;
	int ret;

	if (!text[0])
		return 0;
	escaped = text_escape(text);
	ret = json_object_set_new(o, key, escaped ? json_string(escaped) : NULL);
	free(escaped);
	return ret;
}

static int set_number(json_t *o, const char *key, uint64_t n)
{
	return json_object_set_new(o, key, json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n));
}

static int set_numbers(json_t *o, const struct msg_admin_event *m)
{
	switch (m->kind) {
	case EVENT_LOGIN:
	case EVENT_LOGIN_FAILED:
		return set_number(o, "milliseconds", m->milliseconds);
	case EVENT_BAN:
		return set_number(o, "seconds", m->seconds);
	case EVENT_DISCONNECT:
		return set_number(o, "seconds", m->seconds) + set_number(o, "RX", m->bytes_in) + set_number(o, "TX", m->bytes_out);
	case EVENT_LOST:
		return set_number(o, "lost", m->lost);
	default:
		return 0;
	}
}

static json_t *object_of(const struct msg_admin_event *m)
{
	char text[ADDR_TEXT], sid[2 * SID_SIZE + 1];
	json_t *o = json_object();
	int ret = 0;

	if (!o)
		return NULL;
	sid_text(m, sid);
	ret += set_text(o, "event", event_name(m->kind));
	ret += set_number(o, "raw_time_ms", m->time_ms);
	if (m->id)
		ret += set_number(o, "ID", m->id);
	ret += set_text(o, "Full session", sid);
	ret += set_text(o, "Username", m->user);
	ret += set_text(o, "Groupname", m->group);
	ret += set_text(o, "vhost", m->vhost);
	ret += set_text(o, m->kind == EVENT_BAN || m->kind == EVENT_UNBAN ? "IP" : "Remote IP", client_text(&m->client, text));
	ret += set_text(o, "Device", m->device);
	ret += set_text(o, "IPv4", addr_text(&m->ipv4, text));
	ret += set_text(o, "IPv6", addr_text(&m->ipv6, text));
	ret += set_text(o, "method", m->method);
	ret += set_text(o, "process", m->process);
	ret += set_text(o, "reason", m->reason);
	ret += set_numbers(o, m);
	if (ret == 0)
		return o;
	json_decref(o);
	return NULL;
}

static int put_object(FILE *out, const struct msg_admin_event *m)
{
	json_t *o = object_of(m);
	int ret = o ? 0 : -ENOMEM;

	if (o && (json_dumpf(o, out, JSON_COMPACT) < 0 || fputc('\n', out) == EOF))
		ret = -EIO;
	json_decref(o);
	return ret;
}

int events_add(const struct events *e, const struct msg_admin_event *m)
{
	int ret = 0;

	if (e->json)
		ret = put_object(e->out, m);
	else
		put_line(e->out, m);
	// whoever reads them wants each as it happens
	return ret == 0 && fflush(e->out) == EOF ? -EIO : ret;
}
