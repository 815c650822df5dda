// The quota file: what is taken is printed as it was.
#include <stdlib.h>
#include <string.h>

#include "control/main/quota.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct quota_book first, second;
	unsigned line = 0;
	size_t len, again;
	char *text, *other;

	if (quota_book_init(&first) < 0 || quota_book_init(&second) < 0)
		abort();
	if (quota_parse(&first, (const char *)data, size, &line) == 0) {
		text = quota_print(&first, &len);
		if (!text || quota_parse(&second, text, len, &line) < 0)
			abort();
		other = quota_print(&second, &again);
		if (!other || again != len || memcmp(text, other, len) != 0)
			abort();
		free(text);
		free(other);
	}
	if (line == 0)
		abort();
	quota_book_fini(&first);
	quota_book_fini(&second);
	return 0;
}
