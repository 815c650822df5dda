// What the files of the configuration share among themselves; the rest of main uses config.h.
#pragma once
#include "control/main/config_table.h"
#include "control/main/config_value.h"
#include "proto/limits.h"
#include "proto/snapshot.h"

struct config_entry {
	char *text;    // normalised
	unsigned line; // 0: the default
};

struct config_option {
	struct config_entry *entries;
	unsigned count, room;
	bool given;
};

struct config {
	char *file, *dir;                       // absolute
	const struct config *base;              // of a virtual host: the configuration that it inherits from
	char *name;                             // likewise
	struct config_option option[OPT_COUNT]; // of a virtual host: only what it says itself
	struct config *vhost[LIMIT_VHOSTS - 1];
	unsigned n_vhosts;
};

// Counts what it reports.
struct config_log {
	config_report *report;
	void *who;
	const char *file; // as the user named it
	unsigned errors, warnings;
};

// "file:line: option: text"; line 0 and a NULL option are left out.
void config_say(struct config_log *log, enum log_level level, unsigned line, const char *option, const char *fmt, ...)
        __attribute__((format(printf, 5, 6)));

// What is not fit for a terminal becomes '?'.
void config_printable(char *text);
// All of a file, in memory that the caller wipes and frees. regular: nothing else can be in its place. 0 or -errno.
int config_text(const char *file, bool regular, size_t most, char **text, size_t *len);

// 0 or -ENOMEM.
int config_add(struct config *c, enum opt o, const char *text, unsigned line);
void config_clear(struct config *c, enum opt o);
unsigned config_line_of(const struct config *c, enum opt o); // of its first value; 0: not given
unsigned config_line_nth(const struct config *c, enum opt o, unsigned n);
// Does it speak for itself? Always, but for what a virtual host inherits.
bool config_own(const struct config *c, enum opt o);

// The virtual host of that name, added where it is new (config_vhost.c). 0; -E2BIG; -ENOMEM.
int config_vhost_open(struct config *c, const char *name, struct config **out);
// Of [vhost:NAME]: a DNS name, and not "default". What is wrong with it, or NULL.
const char *config_vhost_wrong(const char *name);

// After the whole file has been read, before the defaults are filled in: netmasks are folded into their networks, and what one
// line cannot show is checked. 0 or -ENOMEM; errors are counted in the log.
int config_fold(struct config *c, struct config_log *log);
// After the defaults: required options, files, accounts, and options that contradict each other. Of a virtual host: what it says
// itself, beside what it inherits.
void config_check(const struct config *c, struct config_log *log);
// Parts of it: what it names outside of itself, what makes each other useless, and how TLS is spoken.
void config_check_files(const struct config *c, struct config_log *log);
void config_check_conflicts(const struct config *c, struct config_log *log);
void config_check_tls(const struct config *c, struct config_log *log);
// tls-priorities for the snapshot, translated. 0 or -errno.
int config_put_tls(struct snapshot_writer *w, const struct config *c);
// Why a file cannot be read, or no directory can be there with files of ours in it; NULL: it can. The reason is in `out`, or lasts.
const char *config_no_file(const char *path, char out[VALUE_WHY]);
const char *config_no_room(const char *path, char out[VALUE_WHY]);
// What is run for the operator.
void config_check_hooks(const struct config *c, struct config_log *log);
// What of it concerns HTTP.
void config_check_web(const struct config *c, struct config_log *log);
// The files that there are for users and groups, for -t. 0, or -EINVAL where there was an error.
int config_check_supplements(const struct config *c, struct config_log *log);
