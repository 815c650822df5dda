#include "control/main/gateway.h"

#include <stdio.h>
#include <unistd.h>

#include "control/main/admin.h"
#include "control/main/config.h"
#include "control/main/daemon.h"
#include "control/main/inner.h"
#include "control/main/listen.h"
#include "control/main/options.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "proto/err.h"

uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

// ------------------------------------------------------------------------------------------------------- what is derived

enum log_level gateway_level(const struct options *o, const struct config *c)
{
	return config_log_level(o->debug >= 0 ? (uint64_t)o->debug : config_num(c, OPT_LOG_LEVEL));
}

void gateway_log_level(const struct gateway *g)
{
	log_set_level(gateway_level(g->options, g->config));
}

int gateway_snapshot(const struct gateway *g, const struct config *c, int *fd)
{
	char level[8];
	const struct config_word words[] = {
		{ "@log-level", level },
		{ "@log-form", g->to_syslog ? "priority" : "plain" },
		{ "@libexec", supervise_libexec() },
		{ "@version", PENSTOCK_VERSION },
		{ NULL, NULL },
	};
	int ret;

	snprintf(level, sizeof(level), "%d", (int)gateway_level(g->options, c));
	ret = config_snapshot(c, words, fd);
	if (ret < 0)
		log_err("the configuration cannot be passed on: %s", strerror(-ret));
	return ret;
}

// *out is a new pool only where `now` does not do.
static int pool_for(struct gateway *g, const struct addr *network, unsigned subnet_prefix, struct lease_pool *now,
                    struct lease_pool **out)
{
	char text[ADDR_TEXT];
	int ret;

	*out = NULL;
	if (!network->family)
		return 0;
	if (now && lease_pool_is(now, network, subnet_prefix)) {
		*out = now;
		return 0;
	}
	ret = lease_pool_new(network, subnet_prefix, out);
	if (ret == 0 && (ret = inner_use(g, *out)) < 0) {
		lease_pool_retire(*out);
		*out = NULL;
	}
	if (ret < 0)
		log_err("no pool from %s: %s", addr_text_prefix(network, text),
		        ret == -EINVAL ? "the prefix lengths do not fit" : strerror(-ret));
	return ret;
}

int gateway_pools(struct gateway *g, const struct policy *p)
{
	struct lease_pool *ipv4, *ipv6;
	int ret = pool_for(g, &p->ipv4_network, 32, g->ipv4, &ipv4);

	if (ret < 0)
		return ret;
	ret = pool_for(g, &p->ipv6_network, p->ipv6_subnet_prefix, g->ipv6, &ipv6);
	if (ret < 0) {
		if (ipv4 != g->ipv4)
			lease_pool_retire(ipv4);
		return ret;
	}
	if (ipv4 != g->ipv4)
		lease_pool_retire(g->ipv4);
	if (ipv6 != g->ipv6)
		lease_pool_retire(g->ipv6);
	g->ipv4 = ipv4;
	g->ipv6 = ipv6;
	return 0;
}

// ----------------------------------------------------------------------------------------------------------- start, stop

static int tables_init(struct gateway *g)
{
	int ret = htab_init(&g->conns_by_id);

	if (ret == 0)
		ret = htab_init(&g->sessions_by_sid);
	if (ret == 0)
		ret = htab_init(&g->sessions_by_id);
	TAILQ_INIT(&g->children);
	TAILQ_INIT(&g->listeners);
	TAILQ_INIT(&g->conns);
	TAILQ_INIT(&g->sessions);
	return ret;
}

int gateway_init(struct gateway *g)
{
	int ret = tables_init(g);

	if (ret < 0)
		return errno_log(-ret, "out of memory");
	ret = policy_load(g->config, &g->policy);
	if (ret == 0)
		ret = gateway_pools(g, &g->policy);
	if (ret < 0)
		return ret;
	g->bans = ban_list_new(&g->policy.bans, BAN_ENTRIES_MAX);
	g->base = event_base_new();
	if (!g->bans || !g->base)
		return errno_log(ENOMEM, "out of memory");
	return gateway_snapshot(g, g->config, &g->snapshot_fd);
}

void gateway_fini(struct gateway *g)
{
	session_free_all(g);
	tunnel_table_close(g);
	lease_pool_retire(g->ipv4);
	lease_pool_retire(g->ipv6);
	ban_list_free(g->bans);
	policy_free(&g->policy);
	config_free(g->config);
	if (g->snapshot_fd >= 0)
		close(g->snapshot_fd);
	htab_fini(&g->conns_by_id);
	htab_fini(&g->sessions_by_sid);
	htab_fini(&g->sessions_by_id);
	if (g->base)
		event_base_free(g->base);
}

void gateway_up(struct gateway *g)
{
	if (listen_start(g) < 0) {
		gateway_stop(g, 1, "start failed");
		return;
	}
	g->phase = GATEWAY_UP;
	g->stats.up_since = time(NULL);
	g->stats.up_since_ms = clock_ms();
	log_notice("penstockd %s is up: TCP port %u, UDP port %u", PENSTOCK_VERSION, g->policy.tcp_port, g->policy.udp_port);
	daemon_ready(g->ready_fd);
	g->ready_fd = -1;
}

void gateway_stop(struct gateway *g, int exit_status, const char *why)
{
	if (g->phase == GATEWAY_STOPPING) {
		supervise_hurry(g);
		return;
	}
	log_line(exit_status ? LOG_LEVEL_ERR : LOG_LEVEL_NOTICE, "stopping: %s", why);
	g->phase = GATEWAY_STOPPING;
	g->exit_status = exit_status;
	listen_close(g);
	supervise_stop(g);
}
