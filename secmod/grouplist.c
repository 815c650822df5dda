#include "secmod/grouplist.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/utf8.h"

static bool is_fit(const char *name, size_t len)
{
	size_t n;

	if (len == 0 || len > LIMIT_GROUP || memchr(name, ',', len) != NULL)
		return false;
	for (size_t i = 0; i < len; i += n) {
		n = utf8_printable((const uint8_t *)name + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

static int compare(const char *name, size_t len, const char *other)
{
	int order = strncmp(name, other, len);

	return order != 0 ? order : other[len] == '\0' ? 0 : -1;
}

// Where it is or belongs.
static unsigned place_of(const struct grouplist *g, const char *name, size_t len, bool *there)
{
	unsigned low = 0, high = g->n;

	*there = false;
	while (low < high && !*there) {
		unsigned mid = low + (high - low) / 2;
		int order = compare(name, len, g->name[mid]);

		*there = order == 0;
		if (order <= 0)
			high = mid;
		else
			low = mid + 1;
	}
	return high;
}

void grouplist_add(struct grouplist *g, const char *name, size_t len)
{
	unsigned at;
	bool there;
	char *copy;

	if (!is_fit(name, len))
		return;
	at = place_of(g, name, len, &there);
	if (there)
		return;
	copy = g->n < LIMIT_GROUPS && g->size + len + 1 <= LIMIT_GROUP_LIST ? strndup(name, len) : NULL;
	if (copy == NULL) {
		g->trimmed = true;
		return;
	}
	memmove(&g->name[at + 1], &g->name[at], (g->n - at) * sizeof(*g->name));
	g->name[at] = copy;
	g->n++;
	g->size += len + 1;
}

char *grouplist_finish(struct grouplist *g)
{
	char *text = malloc(g->size + 1), *at = text;

	for (unsigned i = 0; i < g->n; i++) {
		if (text != NULL)
			at = stpcpy(stpcpy(at, i > 0 ? "," : ""), g->name[i]);
		free(g->name[i]);
	}
	if (text != NULL)
		*at = '\0';
	memset(g, 0, sizeof(*g));
	return text;
}
