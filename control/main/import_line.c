#include "control/main/import_line.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *import_word(enum import_verdict v)
{
	static const char *const words[] = { "supported", "translated", "no effect", "refused" };

	return words[v];
}

static void set(struct import_line *out, enum import_verdict v, const char *why)
{
	out->verdict = v;
	snprintf(out->why, sizeof(out->why), "%s", why ? why : "");
}

static void unknown(const char *key, struct import_line *out)
{
	const char *nearest = opt_nearest(key);

	out->verdict = IMPORT_REFUSED;
	if (nearest)
		snprintf(out->why, sizeof(out->why), "this option is unknown; did you mean %s?", nearest);
	else
		snprintf(out->why, sizeof(out->why), "this option is unknown");
}

static bool asks_for_the_usual(const struct opt_info *o, const struct value_out *value)
{
	struct value_out as_is;

	return o->as_is && value_parse(o, o->as_is, true, "/", &as_is) >= 0 && strcmp(as_is.text, value->text) == 0;
}

static void write_line(const struct opt_info *o, const struct value_out *value, struct import_line *out)
{
	bool text = o->kind == KIND_TEXT || o->kind == KIND_SECRET || o->kind == KIND_AUTH;
	const char *said = o->kind != KIND_BOOL ? value->text : strcmp(value->text, "1") == 0 ? "true" : "false";

	snprintf(out->now, sizeof(out->now), text ? "%s = \"%s\"" : "%s = %s", o->name, said);
}

// The same but for blanks, and a comment behind it.
static bool says_the_same(const char *given, const char *normal)
{
	for (; *given && *given != '#'; given++) {
		if (isspace((unsigned char)*given) || *given == *normal) {
			normal += *given == *normal;
			continue;
		}
		return false;
	}
	return *normal == '\0';
}

// Why the line is better written otherwise; NULL: it is not.
static const char *why_otherwise(const struct opt_info *o, const struct config_line *line, const struct value_out *value)
{
	if (value->why[0])
		return value->why;
	switch (o->kind) {
	case KIND_FILE:
	case KIND_PATH:
	case KIND_DIRECTORY:
	case KIND_KEYFILE:
		return says_the_same(line->value, value->text) ? NULL : "a path from the folder of this file, written whole";
	case KIND_AUTH:
		return says_the_same(line->value, value->text) ? NULL : "written as key=value, with whole paths";
	default:
		return NULL;
	}
}

static void judge_value(const struct opt_info *o, const struct config_line *line, const char *dir, struct import_line *out)
{
	static const char other_name[] = "this is its other name";
	struct value_out value;
	const char *why;

	if (value_parse(o, line->value, line->quoted, dir, &value) < 0) {
		set(out, IMPORT_REFUSED, value.why);
		return;
	}
	write_line(o, &value, out);
	why = why_otherwise(o, line, &value);
	if (!why && strcmp(line->key, o->name) != 0)
		why = other_name;
	if (o->status == STATUS_VOID && !asks_for_the_usual(o, &value))
		set(out, IMPORT_IDLE, o->note);
	else
		set(out, why ? IMPORT_TRANSLATED : IMPORT_SUPPORTED, why);
}

void import_judge(const struct config_line *line, const char *dir, struct import_line *out)
{
	int o = line->kind == LINE_ENTRY ? opt_find(line->key) : -1;

	*out = (struct import_line){ .verdict = IMPORT_SUPPORTED };
	if (line->kind == LINE_BAD)
		set(out, IMPORT_REFUSED, line->value);
	if (line->kind != LINE_ENTRY)
		return;
	if (o < 0) {
		unknown(line->key, out);
		return;
	}
	out->secret = opt_table[o].kind == KIND_SECRET;
	if (opt_table[o].status == STATUS_REMOVED)
		set(out, IMPORT_REFUSED, opt_table[o].note);
	else
		judge_value(&opt_table[o], line, dir, out);
}
