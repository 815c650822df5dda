#include "control/main/endpoint.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/main/unixsocket.h"
#include "proto/addr.h"

#define BACKLOG 8

// "192.0.2.1:80", "[2001:db8::1]:80". 0 or -EINVAL.
static int parse(const char *text, struct addr *out)
{
	const char *colon = strrchr(text, ':');
	bool bracketed = text[0] == '[';
	size_t len = colon ? (size_t)(colon - text) : 0;
	char ip[ADDR_TEXT], *end;
	unsigned long port;

	if (bracketed && (len < 2 || text[len - 1] != ']'))
		return -EINVAL;
	if (!len || len - 2 * bracketed >= sizeof(ip) || colon[1] < '0' || colon[1] > '9')
		return -EINVAL;
	snprintf(ip, sizeof(ip), "%.*s", (int)(len - 2 * bracketed), text + bracketed);
	port = strtoul(colon + 1, &end, 10);
	if (*end || port < 1 || port > UINT16_MAX || strchr(ip, '/') || addr_parse(ip, out) < 0 || (out->family == 6) != bracketed)
		return -EINVAL;
	out->port = (uint16_t)port;
	return 0;
}

static bool is_loopback(const struct addr *a)
{
	static const uint8_t ipv6[16] = { [15] = 1 };

	return a->family == 4 ? a->ip[0] == 127 : memcmp(a->ip, ipv6, sizeof(ipv6)) == 0;
}

const char *endpoint_wrong(const char *text)
{
	struct addr a;

	if (text[0] == '/')
		return NULL;
	if (parse(text, &a) < 0)
		return "it is neither ADDRESS:PORT, as 127.0.0.1:9190 or [::1]:9190, nor a path";
	return is_loopback(&a) ? NULL
	                       : "only an address of this machine's loopback interface is taken: nobody is asked who he is there";
}

static int listen_tcp(const char *text)
{
	static const int on = 1;
	struct sockaddr_storage to;
	struct addr a;
	socklen_t len;
	int fd, ret = parse(text, &a);

	if (ret < 0)
		return ret;
	len = addr_to_sockaddr(&a, &to);
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 && bind(fd, (struct sockaddr *)&to, len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

// Numbers, and who may read them is a matter of the directory.
int endpoint_listen(const char *text)
{
	return text[0] == '/' ? unixsocket_listen(text, SOCK_STREAM, 0666) : listen_tcp(text);
}

void endpoint_remove(const char *text)
{
	if (text[0] == '/')
		unlink(text);
}
