#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "paint.h"
#include "render.h"
#include "text.h"

#define CELL_TEXT 32 // a number or an age
#define GAP 2

// Fields that are there for programs, as occtl names them.
static bool machine_only(const char *key)
{
	return key[0] == '_' || strncmp(key, "raw_", 4) == 0;
}

// A place that nobody knows is no news to people; nor is what ocserv 1.1 calls "Last connected at".
static bool says_nothing(const struct cell *c)
{
	return (strcmp(c->key, "Location") == 0 && strcmp(c->text, "unknown") == 0) || strcmp(c->key, "Connected at") == 0;
}

// A cell as people read it; `room` serves where the gateway sent a bare value.
static const char *cell_text(const struct cell *c, char room[CELL_TEXT])
{
	if (!c)
		return "";
	if (c->text[0])
		return c->text;
	if (c->kind == VALUE_BOOL)
		return c->number ? "yes" : "no";
	if (c->kind == VALUE_NUMBER) {
		snprintf(room, CELL_TEXT, "%llu", (unsigned long long)c->number);
		return room;
	}
	return "";
}

static bool is_list_tail(const struct answer *a, size_t i, size_t from)
{
	return i > from && a->cells[i].kind == VALUE_LIST && a->cells[i - 1].kind == VALUE_LIST &&
	       strcmp(a->cells[i].key, a->cells[i - 1].key) == 0;
}

// ----------------------------------------------------------------------------------------------------------------- lines

// How long ago a time is stands under its name with a "_", as occtl has it.
static const char *in_brackets(const struct answer *a, size_t i, size_t end)
{
	const struct cell *c = &a->cells[i];

	for (size_t n = i + 1; n < end; n++)
		if (a->cells[n].key[0] == '_' && strcmp(a->cells[n].key + 1, c->key) == 0)
			return strstr(c->text, a->cells[n].text) ? "" : a->cells[n].text;
	return "";
}

static void put_painted(FILE *out, const char *text, const char *colour)
{
	fputs(colour, out);
	text_put(out, text);
	if (colour[0])
		fputs(PAINT_END, out);
}

static const char *colour_of(const struct cell *c, const struct look *look)
{
	return c && look->colours ? paint(c) : "";
}

static void put_line(FILE *out, const struct answer *a, size_t i, size_t end, size_t width, const struct look *look)
{
	const char *brackets = in_brackets(a, i, end);
	const struct cell *c = &a->cells[i];
	char room[CELL_TEXT];
	size_t next;

	fputc('\t', out);
	if (width > text_width(c->key))
		text_pad(out, width - text_width(c->key));
	text_put(out, c->key);
	fputs(": ", out);
	put_painted(out, cell_text(c, room), colour_of(c, look));
	for (next = i + 1; next < end && is_list_tail(a, next, i); next++) {
		fputs(", ", out);
		text_put(out, a->cells[next].text);
	}
	if (brackets[0]) {
		fputs(" (", out);
		text_put(out, brackets);
		fputc(')', out);
	}
	fputc('\n', out);
}

static bool shown(const struct answer *a, size_t i, size_t from)
{
	char room[CELL_TEXT];

	return !machine_only(a->cells[i].key) && !says_nothing(&a->cells[i]) && !is_list_tail(a, i, from) &&
	       cell_text(&a->cells[i], room)[0];
}

// Keys stand flush right below each other where `aligned`, else as they come: scripts read both.
static void put_lines(FILE *out, const struct answer *a, size_t from, size_t end, bool aligned, const struct look *look)
{
	size_t i, width = 0;

	for (i = from; aligned && i < end; i++)
		if (shown(a, i, from) && text_width(a->cells[i].key) > width)
			width = text_width(a->cells[i].key);
	for (i = from; i < end; i++)
		if (shown(a, i, from))
			put_line(out, a, i, end, width, look);
}

static void put_records(FILE *out, const struct answer *a, const struct look *look)
{
	size_t from, end;

	for (from = 0; from < a->count; from = end) {
		end = answer_record_end(a, from);
		if (a->cells[from].section[0]) // for programs
			continue;
		if (from > 0)
			fputc('\n', out);
		put_lines(out, a, from, end, false, look);
	}
}

// ---------------------------------------------------------------------------------------------------------------- tables

struct grid {
	size_t columns, rows;
	const struct column *column;
	size_t *width;
	bool *numeric; // flush right
	char **text;   // rows * columns, each a copy
	const char **colour;
};

static void grid_fini(struct grid *g)
{
	size_t i;

	for (i = 0; g->text && i < g->columns * g->rows; i++)
		free(g->text[i]);
	free(g->text);
	free(g->colour);
	free(g->width);
	free(g->numeric);
}

static int grid_init(struct grid *g, const struct column *columns, size_t rows)
{
	size_t i;

	memset(g, 0, sizeof(*g));
	g->column = columns;
	while (columns[g->columns].title)
		g->columns++;
	g->rows = rows;
	g->width = calloc(g->columns + 1, sizeof(*g->width));
	g->numeric = calloc(g->columns + 1, sizeof(*g->numeric));
	g->text = calloc(g->columns * rows + 1, sizeof(*g->text));
	g->colour = calloc(g->columns * rows + 1, sizeof(*g->colour));
	if (!g->width || !g->numeric || !g->text || !g->colour) {
		grid_fini(g);
		return -ENOMEM;
	}
	for (i = 0; i < g->columns; i++) {
		g->width[i] = text_width(columns[i].title);
		g->numeric[i] = true;
	}
	return 0;
}

static const char *column_text(const struct column *col, const struct cell *c, time_t now, char room[CELL_TEXT])
{
	if (col->kind != COLUMN_AGE || !c || c->kind != VALUE_NUMBER)
		return cell_text(c, room);
	text_age(c->number < (uint64_t)now ? (uint64_t)now - c->number : 0, room, CELL_TEXT);
	return room;
}

static int grid_put(struct grid *g, size_t row, size_t column, const struct cell *c, const struct look *look)
{
	char room[CELL_TEXT], **slot = &g->text[row * g->columns + column];
	size_t width;

	*slot = strdup(column_text(&g->column[column], c, look->now, room));
	g->colour[row * g->columns + column] = colour_of(c, look);
	if (!*slot)
		return -ENOMEM;
	width = text_width(*slot);
	if (width > g->width[column])
		g->width[column] = width;
	if (c && (c->kind != VALUE_NUMBER || g->column[column].kind == COLUMN_AGE))
		g->numeric[column] = false;
	return 0;
}

static void put_cell(FILE *out, const struct grid *g, size_t column, const char *text, const char *colour)
{
	size_t pad = g->width[column] - text_width(text);

	if (g->numeric[column])
		text_pad(out, pad);
	put_painted(out, text, colour);
	if (column + 1 < g->columns)
		text_pad(out, GAP + (g->numeric[column] ? 0 : pad));
}

static void grid_print(FILE *out, const struct grid *g, size_t indent)
{
	size_t row, i;

	text_pad(out, indent);
	for (i = 0; i < g->columns; i++)
		put_cell(out, g, i, g->column[i].title, "");
	fputc('\n', out);
	for (row = 0; row < g->rows; row++) {
		text_pad(out, indent);
		for (i = 0; i < g->columns; i++)
			put_cell(out, g, i, g->text[row * g->columns + i], g->colour[row * g->columns + i]);
		fputc('\n', out);
	}
}

static bool hidden(const struct answer *a, size_t from, size_t end, const char *nonzero)
{
	const struct cell *c = nonzero ? answer_cell(a, from, end, nonzero) : NULL;

	return c && c->number == 0;
}

static size_t count_records(const struct answer *a, size_t from, size_t end, const char *nonzero)
{
	size_t n = 0, next;

	for (; from < end; from = next) {
		next = answer_record_end(a, from);
		n += !hidden(a, from, next, nonzero);
	}
	return n;
}

struct span {
	size_t from, end;
	const char *nonzero; // key of a number: rows in which it is 0 are left out
};

static int put_table(FILE *out, const struct column *columns, const struct answer *a, struct span s, size_t indent,
                     const struct look *look)
{
	size_t row = 0, i, next;
	struct grid g;
	int ret;

	ret = grid_init(&g, columns, count_records(a, s.from, s.end, s.nonzero));
	if (ret < 0)
		return ret;
	for (; s.from < s.end && ret == 0; s.from = next) {
		next = answer_record_end(a, s.from);
		if (hidden(a, s.from, next, s.nonzero))
			continue;
		for (i = 0; i < g.columns && ret == 0; i++)
			ret = grid_put(&g, row, i, answer_cell(a, s.from, next, columns[i].keys), look);
		row++;
	}
	if (ret == 0)
		grid_print(out, &g, indent);
	grid_fini(&g);
	return ret;
}

// -------------------------------------------------------------------------------------------------------------- sections

static size_t section_end(const struct answer *a, size_t from)
{
	size_t i = from;

	while (i < a->count && strcmp(a->cells[i].section, a->cells[from].section) == 0)
		i++;
	return i;
}

static bool column_known(const struct column *columns, size_t n, const char *key)
{
	while (n > 0)
		if (strcmp(columns[--n].keys, key) == 0)
			return true;
	return false;
}

// A section's columns are its keys, in the order of their first use.
static struct column *section_columns(const struct answer *a, size_t from, size_t end)
{
	struct column *columns = calloc(end - from + 1, sizeof(*columns));
	size_t i, n = 0;

	for (i = from; columns && i < end; i++)
		if (!machine_only(a->cells[i].key) && !column_known(columns, n, a->cells[i].key))
			columns[n++] = (struct column){ .title = a->cells[i].key, .keys = a->cells[i].key };
	return columns;
}

static const char *nonzero_key(const struct column *column, const char *section)
{
	for (; column->title; column++)
		if (column->kind == COLUMN_NONZERO && strcmp(column->title, section) == 0)
			return column->keys;
	return NULL;
}

static int put_section(FILE *out, const struct command *c, const struct answer *a, struct span s, size_t indent,
                       const struct look *look)
{
	struct column *columns = section_columns(a, s.from, s.end);
	int ret;

	if (!columns)
		return -ENOMEM;
	s.nonzero = nonzero_key(c->columns, a->cells[s.from].section);
	ret = put_table(out, columns, a, s, indent, look);
	free(columns);
	return ret;
}

static int put_titled_section(FILE *out, const struct command *c, const struct answer *a, struct span s, const struct look *look)
{
	fputc('\n', out);
	text_put(out, a->cells[s.from].section);
	fputs(":\n", out);
	return put_section(out, c, a, s, 8, look);
}

int render_section(FILE *out, const struct command *c, const struct answer *a, const char *section, const struct look *look)
{
	size_t from, end;

	for (from = 0; from < a->count; from = end) {
		end = section_end(a, from);
		if (strcmp(a->cells[from].section, section) == 0)
			return put_section(out, c, a, (struct span){ from, end, NULL }, 0, look);
	}
	return 0;
}

// What belongs to the whole comes first, wherever it stood.
static int put_status(FILE *out, const struct command *c, const struct answer *a, const struct look *look)
{
	size_t from, end;
	int ret = 0;

	for (from = 0; from < a->count; from = end) {
		end = section_end(a, from);
		if (!a->cells[from].section[0])
			put_lines(out, a, from, end, true, look);
	}
	for (from = 0; from < a->count && ret == 0; from = end) {
		end = section_end(a, from);
		if (a->cells[from].section[0])
			ret = put_titled_section(out, c, a, (struct span){ from, end, NULL }, look);
	}
	return ret;
}

static void put_sentence(FILE *out, const char *text)
{
	if (!text[0])
		return;
	text_put(out, text);
	fputc('\n', out);
}

int render_text(FILE *out, const struct command *c, const struct answer *a, const struct look *look)
{
	if (a->count == 0) {
		put_sentence(out, a->message[0] ? a->message : c->empty);
		return 0;
	}
	switch (c->answer) {
	case ANSWER_TABLE:
		return put_table(out, c->columns, a, (struct span){ 0, a->count, NULL }, 0, look);
	case ANSWER_STATUS:
	case ANSWER_LOCAL:
		return put_status(out, c, a, look);
	case ANSWER_RECORDS:
	case ANSWER_EVENTS: // each was written as it came
	case ANSWER_DONE:
		put_records(out, a, look);
	}
	return 0;
}
