#include "control/main/config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "control/main/config_inside.h"
#include "control/main/config_read.h"
#include "proto/err.h"
#include "proto/secret.h"
#include "proto/utf8.h"

// One load, from the first line to the last.
struct load {
	struct config *c;
	struct config *in; // the section's: `c`, or one of its virtual hosts
	struct config_log log;
	enum config_mode mode;
	bool anyway;               // the caller wants it with its mistakes, too
	bool supplement;           // the file of a user or a group
	bool mentioned[OPT_COUNT]; // a warning that holds for every repetition is said once
	struct value_out value;
};

// ------------------------------------------------------------------------------------------------------------- reporting

// The file is the operator's, but not everything in it has to be fit for a terminal.
void config_printable(char *p)
{
	size_t len = strlen(p), n;

	for (size_t i = 0; i < len; i += n ? n : 1) {
		n = utf8_printable((const uint8_t *)p + i, len - i);
		if (n == 0)
			p[i] = '?';
	}
}

void config_say(struct config_log *log, enum log_level level, unsigned line, const char *option, const char *fmt, ...)
{
	char text[1024], whole[1536], place[16] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (line)
		snprintf(place, sizeof(place), ":%u", line);
	snprintf(whole, sizeof(whole), "%.256s%s: %.64s%s%s", log->file, place, option ? option : "", option ? ": " : "", text);
	config_printable(whole);
	config_printable(text);
	if (level <= LOG_LEVEL_ERR)
		log->errors++;
	else
		log->warnings++;
	if (log->report)
		log->report(log->who, &(struct config_remark){ level, log->file, line, option, text, whole });
	else
		log_line(level, "%s", whole);
}

// ---------------------------------------------------------------------------------------------------------------- values

int config_add(struct config *c, enum opt o, const char *text, unsigned line)
{
	struct config_option *option = &c->option[o];
	struct config_entry *grown;
	unsigned room;

	if (option->count == option->room) {
		room = option->room ? 2 * option->room : 1;
		grown = realloc(option->entries, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		option->entries = grown;
		option->room = room;
	}
	option->entries[option->count].text = strdup(text);
	option->entries[option->count].line = line;
	if (!option->entries[option->count].text)
		return -ENOMEM;
	option->count++;
	option->given = option->given || line > 0;
	return 0;
}

void config_clear(struct config *c, enum opt o)
{
	struct config_option *option = &c->option[o];

	for (unsigned i = 0; i < option->count; i++) {
		if (opt_table[o].kind == KIND_SECRET)
			secret_wipe(option->entries[i].text, strlen(option->entries[i].text));
		free(option->entries[i].text);
	}
	free(option->entries);
	*option = (struct config_option){ 0 };
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n_vhosts; i++)
		config_free(c->vhost[i]);
	for (int o = 0; o < OPT_COUNT; o++)
		config_clear(c, (enum opt)o);
	free(c->name);
	free(c->file);
	free(c->dir);
	free(c);
}

// --------------------------------------------------------------------------------------------------------------- reading

static int on_section(struct load *l, const struct config_line *line)
{
	const char *name = line->value, *wrong;
	int ret;

	if (l->supplement) {
		config_say(&l->log, LOG_LEVEL_ERR, line->line, NULL, "[%.64s]: the file of a user or a group has no sections",
		           name);
		return 0;
	}
	if (strncasecmp(name, "vhost:", 6) != 0) {
		config_say(&l->log, LOG_LEVEL_ERR, line->line, NULL, "[%.64s] is no section: only [vhost:NAME] is", name);
		return 0;
	}
	wrong = config_vhost_wrong(name + 6);
	ret = wrong ? 0 : config_vhost_open(l->c, name + 6, &l->in);
	if (ret == -E2BIG)
		wrong = "there are more virtual hosts than are supported";
	if (!wrong)
		return ret;
	config_say(&l->log, LOG_LEVEL_ERR, line->line, NULL, "[%.80s]: %s", name, wrong);
	return 0;
}

// In the file of a user it may be a misspelt restriction: that must not let anybody do more.
static void on_unknown(struct load *l, const struct config_line *line)
{
	bool strict = l->mode == CONFIG_TEST || l->supplement;
	enum log_level level = strict ? LOG_LEVEL_ERR : LOG_LEVEL_WARN;
	const char *nearest = opt_nearest(line->key);
	const char *ignored = strict ? "" : " and ignored";

	if (nearest)
		config_say(&l->log, level, line->line, line->key, "this option is unknown%s; did you mean %s?", ignored, nearest);
	else
		config_say(&l->log, level, line->line, line->key, "this option is unknown%s", ignored);
}

// What is accepted but does nothing is worth a warning, unless it asks for what happens anyway.
static void warn_idle(struct load *l, enum opt o, const char *value, unsigned line)
{
	const struct opt_info *info = &opt_table[o];
	struct value_out as_is;

	if (info->status == STATUS_WORKS || l->mentioned[o])
		return;
	if (info->as_is && value_parse(info, info->as_is, true, "/", &as_is) >= 0 && strcmp(as_is.text, value) == 0)
		return;
	l->mentioned[o] = true;
	config_say(&l->log, LOG_LEVEL_WARN, line, info->name, "has no effect: %s", info->note);
}

static int keep(struct load *l, enum opt o, unsigned line)
{
	const struct config_option *before = &l->in->option[o];

	if (!opt_is_list(o) && before->count) {
		config_say(&l->log, LOG_LEVEL_WARN, line, opt_table[o].name, "is on line %u already; this one counts",
		           before->entries[0].line);
		config_clear(l->in, o);
	}
	return config_add(l->in, o, l->value.text, line);
}

// Whether the option may stand here at all; says why not.
static bool has_its_place(struct load *l, enum opt o, const struct config_line *line)
{
	const struct opt_info *info = &opt_table[o];
	enum log_level level = l->mode == CONFIG_TEST ? LOG_LEVEL_ERR : LOG_LEVEL_WARN;
	bool personal = info->where == WHERE_USER || info->where == WHERE_USERFILE;

	if (info->status == STATUS_REMOVED) {
		config_say(&l->log, LOG_LEVEL_ERR, line->line, line->key, "this option has been removed: %s", info->note);
		return false;
	}
	if (l->supplement && !personal)
		config_say(&l->log, LOG_LEVEL_WARN, line->line, line->key,
		           "this option is not for a user or a group; it is ignored here");
	if (l->supplement)
		return personal;
	if (info->where == WHERE_GLOBAL && l->in != l->c) {
		config_say(&l->log, LOG_LEVEL_ERR, line->line, line->key,
		           "this option is for the whole server; it cannot stand in a virtual host");
		return false;
	}
	if (info->where == WHERE_USERFILE) {
		config_say(&l->log, level, line->line, line->key,
		           "this option cannot stand here: it belongs in the file of a user or a group");
		return false;
	}
	return true;
}

static int on_entry(struct load *l, const struct config_line *line)
{
	int found = opt_find(line->key), ret;
	enum opt o = (enum opt)found;

	if (found < 0) {
		on_unknown(l, line);
		return 0;
	}
	if (!has_its_place(l, o, line))
		return 0;
	ret = value_parse(&opt_table[o], line->value, line->quoted, l->c->dir, &l->value);
	if (ret != 0)
		config_say(&l->log, ret < 0 ? LOG_LEVEL_ERR : LOG_LEVEL_WARN, line->line, line->key, "%s", l->value.why);
	if (ret < 0) {
		// one that is there but wrong is not missing too
		l->in->option[o].given = true;
		return 0;
	}
	warn_idle(l, o, l->value.text, line->line);
	return keep(l, o, line->line);
}

static int read_lines(struct load *l, const char *text, size_t len)
{
	struct config_reader reader;
	struct config_line line;
	unsigned entries = 0;
	int ret = 0;

	config_read_init(&reader, text, len);
	while (ret == 0) {
		config_read(&reader, &line);
		if (line.kind == LINE_END)
			break;
		if (++entries > CONFIG_ENTRIES_MAX) {
			config_say(&l->log, LOG_LEVEL_ERR, line.line, NULL, "there are more than %d lines that say something",
			           CONFIG_ENTRIES_MAX);
			break;
		}
		if (line.kind == LINE_BAD)
			config_say(&l->log, LOG_LEVEL_ERR, line.line, NULL, "%s", line.value);
		else if (line.kind == LINE_SECTION)
			ret = on_section(l, &line);
		else
			ret = on_entry(l, &line);
	}
	secret_wipe(&reader, sizeof(reader)); // a PIN's line may have been the last
	return ret;
}

// ------------------------------------------------------------------------------------------------------------------ file

// The whole file in fresh memory; `text` is wiped and freed by the caller.
static int read_file(int fd, size_t most, char **text, size_t *len)
{
	char *buffer = malloc(most + 1);
	size_t used = 0;
	ssize_t n;
	int ret;

	if (!buffer)
		return -ENOMEM;
	do {
		n = read(fd, buffer + used, most + 1 - used);
		if (n > 0)
			used += (size_t)n;
	} while ((n > 0 && used <= most) || (n < 0 && errno == EINTR));
	ret = n < 0 ? -errno : used > most ? -EFBIG : 0;
	if (ret < 0) {
		secret_wipe(buffer, used);
		free(buffer);
		return ret;
	}
	*text = buffer;
	*len = used;
	return 0;
}

// While it runs main is not kept waiting by a pipe or a device that somebody has put in the file's place.
static int open_file(const char *file, bool regular)
{
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | (regular ? O_NONBLOCK : 0));

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) || (regular && !S_ISREG(st.st_mode))) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

int config_text(const char *file, bool regular, size_t most, char **text, size_t *len)
{
	int fd = open_file(file, regular), ret = fd < 0 ? fd : read_file(fd, most, text, len);

	if (fd >= 0)
		close(fd);
	return ret;
}

// The path without its last part, from the root.
static int set_paths(struct config *c, const char *file)
{
	char *copy = NULL, *cwd = NULL;
	int ret = -ENOMEM;

	if (file[0] != '/')
		cwd = getcwd(NULL, 0);
	if (file[0] != '/' && (!cwd || asprintf(&c->file, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, file) < 0))
		goto out;
	if (file[0] == '/')
		c->file = strdup(file);
	copy = c->file ? strdup(c->file) : NULL;
	c->dir = copy ? strdup(dirname(copy)) : NULL;
	ret = c->dir ? 0 : -ENOMEM;
out:
	free(copy);
	free(cwd);
	return ret;
}

static int fill_defaults(struct load *l)
{
	int ret = 0;

	for (int o = 0; o < OPT_COUNT && ret == 0; o++) {
		if (l->c->option[o].count || !opt_table[o].value)
			continue;
		if (value_parse(&opt_table[o], opt_table[o].value, true, "/", &l->value) < 0)
			return errno_log(EINVAL, "the table's default of %s: %s", opt_table[o].name, l->value.why);
		ret = config_add(l->c, (enum opt)o, l->value.text, 0);
	}
	return ret;
}

static int read_all(struct load *l, const char *file)
{
	char *text = NULL;
	size_t len = 0;
	int ret = config_text(file, l->supplement || l->mode == CONFIG_RELOAD,
	                      l->supplement ? CONFIG_USER_FILE_MAX : CONFIG_FILE_MAX, &text, &len);

	if (ret == -ENOENT && l->supplement)
		return ret;
	if (ret < 0) {
		config_say(&l->log, LOG_LEVEL_ERR, 0, NULL, "this configuration file cannot be read: %s",
		           ret == -EINVAL ? "it is no file" : strerror(-ret));
		return ret;
	}
	ret = read_lines(l, text, len);
	secret_wipe(text, len);
	free(text);
	return ret;
}

// What the whole server's file needs beyond its lines.
static int complete(struct load *l)
{
	int ret = fill_defaults(l);

	if (ret == 0)
		config_check(l->c, &l->log);
	for (unsigned i = 0; i < l->c->n_vhosts && ret == 0; i++) {
		ret = config_fold(l->c->vhost[i], &l->log);
		config_check(l->c->vhost[i], &l->log);
	}
	return ret;
}

static int no_memory_for(const char *file)
{
	log_err("%s: out of memory", file);
	return -ENOMEM;
}

static int load(const struct load *how, const char *file, struct config **out)
{
	struct load *l = malloc(sizeof(*l));
	int ret = -ENOMEM;

	if (!l)
		return no_memory_for(file);
	*l = *how;
	l->log.file = file;
	l->c = l->in = calloc(1, sizeof(*l->c));
	if (!l->c)
		goto out;
	ret = set_paths(l->c, file);
	if (ret == 0)
		ret = read_all(l, file);
	if (ret == 0)
		ret = config_fold(l->c, &l->log);
	if (ret == 0 && !l->supplement)
		ret = complete(l);
	if (ret == 0 && (!l->log.errors || l->anyway)) {
		*out = l->c;
		l->c = NULL;
	}
	if (ret == 0 && l->log.errors)
		ret = -EINVAL;
out:
	if (ret == -ENOMEM)
		no_memory_for(file);
	config_free(l->c);
	secret_wipe(l, sizeof(*l));
	free(l);
	return ret;
}

int config_load(const char *file, enum config_mode mode, config_report *report, void *who, struct config **out)
{
	const struct load how = { .mode = mode, .log = { .report = report, .who = who } };

	return load(&how, file, out);
}

int config_try(const char *file, config_report *report, void *who, struct config **out)
{
	const struct load how = { .mode = CONFIG_TEST, .anyway = true, .log = { .report = report, .who = who } };

	return load(&how, file, out);
}

int config_load_supplement(const char *file, config_report *report, void *who, struct config **out)
{
	const struct load how = { .mode = CONFIG_RELOAD, .supplement = true, .log = { .report = report, .who = who } };

	return load(&how, file, out);
}

#define GRANTS_FROM "what the login brought"

static int start_granted(struct config **c)
{
	*c = calloc(1, sizeof(**c));
	if (!*c)
		return -ENOMEM;
	(*c)->file = strdup(GRANTS_FROM);
	(*c)->dir = strdup("/");
	return (*c)->file && (*c)->dir ? 0 : -ENOMEM;
}

int config_grant(struct config **c, const char *key, const char *value, config_report *report, void *who)
{
	// a number for each line, as config_given() asks for one
	const struct config_line line = { .kind = LINE_ENTRY, .line = 1, .key = key, .value = value };
	struct load *l;
	int ret = *c ? 0 : start_granted(c), found = opt_find(key);

	if (ret < 0)
		return ret;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->c = l->in = *c;
	l->mode = CONFIG_RELOAD;
	l->supplement = true;
	l->log = (struct config_log){ .report = report, .who = who, .file = GRANTS_FROM };
	// the later of two counts, as in a file; but that is no news here
	if (found >= 0 && !opt_is_list((enum opt)found))
		config_clear(*c, (enum opt)found);
	ret = on_entry(l, &line);
	if (ret == 0 && l->log.errors)
		ret = -EINVAL;
	free(l);
	return ret;
}

int config_granted(struct config *c, config_report *report, void *who)
{
	struct config_log log = { .report = report, .who = who, .file = GRANTS_FROM };
	int ret = config_fold(c, &log);

	return ret == 0 && log.errors ? -EINVAL : ret;
}

int config_restored(struct config *c)
{
	struct load *l = calloc(1, sizeof(*l));
	int ret = -ENOMEM;

	if (!l)
		return ret;
	l->c = l->in = c;
	l->log.file = c->file;
	ret = fill_defaults(l);
	free(l);
	return ret;
}

// --------------------------------------------------------------------------------------------------------------- getters

// A staple belongs to its certificate: with others of its own a virtual host does not inherit it.
static bool inherits(const struct config *c, enum opt o)
{
	return c->base && !c->option[o].count && (o != OPT_OCSP_RESPONSE || !c->option[OPT_SERVER_CERT].count);
}

static const struct config_option *option_of(const struct config *c, enum opt o)
{
	return inherits(c, o) ? &c->base->option[o] : &c->option[o];
}

const char *config_nth(const struct config *c, enum opt o, unsigned n)
{
	const struct config_option *option = option_of(c, o);

	return n < option->count ? option->entries[n].text : NULL;
}

const char *config_str(const struct config *c, enum opt o)
{
	return config_nth(c, o, 0);
}

uint64_t config_num(const struct config *c, enum opt o)
{
	const char *text = config_str(c, o);

	return text ? strtoull(text, NULL, 10) : 0;
}

bool config_bool(const struct config *c, enum opt o)
{
	return config_num(c, o) == 1;
}

unsigned config_count(const struct config *c, enum opt o)
{
	return option_of(c, o)->count;
}

bool config_given(const struct config *c, enum opt o)
{
	return option_of(c, o)->given;
}

bool config_own(const struct config *c, enum opt o)
{
	return !c->base || c->option[o].count;
}

unsigned config_line_nth(const struct config *c, enum opt o, unsigned n)
{
	const struct config_option *option = option_of(c, o);

	return n < option->count ? option->entries[n].line : 0;
}

unsigned config_line_of(const struct config *c, enum opt o)
{
	return config_line_nth(c, o, 0);
}

const char *config_file(const struct config *c)
{
	return c->base ? c->base->file : c->file;
}

const char *config_name(enum opt o)
{
	return opt_table[o].name;
}

// ---------------------------------------------------------------------------------------------------------------- reload

static bool same_values(const struct config *a, const struct config *b, enum opt o)
{
	if (a->option[o].count != b->option[o].count)
		return false;
	for (unsigned i = 0; i < a->option[o].count; i++)
		if (strcmp(a->option[o].entries[i].text, b->option[o].entries[i].text) != 0)
			return false;
	return true;
}

static int take_values(const struct config *from, struct config *to, enum opt o)
{
	int ret = 0;

	config_clear(to, o);
	for (unsigned i = 0; i < from->option[o].count && ret == 0; i++)
		ret = config_add(to, o, from->option[o].entries[i].text, from->option[o].entries[i].line);
	to->option[o].given = from->option[o].given;
	return ret;
}

// How large the dataplane's packets can be was settled when it started.
static bool is_jumbo(const struct config *c)
{
	return config_num(c, OPT_MTU) > LIMIT_MTU_PLAIN;
}

static bool takes_restart(const struct config *old, const struct config *now, enum opt o)
{
	return opt_table[o].load == LOAD_START || (o == OPT_MTU && is_jumbo(now) && !is_jumbo(old));
}

int config_keep(const struct config *old, struct config *now, config_report *report, void *who)
{
	struct config_log log = { .report = report, .who = who, .file = now->file };
	const char *value;
	int kept = 0, ret;

	for (int i = 0; i < OPT_COUNT; i++) {
		enum opt o = (enum opt)i;

		if (!takes_restart(old, now, o) || same_values(old, now, o))
			continue;
		// what does nothing needs no restart to do it
		if (opt_table[o].status == STATUS_WORKS) {
			value = config_str(old, o);
			config_say(&log, LOG_LEVEL_WARN, config_line_of(now, o), opt_table[o].name,
			           "this change needs a restart; until then it stays %s",
			           !value                     ? "unset"
			           : old->option[o].count > 1 ? "as it was"
			                                      : value);
			kept++;
		}
		ret = take_values(old, now, o);
		if (ret < 0)
			return ret;
	}
	return kept;
}

// --------------------------------------------------------------------------------------------------------------- logging

enum log_level config_log_level(uint64_t level)
{
	static const enum log_level levels[] = { LOG_LEVEL_WARN, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO };

	return level < 3 ? levels[level] : LOG_LEVEL_DEBUG;
}

int config_facility(const char *name)
{
	static const struct {
		const char *name;
		int facility;
	} facilities[] = {
		{ "daemon", LOG_DAEMON }, { "auth", LOG_AUTH },     { "authpriv", LOG_AUTHPRIV }, { "cron", LOG_CRON },
		{ "ftp", LOG_FTP },       { "kern", LOG_KERN },     { "lpr", LOG_LPR },           { "mail", LOG_MAIL },
		{ "news", LOG_NEWS },     { "syslog", LOG_SYSLOG }, { "user", LOG_USER },         { "uucp", LOG_UUCP },
		{ "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 },     { "local3", LOG_LOCAL3 },
		{ "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 },     { "local7", LOG_LOCAL7 },
	};

	for (size_t i = 0; i < sizeof(facilities) / sizeof(*facilities); i++)
		if (strcasecmp(name, facilities[i].name) == 0)
			return facilities[i].facility;
	return -EINVAL;
}
