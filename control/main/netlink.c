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

static int link_set(struct mnl_socket *nl, unsigned index, unsigned mtu)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *m;

	h->nlmsg_type = RTM_NEWLINK;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifi_family = AF_UNSPEC;
	m->ifi_index = (int)index;
	m->ifi_flags = IFF_UP | IFF_NOARP;
	m->ifi_change = IFF_UP | IFF_NOARP;
	if (mtu)
		mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return request(nl, h);
}

static int address_set(struct mnl_socket *nl, unsigned index, const struct addr *a)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	size_t len = a->family == 4 ? 4 : 16;
	struct ifaddrmsg *m;

	h->nlmsg_type = RTM_NEWADDR;
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifa_family = a->family == 4 ? AF_INET : AF_INET6;
	m->ifa_prefixlen = a->prefix;
	m->ifa_index = index;
	m->ifa_scope = RT_SCOPE_UNIVERSE;
	mnl_attr_put(h, IFA_LOCAL, len, a->ip);
	mnl_attr_put(h, IFA_ADDRESS, len, a->ip);
	// nobody else is on this link: an address that waits for duplicate detection could not be used for a second
	if (a->family == 6)
		mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NODAD);
	return request(nl, h);
}

static int address_up(struct mnl_socket *nl, unsigned index, const char *interface, const struct addr *a)
{
	char text[ADDR_TEXT];
	int ret;

	if (!a->family)
		return 0;
	ret = address_set(nl, index, a);
	if (ret < 0)
		log_err("%s: cannot set address %s: %s", interface, addr_text_prefix(a, text), strerror(-ret));
	return ret;
}

static int inner_up(struct mnl_socket *nl, const char *interface, unsigned mtu, const struct addr *ipv4, const struct addr *ipv6)
{
	unsigned index = if_nametoindex(interface);
	int ret;

	if (!index) {
		ret = -errno;
		log_err("%s: no such interface: %s", interface, strerror(-ret));
		return ret;
	}
	ret = link_set(nl, index, mtu);
	if (ret < 0) {
		log_err("%s: cannot bring it up with mtu %u: %s", interface, mtu, strerror(-ret));
		return ret;
	}
	ret = address_up(nl, index, interface, ipv4);
	if (ret < 0)
		return ret;
	return address_up(nl, index, interface, ipv6);
}

int netlink_inner_up(const char *interface, unsigned mtu, const struct addr *ipv4, const struct addr *ipv6)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int ret;

	if (!nl)
		return errno_log(errno, "netlink: %s", strerror(errno));
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		ret = errno_log(errno, "netlink: bind: %s", strerror(errno));
	else
		ret = inner_up(nl, interface, mtu, ipv4, ipv6);
	mnl_socket_close(nl);
	return ret;
}
