// penstockd's command line: ocserv's letters and words, meaning the same.
#pragma once
#include <stdbool.h>

struct options {
	const char *config;   // -c; NULL: options_config() finds it
	const char *pid_file; // -p; NULL: the configuration's
	int debug;            // -d, 0-9; -1: the configuration's log-level
	int syslog_facility;  // --syslog-facility; -1: the configuration's
	bool foreground;      // -f: neither daemonise nor write a pid file
	bool test_config;     // -t
	const char *import;   // --import: explain this file of ocserv's, and exit; NULL: no
	const char *output;   // --output: and write it as ours; NULL: do not
	bool traceable;       // -x: children may be traced and dump core
	bool no_chdir;        // --no-chdir: a daemon stays in its working directory
	bool log_stderr;      // --log-stderr: log to stderr, daemon or not
	bool syslog;          // --syslog: log to syslog, foreground or not
};

// Without -c: ours, then ocserv's of today and of old.
#define OPTIONS_CONFIG PENSTOCK_CONFDIR "/penstock.conf"
#define OPTIONS_CONFIG_OCSERV "/etc/ocserv/ocserv.conf"
#define OPTIONS_CONFIG_OCSERV_OLD "/etc/ocserv.conf"

enum options_next { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

// OPTIONS_DONE: --help or --version has been printed: exit 0. OPTIONS_WRONG: stderr says why: exit 1.
// Strings point into argv.
enum options_next options_parse(int argc, char *argv[], struct options *out);

// -c, or the first of our places where there is a file; OPTIONS_CONFIG where there is none at all.
const char *options_config(const struct options *o);

// stderr is for the log: in the foreground, or asked for; and syslog was not asked for.
static inline bool options_to_stderr(const struct options *o)
{
	return o->log_stderr || (o->foreground && !o->syslog);
}
