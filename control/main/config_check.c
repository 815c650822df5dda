// Checks of the configuration that one line cannot show. See config_inside.h.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/config_inside.h"
#include "control/main/endpoint.h"
#include "control/main/netlist.h"
#include "control/main/nic.h"
#include "control/main/packing.h"
#include "proto/kdcspec.h"
#include "proto/limits.h"
#include "proto/netns.h"

static void wrong(struct config_log *log, const struct config *c, enum opt o, unsigned nth, const char *text)
{
	config_say(log, LOG_LEVEL_ERR, config_line_nth(c, o, nth), opt_table[o].name, "%s", text);
}

// ------------------------------------------------------------------------------------------------------------- networks

// A network and its mask become "address/prefix" in `network`.
static int fold_network(struct config *c, enum opt network, enum opt mask, struct config_log *log)
{
	const char *address = config_str(c, network), *given = config_str(c, mask), *slash;
	unsigned line = config_line_of(c, network);
	struct value_out out;
	char bare[64];
	int ret;

	if (!address || (!config_own(c, network) && !config_own(c, mask)))
		return 0;
	slash = strchr(address, '/');
	if (slash && !config_own(c, mask))
		given = NULL;
	if (!slash && !given) {
		config_say(log, LOG_LEVEL_ERR, line, opt_table[network].name, "it needs a prefix length, as in %s/%s", address,
		           opt_table[network].kind == KIND_NETWORK4 ? "24" : "64");
		return 0;
	}
	if (!given)
		return 0;
	snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(address, "/"), address);
	ret = value_network(&opt_table[network], bare, given, &out);
	if (slash && ret >= 0 && strcmp(out.text, address) != 0) {
		config_say(log, LOG_LEVEL_ERR, line, opt_table[network].name, "%s contradicts %s on line %u", address,
		           opt_table[mask].name, config_line_of(c, mask));
		return 0;
	}
	if (ret != 0)
		config_say(log, ret < 0 ? LOG_LEVEL_ERR : LOG_LEVEL_WARN, line, opt_table[network].name, "%s", out.why);
	if (ret < 0 || slash)
		return 0;
	config_clear(c, network);
	return config_add(c, network, out.text, line);
}

int config_fold(struct config *c, struct config_log *log)
{
	int ret = fold_network(c, OPT_IPV4_NETWORK, OPT_IPV4_NETMASK, log);

	return ret < 0 ? ret : fold_network(c, OPT_IPV6_NETWORK, OPT_IPV6_PREFIX, log);
}

static void check_networks(const struct config *c, struct config_log *log)
{
	const char *ipv6 = config_str(c, OPT_IPV6_NETWORK), *slash = ipv6 ? strchr(ipv6, '/') : NULL;

	if (!c->base && !config_given(c, OPT_IPV4_NETWORK) && !config_given(c, OPT_IPV6_NETWORK))
		config_say(log, LOG_LEVEL_ERR, 0, NULL, "ipv4-network or ipv6-network has to be there: clients need addresses");
	if (!config_own(c, OPT_IPV6_NETWORK) && !config_own(c, OPT_IPV6_SUBNET_PREFIX))
		return;
	if (slash && strtoull(slash + 1, NULL, 10) >= config_num(c, OPT_IPV6_SUBNET_PREFIX))
		wrong(log, c, OPT_IPV6_SUBNET_PREFIX, 0,
		      "it has to be longer than the prefix of ipv6-network, of which every client gets a part");
}

// ------------------------------------------------------------------------------------------------------------------ keys

static void check_required(const struct config *c, struct config_log *log)
{
	for (int o = 0; o < OPT_COUNT; o++)
		if (opt_is_must((enum opt)o) && !config_given(c, (enum opt)o))
			config_say(log, LOG_LEVEL_ERR, 0, NULL, "%s is missing", opt_table[o].name);
}

static void check_keys(const struct config *c, struct config_log *log)
{
	unsigned certs = config_count(c, OPT_SERVER_CERT), keys = config_count(c, OPT_SERVER_KEY);

	if (!config_own(c, OPT_SERVER_CERT) && !config_own(c, OPT_SERVER_KEY))
		return;
	if (certs && keys && certs != keys)
		config_say(log, LOG_LEVEL_ERR, config_line_of(c, OPT_SERVER_KEY), "server-key",
		           "%u keys but %u certificates: they come in pairs, in the same order", keys, certs);
	if (keys > LIMIT_SERVER_KEYS)
		config_say(log, LOG_LEVEL_ERR, config_line_of(c, OPT_SERVER_KEY), "server-key", "more than %d are not supported",
		           LIMIT_SERVER_KEYS);
}

// -------------------------------------------------------------------------------------------------------- authentication

static const enum opt ways[] = { OPT_AUTH, OPT_ENABLE_AUTH };
#define WAYS (sizeof(ways) / sizeof(*ways))

static void check_plain(const struct config *c, enum opt way, unsigned nth, struct config_log *log)
{
	static const char *const keys[] = { "passwd", "otp" };
	const char *auth = config_nth(c, way, nth), *why;
	char path[VALUE_MAX], reason[VALUE_WHY];
	unsigned files = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (!value_auth_key(auth, keys[i], path, sizeof(path)))
			continue;
		files++;
		why = config_no_file(path, reason);
		if (why)
			config_say(log, LOG_LEVEL_ERR, config_line_nth(c, way, nth), opt_table[way].name, "%s: %s", path, why);
	}
	if (files == 0)
		wrong(log, c, way, nth, "plain needs its file: plain[passwd=FILE]");
}

// The file that a method names by this key. missing: what to say where it names none; NULL: it need not.
static void check_file(const struct config *c, enum opt way, unsigned nth, const char *key, const char *missing,
                       struct config_log *log)
{
	const char *auth = config_nth(c, way, nth), *why;
	char path[VALUE_MAX], reason[VALUE_WHY];

	if (!value_auth_key(auth, key, path, sizeof(path))) {
		if (missing)
			wrong(log, c, way, nth, missing);
		return;
	}
	why = config_no_file(path, reason);
	if (why)
		config_say(log, LOG_LEVEL_ERR, config_line_nth(c, way, nth), opt_table[way].name, "%s: %s", path, why);
}

// Theirs to weigh, and not to overlook.
static void check_radius_signatures(const struct config *c, struct config_log *log)
{
	char word[VALUE_MAX];

	for (size_t w = 0; w < WAYS; w++)
		for (unsigned i = 0; config_own(c, ways[w]) && i < config_count(c, ways[w]); i++)
			if (value_auth_key(config_nth(c, ways[w], i), "require-message-authenticator", word, sizeof(word)) &&
			    strcmp(word, "false") == 0)
				config_say(log, LOG_LEVEL_WARN, config_line_nth(c, ways[w], i), opt_table[ways[w]].name,
				           "answers without a Message-Authenticator are believed: who can change packets on their "
				           "way to the RADIUS server can log in as anybody (CVE-2024-3596)");
}

static void check_method(const struct config *c, enum opt way, unsigned nth, struct config_log *log)
{
	char name[32];

	value_auth_method(config_nth(c, way, nth), name, sizeof(name));
	if (strcmp(name, "plain") == 0)
		check_plain(c, way, nth, log);
	else if (strcmp(name, "radius") == 0)
		check_file(c, way, nth, "config", "radius needs its file: radius[config=FILE]", log);
	else if (strcmp(name, "oidc") == 0)
		check_file(c, way, nth, "config", "oidc needs its file: oidc[config=FILE]", log);
	else if (strcmp(name, "gssapi") == 0)
		check_file(c, way, nth, "keytab", NULL, log);
}

static bool is_certificate(const struct config *c, enum opt way, unsigned nth)
{
	char name[32];

	value_auth_method(config_nth(c, way, nth), name, sizeof(name));
	return strcmp(name, "certificate") == 0;
}

static void check_kdcs(const struct config *c, struct config_log *log)
{
	struct kdcspec spec;
	const char *why;

	if (!config_own(c, OPT_KKDCP))
		return;
	for (unsigned i = 0; i < config_count(c, OPT_KKDCP); i++) {
		why = kdcspec_parse(config_nth(c, OPT_KKDCP, i), &spec);
		if (why)
			config_say(log, LOG_LEVEL_ERR, config_line_nth(c, OPT_KKDCP, i), "kkdcp", "%s: %s",
			           config_nth(c, OPT_KKDCP, i), why);
	}
	if (config_count(c, OPT_KKDCP) > LIMIT_KDCS)
		config_say(log, LOG_LEVEL_ERR, config_line_nth(c, OPT_KKDCP, LIMIT_KDCS), "kkdcp", "more than %d are not supported",
		           LIMIT_KDCS);
}

static void check_auth(const struct config *c, struct config_log *log)
{
	for (size_t w = 0; w < WAYS; w++)
		for (unsigned i = 0; config_own(c, ways[w]) && i < config_count(c, ways[w]); i++)
			check_method(c, ways[w], i, log);
	for (unsigned i = 0, passwords = 0; config_own(c, OPT_AUTH) && i < config_count(c, OPT_AUTH); i++) {
		passwords += !is_certificate(c, OPT_AUTH, i);
		if (passwords > 1)
			wrong(log, c, OPT_AUTH, i, "a second method is not supported: a login asks for one password");
	}
}

// What a client logs in with decides which way it goes.
static const char *kind_of(const struct config *c, enum opt way, unsigned nth)
{
	char name[32];

	value_auth_method(config_nth(c, way, nth), name, sizeof(name));
	if (strcmp(name, "certificate") == 0)
		return "certificates";
	if (strcmp(name, "gssapi") == 0)
		return "Kerberos tickets";
	return strcmp(name, "oidc") == 0 ? "bearer tokens" : "passwords";
}

// All lines of auth are one way, and a certificate beside another method is not what it begins with.
static unsigned first_of_auth(const struct config *c)
{
	unsigned n = config_count(c, OPT_AUTH), i = 0;

	while (i < n && is_certificate(c, OPT_AUTH, i))
		i++;
	return i < n ? i : 0;
}

static void check_way(const struct config *c, unsigned nth, struct config_log *log)
{
	const char *kind = kind_of(c, OPT_ENABLE_AUTH, nth), *before = NULL;
	enum opt where = OPT_AUTH;

	if (config_count(c, OPT_AUTH) && kind_of(c, OPT_AUTH, first_of_auth(c)) == kind)
		before = config_nth(c, OPT_AUTH, first_of_auth(c));
	for (unsigned i = 0; !before && i < nth; i++)
		if (kind_of(c, OPT_ENABLE_AUTH, i) == kind) {
			before = config_nth(c, OPT_ENABLE_AUTH, i);
			where = OPT_ENABLE_AUTH;
		}
	if (before)
		config_say(log, LOG_LEVEL_WARN, config_line_nth(c, OPT_ENABLE_AUTH, nth), "enable-auth",
		           "%s is never asked: %s = %s takes all logins with %s", config_nth(c, OPT_ENABLE_AUTH, nth),
		           opt_table[where].name, before, kind);
}

// ocserv takes such a configuration, and the first of a kind, too.
static void check_ways(const struct config *c, struct config_log *log)
{
	if (!config_own(c, OPT_AUTH) && !config_own(c, OPT_ENABLE_AUTH))
		return;
	for (unsigned i = 0; i < config_count(c, OPT_ENABLE_AUTH); i++)
		check_way(c, i, log);
}

// A certificate of whom, and who is its user?
static void check_certificates(const struct config *c, struct config_log *log)
{
	static const enum opt needs[] = { OPT_CA_CERT, OPT_CERT_USER_OID };

	if (!config_own(c, OPT_AUTH) && !config_own(c, OPT_ENABLE_AUTH))
		return;
	for (size_t w = 0; w < WAYS; w++)
		for (unsigned i = 0; i < config_count(c, ways[w]); i++) {
			if (!is_certificate(c, ways[w], i))
				continue;
			for (size_t n = 0; n < sizeof(needs) / sizeof(*needs); n++)
				if (!config_str(c, needs[n]))
					config_say(log, LOG_LEVEL_ERR, config_line_nth(c, ways[w], i), opt_table[ways[w]].name,
					           "certificate needs %s", opt_table[needs[n]].name);
			return;
		}
}

// ------------------------------------------------------------------------------------------------------------ accounting

static void check_accounting(const struct config *c, struct config_log *log)
{
	const char *acct = config_str(c, OPT_ACCT), *spool = config_str(c, OPT_ACCT_SPOOL), *why;
	char word[VALUE_MAX], reason[VALUE_WHY];

	if (acct && config_own(c, OPT_ACCT) && value_auth_key(acct, "groupconfig", word, sizeof(word)) && strcmp(word, "true") == 0)
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, OPT_ACCT), "acct",
		           "groupconfig=true has no effect: settings of a user come with the answer to a login (auth)");
	if (c->base || !spool || spool[0] == '\0' || !config_given(c, OPT_ACCT_SPOOL))
		return;
	why = config_no_room(spool, reason);
	if (why)
		config_say(log, LOG_LEVEL_ERR, config_line_of(c, OPT_ACCT_SPOOL), "acct-spool", "%s: %s", spool, why);
}

static void check_quota_file(const struct config *c, struct config_log *log)
{
	const char *file = config_str(c, OPT_QUOTA_FILE), *why;
	char reason[VALUE_WHY];

	if (!config_given(c, OPT_QUOTA_FILE))
		return;
	why = file[0] == '/' ? config_no_room(file, reason) : "it has to begin with /";
	if (why && strcmp(why, "it is no directory") != 0) // the file itself, where it is there already
		config_say(log, LOG_LEVEL_ERR, config_line_of(c, OPT_QUOTA_FILE), "quota-file", "%s: %s", file, why);
}

// -------------------------------------------------------------------------------------------------------------- sessions

// Everything that a session is told: one message each, so the number is bounded.
static void check_items(const struct config *c, struct config_log *log)
{
	static const enum opt items[] = { OPT_DNS,      OPT_NBNS,           OPT_SPLIT_DNS, OPT_ROUTE,
		                          OPT_NO_ROUTE, OPT_DEFAULT_DOMAIN, OPT_BANNER,    OPT_CUSTOM_HEADER };
	unsigned n = 0;
	bool own = false;

	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++) {
		n += config_count(c, items[i]);
		own = own || config_own(c, items[i]);
	}
	if (own && n > LIMIT_ITEMS)
		config_say(log, LOG_LEVEL_ERR, config_line_of(c, OPT_ROUTE), "route",
		           "%u routes, servers and domains are more than a client can be told (%d)", n, LIMIT_ITEMS);
}

// ocserv's other meaning is a number that the kernel sorts its queues by. Records of DTLS share sockets, or pass no queue at all.
static void check_priority(const struct config *c, struct config_log *log)
{
	const char *text = config_str(c, OPT_NET_PRIORITY);

	if (config_own(c, OPT_NET_PRIORITY) && text && text[0] && !text[1] && text[0] != '0')
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, OPT_NET_PRIORITY), "net-priority",
		           "%s counts for TLS only: there is no queue for DTLS; a TOS byte as 0x10 is put on both", text);
}

static void check_packing(const struct config *c, struct config_log *log)
{
	const char *priorities = config_str(c, OPT_COMPRESSION_ALGO_PRIORITY);
	struct packing p = { 0 };

	if (!c->base && priorities && packing_parse(priorities, &p) < 0)
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, OPT_COMPRESSION_ALGO_PRIORITY), "compression-algo-priority",
		           "'%s' is no list of oc-lz4:NUMBER and lzs:NUMBER; the default order is used", priorities);
	if (config_own(c, OPT_COMPRESSION) && config_bool(c, OPT_COMPRESSION))
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, OPT_COMPRESSION), "compression",
		           "who can add text to a client's packets and see their sizes can find out what else is in them; see "
		           "COMPRESSION in penstock.conf(5)");
}

// ------------------------------------------------------------------------------------------------------------- the rest

// "name" or "name[Label]".
static bool is_choice(const char *text)
{
	size_t name = strcspn(text, "["), rest = strlen(text) - name;

	if (name == 0 || name > LIMIT_GROUP)
		return false;
	return rest == 0 || (rest > 2 && rest - 2 <= LIMIT_GROUP && text[name + rest - 1] == ']');
}

static void check_choices(const struct config *c, struct config_log *log)
{
	if (!config_own(c, OPT_SELECT_GROUP))
		return;
	for (unsigned i = 0; i < config_count(c, OPT_SELECT_GROUP); i++)
		if (!is_choice(config_nth(c, OPT_SELECT_GROUP, i)))
			wrong(log, c, OPT_SELECT_GROUP, i, "it is to be as in name or name[Label]");
	if (config_count(c, OPT_SELECT_GROUP) > LIMIT_GROUPS)
		wrong(log, c, OPT_SELECT_GROUP, LIMIT_GROUPS, "a login form has no room for more groups");
}

static void check_nics(const struct config *c, struct config_log *log)
{
	char interface[NIC_INTERFACE];
	struct nic_route route;
	struct addr address;

	for (unsigned i = 0; i < config_count(c, OPT_NIC_ADDRESS); i++)
		if (nic_address_parse(config_nth(c, OPT_NIC_ADDRESS, i), interface, &address) < 0)
			wrong(log, c, OPT_NIC_ADDRESS, i, "it is to be as in \"pnic0 192.0.2.1/24\"");
	for (unsigned i = 0; i < config_count(c, OPT_NIC_ROUTE); i++)
		if (nic_route_parse(config_nth(c, OPT_NIC_ROUTE, i), interface, &route) < 0)
			wrong(log, c, OPT_NIC_ROUTE, i,
			      "it is to be as in \"pnic0 default 192.0.2.254\" or \"pnic0 10.0.0.0/8 192.0.2.254\"");
	if ((config_given(c, OPT_NIC_ADDRESS) || config_given(c, OPT_NIC_ROUTE)) && !nic_wanted(c))
		config_say(log, LOG_LEVEL_WARN,
		           config_line_of(c, config_given(c, OPT_NIC_ADDRESS) ? OPT_NIC_ADDRESS : OPT_NIC_ROUTE), NULL,
		           "neither outer nor inner is a NIC by its PCI address: nic-address and nic-route have no effect");
}

static void check_netlist(const struct config *c, enum opt o, const char *wanted, struct config_log *log)
{
	const char *text;
	struct addr network;

	for (unsigned i = 0; i < config_count(c, o); i++) {
		text = config_nth(c, o, i);
		if (netlist_parse(text, &network) < 0 || (o == OPT_PROXY_FROM && strcmp(text, "none") == 0))
			wrong(log, c, o, i, wanted);
		if (config_count(c, o) > 1 && strcmp(text, "none") == 0)
			config_say(log, LOG_LEVEL_WARN, config_line_nth(c, o, i), opt_table[o].name,
			           "none has no effect beside others");
	}
}

static void check_proxies(const struct config *c, struct config_log *log)
{
	bool on = config_bool(c, OPT_LISTEN_PROXY_PROTO);

	check_netlist(c, OPT_PROXY_FROM, "it is to be a network as in 192.0.2.0/24, or local", log);
	if (on && !config_given(c, OPT_PROXY_FROM))
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, OPT_LISTEN_PROXY_PROTO), "listen-proxy-proto",
		           "whoever is in a network of the gateway's own may say whose connection he brings; name your proxies by "
		           "proxy-from");
	if (!on && config_given(c, OPT_PROXY_FROM))
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, OPT_PROXY_FROM), "proxy-from",
		           "no effect without listen-proxy-proto = true");
}

// A NIC of the dataplane's has its interface beside it in our own.
static void check_netns(const struct config *c, struct config_log *log)
{
	const char *name = config_str(c, OPT_LISTEN_NETNS), *word;

	if (!name)
		return;
	if (!netns_is_name(name))
		wrong(log, c, OPT_LISTEN_NETNS, 0, "it is to be a name in /run/netns, as ip netns shows it");
	for (unsigned i = 0; (word = config_nth(c, OPT_OUTER, i)); i++)
		if (strpbrk(word, ",:") || strncmp(word, "net_", 4) == 0)
			wrong(log, c, OPT_OUTER, i, "with listen-netns it can be auto, udp or an interface in that namespace");
}

static void check_scale(const struct config *c, struct config_log *log)
{
	if (config_num(c, OPT_SEC_MOD_SCALE) > LIMIT_KEY_THREADS)
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, OPT_SEC_MOD_SCALE), "sec-mod-scale",
		           "%d are started, and no more", LIMIT_KEY_THREADS);
}

static void check_metrics(const struct config *c, struct config_log *log)
{
	const char *place = config_str(c, OPT_METRICS_LISTEN), *why = place ? endpoint_wrong(place) : NULL;

	if (why)
		wrong(log, c, OPT_METRICS_LISTEN, 0, why);
}

void config_check(const struct config *c, struct config_log *log)
{
	check_networks(c, log);
	check_keys(c, log);
	check_auth(c, log);
	check_ways(c, log);
	check_accounting(c, log);
	check_radius_signatures(c, log);
	check_certificates(c, log);
	check_kdcs(c, log);
	check_items(c, log);
	check_packing(c, log);
	check_choices(c, log);
	check_priority(c, log);
	config_check_files(c, log);
	config_check_conflicts(c, log);
	config_check_web(c, log);
	config_check_tls(c, log);
	if (c->base)
		return;
	check_required(c, log);
	check_nics(c, log);
	check_netlist(c, OPT_BAN_EXEMPT, "it is to be a network as in 192.0.2.0/24, or local, or none", log);
	check_proxies(c, log);
	check_netns(c, log);
	check_scale(c, log);
	check_quota_file(c, log);
	config_check_hooks(c, log);
	check_metrics(c, log);
}
