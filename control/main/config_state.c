// The configuration in force, for the next penstockd: what was given, and not the defaults, which may be others there.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/config.h"
#include "control/main/config_inside.h"
#include "control/main/state.h"
#include "proto/err.h"
#include "proto/secret.h"

struct file {
	char *file, *dir;
};

static const struct state_field file_fields[] = { STATE_STRING(struct file, file), STATE_STRING(struct file, dir) };

struct name {
	char *name;
};

static const struct state_field vhost_fields[] = { STATE_STRING(struct name, name) };

// vhost: 0 is the default one. Without a text it is only known to be given.
struct entry {
	uint32_t vhost;
	char *option, *text;
	uint32_t line;
};

static const struct state_field entry_fields[] = {
	STATE_UPTO(struct entry, vhost, LIMIT_VHOSTS - 1),
	STATE_STRING(struct entry, option),
	STATE_STRING(struct entry, text),
	STATE_NUMBER(struct entry, line),
};

static void option_save(const struct config *c, unsigned vhost, enum opt o, struct state_writer *w)
{
	const struct config_option *option = &c->option[o];
	struct entry e = { .vhost = vhost, .option = (char *)opt_table[o].name };

	if (!option->given)
		return;
	for (unsigned i = 0; i < option->count; i++) {
		e.text = option->entries[i].text;
		e.line = option->entries[i].line;
		state_write(w, "option", STATE_PARTS(STATE_PART("", entry_fields, &e)));
	}
	if (!option->count)
		state_write(w, "option", STATE_PARTS(STATE_PART("", entry_fields, &e)));
}

void config_save(const struct config *c, struct state_writer *w)
{
	state_write(w, "config", STATE_PARTS(STATE_PART("", file_fields, &((struct file){ c->file, c->dir }))));
	for (unsigned v = 0; v <= c->n_vhosts; v++) {
		const struct config *vhost = config_vhost(c, v);

		if (v)
			state_write(w, "vhost", STATE_PARTS(STATE_PART("", vhost_fields, &((struct name){ vhost->name }))));
		for (int o = 0; o < OPT_COUNT; o++)
			option_save(vhost, v, (enum opt)o, w);
	}
}

int config_restore(struct config **out, const struct state_record *rec)
{
	struct config *c = calloc(1, sizeof(*c));
	struct file f = { 0 };
	int ret = c ? state_read(rec, STATE_PARTS(STATE_PART("", file_fields, &f))) : -ENOMEM;

	if (ret == 0 && (!f.file || !f.dir))
		ret = -EBADMSG;
	if (ret == 0) {
		*c = (struct config){ .file = f.file, .dir = f.dir };
		*out = c;
		return 0;
	}
	free(f.file);
	free(f.dir);
	free(c);
	return ret;
}

int config_vhost_restore(struct config *c, const struct state_record *rec)
{
	struct name n = { 0 };
	struct config *vhost;
	int ret = state_read(rec, STATE_PARTS(STATE_PART("", vhost_fields, &n)));

	if (ret == 0)
		ret = n.name && !config_vhost_wrong(n.name) ? config_vhost_open(c, n.name, &vhost) : -EBADMSG;
	free(n.name);
	return ret;
}

static int entry_take(struct config *c, const struct entry *e)
{
	int found = e->option ? opt_find(e->option) : -1, ret = 0;

	if (found < 0)
		return errno_log(ENOTSUP, "state: option %s: this version does not know it",
		                 e->option ? e->option : "without a name");
	if (e->vhost > c->n_vhosts)
		return errno_log(EBADMSG, "state: option %s: there is no such virtual host", e->option);
	c = e->vhost ? c->vhost[e->vhost - 1] : c;
	if (e->text)
		ret = config_add(c, (enum opt)found, e->text, e->line);
	c->option[found].given = true;
	return ret;
}

int config_option_restore(struct config *c, const struct state_record *rec)
{
	struct entry e = { 0 };
	int ret = state_read(rec, STATE_PARTS(STATE_PART("", entry_fields, &e)));

	if (ret == 0)
		ret = entry_take(c, &e);
	if (e.text)
		secret_wipe(e.text, strlen(e.text)); // a PIN perhaps
	free(e.text);
	free(e.option);
	return ret;
}
