// penstockd: holds the truth about sessions, starts and watches the other processes, and answers the operator.
// It parses no byte of a client's and waits for nobody.
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/main/admin.h"
#include "control/main/config.h"
#include "control/main/daemon.h"
#include "control/main/gateway.h"
#include "control/main/journal.h"
#include "control/main/import.h"
#include "control/main/keep.h"
#include "control/main/listen.h"
#include "control/main/notify.h"
#include "control/main/metrics.h"
#include "control/main/options.h"
#include "control/main/reload.h"
#include "control/main/supervise.h"
#include "control/main/syslogger.h"
#include "control/main/telemetry.h"
#include "control/main/trial.h"
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
	case SIGUSR2:
		log_notice("SIGUSR2");
		door_maintain(g, !g->door.maintenance);
		break;
	default:
		door_drain(g, number == SIGINT ? "SIGINT" : "SIGTERM");
	}
}

static const int signals_watched[] = { SIGCHLD, SIGHUP, SIGUSR2, SIGTERM, SIGINT };

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

static int loop(struct gateway *g)
{
	struct event *events[SIGNALS] = { NULL };
	const char *socket = config_bool(g->config, OPT_USE_OCCTL) ? config_str(g->config, OPT_OCCTL_SOCKET_FILE) : NULL;
	const char *telemetry = config_str(g->config, OPT_TELEMETRY_SOCKET_FILE);
	int ret = signals_open(g, events);

	// systemd that cannot be told anything ends us if it minds
	notify_open(g->base);
	if (ret == 0)
		ret = listen_open(g);
	if (ret == 0 && socket)
		ret = admin_open(g, socket);
	if (ret == 0 && telemetry)
		ret = telemetry_open(g, telemetry);
	if (ret == 0) {
		metrics_open(g);
		supervise_open(g);
		event_base_dispatch(g->base);
		if (g->exit_status == 0)
			keep_nothing(g);
	}
	metrics_close(g);
	telemetry_close(g);
	admin_close(g);
	listen_close(g);
	signals_close(events);
	notify_close();
	return ret;
}

static int gateway_run(const struct options *o, struct config *c, const char *pid_file, int ready_fd, bool to_syslog)
{
	struct gateway g = { .options = o, .config = c, .ready_fd = ready_fd, .to_syslog = to_syslog };
	bool write_pid = o->pid_file || !o->foreground;
	int pid_fd = -1, ret = 0;

	if (write_pid) {
		pid_fd = pidfile_open(pid_file);
		ret = pid_fd < 0 ? pid_fd : 0;
	}
	if (ret == 0)
		ret = gateway_init(&g);
	if (ret == 0)
		ret = loop(&g);
	gateway_fini(&g);
	pidfile_close(pid_file, pid_fd);
	return ret < 0 ? 1 : g.exit_status;
}

// False: the log stays on stderr.
static bool log_start(const struct options *o, const struct config *c)
{
	bool journal = journal_has(STDERR_FILENO, getenv("JOURNAL_STREAM"));

	log_init("penstockd", gateway_level(o, c), LOG_FORM_PLAIN);
	if (options_to_stderr(o) && !journal)
		return false;
	syslogger_open("penstockd", gateway_facility(o, c));
	if (journal)
		syslogger_journal();
	// whoever starts us has to see why it failed
	syslogger_echo(!o->foreground);
	return true;
}

int main(int argc, char *argv[])
{
	struct options options;
	struct config *config;
	char *pid_file;
	bool to_syslog;
	int ready_fd = -1, ret;

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
	if (sandbox_harden() < 0)
		return 1;
	if (config_load(options_config(&options), CONFIG_START, NULL, NULL, &config) < 0)
		return 1;
	if (geteuid() != 0) {
		log_err("penstockd has to be started by root");
		config_free(config);
		return 1;
	}
	raise_file_limit();
	// a copy: a reload frees what config_str() gives, and a daemon changes its directory
	pid_file = path_absolute(options.pid_file ? options.pid_file : config_str(config, OPT_PID_FILE));
	if (!pid_file) {
		log_err("pid file: %s", strerror(errno));
		return 1;
	}
	if (!options.foreground) {
		ret = daemon_start(options.no_chdir, &ready_fd);
		if (ret < 0) {
			log_err("cannot become a daemon: %s", strerror(-ret));
			return 1;
		}
	}
	to_syslog = log_start(&options, config);
	ret = gateway_run(&options, config, pid_file, ready_fd, to_syslog);
	syslogger_close();
	free(pid_file);
	return ret;
}
