#include "control/main/address.h"

#include <stdlib.h>

#include "control/main/inner.h"
#include "control/main/netlink.h"
#include "control/main/session.h"
#include "proto/err.h"
#include "proto/secret.h"

struct address_pool {
	TAILQ_ENTRY(address_pool) all;
	struct lease_pool *leases;
	unsigned users; // sessions that have it as theirs
	bool standing;  // the configuration's
	bool entangled; // something in it is behind a client: there may be thousands of those, and they are looked at for such
	                // pools alone
};

// One family of a session's, so that both go the same way.
struct slot {
	struct addr *ip;
	struct address_pool **pool;
	bool *fresh;
	struct htab *holders;
	struct hlink *link;
};

static struct slot slot_of(struct session *s, int family)
{
	struct address_book *b = &s->g->addresses;

	if (family == 4)
		return (struct slot){ &s->ipv4, &s->pool4, &s->fresh4, &b->ipv4, &s->by_ipv4 };
	return (struct slot){ &s->ipv6, &s->pool6, &s->fresh6, &b->ipv6, &s->by_ipv6 };
}

// ------------------------------------------------------------------------------------------------------------------ book

int address_book_init(struct address_book *b)
{
	int ret = htab_init(&b->ipv4);

	TAILQ_INIT(&b->pools);
	return ret < 0 ? ret : htab_init(&b->ipv6);
}

void address_book_fini(struct address_book *b)
{
	struct address_pool *p;

	while ((p = TAILQ_FIRST(&b->pools))) {
		TAILQ_REMOVE(&b->pools, p, all);
		lease_pool_free(p->leases);
		free(p);
	}
	htab_fini(&b->ipv4);
	htab_fini(&b->ipv6);
}

void address_pools_each(const struct address_book *b, void (*each)(void *who, const struct lease_pool *p), void *who)
{
	const struct address_pool *p;

	TAILQ_FOREACH(p, &b->pools, all)
	each(who, p->leases);
}

static struct session *holder_of(struct address_book *b, const struct addr *ip)
{
	struct htab *t = ip->family == 4 ? &b->ipv4 : &b->ipv6;

	for (struct hlink *l = htab_first(t, htab_hash(ip->ip, sizeof(ip->ip))); l; l = htab_next(l)) {
		struct session *s = ip->family == 4 ? HTAB_OF(l, struct session, by_ipv4) : HTAB_OF(l, struct session, by_ipv6);

		if (addr_equal(ip->family == 4 ? &s->ipv4 : &s->ipv6, ip))
			return s;
	}
	return NULL;
}

// ----------------------------------------------------------------------------------------------------------------- pools

// A claim in a pool of IPv6 subnets that fails says only that another has something in that subnet.
static bool lends_hosts(const struct address_pool *p, const struct addr *ip)
{
	return lease_subnet_prefix(p->leases) == (ip->family == 4 ? 32 : 128);
}

// What is one session's in one pool is nobody's in the others. 0 or -EADDRINUSE, and then nothing is claimed.
static int claim(struct address_book *b, const struct addr *ip, const struct address_pool *but)
{
	struct address_pool *p, *undo;

	TAILQ_FOREACH(p, &b->pools, all)
	{
		if (p == but || !lease_covers(p->leases, ip) || lease_claim(p->leases, ip) == 0 || !lends_hosts(p, ip))
			continue;
		for (undo = TAILQ_FIRST(&b->pools); undo != p; undo = TAILQ_NEXT(undo, all))
			if (undo != but)
				lease_return(undo->leases, ip);
		return -EADDRINUSE;
	}
	return 0;
}

static void give_back(struct address_book *b, const struct addr *ip)
{
	struct address_pool *p;

	TAILQ_FOREACH(p, &b->pools, all)
	lease_return(p->leases, ip);
}

// What one pool never lends, those of the networks around it do not lend either.
static void reserve(struct address_pool *around, const struct address_pool *p)
{
	struct addr own[3];

	for (unsigned i = lease_reserved(p->leases, own); i-- > 0;)
		if (lease_covers(around->leases, &own[i]))
			lease_claim(around->leases, &own[i]); // it may be reserved for several
}

static bool is_reserved(const struct address_pool *p, const struct addr *ip)
{
	struct addr own[3];

	for (unsigned i = lease_reserved(p->leases, own); i-- > 0;)
		if (addr_equal(&own[i], ip))
			return true;
	return false;
}

static void unreserve(struct address_book *b, const struct address_pool *p)
{
	struct addr own[3];
	struct address_pool *other;

	for (unsigned i = lease_reserved(p->leases, own); i-- > 0;) {
		TAILQ_FOREACH(other, &b->pools, all)
		if (is_reserved(other, &own[i]))
			break;
		if (!other)
			give_back(b, &own[i]);
	}
}

// A new pool lends nothing that somebody has, and does not take anybody's address for itself.
static int enter(struct gateway *g, struct address_pool *new)
{
	uint8_t family = lease_gateway(new->leases)->family;
	struct address_pool *p;
	struct session *s;

	TAILQ_FOREACH(p, &g->addresses.pools, all)
	reserve(new, p);
	TAILQ_FOREACH(s, &g->sessions, all)
	{
		const struct addr *ip = family == 4 ? &s->ipv4 : &s->ipv6;

		if (lease_covers(new->leases, ip) && lease_claim(new->leases, ip) < 0 && lends_hosts(new, ip))
			return -EADDRINUSE;
	}
	return 0;
}

static int pool_open(struct gateway *g, const struct addr *network, unsigned subnet, struct address_pool **out)
{
	struct address_pool *p = calloc(1, sizeof(*p)), *other;
	char text[ADDR_TEXT];
	struct addr whole;
	int ret = p ? lease_pool_new(network, subnet, &p->leases) : -ENOMEM;

	if (ret == 0)
		ret = enter(g, p);
	if (ret == 0)
		ret = inner_use(g, p->leases);
	if (ret == 0)
		ret = inner_sync(g);
	if (ret < 0) {
		log_err("no addresses from %s: %s", addr_text_prefix(network, text),
		        ret == -EINVAL       ? "the prefix lengths do not fit"
		        : ret == -EADDRINUSE ? "a client has an address that would be the gateway's"
		                             : strerror(-ret));
		if (p)
			lease_pool_free(p->leases);
		free(p);
		return ret;
	}
	TAILQ_FOREACH(other, &g->addresses.pools, all)
	reserve(other, p);
	whole = *lease_gateway(p->leases);
	addr_mask(&whole);
	p->entangled = iroute_touches(g, &whole, &whole);
	TAILQ_INSERT_TAIL(&g->addresses.pools, p, all);
	g->addresses.n_pools++;
	*out = p;
	return 0;
}

// *out stays NULL for no network.
static int pool_get(struct gateway *g, const struct addr *network, unsigned subnet, struct address_pool **out)
{
	struct address_pool *p;

	if (!network->family)
		return 0;
	TAILQ_FOREACH(p, &g->addresses.pools, all)
	if (lease_pool_is(p->leases, network, subnet)) {
		*out = p;
		return 0;
	}
	return pool_open(g, network, subnet, out);
}

static void pool_close(struct gateway *g, struct address_pool *p)
{
	TAILQ_REMOVE(&g->addresses.pools, p, all);
	g->addresses.n_pools--;
	unreserve(&g->addresses, p);
	lease_pool_free(p->leases);
	free(p);
}

static void pools_tidy(struct gateway *g)
{
	struct address_pool *p, *next;

	for (p = TAILQ_FIRST(&g->addresses.pools); p; p = next) {
		next = TAILQ_NEXT(p, all);
		if (!p->users && !p->standing)
			pool_close(g, p);
	}
}

// The pools of everybody's networks in one virtual host.
static int pools_of(struct gateway *g, const struct terms *t, struct address_pool *of[2])
{
	int ret = pool_get(g, &t->ipv4_network, 32, &of[0]);

	return ret < 0 ? ret : pool_get(g, &t->ipv6_network, t->ipv6_subnet_prefix, &of[1]);
}

int address_pools(struct gateway *g, const struct policy *policy)
{
	struct address_pool *of[LIMIT_VHOSTS][2] = { 0 }, *p;
	int ret = 0;

	for (unsigned i = 0; i < policy->n_vhosts && ret == 0; i++)
		ret = pools_of(g, policy->vhost[i].terms, of[i]);
	if (ret == 0)
		TAILQ_FOREACH(p, &g->addresses.pools, all)
	p->standing = false;
	for (unsigned i = 0; i < policy->n_vhosts && ret == 0; i++)
		for (int f = 0; f < 2; f++)
			if (of[i][f])
				of[i][f]->standing = true;
	pools_tidy(g);
	return ret;
}

// -------------------------------------------------------------------------------------------------------------- sessions

// What of a pool's network is one client's, with this address of it.
static struct addr share_of(const struct address_pool *pool, const struct addr *ip)
{
	struct addr share = *ip;

	if (pool && ip->family == 6 && lease_covers(pool->leases, ip))
		share.prefix = (uint8_t)lease_subnet_prefix(pool->leases);
	addr_mask(&share);
	return share;
}

static bool overlap(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && (a->prefix < b->prefix ? addr_in(b, a) : addr_in(a, b));
}

// Who has something of an IPv6 prefix; NULL: nobody but s.
static struct session *sharer_of(const struct session *s, const struct addr *share)
{
	struct session *other;
	struct addr has;

	TAILQ_FOREACH(other, &s->g->sessions, all)
	{
		has = share_of(other->pool6, &other->ipv6);
		if (other != s && has.family && overlap(&has, share))
			return other;
	}
	return NULL;
}

// Where networks overlap that are lent in shares of different sizes, a pool knows too little by itself: two single addresses of
// others may lie in one share of its, and the first that is given back frees that.
static bool is_mixed(const struct address_book *b, const struct address_pool *pool)
{
	const struct address_pool *p;

	TAILQ_FOREACH(p, &b->pools, all)
	if (lease_gateway(p->leases)->family == 6 && lease_subnet_prefix(p->leases) != lease_subnet_prefix(pool->leases) &&
	    overlap(lease_gateway(p->leases), lease_gateway(pool->leases)))
		return true;
	return false;
}

// Somebody else's, though the pool does not know it: another client's, or behind one, in a network that a reload has widened.
static bool is_elsewhere(const struct session *s, const struct address_pool *pool, const struct addr *ip)
{
	struct addr share = share_of(pool, ip);

	if (ip->family == 6 && is_mixed(&s->g->addresses, pool) && sharer_of(s, &share))
		return true;
	return pool->entangled && iroute_touches(s->g, &share, lease_gateway(pool->leases));
}

// More than so many in the middle of others' networks, and a pool counts as full.
#define TRIES 64

static int take_free(struct session *s, struct address_pool *pool, uint64_t hint, struct addr *out)
{
	struct addr tried[TRIES];
	unsigned n = 0;
	int ret;

	for (;;) {
		// what somebody has got in another way stays taken here until it comes back
		do
			ret = lease_take(pool->leases, hint, out);
		while (ret == 0 && holder_of(&s->g->addresses, out));
		if (ret < 0 || !is_elsewhere(s, pool, out))
			break;
		tried[n++] = *out;
		// the next one is likely to lie in the same network
		ret = n == TRIES ? -ENOSPC : secret_random(&hint, sizeof(hint));
		if (ret < 0)
			break;
	}
	while (n > 0)
		lease_return(pool->leases, &tried[--n]);
	return ret;
}

static int take_any(struct session *s, const struct terms *t, struct address_pool *pool, struct addr *out)
{
	uint64_t hint;
	int ret = 0;

	if (t->predictable_ips)
		hint = lease_hint(s->user);
	else
		ret = secret_random(&hint, sizeof(hint));
	if (ret == 0)
		ret = take_free(s, pool, hint, out);
	if (ret < 0)
		return ret;
	ret = claim(&s->g->addresses, out, pool);
	if (ret < 0)
		lease_return(pool->leases, out);
	return ret;
}

static void slot_clear(struct session *s, int family)
{
	struct slot slot = slot_of(s, family);

	if (!slot.ip->family)
		return;
	htab_remove(slot.holders, slot.link);
	give_back(&s->g->addresses, slot.ip);
	if (*slot.pool)
		(*slot.pool)->users--;
	*slot.pool = NULL;
	*slot.ip = (struct addr){ 0 };
	*slot.fresh = false;
	session_changed(s);
}

// The gateway's own inside, and those that name the network and all of its hosts.
static bool is_nobodys(const struct address_book *b, const struct addr *ip)
{
	const struct address_pool *p;

	TAILQ_FOREACH(p, &b->pools, all)
	if (is_reserved(p, ip))
		return true;
	return false;
}

// A session of the same user that nobody is connected to has it for nothing.
static int take_named(struct session *s, const struct address_pool *pool, const struct addr *ip, struct addr *out)
{
	struct addr share = share_of(pool, ip);
	struct session *holder;
	int ret;

	while ((holder = ip->family == 4 ? holder_of(&s->g->addresses, ip) : sharer_of(s, &share))) {
		if (holder->tunnels || !session_is_same_user(holder, s))
			return -EADDRINUSE;
		slot_clear(holder, ip->family);
	}
	// its packets would never come to the client, and the kernel would take the client's for forged ones
	if (!address_is_ours(s->g, ip) && netlink_is_local(ip))
		return -ENOTUNIQ;
	ret = claim(&s->g->addresses, ip, NULL);
	if (ret == 0)
		*out = *ip;
	else if (is_nobodys(&s->g->addresses, ip))
		return -ENOTUNIQ;
	return ret;
}

static void slot_fill(struct slot slot, const struct addr *ip, struct address_pool *pool)
{
	*slot.ip = *ip;
	*slot.pool = pool;
	if (pool)
		pool->users++;
	htab_insert(slot.holders, slot.link, htab_hash(slot.ip->ip, sizeof(slot.ip->ip)));
}

static int lend(struct session *s, const struct terms *t, int family)
{
	const struct addr *network = family == 4 ? &t->ipv4_network : &t->ipv6_network;
	const struct addr *named = family == 4 ? &t->explicit_ipv4 : &t->explicit_ipv6;
	struct slot slot = slot_of(s, family);
	struct address_pool *pool = NULL;
	struct addr ip;
	int ret;

	if (slot.ip->family)
		return 0;
	ret = pool_get(s->g, network, family == 4 ? 32 : t->ipv6_subnet_prefix, &pool);
	if (ret < 0 || (!pool && !named->family))
		return ret;
	ret = named->family ? take_named(s, pool, named, &ip) : take_any(s, t, pool, &ip);
	if (ret < 0)
		return ret;
	slot_fill(slot, &ip, pool);
	*slot.fresh = !named->family;
	session_changed(s);
	return 0;
}

int address_another(struct session *s, const struct terms *t, int family, struct addr *occupied)
{
	struct slot slot = slot_of(s, family);
	struct addr ip, was = *slot.ip;
	int ret = take_any(s, t, *slot.pool, &ip);

	if (ret < 0) {
		slot_clear(s, family);
		return ret;
	}
	htab_remove(slot.holders, slot.link);
	*slot.ip = ip;
	session_changed(s);
	htab_insert(slot.holders, slot.link, htab_hash(ip.ip, sizeof(ip.ip)));
	*occupied = was;
	return 0;
}

void address_let(struct gateway *g, const struct addr *occupied)
{
	give_back(&g->addresses, occupied);
}

static void restore(struct session *s, const struct addr *ip, const struct addr *network, unsigned subnet)
{
	struct slot slot = slot_of(s, ip->family);
	struct address_pool *p;

	if (slot.ip->family || !network->family)
		return;
	TAILQ_FOREACH(p, &s->g->addresses.pools, all)
	if (lease_pool_is(p->leases, network, subnet) && lease_covers(p->leases, ip))
		break;
	if (p && !holder_of(&s->g->addresses, ip) && claim(&s->g->addresses, ip, NULL) == 0)
		slot_fill(slot, ip, p);
}

void address_restore(struct session *s, const struct addr *ipv4, const struct addr *ipv6)
{
	const struct policy_vhost *v = policy_vhost(&s->g->policy, s->vhost);

	if (v && ipv4->family == 4)
		restore(s, ipv4, &v->terms->ipv4_network, 32);
	if (v && ipv6->family == 6)
		restore(s, ipv6, &v->terms->ipv6_network, v->terms->ipv6_subnet_prefix);
}

int address_lend(struct session *s, const struct terms *t, bool ipv4, bool ipv6)
{
	int ret = 0;

	if (ipv4)
		ret = lend(s, t, 4);
	if (ret == 0 && ipv6)
		ret = lend(s, t, 6);
	pools_tidy(s->g);
	if (ret < 0)
		return ret;
	return s->ipv4.family || s->ipv6.family ? 0 : -EADDRNOTAVAIL;
}

void address_return(struct session *s)
{
	slot_clear(s, 4);
	slot_clear(s, 6);
	pools_tidy(s->g);
}

bool address_is_ours(const struct gateway *g, const struct addr *network)
{
	const struct address_pool *p;

	TAILQ_FOREACH(p, &g->addresses.pools, all)
	if (lease_covers(p->leases, network) && network->prefix >= lease_gateway(p->leases)->prefix)
		return true;
	return false;
}

void address_entangle(struct gateway *g, const struct addr *network)
{
	struct address_pool *p;

	TAILQ_FOREACH(p, &g->addresses.pools, all)
	p->entangled |= lease_covers(p->leases, network);
}

const struct addr *address_gateway(const struct session *s, int family)
{
	const struct address_pool *p = family == 4 ? s->pool4 : s->pool6;

	return p ? lease_gateway(p->leases) : NULL;
}

struct addr address_told(const struct session *s, int family)
{
	const struct address_pool *p = family == 4 ? s->pool4 : s->pool6;
	struct addr a = family == 4 ? s->ipv4 : s->ipv6;

	if (!p || !a.family || !lease_covers(p->leases, &a)) // a single host
		return a;
	a.prefix = family == 4 ? lease_gateway(p->leases)->prefix : (uint8_t)lease_subnet_prefix(p->leases);
	return a;
}

// -------------------------------------------------------------------------------------------------------------- handover

const struct state_field address_fields[] = {
	STATE_ADDR(struct address_state, ipv4),         STATE_ADDR(struct address_state, ipv6),
	STATE_ADDR(struct address_state, network4),     STATE_ADDR(struct address_state, network6),
	STATE_UPTO(struct address_state, subnet6, 128),
};
const unsigned address_fields_n = sizeof(address_fields) / sizeof(*address_fields);

void address_save(const struct session *s, struct address_state *out)
{
	*out = (struct address_state){ .ipv4 = s->ipv4, .ipv6 = s->ipv6 };
	if (s->pool4)
		out->network4 = *lease_gateway(s->pool4->leases);
	if (!s->pool6)
		return;
	out->network6 = *lease_gateway(s->pool6->leases);
	out->subnet6 = (uint8_t)lease_subnet_prefix(s->pool6->leases);
}

static int take_again(struct session *s, const struct addr *ip, struct addr network, unsigned subnet)
{
	struct address_pool *pool = NULL;
	char text[ADDR_TEXT];
	int ret;

	if (!ip->family)
		return 0;
	addr_mask(&network);
	ret = pool_get(s->g, &network, subnet, &pool);
	if (ret == 0)
		ret = holder_of(&s->g->addresses, ip) ? -EADDRINUSE : claim(&s->g->addresses, ip, NULL);
	if (ret < 0)
		return errno_log(-ret, "state: session %u: address %s: %s", s->id, addr_text(ip, text), strerror(-ret));
	slot_fill(slot_of(s, ip->family), ip, pool);
	return 0;
}

int address_take_again(struct session *s, const struct address_state *a)
{
	int ret;

	if (a->ipv4.family == 6 || a->ipv6.family == 4)
		return -EBADMSG;
	ret = take_again(s, &a->ipv4, a->network4, 32);
	return ret < 0 ? ret : take_again(s, &a->ipv6, a->network6, a->subnet6);
}
