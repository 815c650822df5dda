// Virtual hosts, and the snapshot in which the children find them. See config.h and config_inside.h.
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/config_inside.h"
#include "proto/snapshot.h"

// ----------------------------------------------------------------------------------------------------------------- names

// SNI carries no other (RFC 6066 3): what is not ASCII stands there, and has to stand here, as xn--.
const char *config_vhost_wrong(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > LIMIT_VHOST)
		return "it needs a host name of 1 to 253 characters";
	if (name[0] == '.' || name[len - 1] == '.' || strstr(name, ".."))
		return "this is no host name: a part of it is empty";
	for (size_t i = 0; i < len; i++)
		if (!isascii((unsigned char)name[i]) || (!isalnum((unsigned char)name[i]) && !strchr("-._", name[i])))
			return "this is no host name: only letters, digits, - and . are in one (others are written xn--...)";
	if (strcasecmp(name, "default") == 0)
		return "that is what the options above all sections are called";
	return NULL;
}

static struct config *vhost_new(const struct config *base, const char *name)
{
	struct config *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->base = base;
	v->name = strdup(name);
	if (!v->name) {
		free(v);
		return NULL;
	}
	for (char *p = v->name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return v;
}

int config_vhost_open(struct config *c, const char *name, struct config **out)
{
	struct config *v;

	for (unsigned i = 0; i < c->n_vhosts; i++)
		if (strcasecmp(c->vhost[i]->name, name) == 0) {
			*out = c->vhost[i];
			return 0;
		}
	if (c->n_vhosts == LIMIT_VHOSTS - 1)
		return -E2BIG;
	v = vhost_new(c, name);
	if (!v)
		return -ENOMEM;
	c->vhost[c->n_vhosts++] = v;
	*out = v;
	return 0;
}

unsigned config_vhosts(const struct config *c)
{
	return 1 + c->n_vhosts;
}

const struct config *config_vhost(const struct config *c, unsigned n)
{
	return n == 0 ? c : c->vhost[n - 1];
}

const char *config_vhost_name(const struct config *c)
{
	return c->name ? c->name : "";
}

// -------------------------------------------------------------------------------------------------------------- snapshot

static int put_values(struct snapshot_writer *w, const struct config *c, enum opt o)
{
	const char *text;
	int ret = 0;

	for (unsigned n = 0; ret == 0 && (text = config_nth(c, o, n)); n++)
		ret = snapshot_put(w, opt_table[o].name, text);
	return ret;
}

static bool is_in_view(enum opt o, enum config_view view)
{
	if (opt_table[o].kind != KIND_SECRET)
		return true;
	return view == (o == OPT_CAMOUFLAGE_SECRET ? VIEW_NURSERY : VIEW_SECRET);
}

static int put_options(struct snapshot_writer *w, const struct config *c, enum config_view view)
{
	int ret = 0;

	for (int o = 0; o < OPT_COUNT && ret == 0; o++) {
		if (!is_in_view((enum opt)o, view))
			continue;
		if (config_own(c, (enum opt)o))
			ret = put_values(w, c, (enum opt)o);
		else if (config_count(c->base, (enum opt)o) && !config_count(c, (enum opt)o))
			ret = snapshot_put(w, opt_table[o].name, ""); // not inherited either
	}
	return ret < 0 ? ret : config_put_tls(w, c);
}

static int put_all(struct snapshot_writer *w, const struct config *c, const struct config_word *words, enum config_view view)
{
	int ret = put_options(w, c, view);

	for (; words && words->key && ret == 0; words++)
		ret = snapshot_put(w, words->key, words->value);
	for (unsigned i = 0; i < c->n_vhosts && ret == 0; i++) {
		ret = snapshot_put_vhost(w, c->vhost[i]->name);
		if (ret == 0)
			ret = put_options(w, c->vhost[i], view);
	}
	return ret;
}

int config_snapshot(const struct config *c, const struct config_word *words, enum config_view view, int *fd)
{
	struct snapshot_writer *w = snapshot_writer_new();
	int ret, finished, written = -1;

	if (!w)
		return -errno;
	ret = put_all(w, c, words, view);
	finished = snapshot_finish(w, &written);
	if (ret == 0)
		ret = finished;
	if (ret == 0)
		*fd = written;
	else if (written >= 0)
		close(written);
	return ret;
}
