// What the configuration names outside of itself: files, directories and accounts, and the files of users and groups.
// See config_inside.h.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "control/main/config_inside.h"
#include "control/main/nearest.h"
#include "proto/addr.h"

// Files that -t reads in each of the directories of users and groups.
#define SUPPLEMENTS_MAX 100000
// Names of a directory that are compared with one that is not there.
#define NAMES_MAX 4096

// ----------------------------------------------------------------------------------------------------------------- files

static const char *say_why(char out[VALUE_WHY], const char *why, const char *there, const char *verb)
{
	if (there[0])
		snprintf(out, VALUE_WHY, "%s; %s %s?", why, verb, there);
	else
		snprintf(out, VALUE_WHY, "%s", why);
	return out;
}

// There may be a file whose name is almost this one.
static const char *why_missing(const char *path, char out[VALUE_WHY])
{
	char directory[VALUE_MAX], name[VALUE_MAX];
	struct nearest n;
	struct dirent *e;
	DIR *d;

	snprintf(directory, sizeof(directory), "%s", path);
	snprintf(name, sizeof(name), "%s", path);
	nearest_begin(&n, basename(name));
	d = opendir(dirname(directory));
	for (unsigned i = 0; d && i < NAMES_MAX && (e = readdir(d)); i++)
		if (e->d_name[0] != '.')
			nearest_offer(&n, e->d_name);
	if (d)
		closedir(d);
	return say_why(out, strerror(ENOENT), n.found, "did you mean");
}

const char *config_no_file(const char *path, char out[VALUE_WHY])
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *why = NULL;

	if (fd < 0)
		return errno == ENOENT ? why_missing(path, out) : say_why(out, strerror(errno), "", "");
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
		why = "it is a directory";
	close(fd);
	return why;
}

static const char *why_no_directory(const char *path, char out[VALUE_WHY])
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? why_missing(path, out) : say_why(out, strerror(errno), "", "");
	return S_ISDIR(st.st_mode) ? NULL : "it is no directory";
}

// /proc and the like have directories, and no file of ours can be in them.
static bool keeps_nothing(const char *directory)
{
	struct statvfs fs;

	return statvfs(directory, &fs) == 0 && fs.f_blocks == 0 && fs.f_files == 0;
}

static const char *why_no_parent(const char *path, char out[VALUE_WHY])
{
	char copy[VALUE_MAX];
	const char *above, *why;

	snprintf(copy, sizeof(copy), "%s", path);
	above = dirname(copy);
	why = why_no_directory(above, out);
	return !why && keeps_nothing(above) ? "no file can be kept there" : why;
}

// Sec-mod makes the last of the directories (secmod/places.h).
static const char *why_no_place(const char *path, char out[VALUE_WHY])
{
	char copy[VALUE_MAX];
	struct stat st;

	snprintf(copy, sizeof(copy), "%s", path);
	return stat(dirname(copy), &st) < 0 && errno == ENOENT ? why_no_parent(copy, out) : why_no_parent(path, out);
}

const char *config_no_room(const char *path, char out[VALUE_WHY])
{
	char above[VALUE_MAX];
	const char *why;
	struct stat st;

	if (path[0] != '/')
		return "it has to begin with /, or to be empty";
	snprintf(above, sizeof(above), "%s", path);
	while (stat(above, &st) < 0 && errno == ENOENT && above[1] != '\0')
		dirname(above);
	why = why_no_directory(above, out);
	return !why && keeps_nothing(above) ? "no file can be kept there" : why;
}

// Everybody sees the configuration but for its PINs.
static const char *why_no_token(enum opt o, const char *url)
{
	if (o != OPT_SERVER_KEY)
		return "certificates are read from PEM files only, also where the key is in a token";
	if (strncmp(url, "pkcs11:", 7) != 0 && strncmp(url, "tpmkey:", 7) != 0)
		return "only pkcs11: and tpmkey: name keys in tokens";
	return strstr(url, "pin-value=") || strstr(url, "pin-source=") ? "its PIN belongs into key-pin or pin-file" : NULL;
}

// The system's own files only: to ask a directory service for all its names would take too long.
static const char *why_nobody(const char *name, char out[VALUE_WHY])
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *p;
	struct nearest n;

	nearest_begin(&n, name);
	while (f && (p = fgetpwent(f)))
		nearest_offer(&n, p->pw_name);
	if (f)
		fclose(f);
	return say_why(out, "there is no such user", n.found, "did you mean");
}

static const char *why_no_group(const char *name, char out[VALUE_WHY])
{
	FILE *f = fopen("/etc/group", "re");
	struct group *g;
	struct nearest n;

	nearest_begin(&n, name);
	while (f && (g = fgetgrent(f)))
		nearest_offer(&n, g->gr_name);
	if (f)
		fclose(f);
	return say_why(out, "there is no such group", n.found, "did you mean");
}

static const char *why_not(enum opt o, const char *value, char out[VALUE_WHY])
{
	switch (opt_table[o].kind) {
	case KIND_KEYFILE:
		return value_is_url(value, strlen(value)) ? why_no_token(o, value) : config_no_file(value, out);
	case KIND_FILE:
		return config_no_file(value, out);
	case KIND_PATH:
		return o == OPT_SESSION_FILE ? why_no_place(value, out) : why_no_parent(value, out);
	case KIND_DIRECTORY:
		return why_no_directory(value, out);
	case KIND_USER:
		return getpwnam(value) ? NULL : why_nobody(value, out);
	case KIND_GROUP:
		return getgrnam(value) ? NULL : why_no_group(value, out);
	default:
		return NULL;
	}
}

// Only of options that do something: a file that nobody reads may be missing.
static void check_named(const struct config *c, struct config_log *log)
{
	char reason[VALUE_WHY];
	const char *why;

	for (int o = 0; o < OPT_COUNT; o++) {
		if (opt_table[o].status != STATUS_WORKS || !config_own(c, (enum opt)o))
			continue;
		for (unsigned i = 0; i < c->option[o].count; i++) {
			why = why_not((enum opt)o, c->option[o].entries[i].text, reason);
			if (why)
				config_say(log, LOG_LEVEL_ERR, c->option[o].entries[i].line, opt_table[o].name, "%s: %s",
				           c->option[o].entries[i].text, why);
		}
	}
}

// A secret in a file that everybody may read is none.
static void check_secrecy(const struct config *c, struct config_log *log)
{
	struct stat st;

	if (stat(config_file(c), &st) < 0 || !(st.st_mode & 0044))
		return;
	for (int o = 0; o < OPT_COUNT; o++)
		if (opt_table[o].kind == KIND_SECRET && c->option[o].count)
			config_say(log, LOG_LEVEL_WARN, config_line_of(c, (enum opt)o), opt_table[o].name,
			           "others than its owner may read this file (mode %03o); chmod 600 keeps the secret",
			           (unsigned)st.st_mode & 0777);
}

// ----------------------------------------------------------------------------------------------------- users and groups

// A login goes on without it, so it is no error.
static void check_profile(const struct config *c, struct config_log *log)
{
	const char *file = config_str(c, OPT_USER_PROFILE), *why;
	char reason[VALUE_WHY];
	struct stat st;

	if (!file)
		return;
	why = config_no_file(file, reason);
	if (!why && stat(file, &st) == 0)
		why = !S_ISREG(st.st_mode) ? "it is no file" : st.st_size > LIMIT_PROFILE ? "it has more than 64 KiB" : NULL;
	if (why)
		config_say(log, LOG_LEVEL_WARN, config_line_of(c, OPT_USER_PROFILE), opt_table[OPT_USER_PROFILE].name,
		           "%s: %s; everybody's stands in for it", file, why);
}

// What terms.c would refuse when the user connects.
static void check_amount(const struct config *c, struct config_log *log)
{
	static const enum opt items[] = { OPT_DNS, OPT_NBNS, OPT_SPLIT_DNS, OPT_ROUTE, OPT_NO_ROUTE };
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++)
		n += config_count(c, items[i]);
	if (n > LIMIT_ITEMS)
		config_say(log, LOG_LEVEL_ERR, 0, NULL, "%u routes, servers and domains are more than a client can be told (%d)", n,
		           LIMIT_ITEMS);
	if (config_count(c, OPT_IROUTE) >= LIMIT_NETWORKS)
		config_say(log, LOG_LEVEL_ERR, config_line_nth(c, OPT_IROUTE, LIMIT_NETWORKS - 1), opt_table[OPT_IROUTE].name,
		           "more than %d networks behind one client", LIMIT_NETWORKS - 1);
}

// As the dataplane has it: what is no host's is no client's.
static bool is_hosts(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a) < 0)
		return true; // which is said elsewhere
	if (a.family == 4)
		return a.ip[0] != 0 && a.ip[0] != 127 && a.ip[0] < 224;
	return a.ip[0] != 0 && a.ip[0] != 0xff;
}

static void check_explicit(const struct config *c, struct config_log *log)
{
	static const enum opt named[] = { OPT_EXPLICIT_IPV4, OPT_EXPLICIT_IPV6 };

	for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
		if (config_str(c, named[i]) && !is_hosts(config_str(c, named[i])))
			config_say(log, LOG_LEVEL_ERR, config_line_of(c, named[i]), opt_table[named[i]].name,
			           "%s: no client can have this address", config_str(c, named[i]));
}

// NULL where it cannot be used.
static struct config *read_supplement(const char *file, struct config_log *log)
{
	struct config_log own = { .report = log->report, .who = log->who, .file = file };
	struct config *c = NULL;

	if (config_load_supplement(file, log->report, log->who, &c) == -EINVAL)
		log->errors++;
	if (c) {
		check_profile(c, &own);
		check_explicit(c, &own);
		check_amount(c, &own);
	}
	log->errors += own.errors;
	return c;
}

// Who has no file of his own has this one: that it is good should not be found out when he connects.
static void check_default(const struct config *c, enum opt o, struct config_log *log)
{
	const char *file = config_str(c, o);

	if (file && config_own(c, o))
		config_free(read_supplement(file, log));
}

void config_check_files(const struct config *c, struct config_log *log)
{
	check_default(c, OPT_DEFAULT_GROUP_CONFIG, log);
	check_default(c, OPT_DEFAULT_USER_CONFIG, log);
	check_named(c, log);
	check_secrecy(c, log);
}

// One user's, so that a second one with it is noticed.
struct claim {
	char *what, *file;
	unsigned line;
	enum opt option;
};

struct claims {
	struct claim *all;
	size_t n, room;
};

static void claim_add(struct claims *cl, const struct config *c, enum opt o, unsigned nth)
{
	struct claim *grown = cl->all;

	if (cl->n == cl->room) {
		grown = realloc(cl->all, (cl->room ? 2 * cl->room : 64) * sizeof(*grown));
		if (!grown)
			return;
		cl->room = cl->room ? 2 * cl->room : 64;
		cl->all = grown;
	}
	cl->all[cl->n] = (struct claim){ strdup(config_nth(c, o, nth)), strdup(config_file(c)), config_line_nth(c, o, nth), o };
	if (cl->all[cl->n].what && cl->all[cl->n].file)
		cl->n++;
}

static void claims_take(struct claims *cl, const struct config *c)
{
	static const enum opt options[] = { OPT_EXPLICIT_IPV4, OPT_EXPLICIT_IPV6, OPT_IROUTE };

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		for (unsigned n = 0; n < config_count(c, options[i]); n++)
			claim_add(cl, c, options[i], n);
}

static int claim_order(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int what = strcmp(x->what, y->what);

	return what ? what : strcmp(x->file, y->file);
}

// It may be meant so, as for users who never come at the same time.
static void claims_compare(struct claims *cl, struct config_log *log)
{
	struct config_log own = *log;

	if (cl->n)
		qsort(cl->all, cl->n, sizeof(*cl->all), claim_order);
	for (size_t i = 1; i < cl->n; i++) {
		const struct claim *a = &cl->all[i - 1], *b = &cl->all[i];

		if (strcmp(a->what, b->what) != 0 || a->option != b->option || strcmp(a->file, b->file) == 0)
			continue;
		own.file = b->file;
		config_say(&own, LOG_LEVEL_WARN, b->line, opt_table[b->option].name,
		           "%s is also in %s: of the two only who comes first gets it", b->what, a->file);
	}
	for (size_t i = 0; i < cl->n; i++) {
		free(cl->all[i].what);
		free(cl->all[i].file);
	}
	free(cl->all);
}

static void check_directory(const char *dir, struct claims *claims, struct config_log *log)
{
	char path[VALUE_MAX];
	struct config *c;
	struct dirent *e;
	DIR *d = opendir(dir);

	for (unsigned n = 0; d && n < SUPPLEMENTS_MAX && (e = readdir(d)); n++) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		c = read_supplement(path, log);
		if (c && claims)
			claims_take(claims, c);
		config_free(c);
	}
	if (d)
		closedir(d);
}

int config_check_supplements(const struct config *c, struct config_log *log)
{
	const struct config *v;
	struct claims claims = { 0 };

	for (unsigned i = 0; i < config_vhosts(c); i++) {
		v = config_vhost(c, i);
		if (config_own(v, OPT_CONFIG_PER_GROUP) && config_str(v, OPT_CONFIG_PER_GROUP))
			check_directory(config_str(v, OPT_CONFIG_PER_GROUP), NULL, log);
		if (config_own(v, OPT_CONFIG_PER_USER) && config_str(v, OPT_CONFIG_PER_USER))
			check_directory(config_str(v, OPT_CONFIG_PER_USER), &claims, log);
	}
	claims_compare(&claims, log);
	return log->errors ? -EINVAL : 0;
}
