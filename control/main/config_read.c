#include "control/main/config_read.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_comment(char c)
{
	return c == '#' || c == ';';
}

static char *skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

static void trim_end(char *p)
{
	size_t n = strlen(p);

	while (n > 0 && is_blank(p[n - 1]))
		p[--n] = '\0';
}

void config_read_init(struct config_reader *r, const char *text, size_t len)
{
	r->at = text;
	r->end = text + len;
	r->line = 0;
	// a byte order mark, as some editors write it
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r->at += 3;
}

// The next line into r->text; what is wrong with it, or NULL.
static const char *take_line(struct config_reader *r)
{
	const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
	const char *start = r->at;
	size_t len;

	r->line++;
	r->at = stop ? stop + 1 : r->end;
	len = (size_t)((stop ? stop : r->end) - start);
	if (len > 0 && start[len - 1] == '\r')
		len--;
	if (len > CONFIG_LINE_MAX)
		return "this line is longer than 4096 bytes";
	if (memchr(start, '\0', len))
		return "this line has a NUL byte in it";
	memcpy(r->text, start, len);
	r->text[len] = '\0';
	trim_end(r->text);
	return NULL;
}

// The quote that ends the value is the first one with nothing or a comment behind it, so quotes inside need no escape.
static char *closing_quote(char *p)
{
	char *after;

	for (p = strchr(p, '"'); p; p = strchr(p + 1, '"')) {
		after = skip_blanks(p + 1);
		if (*after == '\0' || is_comment(*after))
			return p;
	}
	return NULL;
}

static const char *take_section(char *p, struct config_line *out)
{
	char *close = strchr(p, ']'), *after;

	if (!close)
		return "a section has to end with ]";
	after = skip_blanks(close + 1);
	if (*after && !is_comment(*after))
		return "nothing may stand behind a section's ]";
	*close = '\0';
	p = skip_blanks(p);
	trim_end(p);
	out->kind = LINE_SECTION;
	out->value = p;
	return NULL;
}

static const char *take_entry(char *p, struct config_line *out)
{
	char *separator = p + strcspn(p, "=:"), *value, *close;

	if (!*separator)
		return "this line is no option: it has no =";
	value = skip_blanks(separator + 1);
	*separator = '\0';
	trim_end(p);
	if (!*p)
		return "there is no option before the =";
	if (*value == '"') {
		close = closing_quote(value + 1);
		if (!close)
			return "the quote is not closed";
		*close = '\0';
		value++;
		out->quoted = 1;
	}
	out->kind = LINE_ENTRY;
	out->key = p;
	out->value = value;
	return NULL;
}

void config_read(struct config_reader *r, struct config_line *out)
{
	const char *wrong;
	char *p;

	*out = (struct config_line){ .kind = LINE_END };
	while (r->at < r->end) {
		wrong = take_line(r);
		p = skip_blanks(r->text);
		if (!wrong && (*p == '\0' || is_comment(*p)))
			continue;
		if (!wrong)
			wrong = *p == '[' ? take_section(p + 1, out) : take_entry(p, out);
		out->line = r->line;
		if (wrong) {
			out->kind = LINE_BAD;
			out->value = wrong;
		}
		return;
	}
}
