#include "utf8.h"

#include <string.h>

// Smallest code point of each length: anything shorter is an overlong form.
static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };

static size_t sequence_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

size_t utf8_printable(const uint8_t *p, size_t len)
{
	uint32_t cp;
	size_t n, i;

	if (len == 0)
		return 0;
	n = sequence_length(p[0]);
	if (n == 0 || n > len)
		return 0;
	if (n == 1)
		return p[0] >= 0x20 && p[0] != 0x7f;
	cp = p[0] & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	if (cp < 0xa0 || (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069))
		return 0;
	return n;
}

bool utf8_is_printable(const char *text)
{
	size_t len = strlen(text), n;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_printable((const uint8_t *)text + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}
