#include "portlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

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
	else if (up != port->up && !gone && port->outer)
		log_line(up ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARN, "port %s: the interface %s is %s", name, interface,
		         up ? "up again" : "down");
	port->up = up && !gone;
	port->gone = gone;
}

static void note(struct ports *p, int index, bool up, bool gone)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->all[i].index == index && !p->all[i].gone)
			change(&p->all[i], up, gone);
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

static const char *name_of(const struct nlmsghdr *h)
{
	const struct rtattr *a = IFLA_RTA((const struct ifinfomsg *)NLMSG_DATA(h));
	unsigned left = IFLA_PAYLOAD(h);

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_IFNAME && RTA_PAYLOAD(a) > 0 && ((const char *)RTA_DATA(a))[RTA_PAYLOAD(a) - 1] == 0)
			return RTA_DATA(a);
	return "";
}

static void note_now(int fd, struct port *port)
{
	struct ifreq ifr = { 0 };

	memcpy(ifr.ifr_name, port->interface, sizeof(ifr.ifr_name));
	port->index = (int)if_nametoindex(port->interface);
	port->up = ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && is_up((unsigned short)ifr.ifr_flags);
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
	for (unsigned i = 0; i < p->n; i++)
		if (p->all[i].interface[0])
			note_now(fd, &p->all[i]);
	return fd;
}

void portlink_read(int fd, struct ports *p)
{
	char buf[READ_ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
	const struct ifinfomsg *link;
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0)
		return;
	for (unsigned left = (unsigned)n; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
		if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) || h->nlmsg_len < NLMSG_LENGTH(sizeof(*link)))
			continue;
		link = NLMSG_DATA(h);
		// an interface also leaves a bridge with a DELLINK
		if (link->ifi_family != AF_UNSPEC)
			continue;
		note(p, link->ifi_index, is_up(link->ifi_flags), h->nlmsg_type == RTM_DELLINK);
		if (h->nlmsg_type == RTM_NEWLINK)
			note_return(p, name_of(h));
	}
}
