// A network namespace of the test's own, so that it touches no interface of the machine.
#pragma once
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "probe.h"

static PROBE_UNUSED int netns_interface_up(const char *name, const char *ip, const char *mask)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	struct ifreq ifr = { 0 };
	struct sockaddr_in sin = { .sin_family = AF_INET };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	inet_pton(AF_INET, ip, &sin.sin_addr);
	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	ret = ioctl(fd, SIOCSIFADDR, &ifr);
	inet_pton(AF_INET, mask, &sin.sin_addr);
	memcpy(&ifr.ifr_netmask, &sin, sizeof(sin));
	ret = ret < 0 ? ret : ioctl(fd, SIOCSIFNETMASK, &ifr);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING | IFF_NOARP; // as main sets the inner interface up
	ret = ret < 0 ? ret : ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
	return ret;
}

static PROBE_UNUSED int netns_write_sysctl(const char *name)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/lo/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ret = fd < 0 || write(fd, "1", 1) != 1 ? -1 : 0;
	close(fd);
	return ret;
}

// A namespace in which the dataplane can speak with a client on lo: its packets bring no route with them, so without the two
// settings the kernel takes 127.0.0.1 for a martian.
static PROBE_UNUSED int netns_enter(void)
{
	if (unshare(CLONE_NEWNET) < 0 || netns_interface_up("lo", "127.0.0.1", "255.0.0.0") < 0)
		return -1;
	return netns_write_sysctl("route_localnet") < 0 || netns_write_sysctl("accept_local") < 0 ? -1 : 0;
}
