#include "control/main/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/deposit.h"
#include "control/main/keeper.h"
#include "control/main/pulse.h"
#include "control/main/quota_row.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "control/main/wallclock.h"
#include "proto/encoding.h"

// ---------------------------------------------------------------------------------------------------------------- values

void report_begin(struct report *r, const char *section)
{
	r->section = section;
	r->next++;
}

static void value_send(struct report *r, struct msg_admin_value *v, const char *key)
{
	v->record = r->next - 1;
	snprintf(v->section, sizeof(v->section), "%s", r->section);
	snprintf(v->key, sizeof(v->key), "%s", key);
	LINK_SEND(r->to, ADMIN_VALUE, v);
}

void report_text(struct report *r, const char *key, const char *fmt, ...)
{
	struct msg_admin_value v = { .kind = VALUE_TEXT };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v.text, sizeof(v.text), fmt, ap);
	va_end(ap);
	value_send(r, &v, key);
}

void report_number(struct report *r, const char *key, uint64_t number, const char *fmt, ...)
{
	struct msg_admin_value v = { .kind = VALUE_NUMBER, .number = number };
	va_list ap;

	if (fmt) {
		va_start(ap, fmt);
		vsnprintf(v.text, sizeof(v.text), fmt, ap);
		va_end(ap);
	}
	value_send(r, &v, key);
}

void report_bool(struct report *r, const char *key, bool value)
{
	struct msg_admin_value v = { .kind = VALUE_BOOL, .number = value };

	value_send(r, &v, key);
}

void report_item(struct report *r, const char *key, const char *text)
{
	struct msg_admin_value v = { .kind = VALUE_LIST };

	snprintf(v.text, sizeof(v.text), "%s", text);
	value_send(r, &v, key);
}

// ----------------------------------------------------------------------------------------------------------------- forms

const char *report_duration(uint64_t seconds, char out[32])
{
	if (seconds < 60)
		snprintf(out, 32, "%llus", (unsigned long long)seconds);
	else if (seconds < 3600)
		snprintf(out, 32, "%llum:%02llus", (unsigned long long)seconds / 60, (unsigned long long)seconds % 60);
	else if (seconds < 86400)
		snprintf(out, 32, "%lluh:%02llum", (unsigned long long)seconds / 3600, (unsigned long long)seconds / 60 % 60);
	else
		snprintf(out, 32, "%llud %lluh", (unsigned long long)seconds / 86400, (unsigned long long)seconds / 3600 % 24);
	return out;
}

static const char *bytes_text(uint64_t bytes, char out[32])
{
	static const char *const units[] = { "KB", "MB", "GB", "TB", "PB" };
	double n = (double)bytes / 1000;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(out, 32, "%u bytes", (unsigned)bytes);
		return out;
	}
	for (; n >= 1000 && unit < 4; unit++)
		n /= 1000;
	snprintf(out, 32, "%.1f %s", n, units[unit]);
	return out;
}

static const char *time_text(time_t when, char out[32])
{
	struct tm tm;

	strftime(out, 32, "%Y-%m-%d %H:%M", localtime_r(&when, &tm));
	return out;
}

static void key_under(const char *key, char out[LIMIT_TEXT])
{
	snprintf(out, LIMIT_TEXT, "_%s", key);
}

void report_time(struct report *r, const char *key, const char *raw, time_t when)
{
	char text[32], under[LIMIT_TEXT];
	time_t now = time(NULL);

	key_under(key, under);
	report_text(r, key, "%s", time_text(when, text));
	report_text(r, under, "%s", report_duration((uint64_t)llabs((long long)now - when), text));
	report_number(r, raw, (uint64_t)when, NULL);
}

// Without the number, which stands under the newer name.
static void report_time_of_old(struct report *r, const char *key, time_t when)
{
	char text[32], under[LIMIT_TEXT];

	key_under(key, under);
	report_text(r, key, "%s", time_text(when, text));
	report_text(r, under, "%s", report_duration((uint64_t)llabs((long long)time(NULL) - when), text));
}

void report_bytes(struct report *r, const char *key, uint64_t bytes)
{
	char text[32], under[LIMIT_TEXT];

	key_under(key, under);
	bytes_text(bytes, text);
	report_number(r, key, bytes, "%llu (%s)", (unsigned long long)bytes, text);
	report_text(r, under, "%s", text);
}

// occtl's word where it has no database; programs count on the key.
void report_location(struct report *r)
{
	report_text(r, "Location", "unknown");
}

void report_sid(const uint8_t sid[SID_SIZE], char hex[2 * SID_SIZE + 1])
{
	for (size_t i = 0; i < SID_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", sid[i]);
}

// Of keys that are in force. How a resumed session's cipher is called only its worker knows.
static const char *cipher_text(const struct tunnel *t)
{
	static const char *const texts[] = {
		[AEAD_NONE] = "",
		[AEAD_AES_128_GCM] = "(DTLS1.2)-(PSK)-(AES-128-GCM)",
		[AEAD_AES_256_GCM] = "(DTLS1.2)-(PSK)-(AES-256-GCM)",
		[AEAD_CHACHA20_POLY1305] = "(DTLS1.2)-(PSK)-(CHACHA20-POLY1305)",
	};

	return t->dtls == DTLS_KIND_PSK ? texts[t->cipher] : t->info->dtls_cipher;
}

// --------------------------------------------------------------------------------------------------------------- session

static void report_addresses(struct report *r, const struct session *s)
{
	char text[ADDR_TEXT];

	if (s->ipv4.family) {
		report_text(r, "IPv4", "%s", addr_text(&s->ipv4, text));
		report_text(r, "P-t-P IPv4", "%s", addr_text(address_gateway(s, 4), text));
	}
	if (s->ipv6.family) {
		report_text(r, "IPv6", "%s", addr_text(&s->ipv6, text));
		report_text(r, "P-t-P IPv6", "%s", addr_text(address_gateway(s, 6), text));
	}
}

static void report_rate(struct report *r, const char *key, const char *raw, uint64_t bytes)
{
	char text[32];

	report_text(r, key, "%s/sec", bytes_text(bytes, text));
	report_number(r, raw, bytes, NULL);
}

static void report_traffic(struct report *r, const struct session *s, const struct tunnel *t)
{
	uint64_t in = s->ended.bytes_in + t->now.bytes_in, out = s->ended.bytes_out + t->now.bytes_out;
	uint64_t seconds = (clock_ms() - s->since_ms) / 1000;

	// RX and TX are the server's view, as occtl has them: RX came from the client
	report_bytes(r, "RX", in);
	report_bytes(r, "TX", out);
	report_rate(r, "Average RX", "raw_average_rx", in / (seconds ? seconds : 1));
	report_rate(r, "Average TX", "raw_average_tx", out / (seconds ? seconds : 1));
	report_number(r, "RX packets", s->ended.packets_in + t->now.packets_in, NULL);
	report_number(r, "TX packets", s->ended.packets_out + t->now.packets_out, NULL);
	report_number(r, "Dropped packets", s->ended.dropped + t->now.dropped, NULL);
}

// How many there were.
static unsigned report_items(struct report *r, const char *key, const struct tunnel *t, enum item_kind kind)
{
	unsigned n = 0;

	for (size_t i = 0; i < t->terms->n_items; i++) {
		const struct terms_item *item = &t->terms->items[i];

		if (item->kind != kind || !tunnel_grants(t, item))
			continue;
		report_item(r, key, item->text);
		n++;
	}
	return n;
}

static void report_list(struct report *r, const char *key, const struct tunnel *t, enum item_kind kind)
{
	if (!report_items(r, key, t, kind))
		report_item(r, key, "");
}

static void report_limits(struct report *r, const struct kept *kept)
{
	if (kept->rx_rate)
		report_rate(r, "Limit RX", "raw_limit_rx", kept->rx_rate);
	if (kept->tx_rate)
		report_rate(r, "Limit TX", "raw_limit_tx", kept->tx_rate);
}

// What is left of them is show quota's to tell: users have it, not sessions.
static void report_ends(struct report *r, const struct terms *terms)
{
	if (terms->quota.day)
		report_number(r, "Day quota", terms->quota.day, NULL);
	if (terms->quota.month)
		report_number(r, "Month quota", terms->quota.month, NULL);
	if (terms->valid_until)
		report_time(r, "Valid until", "raw_valid_until", terms->valid_until);
}

static void report_list_of_iroutes(struct report *r, const struct tunnel *t)
{
	const struct iroute *i;
	char text[ADDR_TEXT];
	unsigned n = 0;

	TAILQ_FOREACH(i, &t->iroutes, all)
	if (i->kind == IROUTE_BEHIND && ++n)
		report_item(r, "iRoutes", addr_text_prefix(&i->network, text));
	if (!n)
		report_item(r, "iRoutes", "");
}

// Each by itself; those that are forbidden stand in brackets of their own.
static void report_ports(struct report *r, char *ports)
{
	char *rest = ports, *rule;

	if (!ports[0] || ports[0] == '!') {
		report_item(r, "Restricted to ports", ports);
		return;
	}
	while ((rule = strsep(&rest, ",")))
		report_item(r, "Restricted to ports", rule + strspn(rule, " "));
}

static void report_lists(struct report *r, const struct tunnel *t)
{
	char ports[PORTS_TEXT];

	report_list(r, "DNS", t, ITEM_DNS);
	report_list(r, "NBNS", t, ITEM_NBNS);
	report_list(r, "Split-DNS-Domains", t, ITEM_SPLIT_DNS);
	// occtl's word for a session without routes
	if (!report_items(r, "Routes", t, ITEM_ROUTE))
		report_text(r, "Routes", "defaultroute");
	report_list(r, "No-routes", t, ITEM_NO_ROUTE);
	report_list_of_iroutes(r, t);
	report_text(r, "Restricted to routes", "%s", t->kept.where->restrict_to_routes ? "True" : "False");
	ports[0] = '\0';
	if (t->kept.where->ports)
		ports_print(t->kept.where->ports, ports);
	report_ports(r, ports);
}

// Where there will be no DTLS the reason is not the dataplane's.
static const char *why_text(const struct tunnel *t)
{
	if (t->channel == CHANNEL_DTLS || t->dtls != DTLS_KIND_NONE)
		return channel_why_text(t->why);
	if (t->terms->no_udp)
		return "no-udp is set";
	if (!t->g->policy.udp_port)
		return "there is no udp-port";
	return t->info->dtls_offers ? "the client's kind of DTLS is switched off" : "the client offers no DTLS that it may have";
}

// Keys may outlive the way they were made for: only what packets go over now is told.
static void report_channel(struct report *r, const struct tunnel *t)
{
	bool dtls = t->channel == CHANNEL_DTLS;
	char text[ADDR_TEXT];

	report_text(r, "TLS ciphersuite", "%s", t->info->tls_cipher);
	report_text(r, "DTLS cipher", "%s", dtls ? cipher_text(t) : "");
	// as in occtl: not there where there is none
	if (t->cstp_compress)
		report_text(r, "CSTP compression", "%s", encoding_name(t->cstp_compress));
	if (t->dtls_compress)
		report_text(r, "DTLS compression", "%s", encoding_name(t->dtls_compress));
	report_text(r, "Channel", "%s", dtls ? "DTLS" : "CSTP");
	report_text(r, "Channel reason", "%s", why_text(t));
	report_text(r, "DTLS peer", "%s", dtls ? addr_text_port(&t->path, text) : "");
}

void report_vhost(struct report *r, const char *name)
{
	report_text(r, "vhost", "%s", name[0] ? name : "default");
}

// occtl has these as text.
static void report_text_and_number(struct report *r, const char *key, const char *raw, uint32_t n)
{
	report_text(r, key, "%u", n);
	report_number(r, raw, n, NULL);
}

static const char *state_text(const struct tunnel *t)
{
	return t->phase == TUNNEL_UP ? "connected" : "connecting";
}

void report_login(struct report *r, const char *method, const char *acct_id)
{
	report_text(r, "Login method", "%s", method);
	report_text(r, "Acct-Session-Id", "%s", acct_id);
}

void report_session(struct report *r, const struct session *s)
{
	const struct tunnel *t = s->tunnel;
	const struct terms *terms = t->terms;
	const char *hostname = terms_text(terms, ITEM_HOSTNAME, 0);
	char text[ADDR_TEXT], sid[2 * SID_SIZE + 1];

	report_begin(r, "");
	report_number(r, "ID", s->id, NULL);
	report_text(r, "Username", "%s", s->user);
	report_text(r, "Groupname", "%s", s->group[0] ? s->group : "(none)");
	report_text(r, "State", "%s", state_text(t));
	report_vhost(r, s->vhost);
	report_text(r, "Device", "%s", s->g->inner);
	report_text_and_number(r, "MTU", "raw_mtu", t->mtu);
	report_text(r, "Remote IP", "%s", addr_text(&t->client, text));
	report_location(r);
	report_text(r, "Local Device IP", "%s", addr_text(&t->local, text));
	report_addresses(r, s);
	report_text(r, "User-Agent", "%s", t->info->user_agent);
	report_limits(r, &t->kept);
	report_ends(r, t->terms);
	report_traffic(r, s, t);
	report_text_and_number(r, "DPD", "raw_dpd", t->dpd);
	report_text_and_number(r, "KeepAlive", "raw_keepalive", terms->keepalive);
	report_text(r, "Hostname", "%s", hostname ? hostname : t->info->hostname);
	report_time(r, "Last connected at", "raw_connected_at", wallclock_then((int64_t)t->since_ms));
	report_time(r, "Session started at", "raw_session_started_at", wallclock_then(s->created));
	report_time_of_old(r, "Connected at", wallclock_then((int64_t)t->since_ms));
	report_sid(s->sid, sid);
	report_text(r, "Full session", "%s", sid);
	report_text(r, "Session", "%.6s", sid);
	report_login(r, s->method, s->acct_id);
	report_bool(r, "tls_auth_ok", s->certified);
	report_channel(r, t);
	report_number(r, "Tunnel", t->number, NULL);
	report_lists(r, t);
}

void report_session_brief(struct report *r, const struct session *s)
{
	const struct tunnel *t = s->tunnel;
	char text[ADDR_TEXT];

	report_begin(r, "");
	report_number(r, "ID", s->id, NULL);
	report_text(r, "Username", "%s", s->user);
	report_vhost(r, s->vhost);
	report_text(r, "Remote IP", "%s", addr_text(&t->client, text));
	report_text(r, "IPv4", "%s", addr_text(&s->ipv4, text));
	report_text(r, "IPv6", "%s", addr_text(&s->ipv6, text));
	report_text(r, "Device", "%s", s->g->inner);
	report_number(r, "raw_session_started_at", (uint64_t)wallclock_then(s->created), NULL);
	report_text(r, "DTLS cipher", "%s", t->channel == CHANNEL_DTLS ? cipher_text(t) : "");
	report_text(r, "State", "%s", state_text(t));
	report_number(r, "RX", s->ended.bytes_in + t->now.bytes_in, NULL);
	report_number(r, "TX", s->ended.bytes_out + t->now.bytes_out, NULL);
	report_number(r, "RX packets", s->ended.packets_in + t->now.packets_in, NULL);
	report_number(r, "TX packets", s->ended.packets_out + t->now.packets_out, NULL);
	report_number(r, "Dropped packets", s->ended.dropped + t->now.dropped, NULL);
}

void report_iroutes(struct report *r, const struct session *s)
{
	const struct iroute *i;
	char text[ADDR_TEXT];

	TAILQ_FOREACH(i, &s->tunnel->iroutes, all)
	{
		if (i->kind != IROUTE_BEHIND)
			continue;
		report_begin(r, "");
		report_number(r, "ID", s->id, NULL);
		report_text(r, "Username", "%s", s->user);
		report_vhost(r, s->vhost);
		report_text(r, "Device", "%s", s->g->inner);
		report_text(r, "IP", "%s", addr_text(s->ipv4.family ? &s->ipv4 : &s->ipv6, text));
		report_item(r, "iRoutes", addr_text_prefix(&i->network, text));
	}
}

// ---------------------------------------------------------------------------------------------------------------- status

// An upgrade leaves those two as they are.
static void report_version(struct report *r, const char *key, const struct child *c)
{
	if (c)
		report_text(r, key, "%s", c->version);
}

static void report_parts(struct report *r, const struct gateway *g)
{
	const struct child *missing = pulse_missing(g);
	const struct keeper_page *page = deposit_page(g);
	const struct child_kind *failing;
	unsigned times;

	failing = supervise_failing(g, &times);
	if (missing)
		report_text(r, "Status", "%s; no answer from %s", door_state(g), missing->kind->name);
	else if (failing)
		report_text(r, "Status", "%s; %s has died %u times in a row", door_state(g), failing->name, times);
	else
		report_text(r, "Status", "%s", door_state(g));
	report_text(r, "Version", "%s", PENSTOCK_VERSION);
	// whom signals are for, as the pid file has it
	report_number(r, "Server PID", (uint64_t)(page ? getppid() : getpid()), NULL);
	report_number(r, "Main PID", (uint64_t)getpid(), NULL);
	if (page)
		report_number(r, "Main restarts", page->restarts, NULL);
	else
		report_text(r, "Keeper", "none");
	report_version(r, "Sec-mod version", g->secmod);
	report_version(r, "Dataplane version", g->dataplane);
	report_number(r, "Sec-mod PID", g->secmod ? (uint64_t)g->secmod->pid : 0, NULL);
	report_number(r, "Sec-mod instance count", 1, NULL);
	report_number(r, "Dataplane PID", g->dataplane ? (uint64_t)g->dataplane->pid : 0, NULL);
	report_number(r, "Nursery PID", g->nursery ? (uint64_t)g->nursery->pid : 0, NULL);
}

static void report_times(struct report *r, const struct stats *st)
{
	uint64_t up = (clock_ms() - st->up_since_ms) / 1000;
	char text[32];

	report_text(r, "Up since", "%s", time_text(st->up_since, text));
	report_text(r, "_Up since", "%s", report_duration(up, text));
	report_number(r, "raw_up_since", (uint64_t)st->up_since, NULL);
	report_number(r, "uptime", up, "%s", text);
}

// occtl's raw form is seconds, which says little of a login.
static void report_login_time(struct report *r, const char *key, const char *raw, const char *raw_ms, uint64_t ms)
{
	report_text(r, key, "%llu ms", (unsigned long long)ms);
	report_number(r, raw, (ms + 500) / 1000, NULL);
	report_number(r, raw_ms, ms, NULL);
}

static void report_logins(struct report *r, const struct stats *st, const struct stats_sums *s)
{
	report_number(r, "Authentication failures", s->logins_failed, NULL);
	report_login_time(r, "Average auth time", "raw_avg_auth_time", "raw_avg_auth_ms", s->logins ? s->login_ms / s->logins : 0);
	report_login_time(r, "Max auth time", "raw_max_auth_time", "raw_max_auth_ms", st->login_ms_max);
}

static void report_sessions(struct report *r, const struct stats *st, const struct stats_sums *s)
{
	uint64_t average = s->ended ? s->session_seconds / s->ended : 0;
	char text[32];

	report_number(r, "Sessions handled", s->sessions, NULL);
	report_number(r, "Timed out sessions", s->ended_timeout, NULL);
	report_number(r, "Timed out (idle) sessions", s->ended_idle, NULL);
	report_number(r, "Closed due to error sessions", s->ended_error, NULL);
	report_text(r, "Average session time", "%s", report_duration(average, text));
	report_number(r, "raw_avg_session_time", average, NULL);
	report_text(r, "Max session time", "%s", report_duration(st->session_seconds_max, text));
	report_number(r, "raw_max_session_time", st->session_seconds_max, NULL);
	report_number(r, "Min MTU", st->mtu_min, NULL);
	report_number(r, "Max MTU", st->mtu_max, NULL);
}

static void report_latency(struct report *r, const char *key, const char *raw, uint64_t ns)
{
	report_text(r, key, "%.1f us", (double)ns / 1000);
	report_number(r, raw, ns, NULL);
}

static void report_bytes_raw(struct report *r, const char *key, const char *raw, uint64_t bytes)
{
	char text[32];

	report_text(r, key, "%s", bytes_text(bytes, text));
	report_number(r, raw, bytes, NULL);
}

static void report_refused(struct report *r, const struct stats_sums *s)
{
	report_number(r, "Refused (max-clients)", s->refused[REFUSED_CLIENTS], NULL);
	report_number(r, "Refused (max-startups)", s->refused[REFUSED_STARTUPS], NULL);
	report_number(r, "Refused (proxy-from)", s->refused[REFUSED_PROXY], NULL);
	report_number(r, "Refused (max-same-clients)", s->refused[REFUSED_SAME], NULL);
	report_number(r, "Refused (no free address)", s->refused[REFUSED_ADDRESS], NULL);
	report_number(r, "Refused (connect-script)", s->refused[REFUSED_SCRIPT], NULL);
	report_number(r, "Refused (no tunnel)", s->refused[REFUSED_TUNNEL], NULL);
}

// Since the last reset.
static void report_period(struct report *r, const struct gateway *g)
{
	const struct stats_sums s = stats_period(g);

	report_time(r, "Last stats reset", "raw_last_stats_reset", g->stats.reset);
	report_sessions(r, &g->stats, &s);
	report_refused(r, &s);
	report_logins(r, &g->stats, &s);
	report_bytes_raw(r, "RX", "raw_rx", s.bytes_in);
	report_bytes_raw(r, "TX", "raw_tx", s.bytes_out);
}

void report_status(struct report *r, struct gateway *g)
{
	report_begin(r, "");
	report_parts(r, g);
	report_times(r, &g->stats);
	report_number(r, "Active sessions", g->sessions_active, NULL);
	report_number(r, "Total sessions", g->stats.total.sessions, NULL);
	report_number(r, "Total authentication failures", g->stats.total.logins_failed, NULL);
	report_number(r, "IPs in ban list", ban_count(g->bans, clock_seconds()), NULL);
	report_number(r, "Connections", g->conns_count + g->lobby.waiters, NULL);
	report_number(r, "Connections without a session", g->lobby.starts_count + g->lobby.waiters, NULL);
	report_number(r, "Connections without a worker", g->lobby.waiters, NULL);
	report_latency(r, "Median latency", "raw_median_latency", g->stats.latency_median_ns);
	report_latency(r, "STDEV latency", "raw_stdev_latency", g->stats.latency_stdev_ns);
	report_period(r, g);
}

void report_ban(struct report *r, const struct ban_row *row)
{
	char text[ADDR_TEXT];

	report_begin(r, "");
	report_text(r, "IP", "%s", row->who.family == 6 ? addr_text_prefix(&row->who, text) : addr_text(&row->who, text));
	report_time(r, "Since", "raw_since", wallclock_then((int64_t)row->since * 1000));
	if (row->until)
		report_time(r, "Expires", "raw_expires", wallclock_then((int64_t)row->until * 1000));
	report_number(r, "Score", row->score, NULL);
}

void report_quota(struct report *r, const struct quota_row *row)
{
	report_begin(r, "");
	report_text(r, "Username", "%s", row->user);
	report_vhost(r, row->vhost);
	report_bytes_raw(r, "Day", "raw_day", row->day);
	report_bytes_raw(r, "Month", "raw_month", row->month);
	if (row->limits.day)
		report_bytes_raw(r, "Day quota", "raw_day_quota", row->limits.day);
	if (row->limits.month)
		report_bytes_raw(r, "Month quota", "raw_month_quota", row->limits.month);
	if (row->valid_until)
		report_time(r, "Valid until", "raw_valid_until", row->valid_until);
}

static void report_us(struct report *r, const char *key, const char *raw, uint32_t us)
{
	report_text(r, key, "%u.%u ms", us / 1000, us % 1000 / 100);
	report_number(r, raw, us, NULL);
}

void report_health(struct report *r, const struct msg_auth_status_row *m)
{
	static const char *const sections[] = {
		[HEALTH_METHOD] = "methods", [HEALTH_SERVER] = "servers", [HEALTH_POOL] = "queues", [HEALTH_WAY] = "ways"
	};

	report_begin(r, sections[m->kind]);
	if (m->kind == HEALTH_WAY) {
		report_text(r, "vhost", "%s", m->owner);
		report_text(r, "by", "%s", m->state);
		report_text(r, "way", "%s", m->name);
		return;
	}
	report_text(r, "name", "%s", m->name);
	report_text(r, m->kind == HEALTH_METHOD ? "vhost" : "method", "%s", m->owner);
	report_text(r, "state", "%s", m->state);
	report_number(r, "outstanding", m->outstanding, NULL);
	if (m->kind != HEALTH_METHOD)
		report_number(r, "room", m->room, NULL);
	report_number(r, "asked", m->asked, NULL);
	report_number(r, "timeouts", m->timeouts, NULL);
	report_number(r, "failures", m->failures, NULL);
	report_us(r, "average", "raw_average_us", m->average);
	report_us(r, "longest", "raw_longest_us", m->most);
}
