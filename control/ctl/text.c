#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "proto/utf8.h"
#include "text.h"

#define ESCAPED 4 // \xNN

void text_init(void)
{
	setlocale(LC_CTYPE, "C.UTF-8"); // glibc has it built in
}

// Columns of a printable character of n bytes.
static size_t columns_of(const char *p, size_t n)
{
	wchar_t wide;
	int width;

	if (n == 1)
		return 1;
	if (mbtowc(&wide, p, n) != (int)n)
		return 1;
	width = wcwidth(wide);
	return width < 0 ? 1 : (size_t)width;
}

size_t text_width(const char *text)
{
	size_t left = strlen(text), width = 0, n;

	for (; left > 0; text += n, left -= n) {
		n = utf8_printable((const uint8_t *)text, left);
		width += n > 0 ? columns_of(text, n) : ESCAPED;
		n = n > 0 ? n : 1;
	}
	return width;
}

void text_put(FILE *out, const char *text)
{
	size_t left = strlen(text), n;

	for (; left > 0; text += n, left -= n) {
		n = utf8_printable((const uint8_t *)text, left);
		if (n > 0)
			fwrite(text, 1, n, out);
		else
			fprintf(out, "\\x%02x", (uint8_t)*text);
		n = n > 0 ? n : 1;
	}
}

void text_pad(FILE *out, size_t columns)
{
	fprintf(out, "%*s", (int)columns, "");
}

char *text_escape(const char *text)
{
	char *copy = NULL;
	size_t room;
	FILE *out = open_memstream(&copy, &room);

	if (!out)
		return NULL;
	text_put(out, text);
	if (fclose(out) == 0)
		return copy;
	free(copy);
	return NULL;
}

void text_age(unsigned long long seconds, char *out, size_t room)
{
	unsigned long long minutes = seconds / 60, hours = minutes / 60;

	if (minutes == 0)
		snprintf(out, room, "%llus", seconds);
	else if (hours == 0)
		snprintf(out, room, "%llum:%02llus", minutes, seconds % 60);
	else if (hours < 24)
		snprintf(out, room, "%lluh:%02llum", hours, minutes % 60);
	else
		snprintf(out, room, "%llud:%02lluh", hours / 24, hours % 24);
}
