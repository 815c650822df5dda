#include "portlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "portnic.h"
#include "proto/log.h"

// A few links' worth; what does not fit comes with a later datagram.
#define READ_ROOM 16384

static bool is_up(unsigned flags)
{
	return (flags & IFF_UP) && (flags & IFF_RUNNING);
}

// Cores see no more than that nothing comes; the operator has to be told why.
static void change(struct port *port, bool up, bool gone)
{
	const char *name = port->name, *interface = port->interface;

	if (gone && !port->gone)
		log_err("port %s: the interface %s has gone: clients that came over it are left with TCP", name, interface);
	else if (up != port->up && !gone && port->outer && !port->kernel)
		log_line(up ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARN, "port %s: the interface %s is %s", name, interface,
		         up ? "up again" : "down");
	port->up = up && !gone;
	port->gone = gone;
}

// What cores may put on it; the kernel's own sockets look for themselves.
static void note_mtu(struct port *port, unsigned mtu)
{
	uint16_t now = mtu < UINT16_MAX ? (uint16_t)mtu : UINT16_MAX;

	if (mtu == 0 || port->kind != PORT_ETHDEV || !port->outer || port->kernel || now == port->link_mtu)
		return;
	if (port->link_mtu)
		log_notice("port %s: the MTU of the interface %s is %u now", port->name, port->interface, now);
	__atomic_store_n(&port->link_mtu, now, __ATOMIC_RELAXED);
}

static void note(struct ports *p, const struct rtnl_link *link, bool gone)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct port *port = &p->all[i];

		if (port->index != link->index || port->gone)
			continue;
		change(port, link->up, gone);
		note_mtu(port, link->mtu);
		if (port->kernel && !gone)
			portnic_follow_kernel(&p->all[port->beside->number], link);
	}
}

// One that comes back has another number, and the port's sockets are bound to the old one. Opening others takes rights that this
// process has given up.
static void note_return(struct ports *p, const char *interface)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct port *port = &p->all[i];

		if (!port->gone || port->returned || strcmp(port->interface, interface) != 0)
			continue;
		port->returned = true;
		log_warn("port %s: the interface %s is back, but not in use: end this process (pid %d), and the next one takes it; "
		         "clients come back by themselves",
		         port->name, interface, (int)getpid());
	}
}

static void note_now(int fd, struct port *port)
{
	struct ifreq ifr = { 0 };

	memcpy(ifr.ifr_name, port->interface, sizeof(ifr.ifr_name));
	port->index = (int)if_nametoindex(port->interface);
	port->up = ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && is_up((unsigned short)ifr.ifr_flags);
	if (ioctl(fd, SIOCGIFMTU, &ifr) == 0)
		note_mtu(port, (unsigned)ifr.ifr_mtu);
}

int portlink_open(struct ports *p)
{
	struct sockaddr_nl us = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), ret;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&us, sizeof(us)) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	// what becomes of interfaces in another namespace nobody tells us
	for (unsigned i = 0; i < p->n; i++)
		if (p->all[i].interface[0] && !p->all[i].elsewhere)
			note_now(fd, &p->all[i]);
	return fd;
}

void portlink_read(int fd, struct ports *p)
{
	uint8_t buf[READ_ROOM];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	struct rtnl m;
	size_t at = 0;

	while (n > 0 && rtnl_next(buf, (size_t)n, &at, &m)) {
		if (m.kind != RTNL_LINK)
			continue;
		note(p, &m.link, m.gone);
		if (!m.gone)
			note_return(p, m.link.name);
	}
}
