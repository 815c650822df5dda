#include "rtnl.h"

#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

// A message's attributes, one after the other.
struct attrs {
	const uint8_t *at;
	size_t left;
};

struct attr {
	unsigned type;
	const uint8_t *data;
	size_t len;
};

static bool attr_next(struct attrs *a, struct attr *out)
{
	struct rtattr head;
	size_t step;

	if (a->left < sizeof(head))
		return false;
	memcpy(&head, a->at, sizeof(head));
	if (head.rta_len < sizeof(head) || head.rta_len > a->left)
		return false;
	*out = (struct attr){ head.rta_type & NLA_TYPE_MASK, a->at + RTA_LENGTH(0), head.rta_len - RTA_LENGTH(0) };
	step = RTA_ALIGN(head.rta_len);
	step = step < a->left ? step : a->left;
	a->at += step;
	a->left -= step;
	return true;
}

static uint32_t attr_u32(const struct attr *a)
{
	uint32_t v = 0;

	if (a->len >= sizeof(v))
		memcpy(&v, a->data, sizeof(v));
	return v;
}

static bool attr_bytes(const struct attr *a, void *out, size_t len)
{
	if (a->len != len)
		return false;
	memcpy(out, a->data, len);
	return true;
}

static size_t ip_len(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

static uint8_t family_of(int af)
{
	return af == AF_INET ? 4 : af == AF_INET6 ? 6 : 0;
}

static bool link_parse(const struct ifinfomsg *m, struct attrs *attrs, struct rtnl_link *out)
{
	struct attr a;

	if (m->ifi_family != AF_UNSPEC) // an interface also leaves a bridge with a DELLINK
		return false;
	out->index = m->ifi_index;
	out->up = (m->ifi_flags & IFF_UP) && (m->ifi_flags & IFF_RUNNING);
	while (attr_next(attrs, &a)) {
		if (a.type == IFLA_ADDRESS)
			out->has_mac = attr_bytes(&a, out->mac, sizeof(out->mac));
		else if (a.type == IFLA_PROMISCUITY)
			out->promiscuity = attr_u32(&a);
		else if (a.type == IFLA_MTU)
			out->mtu = attr_u32(&a);
		else if (a.type == IFLA_IFNAME)
			memcpy(out->name, a.data, a.len < sizeof(out->name) ? a.len : sizeof(out->name) - 1);
	}
	return true;
}

static bool neighbour_parse(const struct ndmsg *m, struct attrs *attrs, struct rtnl_neighbour *out)
{
	const unsigned usable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
	bool has_ip = false, has_mac = false;
	struct attr a;

	out->family = family_of(m->ndm_family);
	out->index = m->ndm_ifindex;
	out->stale = m->ndm_state & NUD_STALE;
	if (out->family == 0 || (m->ndm_flags & NTF_PROXY))
		return false;
	while (attr_next(attrs, &a)) {
		if (a.type == NDA_DST)
			has_ip = attr_bytes(&a, out->ip, ip_len(out->family));
		else if (a.type == NDA_LLADDR)
			has_mac = attr_bytes(&a, out->mac, sizeof(out->mac));
	}
	out->usable = has_mac && (m->ndm_state & usable);
	return has_ip;
}

// Encapsulation, several next hops, next hops of the other family, MTUs of their own: the kernel knows how.
static bool route_is_plain(unsigned attr)
{
	switch (attr) {
	case RTA_DST:
	case RTA_OIF:
	case RTA_GATEWAY:
	case RTA_PRIORITY:
	case RTA_TABLE:
	case RTA_PREFSRC:
	case RTA_CACHEINFO:
	case RTA_PREF:
	case RTA_EXPIRES:
		return true;
	default:
		return false;
	}
}

static bool route_parse(const struct rtmsg *m, struct attrs *attrs, struct rtnl_route *out)
{
	uint32_t table = m->rtm_table;
	bool has_oif = false, good = true;
	struct attr a;

	out->family = family_of(m->rtm_family);
	out->prefix = m->rtm_dst_len;
	if (out->family == 0 || (m->rtm_flags & RTM_F_CLONED) || m->rtm_dst_len > 8 * ip_len(out->family))
		return false;
	out->unicast = m->rtm_type == RTN_UNICAST && m->rtm_src_len == 0 && m->rtm_tos == 0 &&
	               !(m->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN));
	while (attr_next(attrs, &a)) {
		out->unicast = out->unicast && route_is_plain(a.type);
		if (a.type == RTA_DST) {
			good = good && attr_bytes(&a, out->to, ip_len(out->family));
		} else if (a.type == RTA_OIF) {
			out->index = (int)attr_u32(&a);
			has_oif = true;
		} else if (a.type == RTA_GATEWAY) {
			out->has_via = attr_bytes(&a, out->via, ip_len(out->family));
			good = good && out->has_via;
		} else if (a.type == RTA_PRIORITY) {
			out->metric = attr_u32(&a);
		} else if (a.type == RTA_TABLE) {
			table = attr_u32(&a);
		}
	}
	out->unicast = out->unicast && has_oif;
	out->local = table == RT_TABLE_LOCAL;
	out->main = table == RT_TABLE_MAIN;
	return good;
}

// The fixed part of a message and what follows it.
static bool body(const uint8_t *data, size_t len, void *fixed, size_t fixed_len, struct attrs *attrs)
{
	size_t skip = NLMSG_ALIGN(fixed_len);

	if (len < fixed_len)
		return false;
	memcpy(fixed, data, fixed_len);
	*attrs = len > skip ? (struct attrs){ data + skip, len - skip } : (struct attrs){ NULL, 0 };
	return true;
}

static bool parse(unsigned type, const uint8_t *data, size_t len, struct rtnl *out)
{
	struct attrs attrs;
	union {
		struct ifinfomsg link;
		struct ndmsg neighbour;
		struct rtmsg route;
		struct nlmsgerr error;
	} fixed;

	switch (type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		out->kind = RTNL_LINK;
		return body(data, len, &fixed.link, sizeof(fixed.link), &attrs) && link_parse(&fixed.link, &attrs, &out->link);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		out->kind = RTNL_NEIGHBOUR;
		return body(data, len, &fixed.neighbour, sizeof(fixed.neighbour), &attrs) &&
		       neighbour_parse(&fixed.neighbour, &attrs, &out->neighbour);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		out->kind = RTNL_ROUTE;
		return body(data, len, &fixed.route, sizeof(fixed.route), &attrs) && route_parse(&fixed.route, &attrs, &out->route);
	case NLMSG_DONE:
		out->kind = RTNL_DONE;
		return true;
	case NLMSG_ERROR:
		out->kind = RTNL_ERROR;
		if (!body(data, len, &fixed.error, sizeof(fixed.error), &attrs))
			return false;
		out->error = fixed.error.error;
		return true;
	default:
		return false;
	}
}

bool rtnl_next(const uint8_t *buf, size_t len, size_t *at, struct rtnl *out)
{
	struct nlmsghdr head;
	size_t step;

	if (*at > len || len - *at < sizeof(head))
		return false;
	memcpy(&head, buf + *at, sizeof(head));
	if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len - *at)
		return false;
	memset(out, 0, sizeof(*out));
	out->sequence = head.nlmsg_seq;
	out->interrupted = head.nlmsg_flags & NLM_F_DUMP_INTR;
	out->gone = head.nlmsg_type == RTM_DELLINK || head.nlmsg_type == RTM_DELNEIGH || head.nlmsg_type == RTM_DELROUTE;
	if (!parse(head.nlmsg_type, buf + *at + NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN, out))
		out->kind = RTNL_OTHER;
	step = NLMSG_ALIGN(head.nlmsg_len);
	*at = step < len - *at ? *at + step : len;
	return true;
}
