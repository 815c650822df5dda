#include "control/main/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/config.h"

enum { OPTION_NO_CHDIR = 256, OPTION_LOG_STDERR, OPTION_SYSLOG, OPTION_FACILITY, OPTION_IMPORT, OPTION_OUTPUT };

static const struct option words[] = {
	{ "foreground", no_argument, NULL, 'f' },
	{ "debug", required_argument, NULL, 'd' },
	{ "config", required_argument, NULL, 'c' },
	{ "pid-file", required_argument, NULL, 'p' },
	{ "test-config", no_argument, NULL, 't' },
	{ "traceable", no_argument, NULL, 'x' },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "no-chdir", no_argument, NULL, OPTION_NO_CHDIR },
	{ "log-stderr", no_argument, NULL, OPTION_LOG_STDERR },
	{ "syslog", no_argument, NULL, OPTION_SYSLOG },
	{ "syslog-facility", required_argument, NULL, OPTION_FACILITY },
	{ "import", required_argument, NULL, OPTION_IMPORT },
	{ "output", required_argument, NULL, OPTION_OUTPUT },
	{ .name = NULL },
};

static void print_help(void)
{
	printf("penstockd " PENSTOCK_VERSION ", an OpenConnect VPN server\n"
	       "Usage: penstockd [OPTION]...\n\n"
	       "  -f, --foreground            do not daemonise\n"
	       "  -d, --debug=N               log level 0 to 9 instead of the configuration's\n"
	       "  -c, --config=FILE           configuration (" OPTIONS_CONFIG ",\n"
	       "                              else " OPTIONS_CONFIG_OCSERV " or " OPTIONS_CONFIG_OCSERV_OLD ")\n"
	       "  -p, --pid-file=FILE         pid file instead of the configuration's\n"
	       "  -t, --test-config           say everything that is wrong with the configuration, and exit\n"
	       "      --import=FILE           say what of an ocserv configuration is supported, line by line, and exit\n"
	       "      --output=NEW            with --import: write it as a configuration of this server\n"
	       "      --no-chdir              stay in the working directory as a daemon\n"
	       "      --log-stderr            log to stderr\n"
	       "      --syslog                log to syslog, also with -f\n"
	       "      --syslog-facility=NAME  daemon, local0 ... instead of the configuration's\n"
	       "  -x, --traceable             let debuggers attach and cores be dumped\n"
	       "  -v, --version               print the version and exit\n"
	       "  -h, --help                  print this and exit\n\n"
	       "See penstockd(8) and penstock.conf(5).\n");
}

static enum options_next wrong(const char *text, const char *value)
{
	fprintf(stderr, "penstockd: %s: %s\nTry penstockd --help.\n", value, text);
	return OPTIONS_WRONG;
}

static enum options_next take(int letter, const char *value, struct options *o)
{
	switch (letter) {
	case 'f':
		o->foreground = true;
		return OPTIONS_RUN;
	case 'd':
		if (strlen(value) != 1 || value[0] < '0' || value[0] > '9')
			return wrong("the log level is 0 to 9", value);
		o->debug = value[0] - '0';
		return OPTIONS_RUN;
	case 'c':
		o->config = value;
		return OPTIONS_RUN;
	case 'p':
		o->pid_file = value;
		return OPTIONS_RUN;
	case 't':
		o->test_config = true;
		return OPTIONS_RUN;
	case 'x':
		o->traceable = true;
		return OPTIONS_RUN;
	case OPTION_NO_CHDIR:
		o->no_chdir = true;
		return OPTIONS_RUN;
	case OPTION_LOG_STDERR:
		o->log_stderr = true;
		return OPTIONS_RUN;
	case OPTION_SYSLOG:
		o->syslog = true;
		return OPTIONS_RUN;
	case OPTION_FACILITY:
		o->syslog_facility = config_facility(value);
		return o->syslog_facility < 0 ? wrong("there is no such syslog facility", value) : OPTIONS_RUN;
	case OPTION_IMPORT:
		o->import = value;
		return OPTIONS_RUN;
	case OPTION_OUTPUT:
		o->output = value;
		return OPTIONS_RUN;
	case 'v':
		printf("penstockd " PENSTOCK_VERSION "\n");
		return OPTIONS_DONE;
	case 'h':
		print_help();
		return OPTIONS_DONE;
	default:
		fprintf(stderr, "Try penstockd --help.\n"); // getopt has said what is wrong
		return OPTIONS_WRONG;
	}
}

enum options_next options_parse(int argc, char *argv[], struct options *out)
{
	struct options o = { .debug = -1, .syslog_facility = -1 };
	enum options_next next = OPTIONS_RUN;
	int letter;

	optind = 0; // glibc: from the start, also the second time
	while (next == OPTIONS_RUN && (letter = getopt_long(argc, argv, "fd:c:p:txvh", words, NULL)) != -1)
		next = take(letter, optarg, &o);
	if (next == OPTIONS_RUN && optind < argc)
		next = wrong("there is nothing to name behind the options", argv[optind]);
	if (next == OPTIONS_RUN && o.log_stderr && o.syslog)
		next = wrong("it is one or the other", "--log-stderr --syslog");
	if (next == OPTIONS_RUN && o.output && !o.import)
		next = wrong("it belongs to --import", "--output");
	if (next == OPTIONS_RUN)
		*out = o;
	return next;
}

const char *options_config(const struct options *o)
{
	static const char *const places[] = { OPTIONS_CONFIG, OPTIONS_CONFIG_OCSERV, OPTIONS_CONFIG_OCSERV_OLD };

	if (o->config)
		return o->config;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (access(places[i], F_OK) == 0)
			return places[i];
	return OPTIONS_CONFIG;
}
