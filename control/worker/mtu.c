#include <netinet/in.h>
#include <sys/socket.h>

#include "mtu.h"

#define BASE_LEAST 576 // RFC 791: every host takes that much; a client that says less is not believed

uint16_t mtu_base(uint16_t said, uint32_t path)
{
	uint32_t base = said ? said : path;

	if (base == 0)
		return 0;
	if (path && path < base)
		base = path;
	if (base < BASE_LEAST)
		base = BASE_LEAST;
	return base > UINT16_MAX ? UINT16_MAX : (uint16_t)base;
}

uint32_t mtu_path(int fd)
{
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	if (getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len) == 0 && mtu > 0)
		return (uint32_t)mtu;
	len = sizeof(mtu);
	if (getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len) == 0 && mtu > 0)
		return (uint32_t)mtu;
	return 0;
}
