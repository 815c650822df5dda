#include "control/main/terms.h"

#include "control/main/gateway.h"

#include <stdlib.h>

#include "control/main/config.h"
#include "control/main/config_value.h"
#include "control/main/handover.h"
#include "proto/err.h"
#include "proto/limits.h"

#define LAYERS 4

struct layers {
	const struct config *vhost, *group, *user, *granted; // all but vhost: NULL where there is none
};

static const struct {
	enum opt option;
	enum item_kind kind;
} item_options[] = {
	{ OPT_DNS, ITEM_DNS },
	{ OPT_NBNS, ITEM_NBNS },
	{ OPT_DEFAULT_DOMAIN, ITEM_DEFAULT_DOMAIN },
	{ OPT_SPLIT_DNS, ITEM_SPLIT_DNS },
	{ OPT_ROUTE, ITEM_ROUTE },
	{ OPT_NO_ROUTE, ITEM_NO_ROUTE },
	{ OPT_BANNER, ITEM_BANNER },
	{ OPT_HOSTNAME, ITEM_HOSTNAME },
	{ OPT_PROXY_URL, ITEM_PROXY_URL },
	{ OPT_CUSTOM_HEADER, ITEM_HEADER },
};

// A client may have an IPv6 subnet of its own besides.
#define IROUTES_MAX (LIMIT_NETWORKS - 1)

#define ITEM_OPTIONS (sizeof(item_options) / sizeof(*item_options))

// ---------------------------------------------------------------------------------------------------------------- layers

static bool says(const struct config *c, enum opt o)
{
	return c && config_given(c, o);
}

// Whose word on an option with one value counts.
static const struct config *who_says(const struct layers *l, enum opt o)
{
	return says(l->granted, o) ? l->granted : says(l->user, o) ? l->user : says(l->group, o) ? l->group : l->vhost;
}

static uint32_t number32(const struct layers *l, enum opt o)
{
	uint64_t n = config_num(who_says(l, o), o);

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static uint64_t rate(const struct layers *l, enum opt o)
{
	uint64_t n = config_num(who_says(l, o), o);

	return n > LIMIT_RATE ? 0 : n;
}

static time_t until(const struct layers *l)
{
	const char *text = config_str(who_says(l, OPT_VALID_UNTIL), OPT_VALID_UNTIL);
	time_t when = 1; // what cannot be read is over

	if (!text)
		return 0;
	value_until(text, &when);
	return when;
}

// A TOS byte, or a priority of the kernel's queues, for which the dataplane has no use.
static void net_priority(struct terms *t, const struct layers *l)
{
	const char *text = config_str(who_says(l, OPT_NET_PRIORITY), OPT_NET_PRIORITY);

	if (text && strncmp(text, "0x", 2) == 0)
		t->tos = (uint8_t)strtoul(text, NULL, 16);
	else if (text)
		t->priority = (uint8_t)strtoul(text, NULL, 10);
}

static bool truth(const struct layers *l, enum opt o)
{
	return config_bool(who_says(l, o), o);
}

// The files whose lists make up a session's, in order; NULL: none more.
static void lists_of(const struct layers *l, enum opt o, const struct config *from[LAYERS])
{
	bool own = says(l->group, o) || says(l->user, o) || says(l->granted, o);
	bool append = (o == OPT_ROUTE || o == OPT_NO_ROUTE) && config_bool(l->vhost, OPT_APPEND_ROUTES);

	from[0] = says(l->group, o) ? l->group : NULL;
	from[1] = says(l->user, o) ? l->user : NULL;
	from[2] = says(l->granted, o) ? l->granted : NULL;
	from[3] = !own || append ? l->vhost : NULL;
}

// ----------------------------------------------------------------------------------------------------------------- items

static int item_add(struct terms *t, enum item_kind kind, const char *text)
{
	struct terms_item *grown;

	if (!*text) // a banner that is switched off
		return 0;
	if (t->n_items == LIMIT_ITEMS)
		return errno_log(EINVAL, "more than %d routes, servers and domains for one session", LIMIT_ITEMS);
	if ((t->n_items & (t->n_items - 1)) == 0) {
		grown = realloc(t->items, (t->n_items ? 2 * t->n_items : 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		t->items = grown;
	}
	t->items[t->n_items] = (struct terms_item){ kind, strdup(text) };
	if (!t->items[t->n_items].text)
		return -ENOMEM;
	t->n_items++;
	return 0;
}

static int items_add_all(struct terms *t, const struct config *c, enum opt o, enum item_kind kind)
{
	const char *text;
	int ret = 0;

	for (unsigned n = 0; ret == 0 && (text = config_nth(c, o, n)); n++)
		ret = item_add(t, kind, text);
	return ret;
}

static int items_load(struct terms *t, const struct layers *l)
{
	const struct config *from[LAYERS];
	int ret = 0;

	for (size_t i = 0; i < ITEM_OPTIONS; i++) {
		lists_of(l, item_options[i].option, from);
		for (size_t f = 0; f < LAYERS && ret == 0; f++)
			if (from[f])
				ret = items_add_all(t, from[f], item_options[i].option, item_options[i].kind);
	}
	if (ret == 0 && config_bool(l->vhost, OPT_LISTEN_HOST_IS_DYNDNS))
		ret = item_add(t, ITEM_HEADER, "X-CSTP-DynDNS: true");
	return ret;
}

// ---------------------------------------------------------------------------------------------------------------- values

static int address_load(const struct layers *l, enum opt o, uint8_t family, struct addr *out)
{
	const struct config *c = who_says(l, o);
	const char *text = config_str(c, o);

	if (!text || (addr_parse(text, out) == 0 && out->family == family))
		return 0;
	return errno_log(EINVAL, "%s: %s: '%s' is no IPv%u %s", config_file(c), config_name(o), text, family,
	                 o == OPT_EXPLICIT_IPV4 || o == OPT_EXPLICIT_IPV6 ? "address" : "network");
}

static int addresses_load(struct terms *t, const struct layers *l)
{
	int ret = address_load(l, OPT_IPV4_NETWORK, 4, &t->ipv4_network);

	if (ret == 0)
		ret = address_load(l, OPT_IPV6_NETWORK, 6, &t->ipv6_network);
	if (ret == 0)
		ret = address_load(l, OPT_EXPLICIT_IPV4, 4, &t->explicit_ipv4);
	if (ret == 0)
		ret = address_load(l, OPT_EXPLICIT_IPV6, 6, &t->explicit_ipv6);
	if (ret == 0 && !t->ipv4_network.family && !t->ipv6_network.family)
		ret = errno_log(EINVAL, "%s: ipv4-network or ipv6-network has to be there: clients need addresses",
		                config_file(l->vhost));
	t->ipv6_subnet_prefix = (uint8_t)number32(l, OPT_IPV6_SUBNET_PREFIX);
	return ret;
}

// Who says nothing of mobile clients means them too.
static uint32_t mobile_idle(const struct layers *l)
{
	const struct config *from[LAYERS] = { l->granted, l->user, l->group, l->vhost };

	for (size_t i = 0; i < LAYERS; i++) {
		if (says(from[i], OPT_MOBILE_IDLE_TIMEOUT))
			return (uint32_t)config_num(from[i], OPT_MOBILE_IDLE_TIMEOUT);
		if (says(from[i], OPT_IDLE_TIMEOUT))
			return (uint32_t)config_num(from[i], OPT_IDLE_TIMEOUT);
	}
	return number32(l, OPT_IDLE_TIMEOUT);
}

static int ports_load(struct terms *t, const struct layers *l)
{
	const struct config *c = who_says(l, OPT_RESTRICT_USER_TO_PORTS);
	const char *text = config_str(c, OPT_RESTRICT_USER_TO_PORTS), *wrong;

	if (!text)
		return 0;
	t->ports = malloc(sizeof(*t->ports));
	if (!t->ports)
		return -ENOMEM;
	return ports_parse(text, t->ports, &wrong);
}

static int iroutes_add(struct terms *t, const struct config *c)
{
	const char *text;
	struct addr a;

	for (unsigned n = 0; (text = config_nth(c, OPT_IROUTE, n)); n++) {
		if (addr_parse(text, &a) < 0 || t->n_iroutes == IROUTES_MAX)
			return errno_log(EINVAL, "%s: iroute: more than %d networks behind one client", config_file(c),
			                 IROUTES_MAX);
		t->iroutes[t->n_iroutes++] = a;
	}
	return 0;
}

static int iroutes_load(struct terms *t, const struct layers *l)
{
	const struct config *from[] = { l->group, l->user, l->granted };
	int ret = 0;

	if (!says(l->group, OPT_IROUTE) && !says(l->user, OPT_IROUTE) && !says(l->granted, OPT_IROUTE))
		return 0;
	t->iroutes = calloc(IROUTES_MAX, sizeof(*t->iroutes));
	if (!t->iroutes)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(from) / sizeof(*from) && ret == 0; i++)
		if (from[i])
			ret = iroutes_add(t, from[i]);
	return ret;
}

static struct packing packing_of(const struct config *c)
{
	struct packing p = { .above = (uint16_t)config_num(c, OPT_NO_COMPRESS_LIMIT) };

	// what is wrong with the order was said when the file was read: then it is ocserv's own
	if (!config_bool(c, OPT_COMPRESSION) ||
	    (packing_parse(config_str(c, OPT_COMPRESSION_ALGO_PRIORITY), &p) < 0 && packing_parse(NULL, &p) < 0))
		return (struct packing){ 0 };
	return p;
}

static void numbers_load(struct terms *t, const struct layers *l)
{
	t->idle_timeout = number32(l, OPT_IDLE_TIMEOUT);
	t->mobile_idle_timeout = mobile_idle(l);
	t->session_timeout = number32(l, OPT_SESSION_TIMEOUT);
	t->dpd = number32(l, OPT_DPD);
	t->mobile_dpd = number32(l, OPT_MOBILE_DPD);
	t->keepalive = number32(l, OPT_KEEPALIVE);
	t->max_same_clients = number32(l, OPT_MAX_SAME_CLIENTS);
	t->stats_report_time = number32(l, OPT_STATS_REPORT_TIME);
	t->mtu = (uint16_t)number32(l, OPT_MTU);
	t->rx_rate = rate(l, OPT_RX_DATA_PER_SEC);
	t->tx_rate = rate(l, OPT_TX_DATA_PER_SEC);
	net_priority(t, l);
	t->output_buffer = (uint16_t)number32(l, OPT_OUTPUT_BUFFER);
	t->quota.day = config_num(who_says(l, OPT_QUOTA_DAY), OPT_QUOTA_DAY);
	t->quota.month = config_num(who_says(l, OPT_QUOTA_MONTH), OPT_QUOTA_MONTH);
	t->valid_until = until(l);
	t->no_udp = truth(l, OPT_NO_UDP);
	t->rules = (truth(l, OPT_DENY_ROAMING) ? RULE_DENY_ROAMING : 0) | (truth(l, OPT_COPY_DSCP) ? RULE_COPY_DSCP : 0) |
	           (truth(l, OPT_MSS_CLAMP) ? RULE_CLAMP_MSS : 0);
	t->tunnel_all_dns = truth(l, OPT_TUNNEL_ALL_DNS);
	t->client_bypass = truth(l, OPT_CLIENT_BYPASS_PROTOCOL);
	t->restrict_to_routes = truth(l, OPT_RESTRICT_USER_TO_ROUTES);
	t->udp_silence = number32(l, OPT_SWITCH_TO_TCP_TIMEOUT);
	t->rekey_time = number32(l, OPT_REKEY_TIME);
	t->rekey_method = strcmp(config_str(l->vhost, OPT_REKEY_METHOD), "ssl") == 0 ? REKEY_SSL : REKEY_NEW_TUNNEL;
	t->dtls_legacy = truth(l, OPT_DTLS_LEGACY) || config_bool(l->vhost, OPT_CISCO_CLIENT_COMPAT) ||
	                 config_bool(l->vhost, OPT_CISCO_SVC_CLIENT_COMPAT);
	t->predictable_ips = truth(l, OPT_PREDICTABLE_IPS);
	t->packing = packing_of(l->vhost);
}

// --------------------------------------------------------------------------------------------------------------- objects

int terms_new(const struct config *vhost, const struct config *group, const struct config *user, const struct config *granted,
              struct terms **out)
{
	const struct layers l = { vhost, group, user, granted };
	struct terms *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return -ENOMEM;
	t->references = 1;
	numbers_load(t, &l);
	ret = addresses_load(t, &l);
	if (ret == 0)
		ret = ports_load(t, &l);
	if (ret == 0)
		ret = iroutes_load(t, &l);
	if (ret == 0)
		ret = items_load(t, &l);
	if (ret < 0)
		terms_put(t);
	else
		*out = t;
	return ret;
}

struct terms *terms_get(struct terms *t)
{
	t->references++;
	return t;
}

void terms_put(struct terms *t)
{
	if (!t || --t->references > 0)
		return;
	for (size_t i = 0; i < t->n_items; i++)
		free(t->items[i].text);
	free(t->items);
	free(t->iroutes);
	free(t->ports);
	if (t->g)
		deposit_leave(t->g, &t->mark);
	free(t);
}

const char *terms_text(const struct terms *t, enum item_kind kind, unsigned n)
{
	for (size_t i = 0; i < t->n_items; i++)
		if (t->items[i].kind == kind && n-- == 0)
			return t->items[i].text;
	return NULL;
}

int terms_route(struct terms *t, const char *network)
{
	const char *text;

	for (unsigned n = 0; (text = terms_text(t, ITEM_ROUTE, n)); n++)
		if (strcmp(text, network) == 0)
			return 0;
	return item_add(t, ITEM_ROUTE, network);
}

bool terms_reach_all(const struct terms *t)
{
	const char *text;
	unsigned n = 0;

	while ((text = terms_text(t, ITEM_ROUTE, n)) && strcmp(text, "default") != 0)
		n++;
	return text || n == 0;
}

// -------------------------------------------------------------------------------------------------------------- handover

#define N(member) STATE_NUMBER(struct terms, member)

static const struct state_field terms_fields[] = {
	N(number),
	N(session_timeout),
	N(keepalive),
	N(idle_timeout),
	N(mobile_idle_timeout),
	N(dpd),
	N(mobile_dpd),
	N(max_same_clients),
	N(stats_report_time),
	N(mtu),
	N(udp_silence),
	N(rekey_time),
	STATE_UPTO(struct terms, rekey_method, REKEY_METHOD_LAST),
	N(no_udp),
	N(tunnel_all_dns),
	N(client_bypass),
	N(dtls_legacy),
	N(predictable_ips),
	STATE_BYTES(struct terms, packing.priority),
	N(packing.above),
	STATE_UPTO(struct terms, rules, RULES_ALL),
	STATE_ADDR(struct terms, ipv4_network),
	STATE_ADDR(struct terms, ipv6_network),
	N(ipv6_subnet_prefix),
	STATE_ADDR(struct terms, explicit_ipv4),
	STATE_ADDR(struct terms, explicit_ipv6),
	N(rx_rate),
	N(tx_rate),
	N(quota.day),
	N(quota.month),
	N(valid_until),
	N(tos),
	N(priority),
	N(output_buffer),
	N(restrict_to_routes),
};

#undef N

STATE_COVERS(struct terms, 320);

static const struct state_field ports_fields[] = {
	STATE_NUMBER(struct port_rules, but),
	STATE_UPTO(struct port_rules, n, LIMIT_PORTS),
	STATE_BYTES(struct port_rules, rule),
};

static const struct state_field item_fields[] = {
	STATE_UPTO(struct terms_item, kind, ITEM_KIND_LAST),
	STATE_STRING(struct terms_item, text),
};

static const struct state_field iroute_fields[] = { { "network", STATE_KIND_ADDR, 0, sizeof(struct addr), 0 } };

void terms_keep(struct gateway *g, struct terms *t)
{
	if (t->mark.object)
		return;
	if (!t->kept)
		t->kept = g->terms_last + 1;
	if (g->terms_last < t->kept)
		g->terms_last = t->kept;
	t->g = g;
	deposit_enter(g, &t->mark, VAULT_TERMS, t->kept, t);
}

uint32_t terms_number(const struct terms *t, const struct state_writer *w)
{
	return w->kept ? t->kept : t->number;
}

void terms_save(struct terms *t, uint32_t number, struct state_writer *w)
{
	static const struct port_rules none;

	t->number = number;
	state_write(w, "terms",
	            STATE_PARTS(STATE_PART("", terms_fields, t), STATE_PART("ports.", ports_fields, t->ports ? t->ports : &none)));
	for (size_t i = 0; i < t->n_items; i++)
		state_write(w, "terms-item", STATE_PARTS(STATE_PART("", item_fields, &t->items[i])));
	for (size_t i = 0; i < t->n_iroutes; i++)
		state_write(w, "terms-iroute", STATE_PARTS(STATE_PART("", iroute_fields, &t->iroutes[i])));
}

int terms_restore(struct handover *h, const struct state_record *rec)
{
	struct terms *t = calloc(1, sizeof(*t)), **grown = realloc(h->terms, (h->n_terms + 1) * sizeof(*grown));
	struct port_rules ports = { 0 };
	int ret;

	h->terms = grown ? grown : h->terms;
	if (!t || !grown) {
		free(t);
		return -ENOMEM;
	}
	t->references = 1;
	h->terms[h->n_terms++] = t;
	ret = state_read(rec, STATE_PARTS(STATE_PART("", terms_fields, t), STATE_PART("ports.", ports_fields, &ports)));
	if (ret < 0)
		return ret;
	if (h->n_terms > 1 ? t->number <= h->terms[h->n_terms - 2]->number : !t->number)
		return errno_log(EBADMSG, "state: terms: number %u is out of turn", t->number);
	t->kept = h->kept ? t->number : 0;
	if (!ports.n && !ports.but)
		return 0;
	t->ports = malloc(sizeof(ports));
	if (!t->ports)
		return -ENOMEM;
	*t->ports = ports;
	return 0;
}

int terms_item_restore(struct handover *h, const struct state_record *rec)
{
	struct terms *t = h->n_terms ? h->terms[h->n_terms - 1] : NULL;
	struct terms_item item = { 0 };
	int ret = state_read(rec, STATE_PARTS(STATE_PART("", item_fields, &item)));

	if (ret == 0)
		ret = t && item.text ? item_add(t, item.kind, item.text) : -EBADMSG;
	free(item.text);
	return ret;
}

int terms_iroute_restore(struct handover *h, const struct state_record *rec)
{
	struct terms *t = h->n_terms ? h->terms[h->n_terms - 1] : NULL;

	if (!t || t->n_iroutes == IROUTES_MAX)
		return -EBADMSG;
	if (!t->iroutes)
		t->iroutes = calloc(IROUTES_MAX, sizeof(*t->iroutes));
	if (!t->iroutes)
		return -ENOMEM;
	return state_read(rec, STATE_PARTS(STATE_PART("", iroute_fields, &t->iroutes[t->n_iroutes++])));
}
