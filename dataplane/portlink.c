#include "portlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

// A few links' worth; what does not fit comes with a later datagram.
#define READ_ROOM 16384

static bool is_up(unsigned flags)
{
	return (flags & IFF_UP) && (flags & IFF_RUNNING);
}

static void note(struct ports *p, int index, bool up)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->all[i].index == index)
			p->all[i].up = up;
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
		note(p, link->ifi_index, h->nlmsg_type == RTM_NEWLINK && is_up(link->ifi_flags));
	}
}
