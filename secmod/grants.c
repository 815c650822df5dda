#include "secmod/grants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"
#include "proto/text.h"

struct grant {
	char *key, *value; // one allocation
};

struct grants {
	unsigned count;
	struct grant grant[]; // room for the next power of two
};

static struct grants *with_room(struct grants *g)
{
	unsigned count = g != NULL ? g->count : 0;
	struct grants *grown;

	if (count > 0 && (count & (count - 1)) != 0)
		return g;
	grown = realloc(g, sizeof(*g) + (count > 0 ? 2 * count : 1) * sizeof(*g->grant));
	if (grown != NULL)
		grown->count = count;
	return grown;
}

int grants_add(struct grants **g, const char *key, const char *value)
{
	size_t key_len = strlen(key), value_len = strlen(value);
	struct grants *all = *g;
	char *text;

	if (key_len == 0 || !text_fits(key, LIMIT_GRANT_KEY + 1) || !text_fits(value, LIMIT_TEXT + 1))
		return -EINVAL;
	if (all != NULL && all->count == LIMIT_GRANTS)
		return -E2BIG;
	text = malloc(key_len + value_len + 2);
	if (text == NULL)
		return -ENOMEM;
	all = with_room(all);
	if (all == NULL) {
		free(text);
		return -ENOMEM;
	}
	memcpy(text, key, key_len + 1);
	memcpy(text + key_len + 1, value, value_len + 1);
	all->grant[all->count++] = (struct grant){ text, text + key_len + 1 };
	*g = all;
	return 0;
}

void grants_free(struct grants *g)
{
	if (g == NULL)
		return;
	for (unsigned i = 0; i < g->count; i++) {
		secret_wipe(g->grant[i].value, strlen(g->grant[i].value));
		free(g->grant[i].key);
	}
	free(g);
}

unsigned grants_count(const struct grants *g)
{
	return g != NULL ? g->count : 0;
}

bool grants_nth(const struct grants *g, unsigned n, const char **key, const char **value)
{
	if (n >= grants_count(g))
		return false;
	*key = g->grant[n].key;
	*value = g->grant[n].value;
	return true;
}

const char *grants_find(const struct grants *g, const char *key)
{
	for (unsigned i = grants_count(g); i-- > 0;)
		if (strcmp(g->grant[i].key, key) == 0)
			return g->grant[i].value;
	return NULL;
}
