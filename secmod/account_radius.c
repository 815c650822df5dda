// `acct = radius[config=FILE]`: Accounting-Requests (RFC 2866, 2869), by way of a ledger (ledger.h).
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/err.h"
#include "proto/text.h"
#include "secmod/account.h"
#include "secmod/ledger.h"

enum status { STATUS_START = 1, STATUS_STOP = 2, STATUS_INTERIM = 3, STATUS_ON = 7, STATUS_OFF = 8 };

// RFC 2866 5.10
enum cause {
	CAUSE_USER_REQUEST = 1,
	CAUSE_LOST_CARRIER = 2,
	CAUSE_IDLE_TIMEOUT = 4,
	CAUSE_SESSION_TIMEOUT = 5,
	CAUSE_ADMIN_RESET = 6,
	CAUSE_ADMIN_REBOOT = 7,
	CAUSE_NAS_ERROR = 9,
	CAUSE_NAS_REQUEST = 10,
	CAUSE_USER_ERROR = 17,
};

static const uint8_t causes[] = {
	[END_NONE] = CAUSE_NAS_REQUEST, // its cookie had to make room
	[END_BY_USER] = CAUSE_USER_REQUEST,
	[END_TEMPORARY] = CAUSE_LOST_CARRIER,
	[END_BY_ADMIN] = CAUSE_ADMIN_RESET,
	[END_TERMINATED] = CAUSE_ADMIN_RESET,
	[END_REPLACED] = CAUSE_NAS_REQUEST,
	[END_IDLE] = CAUSE_IDLE_TIMEOUT,
	[END_SESSION_TIMEOUT] = CAUSE_SESSION_TIMEOUT,
	[END_AUTH_TIMEOUT] = CAUSE_NAS_REQUEST,
	[END_DEAD_PEER] = CAUSE_LOST_CARRIER,
	[END_SHUTDOWN] = CAUSE_ADMIN_REBOOT,
	[END_ERROR] = CAUSE_USER_ERROR,
	[END_WORKER] = CAUSE_NAS_ERROR,
	[END_NURSERY] = CAUSE_NAS_ERROR,
	[END_DATAPLANE] = CAUSE_NAS_ERROR,
};
static_assert(sizeof(causes) == END_REASON_LAST + 1, "a cause for each reason");

// RFC 2866 5.6; values of RFC 2865 and IANA
#define AUTHENTIC_RADIUS 1
#define AUTHENTIC_LOCAL 2
#define SERVICE_FRAMED 2
#define PROTOCOL_PPP 1
#define PORT_ASYNC 0 // as ocserv says it

struct radius_accounting {
	struct ledger *ledger;
	struct radius_config radius;
	char file[LIMIT_TEXT + 1], directory[LIMIT_TEXT + 1];
};

// Those that are in force, each once: they are told that the gateway begins, and that it ends.
#define SERVED_MAX 32
static struct radius_accounting served[SERVED_MAX];
static unsigned n_served;

// ------------------------------------------------------------------------------------------------------------- attributes

static void add_nas(struct radius_attributes *a, const struct radius_config *c, const struct addr *local)
{
	radius_add_addr(a, RADIUS_NAS_IP_ADDRESS, RADIUS_NAS_IPV6_ADDRESS, c->nas_ip.family ? &c->nas_ip : local);
	radius_add_text(a, RADIUS_NAS_IDENTIFIER, c->nas_identifier);
}

static void add_event(struct radius_attributes *a, enum status status)
{
	radius_add_number(a, RADIUS_ACCT_STATUS_TYPE, status);
	radius_add_number(a, RADIUS_EVENT_TIMESTAMP, (uint32_t)time(NULL));
}

static void add_connect_info(struct radius_attributes *a, const struct account *acc)
{
	char text[LIMIT_USER_AGENT + LIMIT_CIPHER + 2];

	snprintf(text, sizeof(text), "%s%s%s", acc->user_agent, acc->user_agent[0] && acc->cipher[0] ? " " : "", acc->cipher);
	radius_add_text(a, RADIUS_CONNECT_INFO, text);
}

static void add_classes(struct radius_attributes *a, const struct account *acc)
{
	for (size_t at = 0; at < acc->classes_len; at += 1 + acc->classes[at])
		radius_add(a, RADIUS_CLASS, acc->classes + at + 1, acc->classes[at]);
}

static void add_session(struct radius_attributes *a, const struct account *acc)
{
	char client[ADDR_TEXT], local[ADDR_TEXT];

	radius_add_text(a, RADIUS_USER_NAME, acc->user);
	radius_add_text(a, RADIUS_ACCT_SESSION_ID, acc->acct_id);
	radius_add_number(a, RADIUS_NAS_PORT, acc->id);
	radius_add_number(a, RADIUS_NAS_PORT_TYPE, PORT_ASYNC);
	radius_add_number(a, RADIUS_SERVICE_TYPE, SERVICE_FRAMED);
	radius_add_number(a, RADIUS_FRAMED_PROTOCOL, PROTOCOL_PPP);
	radius_add_addr(a, RADIUS_FRAMED_IP_ADDRESS, RADIUS_FRAMED_IPV6_ADDRESS, &acc->ipv4);
	radius_add_addr(a, RADIUS_FRAMED_IP_ADDRESS, RADIUS_FRAMED_IPV6_ADDRESS, &acc->ipv6);
	radius_add_text(a, RADIUS_CALLING_STATION_ID, addr_text(&acc->client, client));
	radius_add_text(a, RADIUS_CALLED_STATION_ID, addr_text(&acc->local, local));
	radius_add_number(a, RADIUS_ACCT_AUTHENTIC, strcmp(acc->method, "radius") == 0 ? AUTHENTIC_RADIUS : AUTHENTIC_LOCAL);
	add_connect_info(a, acc);
	add_classes(a, acc);
}

static void add_octets(struct radius_attributes *a, uint8_t octets, uint8_t gigawords, uint64_t n)
{
	radius_add_number(a, octets, (uint32_t)n);
	radius_add_number(a, gigawords, (uint32_t)(n >> 32));
}

static void add_traffic(struct radius_attributes *a, const struct account *acc)
{
	const struct traffic t = account_total(acc);

	add_octets(a, RADIUS_ACCT_INPUT_OCTETS, RADIUS_ACCT_INPUT_GIGAWORDS, t.bytes_in);
	add_octets(a, RADIUS_ACCT_OUTPUT_OCTETS, RADIUS_ACCT_OUTPUT_GIGAWORDS, t.bytes_out);
	radius_add_number(a, RADIUS_ACCT_INPUT_PACKETS, (uint32_t)t.packets_in);
	radius_add_number(a, RADIUS_ACCT_OUTPUT_PACKETS, (uint32_t)t.packets_out);
	radius_add_number(a, RADIUS_ACCT_SESSION_TIME, acc->seconds);
}

// Records of one session go by its sid; 0 is for those about all.
static uint64_t session_of(const struct account *acc)
{
	uint64_t n;

	memcpy(&n, acc->sid, sizeof(n));
	return n | 1;
}

static void tell(const struct account *acc, enum status status, enum spool_kind kind)
{
	const struct radius_accounting *c = acc->acct->config;
	struct radius_attributes a = { 0 };

	if (!c->ledger) // there was no memory for one
		return;

	add_event(&a, status);
	add_nas(&a, &c->radius, &acc->local);
	add_session(&a, acc);
	if (status != STATUS_START)
		add_traffic(&a, acc);
	if (status == STATUS_STOP)
		radius_add_number(&a, RADIUS_ACCT_TERMINATE_CAUSE, causes[acc->reason]);
	ledger_add(c->ledger, kind, session_of(acc), &a);
}

static void begin(struct account *a)
{
	tell(a, STATUS_START, SPOOL_START);
}

static void report(struct account *a)
{
	tell(a, STATUS_INTERIM, SPOOL_INTERIM);
}

static void end(struct account *a)
{
	tell(a, STATUS_STOP, SPOOL_STOP);
}

// -------------------------------------------------------------------------------------------------------------- on and off

static void tell_of_all(const struct radius_accounting *c, enum status status)
{
	static const struct addr none;
	struct radius_attributes a = { 0 };
	char id[17];

	snprintf(id, sizeof(id), "%016llx", (unsigned long long)time(NULL));
	add_event(&a, status);
	add_nas(&a, &c->radius, &none);
	radius_add_text(&a, RADIUS_ACCT_SESSION_ID, id);
	ledger_add(c->ledger, status == STATUS_ON ? SPOOL_START : SPOOL_STOP, 0, &a);
}

static void serve(void *config, bool begins)
{
	struct radius_accounting *c = config;
	struct radius_servers *servers = radius_servers_get(&c->radius, false);

	c->ledger = ledger_get(c->file, c->directory);
	if (!servers || !c->ledger) {
		log_err("accounting: %s: no memory", c->file);
		radius_servers_put(servers);
		return;
	}
	ledger_serve(c->ledger, servers);
	for (unsigned i = 0; i < n_served; i++) {
		if (served[i].ledger != c->ledger)
			continue;
		served[i] = *c;
		return;
	}
	if (n_served < SERVED_MAX)
		served[n_served++] = *c;
	if (begins)
		tell_of_all(c, STATUS_ON);
}

static int start(struct event_base *base)
{
	radius_client_start(base);
	return ledgers_start(base);
}

#define PATIENCE_MS 1500 // main has some seconds for us

static void stop(struct event_base *base)
{
	for (unsigned i = 0; i < n_served; i++)
		tell_of_all(&served[i], STATUS_OFF);
	n_served = 0;
	ledgers_finish(base, PATIENCE_MS);
	explicit_bzero(served, sizeof(served));
}

// ----------------------------------------------------------------------------------------------------------- configuration

static int load(const struct authspec *spec, const struct snapshot *snap, void **config, char text[LIMIT_TEXT + 1])
{
	const char *file = "/etc/radcli/radiusclient.conf", *directory = snapshot_get(snap, "acct-spool");
	struct radius_accounting *c;

	for (unsigned i = 0; i < spec->n_options; i++)
		if (spec->option[i].key[0] == '\0' || strcmp(spec->option[i].key, "config") == 0)
			file = spec->option[i].value;
	c = calloc(1, sizeof(*c));
	if (!c)
		return text_refuse(text, "no memory");
	if (radius_config_load(file, RADIUS_ACCT, &c->radius, text) < 0) {
		free(c);
		return -EINVAL;
	}
	snprintf(c->file, sizeof(c->file), "%s", file);
	snprintf(c->directory, sizeof(c->directory), "%s", directory ? directory : "");
	for (unsigned i = 0; i < spec->n_options; i++)
		if (strcmp(spec->option[i].key, "nas-identifier") == 0)
			snprintf(c->radius.nas_identifier, sizeof(c->radius.nas_identifier), "%s", spec->option[i].value);
	*config = c;
	return 0;
}

static void unload(void *config)
{
	explicit_bzero(config, sizeof(struct radius_accounting));
	free(config);
}

const struct accounting accounting_radius = {
	.name = "radius",
	.start = start,
	.stop = stop,
	.load = load,
	.unload = unload,
	.serve = serve,
	.begin = begin,
	.report = report,
	.end = end,
	.health = ledgers_report,
};
