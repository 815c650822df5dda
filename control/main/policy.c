#include "control/main/policy.h"

#include <stdlib.h>

#include "control/main/config.h"
#include "proto/err.h"
#include "proto/limits.h"

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
};

#define ITEM_OPTIONS (sizeof(item_options) / sizeof(*item_options))

static uint32_t number32(const struct config *c, enum opt o)
{
	uint64_t n = config_num(c, o);

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

// An empty value (a banner that a vhost-less file switches off) is no item.
static bool worth(const char *text)
{
	return text && *text;
}

static size_t items_count(const struct config *c)
{
	size_t n = 0;

	for (size_t i = 0; i < ITEM_OPTIONS; i++)
		n += config_count(c, item_options[i].option);
	return n;
}

static int items_load(const struct config *c, struct policy *p)
{
	size_t room = items_count(c);

	if (room > LIMIT_ITEMS)
		return errno_log(EINVAL, "%s: %zu routes, servers and domains: more than %d", config_file(c), room, LIMIT_ITEMS);
	p->items = calloc(room + 1, sizeof(*p->items));
	if (!p->items)
		return -ENOMEM;
	for (size_t i = 0; i < ITEM_OPTIONS; i++) {
		const char *text;

		for (unsigned n = 0; (text = config_nth(c, item_options[i].option, n)); n++) {
			if (!worth(text))
				continue;
			p->items[p->n_items].kind = item_options[i].kind;
			p->items[p->n_items].text = strdup(text);
			if (!p->items[p->n_items++].text)
				return -ENOMEM;
		}
	}
	return 0;
}

static int network_load(const struct config *c, enum opt o, struct addr *out)
{
	const char *text = config_str(c, o);

	if (!text || addr_parse(text, out) == 0)
		return 0;
	return errno_log(EINVAL, "%s: %s: '%s' is no network", config_file(c), config_name(o), text);
}

static int networks_load(const struct config *c, struct policy *p)
{
	int ret = network_load(c, OPT_IPV4_NETWORK, &p->ipv4_network);

	if (ret == 0)
		ret = network_load(c, OPT_IPV6_NETWORK, &p->ipv6_network);
	if (ret < 0)
		return ret;
	if (!p->ipv4_network.family && !p->ipv6_network.family)
		return errno_log(EINVAL, "%s: ipv4-network or ipv6-network has to be there: clients need addresses",
		                 config_file(c));
	p->ipv6_subnet_prefix = (uint8_t)config_num(c, OPT_IPV6_SUBNET_PREFIX);
	return 0;
}

static void numbers_load(const struct config *c, struct policy *p)
{
	p->max_clients = number32(c, OPT_MAX_CLIENTS);
	p->auth_timeout = number32(c, OPT_AUTH_TIMEOUT);
	p->idle_timeout = number32(c, OPT_IDLE_TIMEOUT);
	p->mobile_idle_timeout = config_given(c, OPT_MOBILE_IDLE_TIMEOUT) ? number32(c, OPT_MOBILE_IDLE_TIMEOUT) : p->idle_timeout;
	p->session_timeout = number32(c, OPT_SESSION_TIMEOUT);
	p->dpd = number32(c, OPT_DPD);
	p->mobile_dpd = number32(c, OPT_MOBILE_DPD);
	p->keepalive = number32(c, OPT_KEEPALIVE);
	p->udp_silence = number32(c, OPT_SWITCH_TO_TCP_TIMEOUT);
	p->tcp_port = (uint16_t)config_num(c, OPT_TCP_PORT);
	p->udp_port = (uint16_t)config_num(c, OPT_UDP_PORT);
	p->mtu = (uint16_t)config_num(c, OPT_MTU);
	p->no_udp = config_bool(c, OPT_NO_UDP);
	p->tunnel_all_dns = config_bool(c, OPT_TUNNEL_ALL_DNS);
	p->predictable_ips = config_bool(c, OPT_PREDICTABLE_IPS);
	p->points_wrong_password = number32(c, OPT_BAN_POINTS_WRONG_PASSWORD);
	p->points_connection = number32(c, OPT_BAN_POINTS_CONNECTION);
	p->bans.max_score = number32(c, OPT_MAX_BAN_SCORE);
	p->bans.ban_seconds = number32(c, OPT_BAN_TIME);
	p->bans.reset_seconds = number32(c, OPT_BAN_RESET_TIME);
}

int policy_load(const struct config *c, struct policy *out)
{
	struct policy p = { 0 };
	int ret;

	numbers_load(c, &p);
	ret = networks_load(c, &p);
	if (ret == 0)
		ret = items_load(c, &p);
	if (ret < 0) {
		policy_free(&p);
		return ret;
	}
	*out = p;
	return 0;
}

void policy_free(struct policy *p)
{
	for (size_t i = 0; i < p->n_items; i++)
		free(p->items[i].text);
	free(p->items);
	*p = (struct policy){ 0 };
}

const char *policy_item_text(const struct policy *p, enum item_kind kind, unsigned n)
{
	for (size_t i = 0; i < p->n_items; i++)
		if (p->items[i].kind == kind && n-- == 0)
			return p->items[i].text;
	return NULL;
}
