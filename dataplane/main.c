// penstock-dataplane: started by main with its channel and a snapshot of the configuration. Opens the ports, gives up what it
// does not need any more, and carries packets until main closes the channel.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_pause.h>

#include "control.h"
#include "eal.h"
#include "loop.h"
#include "proto/log.h"
#include "proto/sandbox.h"

// For max-clients = 0, as many as that many key sets (40 MB) seem a fair price for.
#define TUNNELS_DEFAULT 8192
// Sessions that are being replaced hold a tunnel beside the one that replaces them.
#define TUNNELS_SPARE(n) (64 + (n) / 8)

static struct control control;

static uint32_t tunnels_max(const struct snapshot *s)
{
	uint64_t clients = snapshot_number(s, "max-clients");

	if (clients == 0)
		return TUNNELS_DEFAULT;
	return (uint32_t)RTE_MIN(clients + TUNNELS_SPARE(clients), (uint64_t)LIMIT_TUNNELS);
}

static uint8_t client_to_client(const struct snapshot *s)
{
	const char *who = snapshot_get(s, "client-to-client");

	if (who && strcmp(who, "direct") == 0)
		return CLIENTS_DIRECT;
	return who && strcmp(who, "deny") == 0 ? CLIENTS_DENY : CLIENTS_KERNEL;
}

static void open_log(const struct snapshot *s)
{
	const char *form = snapshot_get(s, "@log-form");

	log_init("penstock-dataplane", (enum log_level)snapshot_number(s, "@log-level"),
	         form && strcmp(form, "priority") == 0 ? LOG_FORM_PRIORITY : LOG_FORM_PLAIN);
}

// Main ends us by closing the channel: a Ctrl-C for the whole terminal is not for us. Real-time signals stay blocked in all
// threads, or DPDK's TAP driver would be sent one for every frame.
static void settle_signals(void)
{
	sigset_t set;

	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		sigaddset(&set, i);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int start_core(struct lcore *lc, const struct snapshot *s, char *why)
{
	const char *mode = snapshot_get(s, "poll-mode");

	lc->busy_poll = mode && strcmp(mode, "busy") == 0;
	if (rte_eal_remote_launch(loop_run, lc, lc->id) < 0)
		return START_ERROR(why, EIO, "the poll core on CPU %u does not start", lc->cpu);
	while (!__atomic_load_n(&lc->started, __ATOMIC_ACQUIRE)) {
		if (rte_eal_get_lcore_state(lc->id) == WAIT)
			return START_ERROR(why, EIO, "the poll core on CPU %u ended: %s", lc->cpu,
			                   strerror(-rte_eal_wait_lcore(lc->id)));
		usleep(100);
	}
	return 0;
}

static int start_cores(struct control *c, const struct snapshot *s, char *why)
{
	int ret = 0;

	for (unsigned i = 0; i < c->dp.n_cores && ret == 0; i++)
		ret = start_core(c->dp.cores[i], s, why);
	return ret;
}

// Ports and threads exist: from here on nothing is opened any more.
static int give_up_rights(const struct snapshot *s, char *why)
{
	const char *user = snapshot_get(s, "run-as-user"), *group = snapshot_get(s, "run-as-group");
	int ret = sandbox_drop_user(SANDBOX_DATAPLANE, user, group, true);

	if (ret < 0)
		return START_ERROR(why, -ret, "run-as-user = %s: %s", user ? user : "", strerror(-ret));
	ret = sandbox_limit(SANDBOX_DATAPLANE, true);
	if (ret < 0)
		return START_ERROR(why, -ret, "limits: %s", strerror(-ret));
	ret = sandbox_seccomp(SANDBOX_DATAPLANE);
	if (ret < 0)
		return START_ERROR(why, -ret, "seccomp: %s", strerror(-ret));
	return 0;
}

static int start(struct control *c, const struct snapshot *s, struct eal_report *eal, char *why)
{
	uint32_t tunnels = tunnels_max(s);
	struct cpu_list cpus;
	int ret;

	ret = aead_init();
	if (ret < 0)
		return START_ERROR(why, -ret, "no AEAD: %s", strerror(-ret));
	ret = eal_cpus(s, &cpus, why);
	if (ret == 0)
		ret = ports_check(s, why);
	if (ret == 0)
		ret = eal_start(s, &cpus, ports_budget(s, cpus.n) + control_budget(tunnels, cpus.n), eal, why);
	if (ret == 0)
		ret = ports_open(&c->ports, s, cpus.n, why);
	if (ret == 0)
		ret = control_init(c, tunnels, (uint16_t)snapshot_number(s, "udp-port"), &cpus, why);
	c->dp.whole = snapshot_bool(s, "try-mtu-discovery");
	c->dp.client_to_client = client_to_client(s);
	if (ret == 0)
		ret = start_cores(c, s, why);
	if (ret == 0)
		ret = give_up_rights(s, why);
	return ret;
}

static void tell_nics(struct control *c)
{
	for (unsigned i = 0; i < c->ports.n; i++) {
		const struct port *p = &c->ports.all[i];
		struct msg_dataplane_nic m = { 0 };
		if (!p->kernel)
			continue;
		snprintf(m.interface, sizeof(m.interface), "%s", p->interface);
		snprintf(m.device, sizeof(m.device), "%s", p->beside->name);
		m.mtu = p->beside->mtu;
		MAIN_SEND(c, DATAPLANE_NIC, &m);
	}
}

static void tell_ready(struct control *c, int ret, const struct eal_report *eal, const char *why)
{
	struct msg_dataplane_ready m = { .ok = ret == 0, .tunnels_max = c->dp.tunnels_max };

	snprintf(m.text, sizeof(m.text), "%s", ret == 0 ? aead_implementation() : why);
	snprintf(m.memory, sizeof(m.memory), "%s", eal->memory);
	if (ret == 0)
		snprintf(m.inner, sizeof(m.inner), "%s", c->ports.inner->interface);
	if (ret == 0)
		tell_nics(c);
	chan_enter(&c->main, DM_READY);
	MAIN_SEND(c, DATAPLANE_READY, &m);
}

static void stop_cores(struct control *c)
{
	for (unsigned i = 0; i < c->dp.n_cores && c->dp.cores[i]; i++)
		__atomic_store_n(&c->dp.cores[i]->stop, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < c->dp.n_cores && c->dp.cores[i]; i++)
		rte_eal_wait_lcore(c->dp.cores[i]->id);
}

int main(void)
{
	struct control *c = &control;
	struct eal_report eal = { 0 };
	char why[LIMIT_TEXT + 1] = "";
	struct snapshot *s;
	int ret;

	c->ports.n_given = udp_given(c->ports.given);
	if (sandbox_harden() < 0 || snapshot_open(CHILD_FD_CONF, &s) < 0)
		return EXIT_FAILURE;
	open_log(s);
	settle_signals();
	chan_init(&c->main, CHILD_FD_MAIN, ROLE_DATAPLANE, ROLE_MAIN, DM_STARTING, "main");
	c->memory = eal.memory;
	ret = start(c, s, &eal, why);
	eal_started(ret == 0);
	tell_ready(c, ret, &eal, why);
	snapshot_free(s);
	if (ret == 0)
		ret = control_run(c);
	else
		ret = EXIT_FAILURE;
	stop_cores(c);
	control_wipe(c);
	// The kernel closes the ports with their descriptors; DPDK's own way would need calls that seccomp forbids.
	_exit(ret);
}
