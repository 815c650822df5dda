// base64, hex, lists, paths, the Cookie header, header numbers, and the texts that we echo.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/worker/text.h"
#include "proto/utf8.h"

static void check_words(const char *text)
{
	const char *list = text, *word, *end = text + strlen(text);
	size_t len;

	while ((word = list_next(&list, ':', &len)))
		if (word < text || word + len > end || memchr(word, ':', len) ||
		    (len > 0 && (word[0] == ' ' || word[len - 1] == ' ')))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[1025], back[BASE64_ROOM(sizeof(text))], out[300];
	uint8_t raw[sizeof(text)], cookie[COOKIE_SIZE];
	int n;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	n = base64_decode(text, size, raw, sizeof(raw));
	if (n >= 0) { // canonical: it comes back the same
		base64_encode(raw, (size_t)n, back);
		if (strlen(back) != size || memcmp(back, text, size) != 0)
			abort();
	}
	if (text[0] && hex_decode(text, raw, strlen(text) / 2) == 0) {
		hex_encode(raw, strlen(text) / 2, back);
		if (strcasecmp(back, text) != 0)
			abort();
	}
	check_words(text);
	cookie_get(text, cookie);
	number_clamped(text);
	text_tame(text, out, sizeof(out));
	if (!utf8_is_printable(out))
		abort();
	if (path_name(text, out, sizeof(out)) == 0 && (!out[0] || strchr(out, '/') || !utf8_is_printable(out)))
		abort();
	text_xml(text, out, sizeof(out));
	if (strpbrk(out, "<>\"'") || !utf8_is_printable(out))
		abort();
	return 0;
}
