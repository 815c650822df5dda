#include "control/main/netlist.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/config.h"
#include "proto/netns.h"

// A host may have very many interfaces; who has more says so by name.
#define LOCAL_MAX 512
#define LOOK_SECONDS 10

struct netlist {
	bool local;
	char netns[256]; // listen-netns: whose neighbours count
	uint64_t looked; // at the interfaces, seconds; 0: not yet
	unsigned n_local, n_named;
	struct addr locals[LOCAL_MAX];
	struct addr named[];
};

int netlist_parse(const char *text, struct addr *network)
{
	struct addr a = { 0 };

	if (strcmp(text, "local") != 0 && strcmp(text, "none") != 0) {
		if (addr_parse(text, &a) < 0)
			return -EINVAL;
		addr_mask(&a);
	}
	*network = a;
	return 0;
}

struct netlist *netlist_new(const struct config *c, enum opt o)
{
	unsigned count = config_count(c, o);
	struct netlist *l = calloc(1, sizeof(*l) + count * sizeof(*l->named));
	const char *text;

	if (l && config_str(c, OPT_LISTEN_NETNS))
		snprintf(l->netns, sizeof(l->netns), "%s", config_str(c, OPT_LISTEN_NETNS));
	for (unsigned i = 0; l && i < count; i++) {
		text = config_nth(c, o, i);
		if (strcmp(text, "local") == 0)
			l->local = true;
		else if (netlist_parse(text, &l->named[l->n_named]) == 0 && l->named[l->n_named].family)
			l->n_named++;
	}
	return l;
}

void netlist_free(struct netlist *l)
{
	free(l);
}

static uint8_t mask_length(const struct sockaddr *mask, uint8_t family)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)mask;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)mask;
	unsigned n = 0;

	if (family == 4)
		return (uint8_t)__builtin_popcount(in->sin_addr.s_addr);
	for (size_t i = 0; i < sizeof(in6->sin6_addr); i++)
		n += (unsigned)__builtin_popcount(in6->sin6_addr.s6_addr[i]);
	return (uint8_t)n;
}

// Without its mask an address stands for itself. A mask of nothing would make everybody a neighbour.
static void add_local(struct netlist *l, const struct ifaddrs *i)
{
	struct addr *a = &l->locals[l->n_local];

	if (!i->ifa_addr || l->n_local == LOCAL_MAX)
		return;
	addr_from_sockaddr(i->ifa_addr, a);
	if (!a->family)
		return;
	if (i->ifa_netmask)
		a->prefix = mask_length(i->ifa_netmask, a->family);
	addr_mask(a);
	if (a->prefix)
		l->n_local++;
}

// inner: clients come by it, and to be one's user makes nobody a neighbour. In another network namespace there is none of ours.
static void look(struct netlist *l, const char *inner)
{
	struct ifaddrs *all, *i;
	int back, ret;

	// without an answer the picture of before still holds
	if (netns_enter(l->netns, &back) < 0)
		return;
	ret = getifaddrs(&all);
	netns_leave(back);
	if (ret < 0)
		return;
	l->n_local = 0;
	for (i = all; i; i = i->ifa_next)
		if (l->netns[0] || strcmp(i->ifa_name, inner) != 0)
			add_local(l, i);
	freeifaddrs(all);
}

static bool in_any(const struct addr *networks, unsigned n, const struct addr *who)
{
	for (unsigned i = 0; i < n; i++)
		if (addr_in(who, &networks[i]))
			return true;
	return false;
}

bool netlist_has(struct netlist *l, const struct addr *who, uint64_t now, const char *inner)
{
	if (in_any(l->named, l->n_named, who))
		return true;
	if (!l->local)
		return false;
	if (!l->looked || now - l->looked >= LOOK_SECONDS) {
		look(l, inner);
		l->looked = now;
	}
	return in_any(l->locals, l->n_local, who);
}
