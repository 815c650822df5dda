// Options that contradict each other, or that another one makes useless. Each line may be good by itself, so nearly all of this
// is a warning. See config_inside.h.
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/config_inside.h"
#include "proto/addr.h"

// It is in the file, in this section, and says something else than what happens anyway.
static bool is_said(const struct config *c, enum opt o)
{
	const char *text = config_str(c, o);
	struct value_out usual;

	if (!config_own(c, o) || !config_given(c, o) || !text)
		return false;
	return !opt_table[o].value || value_parse(&opt_table[o], opt_table[o].value, true, "/", &usual) < 0 ||
	       strcmp(text, usual.text) != 0;
}

static void warn(struct config_log *log, const struct config *c, enum opt o, const char *text)
{
	config_say(log, LOG_LEVEL_WARN, config_line_of(c, o), opt_table[o].name, "%s", text);
}

static void check_udp(const struct config *c, struct config_log *log)
{
	static const enum opt only_dtls[] = { OPT_UDP_LISTEN_HOST,       OPT_OUTER,    OPT_TRY_MTU_DISCOVERY,
		                              OPT_SWITCH_TO_TCP_TIMEOUT, OPT_DTLS_PSK, OPT_DTLS_LEGACY,
		                              OPT_MATCH_TLS_DTLS_CIPHERS };
	const struct config *top = c->base ? c->base : c;

	if (config_num(top, OPT_UDP_PORT) == 0) {
		for (size_t i = 0; i < sizeof(only_dtls) / sizeof(*only_dtls); i++)
			if (is_said(c, only_dtls[i]))
				warn(log, c, only_dtls[i], "has no effect: udp-port is 0, so there is no DTLS");
		return;
	}
	if (!config_bool(top, OPT_DTLS_PSK) && !config_bool(c, OPT_DTLS_LEGACY) && !config_bool(c, OPT_CISCO_CLIENT_COMPAT) &&
	    !config_bool(c, OPT_CISCO_SVC_CLIENT_COMPAT) && (is_said(c, OPT_DTLS_LEGACY) || is_said(c, OPT_DTLS_PSK)))
		warn(log, c, is_said(c, OPT_DTLS_LEGACY) ? OPT_DTLS_LEGACY : OPT_DTLS_PSK,
		     "dtls-psk and dtls-legacy are both false: no client can use DTLS");
}

static bool uses_certificates(const struct config *c)
{
	for (unsigned i = 0; i < config_count(c, OPT_AUTH); i++)
		if (strcmp(config_nth(c, OPT_AUTH, i), "certificate") == 0)
			return true;
	for (unsigned i = 0; i < config_count(c, OPT_ENABLE_AUTH); i++)
		if (strcmp(config_nth(c, OPT_ENABLE_AUTH, i), "certificate") == 0)
			return true;
	return false;
}

// An option that does nothing without another.
static const struct {
	enum opt option, needs, or_this;
} needs[] = {
	{ OPT_COA_CLIENTS, OPT_COA_LISTEN, OPT_COA_LISTEN },
	{ OPT_COA_WINDOW, OPT_COA_LISTEN, OPT_COA_LISTEN },
	{ OPT_SPLIT_DNS, OPT_DNS, OPT_DNS },
	{ OPT_TUNNEL_ALL_DNS, OPT_DNS, OPT_DNS },
	{ OPT_DEFAULT_SELECT_GROUP, OPT_SELECT_GROUP, OPT_AUTO_SELECT_GROUP },
	{ OPT_CAMOUFLAGE_SECRET, OPT_CAMOUFLAGE, OPT_CAMOUFLAGE },
	{ OPT_CAMOUFLAGE_REALM, OPT_CAMOUFLAGE, OPT_CAMOUFLAGE },
};

static bool is_on(const struct config *c, enum opt o)
{
	return opt_table[o].kind == KIND_BOOL ? config_bool(c, o) : config_count(c, o) > 0;
}

static void check_needs(const struct config *c, struct config_log *log)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++)
		if (opt_table[needs[i].option].status == STATUS_WORKS && is_said(c, needs[i].option) && !is_on(c, needs[i].needs) &&
		    !is_on(c, needs[i].or_this))
			config_say(log, LOG_LEVEL_WARN, config_line_of(c, needs[i].option), opt_table[needs[i].option].name,
			           "has no effect without %s", opt_table[needs[i].needs].name);
	if (is_said(c, OPT_CRL) && !uses_certificates(c))
		warn(log, c, OPT_CRL, "has no effect: no auth or enable-auth is certificate");
	if (is_said(c, OPT_RESTRICT_USER_TO_ROUTES) && !config_count(c, OPT_ROUTE) && !config_count(c, OPT_NO_ROUTE))
		warn(log, c, OPT_RESTRICT_USER_TO_ROUTES,
		     "restricts nobody who has no route or no-route in a file of his own: without any, every network is reached");
}

static void check_pins(const struct config *c, struct config_log *log)
{
	if (config_str(c, OPT_KEY_PIN) && is_said(c, OPT_PIN_FILE))
		warn(log, c, OPT_PIN_FILE, "is not read: key-pin counts");
	if (config_str(c, OPT_SRK_PIN) && is_said(c, OPT_SRK_PIN_FILE))
		warn(log, c, OPT_SRK_PIN_FILE, "is not read: srk-pin counts");
}

// Each would remove the other's.
static void check_places(const struct config *c, struct config_log *log)
{
	static const enum opt places[] = { OPT_PID_FILE, OPT_OCCTL_SOCKET_FILE, OPT_TELEMETRY_SOCKET_FILE, OPT_SESSION_FILE,
		                           OPT_QUOTA_FILE };

	for (size_t a = 0; a < sizeof(places) / sizeof(*places); a++)
		for (size_t b = a + 1; b < sizeof(places) / sizeof(*places); b++) {
			const char *one = config_str(c, places[a]), *other = config_str(c, places[b]);

			if (one && other && strcmp(one, other) == 0 && strcmp(one, "/dev/null") != 0)
				config_say(log, LOG_LEVEL_ERR, config_line_of(c, places[b]), opt_table[places[b]].name,
				           "%s is %s already", other, opt_table[places[a]].name);
		}
}

// The gateway would lend its own address to a client.
static void check_listen(const struct config *c, struct config_log *log)
{
	static const enum opt networks[] = { OPT_IPV4_NETWORK, OPT_IPV6_NETWORK };
	const struct config *top = c->base ? c->base : c;
	struct addr network, host;

	for (size_t n = 0; n < sizeof(networks) / sizeof(*networks); n++) {
		if (!config_own(c, networks[n]) || !config_str(c, networks[n]) ||
		    addr_parse(config_str(c, networks[n]), &network) < 0)
			continue;
		for (unsigned i = 0; i < config_count(top, OPT_LISTEN_HOST); i++)
			if (addr_parse(config_nth(top, OPT_LISTEN_HOST, i), &host) == 0 && host.family == network.family &&
			    addr_in(&host, &network))
				config_say(log, LOG_LEVEL_WARN, config_line_of(c, networks[n]), opt_table[networks[n]].name,
				           "listen-host %s is in it: clients would have no way to the gateway any more",
				           config_nth(top, OPT_LISTEN_HOST, i));
	}
}

// "2,4-7" of CPUs that there are.
static const char *why_no_cores(const char *text)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	unsigned long from, to;
	char *end;

	for (;; text = end + 1) {
		if (!isdigit((unsigned char)*text))
			return "it is to be CPUs as in 2,4-7, or auto";
		from = to = strtoul(text, &end, 10);
		if (*end == '-' && isdigit((unsigned char)end[1]))
			to = strtoul(end + 1, &end, 10);
		if (to < from)
			return "a range goes from the lower number to the higher";
		if (cpus > 0 && to >= (unsigned long)cpus)
			return "there is no such CPU";
		if (*end == '\0')
			return NULL;
		if (*end != ',')
			return "it is to be CPUs as in 2,4-7, or auto";
	}
}

static void check_cores(const struct config *c, struct config_log *log)
{
	const char *text, *why;

	for (unsigned n = 0; (text = config_nth(c, OPT_POLL_CORE, n)); n++) {
		why = strcmp(text, "auto") == 0 ? NULL : why_no_cores(text);
		if (why)
			config_say(log, LOG_LEVEL_ERR, config_line_nth(c, OPT_POLL_CORE, n), "poll-core", "%s: %s", text, why);
	}
}

// Anything with a colon or a comma is DPDK's to judge.
static void check_outer(const struct config *c, struct config_log *log)
{
	const char *text;

	for (unsigned n = 0; (text = config_nth(c, OPT_OUTER, n)); n++)
		if (strcmp(text, "auto") != 0 && strcmp(text, "udp") != 0 && !strpbrk(text, ":,=") && if_nametoindex(text) == 0)
			config_say(log, LOG_LEVEL_WARN, config_line_nth(c, OPT_OUTER, n), "outer",
			           "there is no interface %s now; auto, udp, an interface, a PCI address or devargs can be meant",
			           text);
}

void config_check_conflicts(const struct config *c, struct config_log *log)
{
	check_udp(c, log);
	check_needs(c, log);
	check_pins(c, log);
	check_listen(c, log);
	if (c->base)
		return;
	check_places(c, log);
	check_cores(c, log);
	check_outer(c, log);
}
