#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

void text_copy(char *out, size_t most, const char *in)
{
	size_t left = strlen(in), used = 0, n;

	while (left > 0) {
		size_t printable = utf8_printable((const uint8_t *)in, left);

		n = printable > 0 ? printable : 1;
		if (n > most - used)
			break;
		if (printable > 0)
			memcpy(out + used, in, n);
		else
			out[used] = ' ';
		used += n;
		in += n;
		left -= n;
	}
	out[used] = '\0';
}

bool text_fits(const char *s, size_t size)
{
	const size_t len = strnlen(s, size);
	size_t n;

	if (len == size)
		return false;
	for (size_t i = 0; i < len; i += n) {
		n = utf8_printable((const uint8_t *)s + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

void text_format(char out[LIMIT_TEXT + 1], const char *fmt, ...)
{
	char raw[LIMIT_TEXT + 1];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_copy(out, LIMIT_TEXT, raw);
}
