#include "egress.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/log.h"

static bool set(int socket, int level, int option, int value)
{
	return setsockopt(socket, level, option, &value, sizeof(value)) == 0;
}

// A socket of IPv6 may be one of IPv4's clients, and then it has both.
static bool set_tos(int socket, uint8_t tos)
{
	bool v6 = set(socket, IPPROTO_IPV6, IPV6_TCLASS, tos), v4 = set(socket, IPPROTO_IP, IP_TOS, tos);

	return v4 || v6;
}

void egress_mark(int socket, uint8_t tos, uint8_t priority)
{
	if ((tos && !set_tos(socket, tos)) || (priority && !set(socket, SOL_SOCKET, SO_PRIORITY, priority)))
		log_info("net-priority: %s", strerror(errno));
}

void egress_limit(int socket, size_t bytes)
{
	if (!set(socket, SOL_SOCKET, SO_SNDBUF, bytes > INT_MAX ? INT_MAX : (int)bytes))
		log_info("output-buffer: %s", strerror(errno));
}
