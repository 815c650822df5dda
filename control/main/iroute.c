#include "control/main/iroute.h"

#include <stdlib.h>

#include "control/main/config.h"
#include "control/main/handover.h"
#include "control/main/hook_env.h"
#include "control/main/netlink.h"
#include "control/main/program.h"
#include "control/main/routecmd.h"
#include "control/main/session.h"
#include "proto/err.h"

static uint64_t hash_of(const struct addr *network)
{
	uint8_t wire[ADDR_WIRE];

	addr_pack(network, wire);
	return htab_hash(wire, sizeof(wire));
}

static struct iroute *find(struct gateway *g, const struct addr *network)
{
	for (struct hlink *l = htab_first(&g->iroutes, hash_of(network)); l; l = htab_next(l)) {
		struct iroute *i = HTAB_OF(l, struct iroute, by_network);

		if (addr_equal(&i->network, network) && i->network.prefix == network->prefix)
			return i;
	}
	return NULL;
}

// --------------------------------------------------------------------------------------------------------------- commands

static char **on_env(void *who)
{
	return hook_env_bare();
}

static void on_ended(void *who, enum program_end how) {}

// What becomes of it is in the log. Those of one network run in order.
static void command_run(const struct iroute *i, enum opt o)
{
	struct gateway *g = i->tunnel->g;
	const char *text = config_str(g->config, o), *why = "no memory";
	struct program_order order = { .key = { i->network }, .env = on_env, .ended = on_ended };
	char name[96], network[ADDR_TEXT], **argv;
	bool queued = false;

	if (!text)
		return;
	snprintf(name, sizeof(name), "%s of session %u, %s", config_name(o), i->tunnel->session->id,
	         addr_text_prefix(&i->network, network));
	order.name = name;
	if (routecmd_words(text, &i->network, g->inner, &argv, &why) == 0) {
		order.argv = argv;
		queued = program_run(g, &order);
		routecmd_free(argv);
	}
	if (!queued)
		log_err("%s: %s", name, why);
}

// ------------------------------------------------------------------------------------------------------------------ whose

static void forget(struct iroute *i)
{
	struct tunnel *t = i->tunnel;

	if (i->way == WAY_KERNEL)
		netlink_route_remove(t->g->inner, &i->network);
	else if (i->way == WAY_COMMAND)
		command_run(i, OPT_ROUTE_DEL_CMD);
	htab_remove(&t->g->iroutes, &i->by_network);
	TAILQ_REMOVE(&t->iroutes, i, all);
	free(i);
}

// NULL: he may have it.
static const char *why_not(const struct gateway *g, const struct addr *network)
{
	if (network->prefix == 0)
		return "everything cannot be behind a client";
	if (address_is_ours(g, network))
		return "clients' own addresses are lent from there";
	return NULL;
}

// Is it free for this tunnel now?
static bool vacate(struct tunnel *t, const struct addr *network)
{
	struct iroute *i = find(t->g, network);
	const struct session *s = t->session, *other = i ? i->tunnel->session : NULL;
	char text[ADDR_TEXT];

	if (!i)
		return true;
	if (!session_is_same_user(other, s)) {
		log_warn("session %u: iroute %s of user '%s' is behind user '%s' (session %u) already: it stays there", s->id,
		         addr_text_prefix(network, text), s->user, other->user, other->id);
		return false;
	}
	if (i->tunnel == t) // twice in his files
		return false;
	log_notice("session %u: iroute %s of user '%s' moves here from session %u", s->id, addr_text_prefix(network, text), s->user,
	           other->id);
	forget(i);
	return true;
}

static int add(struct tunnel *t, const struct addr *network, enum iroute_kind kind)
{
	struct iroute *i = calloc(1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	i->tunnel = t;
	i->network = *network;
	i->kind = kind;
	htab_insert(&t->g->iroutes, &i->by_network, hash_of(network));
	TAILQ_INSERT_TAIL(&t->iroutes, i, all);
	if (kind == IROUTE_BEHIND)
		address_entangle(t->g, network);
	return 0;
}

static int claim_behind(struct tunnel *t, const struct addr *network)
{
	const char *why = why_not(t->g, network);
	char text[ADDR_TEXT];

	if (why)
		log_warn("session %u: iroute %s of user '%s' is left out: %s", t->session->id, addr_text_prefix(network, text),
		         t->session->user, why);
	return why || !vacate(t, network) ? 0 : add(t, network, IROUTE_BEHIND);
}

// What belongs to the session anyway.
static int claim_own(struct tunnel *t, int family)
{
	struct addr own = family == 4 ? t->session->ipv4 : t->session->ipv6, told = address_told(t->session, family);

	if (!own.family)
		return 0;
	if (!address_is_ours(t->g, &own))
		return add(t, &own, IROUTE_HOST);
	if (family == 4 || told.prefix == 128)
		return 0;
	own.prefix = told.prefix;
	addr_mask(&own);
	return add(t, &own, IROUTE_SUBNET);
}

int iroute_claim(struct tunnel *t)
{
	int ret = claim_own(t, 4);

	if (ret == 0)
		ret = claim_own(t, 6);
	for (size_t n = 0; n < t->terms->n_iroutes && ret == 0; n++)
		ret = claim_behind(t, &t->terms->iroutes[n]);
	return ret;
}

void iroute_up(struct tunnel *t)
{
	struct iroute *i;

	TAILQ_FOREACH(i, &t->iroutes, all)
	if (i->kind == IROUTE_BEHIND && config_str(t->g->config, OPT_ROUTE_ADD_CMD)) {
		command_run(i, OPT_ROUTE_ADD_CMD);
		i->way = WAY_COMMAND;
	} else if (i->kind != IROUTE_SUBNET && t->g->inner[0] && netlink_route_add(t->g->inner, &i->network) == 0) {
		i->way = WAY_KERNEL;
	}
}

void iroute_lost(struct tunnel *t)
{
	struct iroute *i;

	TAILQ_FOREACH(i, &t->iroutes, all)
	if (i->way == WAY_KERNEL)
		i->way = WAY_NONE;
}

void iroute_release(struct tunnel *t)
{
	struct iroute *i;

	while ((i = TAILQ_FIRST(&t->iroutes)))
		forget(i);
}

bool iroute_touches(const struct gateway *g, const struct addr *network, const struct addr *clients)
{
	for (size_t b = 0; g->iroutes.count && b <= g->iroutes.mask; b++)
		for (struct hlink *l = g->iroutes.buckets[b]; l; l = l->next) {
			const struct iroute *i = HTAB_OF(l, struct iroute, by_network);

			if (i->kind == IROUTE_BEHIND && i->network.prefix >= clients->prefix && addr_in(&i->network, clients) &&
			    (addr_in(network, &i->network) || addr_in(&i->network, network)))
				return true;
		}
	return false;
}

// -------------------------------------------------------------------------------------------------------------- handover

struct saved {
	uint32_t tunnel;
	struct iroute iroute;
};

static const struct state_field fields[] = {
	STATE_NUMBER(struct saved, tunnel),
	STATE_ADDR(struct saved, iroute.network),
	STATE_UPTO(struct saved, iroute.kind, IROUTE_HOST),
	STATE_UPTO(struct saved, iroute.way, WAY_COMMAND),
};

STATE_COVERS(struct iroute, 72);

void iroute_save(const struct tunnel *t, struct state_writer *w)
{
	const struct iroute *i;

	TAILQ_FOREACH(i, &t->iroutes, all)
	state_write(w, "iroute", STATE_PARTS(STATE_PART("", fields, &((struct saved){ t->number, *i }))));
}

int iroute_restore(struct handover *h, const struct state_record *rec)
{
	struct saved s = { 0 };
	struct tunnel *t;
	int ret = state_read(rec, STATE_PARTS(STATE_PART("", fields, &s)));

	if (ret < 0)
		return ret;
	t = tunnel_find(h->g, s.tunnel);
	if (!t || !s.iroute.network.family || find(h->g, &s.iroute.network))
		return errno_log(EBADMSG, "state: iroute: nobody's, or another's");
	ret = add(t, &s.iroute.network, s.iroute.kind);
	if (ret == 0)
		find(h->g, &s.iroute.network)->way = s.iroute.way;
	return ret;
}
