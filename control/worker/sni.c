#include "sni.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define TYPE_HOST_NAME 0

static int take_name(const uint8_t *text, size_t len, char name[LIMIT_VHOST + 1])
{
	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len == 0 || len > LIMIT_VHOST || memchr(text, 0, len))
		return -EBADMSG;
	for (size_t i = 0; i < len; i++)
		name[i] = (char)tolower(text[i]);
	name[len] = 0;
	return 0;
}

int sni_parse(const uint8_t *body, size_t len, char name[LIMIT_VHOST + 1])
{
	size_t size;

	if (len < 2 || (size_t)(body[0] << 8 | body[1]) != len - 2)
		return -EBADMSG;
	for (body += 2, len -= 2; len > 0; body += size, len -= size) {
		if (len < 3)
			return -EBADMSG;
		size = 3u + (size_t)(body[1] << 8 | body[2]);
		if (size > len)
			return -EBADMSG;
		if (body[0] == TYPE_HOST_NAME)
			return take_name(body + 3, size - 3, name);
	}
	return -ENOENT;
}
