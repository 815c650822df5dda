// `acct = radius[config=FILE]`: Accounting-Requests (RFC 2866, 2869), by way of a ledger (ledger.h).
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/err.h"
#include "proto/text.h"
#include "secmod/account_record.h"
#include "secmod/ledger.h"
#include "secmod/places.h"

struct radius_accounting {
	struct ledger *ledger;
	struct radius_config radius;
	char file[LIMIT_TEXT + 1], directory[LIMIT_TEXT + 1];
};

// Those that are in force, each once: they are told that the gateway begins, and that it ends.
#define SERVED_MAX 32
static struct radius_accounting served[SERVED_MAX];
static unsigned n_served;

// Records of one session go by its sid; 0 is for those about all.
static uint64_t session_of(const struct account *acc)
{
	uint64_t n;

	memcpy(&n, acc->sid, sizeof(n));
	return n | 1;
}

static void tell(const struct account *acc, enum account_status status, enum spool_kind kind)
{
	const struct radius_accounting *c = acc->acct->config;
	struct radius_attributes a;

	if (!c->ledger) // there was no memory for one
		return;
	account_record(&a, acc, &c->radius, status, (uint32_t)time(NULL));
	ledger_add(c->ledger, kind, session_of(acc), &a);
}

static void begin(struct account *a)
{
	tell(a, ACCOUNT_START, SPOOL_START);
}

static void report(struct account *a)
{
	tell(a, ACCOUNT_INTERIM, SPOOL_INTERIM);
}

static void end(struct account *a)
{
	tell(a, ACCOUNT_STOP, SPOOL_STOP);
}

// -------------------------------------------------------------------------------------------------------------- on and off

static void tell_of_all(const struct radius_accounting *c, enum account_status status)
{
	struct radius_attributes a;

	account_record_of_all(&a, &c->radius, status, (uint32_t)time(NULL));
	ledger_add(c->ledger, status == ACCOUNT_ON ? SPOOL_START : SPOOL_STOP, 0, &a);
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
		tell_of_all(c, ACCOUNT_ON);
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
		tell_of_all(&served[i], ACCOUNT_OFF);
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
	if (directory && directory[0] && !places_allow(directory, text))
		return -EINVAL;
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
