// base64, the Cookie header, header numbers, and the texts that we echo.
#include <stdlib.h>
#include <string.h>

#include "control/worker/text.h"

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
	cookie_get(text, cookie);
	number_clamped(text);
	text_tame(text, out, sizeof(out));
	if (!text_is_printable(out))
		abort();
	text_xml(text, out, sizeof(out));
	if (strpbrk(out, "<>\"'") || !text_is_printable(out))
		abort();
	return 0;
}
