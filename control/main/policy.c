#include "control/main/policy.h"

#include <errno.h>
#include <grp.h>
#include <string.h>

#include "control/main/config.h"
#include "control/main/netlist.h"
#include "proto/err.h"

static uint32_t number32(const struct config *c, enum opt o)
{
	uint64_t n = config_num(c, o);

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static int vhosts_load(const struct config *c, struct policy *p)
{
	struct policy_vhost *v;
	int ret = 0;

	for (unsigned i = 0; i < config_vhosts(c) && ret == 0; i++) {
		v = &p->vhost[i];
		v->config = config_vhost(c, i);
		v->name = config_vhost_name(v->config);
		ret = terms_new(v->config, NULL, NULL, NULL, &v->terms);
		if (ret < 0)
			break;
		p->n_vhosts++;
		ret = exposed_load(v->config, &v->exposed);
		if (ret == 0)
			ret = exposed_add(&v->exposed, v->terms);
	}
	return ret;
}

static int readers_load(const struct config *c, gid_t *out)
{
	const char *name = config_str(c, OPT_OCCTL_READONLY_GROUP);
	const struct group *group = name ? getgrnam(name) : NULL;

	if (name && !group)
		return errno_log(EINVAL, "occtl-readonly-group: there is no group '%s'", name);
	*out = group ? group->gr_gid : 0;
	return 0;
}

int policy_load(const struct config *c, struct policy *out)
{
	struct policy p = {
		.max_clients = number32(c, OPT_MAX_CLIENTS),
		.startups = number32(c, OPT_MAX_STARTUPS),
		.startups_per_source = number32(c, OPT_MAX_STARTUPS_PER_SOURCE),
		.auth_timeout = number32(c, OPT_AUTH_TIMEOUT),
		.rate_limit_ms = number32(c, OPT_RATE_LIMIT_MS),
		.drain_ms = number32(c, OPT_SERVER_DRAIN_MS),
		.stats_seconds = number32(c, OPT_SERVER_STATS_RESET_TIME),
		.tcp_port = (uint16_t)config_num(c, OPT_TCP_PORT),
		.udp_port = (uint16_t)config_num(c, OPT_UDP_PORT),
		.dtls_psk = config_bool(c, OPT_DTLS_PSK),
		.metrics_per_user = config_bool(c, OPT_METRICS_PER_USER),
		.points[ABUSE_CONNECTION] = number32(c, OPT_BAN_POINTS_CONNECTION),
		.points[ABUSE_PASSWORD] = number32(c, OPT_BAN_POINTS_WRONG_PASSWORD),
		.points[ABUSE_CRASH] = number32(c, OPT_BAN_POINTS_CRASH),
		.points[ABUSE_STALL] = number32(c, OPT_BAN_POINTS_STALL),
		.points[ABUSE_KKDCP] = number32(c, OPT_BAN_POINTS_KKDCP),
		.bans.max_score = number32(c, OPT_MAX_BAN_SCORE),
		.bans.ban_seconds = number32(c, OPT_BAN_TIME),
		.bans.reset_seconds = number32(c, OPT_BAN_RESET_TIME),
	};
	int ret = vhosts_load(c, &p);

	if (ret == 0)
		ret = readers_load(c, &p.readers);
	if (ret == 0)
		p.exempt = netlist_new(c, OPT_BAN_EXEMPT);
	if (ret == 0 && !p.exempt)
		ret = -ENOMEM;
	if (ret == 0 && config_bool(c, OPT_LISTEN_PROXY_PROTO)) {
		p.proxies = netlist_new(c, OPT_PROXY_FROM);
		ret = p.proxies ? 0 : -ENOMEM;
	}
	if (ret == 0)
		*out = p;
	else
		policy_free(&p);
	return ret;
}

void policy_free(struct policy *p)
{
	for (unsigned i = 0; i < p->n_vhosts; i++) {
		terms_put(p->vhost[i].terms);
		exposed_free(&p->vhost[i].exposed);
	}
	netlist_free(p->exempt);
	netlist_free(p->proxies);
	*p = (struct policy){ 0 };
}

const struct policy_vhost *policy_vhost(const struct policy *p, const char *name)
{
	for (unsigned i = 0; i < p->n_vhosts; i++)
		if (strcmp(p->vhost[i].name, name) == 0)
			return &p->vhost[i];
	return NULL;
}
