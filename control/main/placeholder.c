#include "control/main/placeholder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LENGTH 4 // of "%{U}"

// RFC 3986 2.3; and @, which is in many names and means nothing behind a host.
static bool is_plain(char c)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@";

	return memchr(plain, c, sizeof(plain) - 1) != NULL;
}

static size_t put(char *out, size_t room, char c, bool encode)
{
	if (encode && !is_plain(c))
		return (size_t)snprintf(out, room, "%%%02X", (unsigned char)c);
	if (room > 1)
		memcpy(out, (char[]){ c, 0 }, 2);
	return 1;
}

static const char *value_of(const char *text, const char *user, const char *group)
{
	if (strncmp(text, "%{U}", LENGTH) == 0)
		return user;
	return strncmp(text, "%{G}", LENGTH) == 0 ? group : NULL;
}

int placeholder_fill(const char *text, const char *user, const char *group, bool in_url, char *out, size_t room)
{
	size_t n = 0;

	while (*text && n < room) {
		const char *value = value_of(text, user, group);

		if (!value)
			n += put(out + n, room - n, *text, false);
		for (; value && *value && n < room; value++)
			n += put(out + n, room - n, *value, in_url);
		text += value ? LENGTH : 1;
	}
	if (n >= room) {
		out[0] = 0;
		return -E2BIG;
	}
	out[n] = 0;
	return 0;
}

const char *placeholder_unknown(const char *text)
{
	for (const char *p = strstr(text, "%{"); p; p = strstr(p + 1, "%{"))
		if (!value_of(p, "", ""))
			return p;
	return NULL;
}
