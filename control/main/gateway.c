#include "control/main/gateway.h"

#include <stdio.h>
#include <unistd.h>

#include "control/main/admin.h"
#include "control/main/config.h"
#include "control/main/cputime.h"
#include "control/main/daemon.h"
#include "control/main/deposit.h"
#include "control/main/events.h"
#include "control/main/inner.h"
#include "control/main/listen.h"
#include "control/main/notify.h"
#include "control/main/options.h"
#include "control/main/ping.h"
#include "control/main/program.h"
#include "control/main/renew.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "control/main/syslogger.h"
#include "control/main/timers.h"
#include "control/main/utmp.h"
#include "control/main/upgrade.h"
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

int gateway_facility(const struct options *o, const struct config *c)
{
	return o->syslog_facility >= 0 ? o->syslog_facility : config_facility(config_str(c, OPT_SYSLOG_FACILITY));
}

void gateway_log_facility(const struct gateway *g)
{
	syslogger_facility(gateway_facility(g->options, g->config));
}

int pictures_take(const struct gateway *g, const struct config *c, struct pictures *out)
{
	return pictures_take_with(g, c, &(struct config_word){ NULL, NULL }, out);
}

int pictures_take_with(const struct gateway *g, const struct config *c, const struct config_word *word, struct pictures *out)
{
	char level[8];
	const struct config_word words[] = {
		{ "@log-level", level },
		{ "@log-form", g->to_syslog ? "priority" : "plain" },
		{ "@libexec", supervise_libexec() },
		{ "@version", PENSTOCK_VERSION },
		*word,
		{ NULL, NULL },
	};
	struct pictures p = { 0 };
	int ret = 0;

	snprintf(level, sizeof(level), "%d", (int)gateway_level(g->options, c));
	for (p.n = 0; p.n < VIEWS && ret == 0; p.n += ret == 0)
		ret = config_snapshot(c, words, (enum config_view)p.n, &p.fd[p.n]);
	if (ret == 0) {
		*out = p;
		return 0;
	}
	pictures_drop(&p);
	return errno_log(-ret, "the configuration cannot be passed on: %s", strerror(-ret));
}

void pictures_drop(struct pictures *p)
{
	while (p->n > 0)
		close(p->fd[--p->n]);
}

// ----------------------------------------------------------------------------------------------------------- start, stop

int gateway_tables_init(struct gateway *g)
{
	int ret = htab_init(&g->conns_by_id);

	if (ret == 0)
		ret = htab_init(&g->sessions_by_sid);
	if (ret == 0)
		ret = htab_init(&g->sessions_by_id);
	if (ret == 0)
		ret = htab_init(&g->sessions_by_user);
	if (ret == 0)
		ret = htab_init(&g->iroutes);
	if (ret == 0)
		ret = htab_init(&g->lobby.sources);
	if (ret == 0)
		ret = address_book_init(&g->addresses);
	TAILQ_INIT(&g->children);
	TAILQ_INIT(&g->listeners);
	TAILQ_INIT(&g->conns);
	TAILQ_INIT(&g->sessions);
	TAILQ_INIT(&g->lobby.silent);
	TAILQ_INIT(&g->lobby.turns);
	TAILQ_INIT(&g->lobby.starts);
	TAILQ_INIT(&g->lobby.fresh);
	return ret;
}

void gateway_tables_fini(struct gateway *g)
{
	address_book_fini(&g->addresses);
	htab_fini(&g->conns_by_id);
	htab_fini(&g->sessions_by_sid);
	htab_fini(&g->sessions_by_id);
	htab_fini(&g->sessions_by_user);
	htab_fini(&g->iroutes);
	htab_fini(&g->lobby.sources);
}

int gateway_init(struct gateway *g)
{
	if (gateway_tables_init(g) < 0)
		return errno_log(ENOMEM, "out of memory");
	return gateway_begin(g);
}

int gateway_begin(struct gateway *g)
{
	int ret = policy_load(g->config, &g->policy);

	if (ret == 0)
		ret = address_pools(g, &g->policy);
	if (ret < 0)
		return ret;
	g->bans = ban_list_new(&g->policy.bans, BAN_ENTRIES_MAX);
	g->base = event_base_new();
	if (!g->bans || !g->base || timers_reserve(g->base) < 0 || programs_open(g) < 0 || utmp_open(g) < 0)
		return errno_log(ENOMEM, "out of memory");
	door_init(g);
	lobby_init(g);
	return pictures_take(g, g->config, &g->pictures);
}

void gateway_fini(struct gateway *g)
{
	inner_down(g); // pools go after the policy, and no longer make their neighbours move in on its interface
	pings_close(g);
	programs_close(g);
	utmp_close(g);
	session_free_all(g);
	tunnel_table_close(g);
	ban_list_free(g->bans);
	policy_free(&g->policy);
	config_free(g->config);
	pictures_drop(&g->pictures);
	gateway_tables_fini(g);
	if (g->base)
		event_base_free(g->base);
}

void gateway_up(struct gateway *g)
{
	if (door_begin(g) < 0) {
		gateway_stop(g, 1, "start failed");
		return;
	}
	g->phase = GATEWAY_UP;
	stats_begin(g);
	utmp_tidy(g);
	cputime_open(g);
	log_notice("penstockd %s is up: TCP port %u, UDP port %u, configuration %s", PENSTOCK_VERSION, g->policy.tcp_port,
	           g->policy.udp_port, config_file(g->config));
	daemon_ready(g->ready_fd);
	deposit_begin(g, false);
	notify_ready();
	g->ready_fd = -1;
}

void gateway_stop(struct gateway *g, int exit_status, const char *why)
{
	if (g->phase == GATEWAY_STOPPING) {
		supervise_hurry(g);
		return;
	}
	events_gateway(g, exit_status ? LOG_LEVEL_ERR : LOG_LEVEL_NOTICE, "stopping: %s", why);
	upgrade_give_up(g);
	g->phase = GATEWAY_STOPPING;
	deposit_end(g);
	notify_stopping(0);
	g->exit_status = exit_status;
	door_end(g);
	renew_give_up(g);
	listen_close(g);
	lobby_fini(g);
	stats_end(g);
	cputime_close(g);
	supervise_stop(g);
}
