#include "control/main/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/admin.h"
#include "control/main/config.h"
#include "control/main/deposit.h"
#include "control/main/events.h"
#include "control/main/inner.h"
#include "control/main/listen.h"
#include "control/main/notify.h"
#include "control/main/metrics.h"
#include "control/main/supervise.h"
#include "control/main/upgrade.h"
#include "proto/err.h"

#define RELOAD_SECONDS 60

struct reload {
	struct config *config;
	struct policy policy;
	struct pictures pictures;
	struct metrics_place metrics;
	uint32_t token;
	struct child *nursery; // NULL: sec-mod is still preparing
	bool secmod_asked;
	bool upgrade; // no file was read
	bool again;   // if a process dies meanwhile: once, for what is being loaded may have killed it
	struct event timer;
	char problem[LIMIT_TEXT]; // the first error of the file
	char kept[LIMIT_TEXT];    // names of options that take a restart
};

static void reload_free(struct reload *r)
{
	if (evtimer_initialized(&r->timer))
		evtimer_del(&r->timer);
	policy_free(&r->policy);
	config_free(r->config);
	pictures_drop(&r->pictures);
	metrics_forget(&r->metrics);
	free(r);
}

static void secmod_switch(struct gateway *g, const struct reload *r, bool commit)
{
	const struct msg_secmod_switch m = { .token = r->token, .commit = commit };

	if (r->secmod_asked && g->secmod && g->secmod->ready)
		link_send(&g->secmod->link, MSG_SECMOD_SWITCH, &m, NULL);
}

static void tell(struct gateway *g, const struct reload *r, bool ok, const char *text)
{
	if (r->upgrade)
		upgrade_settled(g, ok, text);
	else
		admin_reloaded(g, ok, text);
}

static void reload_fail(struct gateway *g, const char *why)
{
	struct reload *r = g->reload;

	g->reload = NULL;
	deposit_reloading(g, false);
	notify_ready();
	// what is wrong with the file stands in the log already
	if (!r->upgrade)
		events_gateway(g, LOG_LEVEL_ERR, "reload: %s; the old configuration stays", r->problem[0] ? "refused" : why);
	secmod_switch(g, r, false);
	listen_forget(g);
	if (r->nursery) {
		r->nursery->leaving = true;
		child_kill(r->nursery);
	}
	if (!r->upgrade)
		g->figures.reloads_refused++;
	tell(g, r, false, why);
	reload_free(r);
	reload_resume(g);
	upgrade_resume(g);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;

	reload_fail(g, g->reload->nursery ? "the new nursery does not become ready" : "sec-mod does not answer");
}

// --------------------------------------------------------------------------------------------------------------- prepare

static void on_problem(void *who, const struct config_remark *found)
{
	struct reload *r = who;

	log_line(found->level, "%s", found->whole);
	if (found->level <= LOG_LEVEL_ERR && !r->problem[0])
		snprintf(r->problem, sizeof(r->problem), "%s", found->whole);
}

// The operator who asks for a reload has not the log before him.
static void on_kept(void *who, const struct config_remark *found)
{
	struct reload *r = who;
	size_t used = strlen(r->kept);

	log_line(found->level, "%s", found->whole);
	snprintf(r->kept + used, sizeof(r->kept) - used, "%s%s", used ? ", " : "", found->option);
}

static int read_file(struct gateway *g, struct reload *r)
{
	int ret = config_load(config_file(g->config), CONFIG_RELOAD, on_problem, r, &r->config);

	if (ret == 0)
		ret = config_keep(g->config, r->config, on_kept, r);
	return ret < 0 ? ret : 0;
}

static int prepare(struct gateway *g, struct reload *r)
{
	int ret = r->upgrade ? 0 : read_file(g, r);

	if (ret == 0)
		ret = policy_load(r->config, &r->policy);
	if (ret == 0)
		ret = pictures_take(g, r->config, &r->pictures);
	if (ret == 0)
		ret = metrics_prepare(g, r->config, &r->metrics);
	if (ret == 0)
		ret = listen_prepare(g, &r->policy);
	return ret;
}

static void ask_secmod(struct gateway *g)
{
	const struct timeval tv = { .tv_sec = RELOAD_SECONDS };
	struct reload *r = g->reload;
	const struct msg_secmod_reload m = { .token = r->token };

	evtimer_assign(&r->timer, g->base, on_timer, g);
	evtimer_add(&r->timer, &tv);
	r->secmod_asked = true;
	if (link_send(&g->secmod->link, MSG_SECMOD_RELOAD, &m, &r->pictures.fd[VIEW_SECRET]) < 0)
		reload_fail(g, "sec-mod cannot be asked");
}

// NULL: one can begin now.
static const char *why_not_now(const struct gateway *g)
{
	if (g->reload)
		return "another reload is going on";
	if (g->recovery)
		return "the main process is being replaced";
	if (g->upgrade)
		return "an upgrade is going on";
	if (g->phase != GATEWAY_UP || !g->secmod || !g->secmod->ready)
		return "the gateway is not whole";
	return g->secmod->stuck ? "sec-mod does not answer" : NULL;
}

static void begin(struct gateway *g, struct reload *r)
{
	static uint32_t token;
	int ret;

	r->token = ++token;
	g->reload = r;
	deposit_reloading(g, true);
	notify_reloading();
	ret = prepare(g, r);
	if (ret == 0)
		ask_secmod(g);
	else
		reload_fail(g, r->problem[0] ? r->problem : strerror(-ret));
}

static void start(struct gateway *g, bool again)
{
	struct reload *r = calloc(1, sizeof(*r));

	g->reload_due = false;
	if (!r) {
		log_err("reload: out of memory");
		admin_reloaded(g, false, "out of memory");
		return;
	}
	r->again = again;
	begin(g, r);
}

void reload_again(struct gateway *g, struct config *c)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (!r) {
		config_free(c);
		upgrade_settled(g, false, "out of memory");
		return;
	}
	r->upgrade = true;
	r->config = c;
	begin(g, r);
}

void reload_start(struct gateway *g)
{
	const char *why = why_not_now(g);

	if (!why) {
		start(g, false);
		return;
	}
	log_warn("reload: not now: %s", why);
	if (!g->reload)
		admin_reloaded(g, false, why);
}

void reload_signal(struct gateway *g)
{
	const char *why = why_not_now(g);

	if (why) {
		log_notice("SIGHUP: reload, but not yet: %s", why);
		g->reload_due = true;
		return;
	}
	log_notice("SIGHUP: reload");
	start(g, true);
}

void reload_resume(struct gateway *g)
{
	if (g->reload_due && !why_not_now(g))
		start(g, false);
}

void reload_secmod_ready(struct gateway *g, const struct msg_secmod_reloaded *m)
{
	struct reload *r = g->reload;

	if (!r || m->token != r->token || r->nursery)
		return;
	if (!m->ok) {
		reload_fail(g, m->text);
		return;
	}
	r->nursery = supervise_next(g, &child_nursery, &r->pictures);
	if (!r->nursery)
		reload_fail(g, "a new nursery cannot be started");
}

// ---------------------------------------------------------------------------------------------------------------- switch

static uint8_t client_to_client(const struct config *c)
{
	const char *who = config_str(c, OPT_CLIENT_TO_CLIENT);

	if (strcmp(who, "direct") == 0)
		return CLIENTS_DIRECT;
	return strcmp(who, "deny") == 0 ? CLIENTS_DENY : CLIENTS_KERNEL;
}

void reload_tell_dataplane(struct gateway *g)
{
	const struct msg_dataplane_set m = { .client_to_client = client_to_client(g->config),
		                             .log_level = gateway_level(g->options, g->config) };

	// one that is not ready yet is told when it is
	if (g->dataplane && g->dataplane->ready)
		LINK_SEND(&g->dataplane->link, DATAPLANE_SET, &m);
}

// Each session takes a tunnel, and how many there are was settled when the dataplane started.
static void bound_clients(struct gateway *g)
{
	if (g->policy.max_clients <= g->tunnels_max || !g->tunnels_max)
		return;
	log_warn("max-clients: %u take a restart; until then it is %u", g->policy.max_clients, g->tunnels_max);
	g->policy.max_clients = g->tunnels_max;
}

static void adopt(struct gateway *g, struct reload *r)
{
	struct config *old = g->config;

	g->config = r->config;
	r->config = old;
	policy_free(&g->policy);
	g->policy = r->policy;
	r->policy = (struct policy){ 0 };
	pictures_drop(&g->pictures);
	g->pictures = r->pictures;
	r->pictures.n = 0;
	ban_set_rules(g->bans, &g->policy.bans);
	admin_sync_readers(g);
	bound_clients(g);
	stats_rearm(g);
	gateway_log_level(g);
	gateway_log_facility(g);
	metrics_switch(g, &r->metrics);
}

static void tell_done(struct gateway *g, const struct reload *r)
{
	char text[LIMIT_TEXT];

	snprintf(text, sizeof(text), "the configuration is reloaded%s%.900s", r->kept[0] ? "; a restart is needed for " : "",
	         r->kept);
	tell(g, r, true, text);
}

void reload_nursery_ready(struct gateway *g, bool ok, const char *text)
{
	struct reload *r = g->reload;

	if (!ok) {
		reload_fail(g, text);
		return;
	}
	if (address_pools(g, &r->policy) < 0) {
		reload_fail(g, "the address pools cannot be made");
		return;
	}
	if (listen_ready(g) < 0) {
		reload_fail(g, "clients cannot connect at the new tcp-port");
		return;
	}
	secmod_switch(g, r, true);
	supervise_switch_nursery(g, r->nursery);
	adopt(g, r);
	listen_switch(g);
	g->reload = NULL;
	deposit_reloading(g, false);
	deposit_whole(g);
	// its failure is logged; the interface keeps what it has
	inner_sync(g);
	reload_tell_dataplane(g);
	events_gateway(g, LOG_LEVEL_NOTICE, "%s", r->upgrade ? "new workers are of this version" : "configuration reloaded");
	notify_ready();
	if (!r->upgrade)
		figures_reloaded(g);
	tell_done(g, r);
	reload_free(r);
	supervise_step(g);
}

void reload_peer_lost(struct gateway *g, const char *why)
{
	if (!g->reload)
		return;
	g->reload_due = g->reload_due || g->reload->again;
	reload_fail(g, why);
}
