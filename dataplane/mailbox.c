#include "mailbox.h"

#include <errno.h>

#include "channel.h"

int mailbox_post(struct lcore *lc, struct command *c)
{
	c->retired[0] = NULL;
	c->retired[1] = NULL;
	c->done = false;
	return rte_ring_sp_enqueue(lc->mailbox, c) < 0 ? -EAGAIN : 0;
}

// A second handshake before the first was confirmed puts the first one's keys out of use.
static void install(struct dataplane *dp, struct command *c)
{
	struct tunnel_in *in = &dp->in[c->tunnel];

	if (!(in->flags & TUNNEL_LIVE)) {
		c->retired[0] = c->keys;
		return;
	}
	c->retired[0] = in->next;
	in->next = c->keys;
	in->handshaking = true;
}

// The last that this core does for the tunnel: what it wrote is seen by the next.
static void move(struct dataplane *dp, struct command *c)
{
	dp->in[c->tunnel].astray = 0;
	__atomic_store_n(&dp->owner[c->tunnel], c->to, __ATOMIC_RELEASE);
}

static void give_up(struct lcore *lc, struct command *c)
{
	const struct tunnel_keys *k = lc->dp->out[c->tunnel].keys;

	if (k && k->last_udp == c->heard)
		channel_to_cstp(lc, c->tunnel, WHY_DEAD_UDP);
}

// What is not set has no part in a packet's way.
static uint8_t with_policy(uint8_t flags, bool kept)
{
	return kept ? flags | TUNNEL_POLICY : flags & (uint8_t)~TUNNEL_POLICY;
}

static void policy(struct dataplane *dp, struct command *c)
{
	struct tunnel_in *in = &dp->in[c->tunnel];
	struct tunnel_out *out = &dp->out[c->tunnel];
	struct policy *before = dp->policy[c->tunnel];

	if (!(in->flags & TUNNEL_LIVE))
		return;
	in->flags = with_policy(in->flags, c->policy);
	out->flags = with_policy(out->flags, policy_is_out(c->policy));
	dp->policy[c->tunnel] = c->policy;
	c->policy = before;
}

static void forget(struct lcore *lc, struct command *c)
{
	struct tunnel_in *in = &lc->dp->in[c->tunnel];

	if (!in->next || !in->next->past)
		return;
	mailbox_release_keys(lc, in->next);
	in->next = NULL;
}

static void retire(struct dataplane *dp, struct command *c)
{
	struct tunnel_in *in = &dp->in[c->tunnel];
	struct tunnel_out *out = &dp->out[c->tunnel];

	c->retired[0] = in->keys;
	c->retired[1] = in->next;
	in->flags = 0;
	in->keys = NULL;
	in->next = NULL;
	out->flags = 0;
	out->keys = NULL;
}

void mailbox_serve(struct lcore *lc)
{
	struct command *c;
	void *p;

	while (rte_ring_sc_dequeue(lc->mailbox, &p) == 0) {
		c = p;
		switch (c->kind) {
		case COMMAND_INSTALL:
			install(lc->dp, c);
			break;
		case COMMAND_MOVE:
			move(lc->dp, c);
			break;
		case COMMAND_GIVE_UP:
			give_up(lc, c);
			break;
		case COMMAND_POLICY:
			policy(lc->dp, c);
			break;
		case COMMAND_FORGET:
			forget(lc, c);
			break;
		case COMMAND_RETIRE:
			retire(lc->dp, c);
			break;
		}
		__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	}
}

void mailbox_release_keys(struct lcore *lc, struct tunnel_keys *k)
{
	// The ring has room for every key set there is.
	RTE_VERIFY(rte_ring_sp_enqueue(lc->released, k) == 0);
}

unsigned mailbox_collect(struct lcore *lc, struct tunnel_keys **out, unsigned room)
{
	return rte_ring_sc_dequeue_burst(lc->released, (void **)out, room, NULL);
}
