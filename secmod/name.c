#include "secmod/name.h"

#include <stdint.h>
#include <string.h>

#include "proto/utf8.h"

bool name_is_fit(const void *name, size_t len)
{
	const uint8_t *p = name;
	size_t n;

	if (len == 0 || p[0] == '.' || memchr(p, '/', len) != NULL || memmem(p, len, "..", 2) != NULL)
		return false;
	for (size_t at = 0; at < len; at += n) {
		n = utf8_printable(p + at, len - at);
		if (n == 0)
			return false;
	}
	return true;
}
