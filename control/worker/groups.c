#include "groups.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const struct group_choice *find(const struct groups *g, const char *text)
{
	for (unsigned i = 0; i < g->n; i++)
		if (strcmp(g->choice[i].label, text) == 0)
			return &g->choice[i];
	for (unsigned i = 0; i < g->n; i++)
		if (strcmp(g->choice[i].name, text) == 0)
			return &g->choice[i];
	return NULL;
}

static int add(struct groups *g, const char *name, size_t name_len, const char *label, size_t label_len)
{
	struct group_choice fresh = { strndup(name, name_len), strndup(label, label_len) }, *grown;

	if (name_len == 0 || name_len > LIMIT_GROUP || label_len == 0 || label_len > LIMIT_GROUP || g->n == LIMIT_GROUPS ||
	    (fresh.name && find(g, fresh.name))) {
		free(fresh.name);
		free(fresh.label);
		return 0;
	}
	grown = fresh.name && fresh.label ? reallocarray(g->choice, g->n + 1, sizeof(*grown)) : NULL;
	if (!grown) {
		free(fresh.name);
		free(fresh.label);
		return -ENOMEM;
	}
	g->choice = grown;
	g->choice[g->n++] = fresh;
	return 0;
}

// "name", or "name[Label]".
static int add_option(struct groups *g, const char *text)
{
	const char *open = strchr(text, '[');
	size_t len = strlen(text);

	if (!open)
		return add(g, text, len, text, len);
	if (text[len - 1] != ']')
		return 0;
	return add(g, text, (size_t)(open - text), open + 1, (size_t)(text + len - 1 - (open + 1)));
}

int groups_load(struct groups *g, const struct snapshot *conf, unsigned vhost)
{
	const char *text, *none = snapshot_vhost_get(conf, vhost, "default-select-group");
	int ret = 0;

	memset(g, 0, sizeof(*g));
	g->automatic = snapshot_vhost_bool(conf, vhost, "auto-select-group");
	g->by_url =
	        snapshot_vhost_bool(conf, vhost, "select-group-by-url") || snapshot_vhost_bool(conf, vhost, "cisco-client-compat");
	if (none && none[0] && !(g->none = strndup(none, LIMIT_GROUP)))
		return -ENOMEM;
	for (unsigned i = 0; ret == 0 && (text = snapshot_vhost_nth(conf, vhost, "select-group", i)) != NULL; i++)
		ret = add_option(g, text);
	return ret;
}

int groups_copy(struct groups *out, const struct groups *g, const char *names)
{
	struct groups copy = { .automatic = g->automatic, .by_url = g->by_url };
	const char *at;
	size_t len;
	int ret = 0;

	if (g->none && !(copy.none = strdup(g->none)))
		return -ENOMEM;
	for (unsigned i = 0; ret == 0 && i < g->n; i++)
		ret = add(&copy, g->choice[i].name, strlen(g->choice[i].name), g->choice[i].label, strlen(g->choice[i].label));
	while (ret == 0 && (at = list_next(&names, ',', &len)))
		ret = add(&copy, at, len, at, len);
	if (ret < 0)
		groups_fini(&copy);
	else
		*out = copy;
	return ret;
}

void groups_fini(struct groups *g)
{
	for (unsigned i = 0; i < g->n; i++) {
		free(g->choice[i].name);
		free(g->choice[i].label);
	}
	free(g->choice);
	free(g->none);
	memset(g, 0, sizeof(*g));
}

void groups_name(const struct groups *g, const char *text, char out[LIMIT_GROUP + 1])
{
	const struct group_choice *c = find(g, text);

	if (c)
		text = c->name;
	else if (g->none && strcmp(text, g->none) == 0)
		text = "";
	memmove(out, text, strnlen(text, LIMIT_GROUP) + 1);
	out[LIMIT_GROUP] = 0;
}

bool groups_has(const struct groups *g, const char *text)
{
	return find(g, text) != NULL;
}
