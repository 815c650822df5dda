// The configuration: ocserv's keys and grammar, read once a load through the table in config.def. Main process only.
// A struct config is whole and checked: values are normalised (numbers in decimal, booleans 0 or 1, paths absolute, networks as
// address/prefix without host bits, netmasks folded into their network), and an option that was not given has its default.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/log.h"

// OPT_LISTEN_HOST and so on, one per entry of the table, in its order.
enum opt {
#define SECTION(title)
#define OPT(id, ...) OPT_##id,
#define ALIAS(...)
#include "control/main/config.def"
#undef SECTION
#undef OPT
#undef ALIAS
	OPT_COUNT
};

enum config_mode {
	CONFIG_START,  // unknown options are warnings
	CONFIG_RELOAD, // likewise, and what cannot be reloaded is not mentioned here: see config_keep
	CONFIG_TEST,   // unknown options are errors that name the nearest known one
};

struct config;

// One problem, all of it printable.
struct config_remark {
	enum log_level level;
	const char *file;   // as it was named to the loader
	unsigned line;      // 0: of no line
	const char *option; // as it is named there; NULL: of none
	const char *text;   // without option and place
	const char *whole;  // "file:line: option: text"
};
// Where problems go. NULL: log_line().
typedef void config_report(void *who, const struct config_remark *r);

// Reads and checks the whole file and reports every problem in it. 0; -EINVAL where there was an error; -ENOENT, -EACCES ...
// where the file could not be read; -ENOMEM. On failure `out` is untouched.
int config_load(const char *file, enum config_mode mode, config_report *report, void *who, struct config **out);
// The same in CONFIG_TEST; what could be understood is given also where there was an error (-EINVAL), to look on at.
int config_try(const char *file, config_report *report, void *who, struct config **out);
// The file of a user or a group: only what it says itself, no defaults. What is wrong in it is an error, unknown options too.
// Results as above; -ENOENT is not reported.
int config_load_supplement(const char *file, config_report *report, void *who, struct config **out);
// What a login has brought with it, line by line as its user's file would have it: a configuration that is made by its first line
// (*c NULL) and whole after config_granted(). 0; -EINVAL, reported; -ENOMEM. *c stays the caller's on failure too.
int config_grant(struct config **c, const char *key, const char *value, config_report *report, void *who);
int config_granted(struct config *c, config_report *report, void *who);
void config_free(struct config *c);

// The value of an option with one value (of a list: its first); NULL: not given and without default.
const char *config_str(const struct config *c, enum opt o);
uint64_t config_num(const struct config *c, enum opt o); // 0 where absent
bool config_bool(const struct config *c, enum opt o);
unsigned config_count(const struct config *c, enum opt o);
const char *config_nth(const struct config *c, enum opt o, unsigned n); // NULL past the end
bool config_given(const struct config *c, enum opt o);                  // it stands in the file
const char *config_file(const struct config *c);                        // absolute path, of a virtual host too
const char *config_name(enum opt o);                                    // as in the file: "listen-host"

// Virtual hosts. Each is a configuration by itself: what it does not say it has from the one above it, and its own lists stand in
// the place of those. Number 0 is `c`, the default one.
unsigned config_vhosts(const struct config *c);
const struct config *config_vhost(const struct config *c, unsigned n);
const char *config_vhost_name(const struct config *c); // in small letters; "": the default one

// On reload: gives `now` the values of `old` wherever they differ in an option that is read at start only, and reports each as
// "needs a restart". The number of such options, or -ENOMEM.
int config_keep(const struct config *old, struct config *now, config_report *report, void *who);

// Words of main's own for its children ("@libexec" ...), ended by a NULL key.
struct config_word {
	const char *key, *value;
};
// Who may see what: PINs are sec-mod's alone, the secret of camouflage the nursery's.
enum config_view { VIEW_PUBLIC, VIEW_SECRET, VIEW_NURSERY, VIEWS };
// Every option with its values and these words as a sealed snapshot. 0 or -errno.
int config_snapshot(const struct config *c, const struct config_word *words, enum config_view view, int *fd);

// What was given, for another penstockd (handover.h), and there: a configuration, record by record ("config", then "vhost" and
// "option"), and at last the defaults. 0 or -errno (logged).
struct state_record;
struct state_writer;
void config_save(const struct config *c, struct state_writer *w);
int config_restore(struct config **out, const struct state_record *rec);
int config_vhost_restore(struct config *c, const struct state_record *rec);
int config_option_restore(struct config *c, const struct state_record *rec);
int config_restored(struct config *c);

// ocserv's log-level (or the command line's -d) as ours: 0 warnings, 1 notices, 2 information, 3 and above everything.
enum log_level config_log_level(uint64_t level);
// syslog(3)'s facility by its name ("daemon", "local0" ...), or -EINVAL.
int config_facility(const char *name);
