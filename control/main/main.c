// penstockd: holds the truth about sessions, starts and watches the other processes, and answers the operator.
// It parses no byte of a client's and waits for nobody.
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include "control/main/activation.h"
#include "control/main/admin.h"
#include "control/main/config.h"
#include "control/main/cputime.h"
#include "control/main/daemon.h"
#include "control/main/deposit.h"
#include "control/main/gateway.h"
#include "control/main/journal.h"
#include "control/main/import.h"
#include "control/main/handover.h"
#include "control/main/keep.h"
#include "control/main/keeper.h"
#include "control/main/listen.h"
#include "control/main/notify.h"
#include "control/main/metrics.h"
#include "control/main/options.h"
#include "control/main/recover.h"
#include "control/main/reload.h"
#include "control/main/supervise.h"
#include "control/main/syslogger.h"
#include "control/main/takeover.h"
#include "control/main/telemetry.h"
#include "control/main/trial.h"
#include "control/main/upgrade.h"
#include "control/main/usage.h"
#include "proto/err.h"
#include "proto/sandbox.h"

#define FILES_WANTED 1048576 // the kernel's own bound (fs.nr_open) by default

// --------------------------------------------------------------------------------------------------------------- signals

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct gateway *g = arg;

	switch (number) {
	case SIGCHLD:
		supervise_reap(g);
		break;
	case SIGHUP:
		reload_signal(g);
		break;
	case SIGUSR1:
		upgrade_signal(g);
		break;
	case SIGUSR2:
		log_notice("SIGUSR2");
		door_maintain(g, !g->door.maintenance);
		break;
	default:
		door_drain(g, number == SIGINT ? "SIGINT" : "SIGTERM");
	}
}

static const int signals_watched[] = { SIGCHLD, SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT };

#define SIGNALS (sizeof(signals_watched) / sizeof(*signals_watched))

static int signals_open(struct gateway *g, struct event *events[SIGNALS])
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SIGNALS; i++) {
		events[i] = evsignal_new(g->base, signals_watched[i], on_signal, g);
		if (!events[i] || event_add(events[i], NULL) < 0)
			return errno_log(ENOMEM, "cannot watch signal %d", signals_watched[i]);
	}
	return 0;
}

static void signals_close(struct event *events[SIGNALS])
{
	for (size_t i = 0; i < SIGNALS; i++)
		if (events[i])
			event_free(events[i]);
}

// ------------------------------------------------------------------------------------------------------------------- run

static void raise_file_limit(void)
{
	struct rlimit files = { FILES_WANTED, FILES_WANTED };

	if (setrlimit(RLIMIT_NOFILE, &files) == 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static int doors_open(struct gateway *g)
{
	const char *socket = config_bool(g->config, OPT_USE_OCCTL) ? config_str(g->config, OPT_OCCTL_SOCKET_FILE) : NULL;
	int ret = listen_open(g);

	return ret == 0 && socket ? admin_open(g, socket) : ret;
}

static int telemetry_start(struct gateway *g)
{
	const char *telemetry = config_str(g->config, OPT_TELEMETRY_SOCKET_FILE);

	return telemetry ? telemetry_open(g, telemetry) : 0;
}

static void run(struct gateway *g)
{
	event_base_dispatch(g->base);
	if (g->exit_status == 0)
		keep_nothing(g);
}

// From here on it tells the keeper what it does.
static int keeper_tell(struct gateway *g, struct keeper_link *keeper)
{
	return keeper->fd < 0 ? 0 : deposit_open(g, keeper);
}

static void all_close(struct gateway *g, struct event *events[SIGNALS])
{
	metrics_close(g);
	telemetry_close(g);
	admin_close(g);
	listen_close(g);
	usage_close(g);
	signals_close(events);
	notify_close();
	deposit_close(g);
}

static int loop(struct gateway *g, struct keeper_link *keeper)
{
	struct event *events[SIGNALS] = { NULL };
	int ret = signals_open(g, events);

	// one that begins anew has held them since its exec
	if (ret == 0)
		takeover_signals_release();
	if (ret == 0)
		ret = keeper_tell(g, keeper);
	// systemd that cannot be told anything ends us if it minds
	notify_open(g->base);
	if (ret == 0)
		ret = usage_open(g);
	if (ret == 0)
		ret = doors_open(g);
	if (ret == 0)
		ret = telemetry_start(g);
	if (ret == 0) {
		metrics_open(g);
		supervise_open(g);
		run(g);
	}
	all_close(g, events);
	return ret;
}

// One that does not understand us, of another version, keeps nothing of ours.
static void keeper_again(struct gateway *g, const struct takeover *t, const struct handover *h)
{
	bool kept = t->kind == TAKEOVER_KEPT;
	int fd = kept ? t->keeper_fd : h->process.keeper_fd, page_fd = kept ? t->page_fd : h->process.page_fd, ret;
	struct keeper_link link;

	if (fd < 0)
		return;
	ret = keeper_attach(fd, page_fd, &link);
	if (ret < 0) { // it would wait for our beat
		close(fd);
		close(page_fd);
	} else {
		ret = deposit_open(g, &link);
	}
	if (ret < 0)
		log_err("the keeper is of no use: %s; if main dies, everything ends", strerror(-ret));
	else
		deposit_begin(g, kept);
}

static int go_on(struct gateway *g, struct takeover *t, struct handover *h)
{
	if (t->kind == TAKEOVER_KEPT)
		return recover_begin(g, h);
	supervise_reap(g);
	supervise_step(g);
	upgrade_arrived(g, t, h);
	return 0;
}

// In the place of another penstockd, which has left all of its own to us. Before takeover_done() nothing may be closed.
static int loop_again(struct gateway *g, struct takeover *t, struct handover *h)
{
	struct event *events[SIGNALS] = { NULL };
	int ret = signals_open(g, events);

	if (ret == 0)
		ret = usage_open(g);
	if (ret == 0)
		ret = telemetry_start(g);
	if (ret < 0)
		return ret;
	notify_open(g->base);
	supervise_go_on(g);
	cputime_open(g);
	takeover_done(t, h);
	keeper_again(g, t, h);
	takeover_signals_release();
	ret = go_on(g, t, h);
	handover_fini(h);
	if (ret < 0)
		return ret;
	run(g);
	all_close(g, events);
	return 0;
}

// ----------------------------------------------------------------------------------------------------------------- start

// False: the log stays on stderr.
static bool log_start(const struct options *o, int facility, bool echo)
{
	bool journal = journal_has(STDERR_FILENO, getenv("JOURNAL_STREAM"));

	if (options_to_stderr(o) && !journal)
		return false;
	syslogger_open("penstockd", facility);
	if (journal)
		syslogger_journal();
	// whoever starts us has to see why it failed
	syslogger_echo(echo);
	return true;
}

static struct gateway gateway_of(const struct options *o, char **argv, const struct handover_process *self)
{
	return (struct gateway){ .options = o, .argv = argv, .self = self, .ready_fd = -1 };
}

// What there is before anything of a gateway.
struct beginning {
	struct keeper_link keeper;
	int ready_fd;
};

static char *program_path(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return NULL;
	path[n] = '\0';
	return strdup(path);
}

static int gateway_run(const struct options *o, char **argv, struct config *c, char *pid_file, struct beginning *b, bool to_syslog)
{
	struct handover_process self = { .pid_file = pid_file,
		                         .pid_fd = -1,
		                         .program = program_path(),
		                         .version = (char *)PENSTOCK_VERSION,
		                         .keeper_fd = -1,
		                         .page_fd = -1 };
	struct gateway g = gateway_of(o, argv, &self);
	int ret = self.program ? 0 : -ENOMEM;

	g.config = c;
	g.ready_fd = b->ready_fd;
	g.to_syslog = to_syslog;
	if (ret == 0 && (o->pid_file || !o->foreground)) {
		self.pid_fd = pidfile_open(pid_file, b->keeper.fd < 0 ? getpid() : getppid());
		ret = self.pid_fd < 0 ? self.pid_fd : 0;
	}
	if (ret == 0)
		ret = gateway_init(&g);
	if (ret == 0)
		ret = loop(&g, &b->keeper);
	if (ret == -ENOMEM)
		log_err("penstockd does not start: out of memory");
	gateway_fini(&g);
	pidfile_close(pid_file, self.pid_fd);
	free(self.program);
	return ret < 0 ? 1 : g.exit_status;
}

static int gateway_take_over(const struct options *o, char **argv, struct takeover *t)
{
	struct handover_process self = { .pid_fd = -1 };
	struct gateway g = gateway_of(o, argv, &self);
	struct handover h = { .g = &g, .kept = t->kind == TAKEOVER_KEPT };
	int ret;

	if (t->kind == TAKEOVER_TRIAL)
		log_set_level(LOG_LEVEL_WARN);
	else
		g.to_syslog = log_start(o, o->syslog_facility >= 0 ? o->syslog_facility : LOG_DAEMON, false);
	ret = takeover_restore(t, &h);
	if (t->kind == TAKEOVER_TRIAL)
		_exit(ret < 0 ? 1 : TAKEOVER_ABLE); // what we hold is another's, files and sockets too
	if (ret == 0) {
		self = h.process;
		self.version = (char *)PENSTOCK_VERSION;
		h.process.pid_file = h.process.program = NULL;
		gateway_log_facility(&g);
		gateway_log_level(&g);
		ret = loop_again(&g, t, &h);
	}
	if (ret < 0) {
		takeover_go_back("it cannot go on with what it has been given");
		log_err("nobody can go on: the sessions are lost");
		_exit(1);
	}
	gateway_fini(&g);
	pidfile_close(self.pid_file, self.pid_fd);
	syslogger_close();
	free(self.pid_file);
	free(self.program);
	return g.exit_status;
}

// The process that goes on from here is main: its keeper has gone another way.
static int keeper_have(const struct options *o, char **argv, const struct takeover *t, struct beginning *b)
{
	int ret = 0;

	if (t->kind == TAKEOVER_ANEW)
		return keeper_attach(t->keeper_fd, t->page_fd, &b->keeper);
	if (!o->foreground)
		ret = daemon_start(&b->ready_fd);
	if (ret < 0)
		return errno_log(-ret, "cannot become a daemon: %s", strerror(-ret));
	return keeper_start(argv, !o->foreground && !o->no_chdir, b->ready_fd, &b->keeper);
}

// As before anything of a gateway is there.
static int start(const struct options *o, char **argv, const struct takeover *t)
{
	struct beginning b = { .keeper = { -1, -1, NULL }, .ready_fd = -1 };
	struct config *config;
	char *pid_file;
	bool to_syslog;
	int ret;

	if (keeper_have(o, argv, t, &b) < 0 || activation_take() < 0)
		return 1;
	if (config_load(options_config(o), CONFIG_START, NULL, NULL, &config) < 0)
		return 1;
	if (geteuid() != 0) {
		log_err("penstockd has to be started by root");
		config_free(config);
		return 1;
	}
	// a copy: a reload frees what config_str() gives, and a daemon changes its directory
	pid_file = path_absolute(o->pid_file ? o->pid_file : config_str(config, OPT_PID_FILE));
	if (!pid_file || (!o->foreground && !o->no_chdir && chdir("/") < 0)) {
		log_err("pid file: %s", strerror(errno));
		return 1;
	}
	log_init("penstockd", gateway_level(o, config), LOG_FORM_PLAIN);
	to_syslog = log_start(o, gateway_facility(o, config), !o->foreground);
	ret = gateway_run(o, argv, config, pid_file, &b, to_syslog);
	syslogger_close();
	free(pid_file);
	return ret;
}

int main(int argc, char *argv[])
{
	struct options options;
	struct takeover takeover;

	takeover_begin(&takeover, argv);
	switch (options_parse(argc, argv, &options)) {
	case OPTIONS_DONE:
		return 0;
	case OPTIONS_WRONG:
		return 1;
	case OPTIONS_RUN:
		break;
	}
	log_init("penstockd", LOG_LEVEL_INFO, LOG_FORM_PLAIN);
	if (options.import)
		return import_run(options.import, options.output);
	if (options.test_config)
		return trial_run(options_config(&options));
	if (options.traceable)
		setenv(SANDBOX_TRACEABLE, "1", 1);
	else
		unsetenv(SANDBOX_TRACEABLE);
	if (sandbox_harden() < 0 || sandbox_keep_capabilities(SANDBOX_MAIN) < 0)
		return 1;
	if (takeover.kind == TAKEOVER_NONE && sandbox_landlock() == 0)
		log_notice("this kernel has no Landlock: which files processes open only seccomp and their users bound");
	raise_file_limit(); // the keeper's, too
	if (takeover.kind == TAKEOVER_NONE || takeover.kind == TAKEOVER_ANEW)
		return start(&options, argv, &takeover);
	return activation_take() < 0 ? 1 : gateway_take_over(&options, argv, &takeover);
}
