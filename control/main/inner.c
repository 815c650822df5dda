#include "control/main/inner.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/main/handover.h"
#include "control/main/netlink.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "proto/err.h"

struct inner_network {
	LIST_ENTRY(inner_network) all;
	struct addr gateway; // with the network's prefix length
	unsigned pools;      // that lend from it or have lent; two where only the clients' subnets differ
	bool set;            // the interface has the address
	bool told;           // the dataplane knows the network
};

static struct inner_network *network_find(struct gateway *g, const struct addr *gateway)
{
	struct inner_network *n;

	LIST_FOREACH(n, &g->inner_networks, all)
	if (addr_equal(&n->gateway, gateway) && n->gateway.prefix == gateway->prefix)
		return n;
	return NULL;
}

// An IPv6 address can be set with one prefix length only: then the widest network of those that share it counts.
static bool network_shadowed(struct gateway *g, const struct inner_network *n)
{
	struct inner_network *other;

	if (n->gateway.family == 4)
		return false;
	LIST_FOREACH(other, &g->inner_networks, all)
	if (addr_equal(&other->gateway, &n->gateway) && other->gateway.prefix < n->gateway.prefix)
		return true;
	return false;
}

// The dataplane must not take its addresses for those of a network behind a client.
static void network_tell(struct gateway *g, struct inner_network *n, bool there)
{
	struct msg_inner_network m = { .network = n->gateway, .there = there };

	if (n->told == there || !g->dataplane)
		return;
	addr_mask(&m.network);
	n->told = LINK_SEND(&g->dataplane->link, INNER_NETWORK, &m) == 0 && there;
}

static void network_unset(struct gateway *g, struct inner_network *n)
{
	char text[ADDR_TEXT];

	if (!n->set || !g->inner[0])
		return;
	n->set = false;
	if (netlink_address_remove(g->inner, &n->gateway) == 0)
		log_info("%s: address %s removed", g->inner, addr_text_prefix(&n->gateway, text));
}

// 0 or -errno, logged.
static int fit(struct gateway *g)
{
	uint16_t mtu = session_mtu_inner(g->policy.vhost[0].terms->mtu);
	int ret = mtu == g->inner_mtu ? 0 : netlink_link_up(g->inner, mtu);

	if (ret == 0)
		g->inner_mtu = mtu;
	return ret;
}

int inner_sync(struct gateway *g)
{
	struct inner_network *n;
	int ret = 0, first;

	if (!g->inner[0])
		return 0;
	first = fit(g);
	LIST_FOREACH(n, &g->inner_networks, all)
	if (network_shadowed(g, n))
		network_unset(g, n);
	LIST_FOREACH(n, &g->inner_networks, all)
	{
		network_tell(g, n, true);
		if (n->set || network_shadowed(g, n))
			continue;
		ret = netlink_address_add(g->inner, &n->gateway);
		n->set = ret == 0;
		first = first < 0 ? first : ret;
	}
	return first;
}

static void on_pool_freed(void *who, const struct addr *gateway)
{
	struct gateway *g = who;
	struct inner_network *n = network_find(g, gateway);
	bool shared = n && gateway->family == 6;

	if (!n || --n->pools > 0)
		return;
	network_tell(g, n, false);
	network_unset(g, n);
	LIST_REMOVE(n, all);
	free(n);
	// a narrower network may have been in its shadow
	if (shared)
		inner_sync(g);
}

int inner_use(struct gateway *g, struct lease_pool *pool)
{
	struct inner_network *n = network_find(g, lease_gateway(pool));

	if (!n) {
		n = calloc(1, sizeof(*n));
		if (!n)
			return -ENOMEM;
		n->gateway = *lease_gateway(pool);
		LIST_INSERT_HEAD(&g->inner_networks, n, all);
	}
	n->pools++;
	lease_pool_watch(pool, on_pool_freed, g);
	return 0;
}

int inner_up(struct gateway *g, const char *interface)
{
	inner_down(g);
	snprintf(g->inner, sizeof(g->inner), "%s", interface);
	return inner_sync(g);
}

void inner_down(struct gateway *g)
{
	struct inner_network *n;

	g->inner[0] = 0;
	g->inner_mtu = 0;
	LIST_FOREACH(n, &g->inner_networks, all)
	n->set = n->told = false;
}

// -------------------------------------------------------------------------------------------------------------- handover

static const struct state_field fields[] = {
	STATE_ADDR(struct inner_network, gateway),
	STATE_NUMBER(struct inner_network, set),
	STATE_NUMBER(struct inner_network, told),
};

STATE_COVERS(struct inner_network, 48);

void inner_save(const struct gateway *g, struct state_writer *w)
{
	const struct inner_network *n;

	LIST_FOREACH(n, &g->inner_networks, all)
	state_write(w, "inner-network", STATE_PARTS(STATE_PART("", fields, n)));
}

int inner_restore(struct handover *h, const struct state_record *rec)
{
	struct inner_network was = { 0 }, *n;
	int ret = state_read(rec, STATE_PARTS(STATE_PART("", fields, &was)));

	if (ret < 0)
		return ret;
	n = network_find(h->g, &was.gateway);
	if (!n && h->kept) // its last session has gone in the same moment
		return 0;
	if (!n)
		return errno_log(EBADMSG, "state: inner-network: no pool lends from it");
	n->set = was.set;
	n->told = was.told;
	return 0;
}
