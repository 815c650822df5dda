#include "control/main/netlink.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <time.h>

#include "proto/err.h"

// Send one request and read its acknowledgement. 0 or the kernel's -errno.
static int request(struct mnl_socket *nl, struct nlmsghdr *h)
{
	static unsigned sequence;
	char buf[MNL_SOCKET_BUFFER_SIZE];
	unsigned portid = mnl_socket_get_portid(nl);
	ssize_t n;

	h->nlmsg_seq = ++sequence;
	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	if (mnl_cb_run(buf, (size_t)n, sequence, portid, NULL, NULL) < 0)
		return -errno;
	return 0;
}

static int link_set(struct mnl_socket *nl, unsigned index, unsigned flags, unsigned mtu)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *m;

	h->nlmsg_type = RTM_NEWLINK;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)index;
	m->ifi_flags = flags;
	m->ifi_change = flags;
	if (mtu)
		mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return request(nl, h);
}

static int address_change(struct mnl_socket *nl, unsigned index, const struct addr *a, bool add, uint32_t flags)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	size_t len = a->family == 4 ? 4 : 16;
	struct ifaddrmsg *m;

	h->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
	h->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifa_family = a->family == 4 ? AF_INET : AF_INET6;
	m->ifa_prefixlen = a->prefix;
	m->ifa_index = index;
	m->ifa_scope = RT_SCOPE_UNIVERSE;
	mnl_attr_put(h, IFA_LOCAL, len, a->ip);
	mnl_attr_put(h, IFA_ADDRESS, len, a->ip);
	if (flags)
		mnl_attr_put_u32(h, IFA_FLAGS, flags);
	return request(nl, h);
}

// NULL: errno says why, and the log.
static struct mnl_socket *socket_open(void)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int ret;

	if (nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0)
		return nl;
	ret = errno_log(errno, "netlink: %s", strerror(errno));
	if (nl)
		mnl_socket_close(nl);
	errno = -ret;
	return NULL;
}

static int link_up(const char *interface, unsigned flags, unsigned mtu)
{
	unsigned index = if_nametoindex(interface);
	struct mnl_socket *nl;
	int ret;

	if (!index)
		return errno_log(errno, "%s: no such interface: %s", interface, strerror(errno));
	nl = socket_open();
	if (!nl)
		return -errno;
	ret = link_set(nl, index, flags, mtu);
	mnl_socket_close(nl);
	if (ret < 0)
		log_err("%s: cannot bring it up with mtu %u: %s", interface, mtu, strerror(-ret));
	return ret;
}

int netlink_link_up(const char *interface, unsigned mtu)
{
	return link_up(interface, IFF_UP | IFF_NOARP, mtu);
}

int netlink_nic_up(const char *interface, unsigned mtu)
{
	return link_up(interface, IFF_UP, mtu);
}

static int address_add(const char *interface, const struct addr *a, uint32_t flags)
{
	struct mnl_socket *nl = socket_open();
	char text[ADDR_TEXT];
	int ret;

	if (!nl)
		return -errno;
	ret = address_change(nl, if_nametoindex(interface), a, true, flags);
	mnl_socket_close(nl);
	if (ret < 0)
		log_err("%s: cannot set address %s: %s", interface, addr_text_prefix(a, text), strerror(-ret));
	return ret;
}

int netlink_address_add(const char *interface, const struct addr *a)
{
	// nobody else is on this link: an address that waits for duplicate detection could not be used for a second
	return address_add(interface, a, a->family == 6 ? IFA_F_NODAD : 0);
}

int netlink_nic_address_add(const char *interface, const struct addr *a)
{
	return address_add(interface, a, 0);
}

int netlink_address_remove(const char *interface, const struct addr *a)
{
	struct mnl_socket *nl = socket_open();
	char text[ADDR_TEXT];
	int ret;

	if (!nl)
		return -errno;
	ret = address_change(nl, if_nametoindex(interface), a, false, 0);
	mnl_socket_close(nl);
	// somebody else, or the interface's end, may have been faster
	if (ret < 0 && ret != -EADDRNOTAVAIL && ret != -ENODEV)
		log_err("%s: cannot remove address %s: %s", interface, addr_text_prefix(a, text), strerror(-ret));
	return ret;
}

// to.family 0: everywhere; via.family 0: nobody is in between.
static int route_change(struct mnl_socket *nl, unsigned index, const struct addr *to, const struct addr *via, uint16_t type,
                        uint16_t flags)
{
	uint8_t family = to->family ? to->family : via->family;
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	size_t len = family == 4 ? 4 : 16;
	struct rtmsg *m;

	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = family == 4 ? AF_INET : AF_INET6;
	m->rtm_dst_len = to->family ? to->prefix : 0;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = family == 4 && !via->family ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	if (to->family)
		mnl_attr_put(h, RTA_DST, len, to->ip);
	if (via->family)
		mnl_attr_put(h, RTA_GATEWAY, len, via->ip);
	mnl_attr_put_u32(h, RTA_OIF, index);
	return request(nl, h);
}

static int route_ask(const char *interface, const struct addr *network, bool add)
{
	// without an interface the kernel would take any route to that network for the one to remove
	unsigned index = if_nametoindex(interface);
	struct mnl_socket *nl = index ? socket_open() : NULL;
	static const struct addr nobody;
	int ret;

	if (!nl)
		return -errno;
	if (add)
		ret = route_change(nl, index, network, &nobody, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	else
		ret = route_change(nl, index, network, &nobody, RTM_DELROUTE, 0);
	mnl_socket_close(nl);
	return ret;
}

int netlink_route_add(const char *interface, const struct addr *network)
{
	int ret = route_ask(interface, network, true);
	char text[ADDR_TEXT];

	if (ret < 0)
		log_err("%s: cannot route %s there: %s", interface, addr_text_prefix(network, text),
		        ret == -EEXIST ? "there is a route to it already" : strerror(-ret));
	return ret;
}

void netlink_route_remove(const char *interface, const struct addr *network)
{
	int ret = route_ask(interface, network, false);
	char text[ADDR_TEXT];

	// it goes with its interface, and the operator may have been faster
	if (ret < 0 && ret != -ENODEV && ret != -ESRCH)
		log_err("%s: cannot remove the route to %s: %s", interface, addr_text_prefix(network, text), strerror(-ret));
}

int netlink_nic_route_add(const char *interface, const struct addr *to, const struct addr *via)
{
	struct mnl_socket *nl = socket_open();
	char text[ADDR_TEXT];
	int ret;

	if (!nl)
		return -errno;
	ret = route_change(nl, if_nametoindex(interface), to, via, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
	mnl_socket_close(nl);
	if (ret < 0)
		log_err("%s: cannot set the route to %s: %s", interface, to->family ? addr_text_prefix(to, text) : "everywhere",
		        strerror(-ret));
	return ret;
}

static int on_route(const struct nlmsghdr *h, void *type)
{
	*(uint8_t *)type = ((const struct rtmsg *)mnl_nlmsg_get_payload(h))->rtm_type;
	return MNL_CB_STOP;
}

bool netlink_is_local(const struct addr *a)
{
	struct mnl_socket *nl = socket_open();
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	uint8_t type = RTN_UNSPEC;
	struct rtmsg *m;
	ssize_t n = -1;

	if (!nl)
		return false;
	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->rtm_family = a->family == 4 ? AF_INET : AF_INET6;
	m->rtm_dst_len = a->family == 4 ? 32 : 128;
	mnl_attr_put(h, RTA_DST, a->family == 4 ? 4 : 16, a->ip);
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) >= 0)
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n > 0) // an error: there is no way to it
		mnl_cb_run(buf, (size_t)n, 0, 0, on_route, &type);
	mnl_socket_close(nl);
	return type == RTN_LOCAL || type == RTN_BROADCAST || type == RTN_ANYCAST || type == RTN_MULTICAST;
}
