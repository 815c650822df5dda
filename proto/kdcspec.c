#include "kdcspec.h"

#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t";

static bool take_word(const char **p, const char *until, char *out, size_t most)
{
	const size_t len = strcspn(*p, until);

	if (len == 0 || len > most)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((*p)[i] <= ' ' || (*p)[i] >= 0x7f)
			return false;
	memcpy(out, *p, len);
	out[len] = '\0';
	*p += len;
	return true;
}

// HOST:PORT, or [ADDRESS]:PORT for IPv6.
static bool take_host(const char **p, struct kdcspec *out)
{
	const bool bracketed = **p == '[';

	*p += bracketed;
	if (!take_word(p, bracketed ? "]" : ":", out->host, LIMIT_VHOST) || (bracketed && *(*p)++ != ']'))
		return false;
	return *(*p)++ == ':';
}

static bool take_port(const char **p, struct kdcspec *out)
{
	const size_t len = strspn(*p, "0123456789");
	long port;

	if (len == 0 || len >= sizeof(out->port))
		return false;
	memcpy(out->port, *p, len);
	out->port[len] = '\0';
	*p += len;
	port = strtol(out->port, NULL, 10);
	return port >= 1 && port <= UINT16_MAX;
}

const char *kdcspec_parse(const char *text, struct kdcspec *out)
{
	struct kdcspec k = { .tcp = false };
	const char *p = text + strspn(text, blanks);

	if (*p != '/')
		return "it begins with no /PATH";
	if (!take_word(&p, blanks, k.path, LIMIT_URL_PATH))
		return "its path is none, or too long";
	p += strspn(p, blanks);
	if (!take_word(&p, blanks, k.realm, LIMIT_REALM))
		return "behind its path stands no realm";
	p += strspn(p, blanks);
	k.tcp = strncmp(p, "tcp@", 4) == 0;
	if (!k.tcp && strncmp(p, "udp@", 4) != 0)
		return "behind its realm stands neither udp@ nor tcp@";
	p += 4;
	if (!take_host(&p, &k) || !take_port(&p, &k) || p[strspn(p, blanks)] != '\0')
		return "the KDC is not named as HOST:PORT or [ADDRESS]:PORT";
	*out = k;
	return NULL;
}
