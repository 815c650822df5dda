#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "render.h"
#include "text.h"

static json_t *to_string(const char *text)
{
	char *escaped = text_escape(text);
	json_t *s = escaped ? json_string(escaped) : NULL;

	free(escaped);
	return s;
}

// NULL: no memory. json_*_set_new() and _append_new() refuse it, so that one check at the end of a chain is enough.
static json_t *to_value(const struct cell *c)
{
	switch (c->kind) {
	case VALUE_NUMBER:
		return json_integer(c->number > INT64_MAX ? INT64_MAX : (json_int_t)c->number);
	case VALUE_BOOL:
		return json_boolean(c->number != 0);
	default:
		return to_string(c->text);
	}
}

// The array below `key`, made at its first use; borrowed.
static json_t *array_at(json_t *object, const char *key)
{
	json_t *array = json_object_get(object, key);

	if (array && json_is_array(array))
		return array;
	if (json_object_set_new_nocheck(object, key, json_array()) < 0)
		return NULL;
	return json_object_get(object, key);
}

static int put_cell(json_t *object, const struct cell *c)
{
	char *key = text_escape(c->key);
	json_t *array;
	int ret = -1;

	if (!key)
		return -ENOMEM;
	if (c->kind != VALUE_LIST) {
		if (json_object_get(object, key))
			log_debug("%s is there twice", key);
		ret = json_object_set_new_nocheck(object, key, to_value(c));
	} else {
		array = array_at(object, key);
		if (array) // an element without text stands for an empty list
			ret = c->text[0] ? json_array_append_new(array, to_value(c)) : 0;
	}
	free(key);
	return ret < 0 ? -ENOMEM : 0;
}

static int put_cells(json_t *object, const struct answer *a, size_t from, size_t end)
{
	int ret = 0;

	for (; from < end && ret == 0; from++)
		ret = put_cell(object, &a->cells[from]);
	return ret;
}

// Where a record's fields go: an object of its own at the end of `list`. Borrowed.
static json_t *new_record(json_t *list)
{
	json_t *object = json_object();

	return list && json_array_append_new(list, object) == 0 ? object : NULL;
}

static int put_record(json_t *top, const struct answer *a, size_t from, size_t end)
{
	const char *section = a->cells[from].section;
	json_t *object = top;

	// a list's own records; a section belongs to the one before it
	if (json_is_array(top) && section[0] && json_array_size(top) > 0)
		object = new_record(array_at(json_array_get(top, json_array_size(top) - 1), section));
	else if (json_is_array(top))
		object = new_record(top);
	else if (section[0])
		object = new_record(array_at(top, section));
	return object ? put_cells(object, a, from, end) : -ENOMEM;
}

static int put_message(json_t *top, const struct answer *a)
{
	json_t *message = to_string(a->message);

	return json_object_set_new(top, "message", message) < 0 ? -ENOMEM : 0;
}

int render_json(FILE *out, const struct command *c, const struct answer *a)
{
	bool list = c->answer == ANSWER_TABLE || c->answer == ANSWER_RECORDS;
	json_t *top = list ? json_array() : json_object();
	size_t from, end;
	int ret = top ? 0 : -ENOMEM;

	for (from = 0; from < a->count && ret == 0; from = end) {
		end = answer_record_end(a, from);
		ret = put_record(top, a, from, end);
	}
	if (ret == 0 && c->answer == ANSWER_DONE)
		ret = put_message(top, a);
	if (ret == 0 && (json_dumpf(top, out, JSON_INDENT(2)) < 0 || fputc('\n', out) == EOF))
		ret = -EIO;
	json_decref(top);
	return ret;
}
