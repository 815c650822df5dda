#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

static const char *append(char **to, const char *text)
{
	char *start = *to;
	size_t n = strlen(text) + 1;

	memcpy(start, text, n);
	*to += n;
	return start;
}

static int make_room(struct answer *a)
{
	size_t room = a->room ? 2 * a->room : 64;
	struct cell *cells;

	if (a->count < a->room)
		return 0;
	cells = reallocarray(a->cells, room, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	a->cells = cells;
	a->room = room;
	return 0;
}

int answer_add(struct answer *a, const struct msg_admin_value *v)
{
	struct cell c = { .record = v->record, .kind = v->kind, .number = v->number };
	char *text;

	if (make_room(a) < 0)
		return -ENOMEM;
	text = malloc(strlen(v->section) + strlen(v->key) + strlen(v->text) + 3);
	if (!text)
		return -ENOMEM;
	c.section = append(&text, v->section);
	c.key = append(&text, v->key);
	c.text = append(&text, v->text);
	a->cells[a->count++] = c;
	return 0;
}

void answer_fini(struct answer *a)
{
	size_t i;

	for (i = 0; i < a->count; i++)
		free((char *)a->cells[i].section);
	free(a->cells);
	memset(a, 0, sizeof(*a));
}

size_t answer_record_end(const struct answer *a, size_t from)
{
	size_t i = from;

	while (i < a->count && a->cells[i].record == a->cells[from].record &&
	       strcmp(a->cells[i].section, a->cells[from].section) == 0)
		i++;
	return i;
}

static bool named(const char *key, const char *keys, size_t len)
{
	return strlen(key) == len && memcmp(key, keys, len) == 0;
}

const struct cell *answer_cell(const struct answer *a, size_t from, size_t end, const char *keys)
{
	const struct cell *c;
	size_t len, i;

	for (; *keys; keys += len + (keys[len] == '|')) {
		len = strcspn(keys, "|");
		for (i = from; i < end; i++) {
			c = &a->cells[i];
			if (named(c->key, keys, len) && (c->text[0] || c->kind != VALUE_TEXT))
				return c;
		}
	}
	return NULL;
}
