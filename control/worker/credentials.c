#include "credentials.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "text.h"

// RFC 6750 2.1: b64token
static bool is_bearer_token(const char *text, size_t len)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
	size_t i = 0;

	while (i < len && strchr(set, text[i]) != NULL)
		i++;
	while (i > 0 && i < len && text[i] == '=')
		i++;
	return i == len && len > 0;
}

static int read_bearer(const char *text, size_t len, uint8_t *token, size_t room)
{
	if (!is_bearer_token(text, len))
		return -EBADMSG;
	if (len > room)
		return -EMSGSIZE;
	memcpy(token, text, len);
	return (int)len;
}

static int read_negotiate(const char *text, size_t len, uint8_t *token, size_t room)
{
	int n;

	if (len / 4 * 3 > room + 2)
		return -EMSGSIZE;
	n = base64_decode(text, len, token, room);
	return n > 0 ? n : -EBADMSG;
}

int credentials_read(const char *header, enum auth_kind *kind, uint8_t *token, size_t room)
{
	const char *scheme = header != NULL ? header + strspn(header, " \t") : "", *text = scheme + strcspn(scheme, " \t");
	const size_t scheme_len = (size_t)(text - scheme);
	size_t len;
	int ret;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) // openconnect puts one behind its token
		len--;
	if (scheme_len == 9 && strncasecmp(scheme, "Negotiate", 9) == 0) {
		ret = read_negotiate(text, len, token, room);
		*kind = AUTH_NEGOTIATE;
	} else if (scheme_len == 6 && strncasecmp(scheme, "Bearer", 6) == 0) {
		ret = read_bearer(text, len, token, room);
		*kind = AUTH_BEARER;
	} else {
		ret = -ENOENT;
	}
	return ret;
}
