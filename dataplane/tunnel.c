#include "tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_pause.h>

#include "control.h"
#include "eal.h"
#include "proto/log.h"
#include "proto/rekey.h"
#include "proto/secret.h"
#include "watcher.h"

// Without an authenticated record for so long, a path may go to another tunnel that asks for it.
#define PATH_SILENT_SECONDS 10
#define PATH_YOUNG_SECONDS 1
// A channel that flaps is told of at most so often at once; the rest with the counters.
#define TELL_SECONDS 1
#define LIMBO_BURST 256
#define KEYS_BURST 32
// A core does what it is told within a round; one that sleeps is woken first.
#define MOVE_PATIENCE_US 2000
// But a machine that is busy with other things may keep it from its CPU, and keys that do not get there are a client without DTLS.
#define INSTALL_PATIENCE_US 200000

// ------------------------------------------------------------------------------------------------------------------ owner

static void owner_set(struct control *c, struct tunnel *t, unsigned core)
{
	c->owned[t->owner]--;
	t->owner = (uint8_t)core;
	c->owned[core]++;
}

// Has the core done it?
static bool command_reap(struct control *c, struct tunnel *t)
{
	if (!t->commanded)
		return true;
	if (!__atomic_load_n(&t->command.done, __ATOMIC_ACQUIRE))
		return false;
	t->commanded = false;
	if (t->command.kind == COMMAND_MOVE)
		owner_set(c, t, t->command.to);
	if (t->command.kind == COMMAND_POLICY && t->command.policy)
		limbo_put(&c->tables, policy_free, &c->policies, t->command.policy);
	return true;
}

static int command_post(struct control *c, struct tunnel *t, struct command command)
{
	int ret;

	t->command = command;
	ret = mailbox_post(c->dp.cores[t->owner], &t->command);
	t->commanded = ret == 0;
	return ret;
}

static bool command_wait(struct control *c, struct tunnel *t, uint64_t patience_us)
{
	const uint64_t us = c->dp.tsc_hz / 1000000, begin = rte_rdtsc();

	cores_wake(c);
	while (!command_reap(c, t)) {
		uint64_t passed = rte_rdtsc() - begin;
		if (passed > patience_us * us)
			return false;
		if (passed > MOVE_PATIENCE_US * us)
			usleep(MOVE_PATIENCE_US / 10);
		rte_pause();
	}
	return true;
}

int tunnel_move(struct control *c, struct tunnel *t, unsigned core)
{
	int ret;

	if (t->phase != TUNNEL_UP || !command_wait(c, t, MOVE_PATIENCE_US))
		return -EBUSY;
	if (core == t->owner)
		return 0;
	ret = command_post(c, t, (struct command){ .kind = COMMAND_MOVE, .tunnel = t->number, .to = (uint8_t)core });
	if (ret < 0)
		return ret;
	return command_wait(c, t, MOVE_PATIENCE_US) ? 0 : -EAGAIN;
}

int tunnel_give_up_udp(struct control *c, struct tunnel *t, uint64_t heard)
{
	if (t->phase != TUNNEL_UP || !command_reap(c, t))
		return -EBUSY;
	return command_post(c, t, (struct command){ .kind = COMMAND_GIVE_UP, .tunnel = t->number, .heard = heard });
}

void tunnel_forget_past(struct control *c, struct tunnel *t)
{
	if (command_reap(c, t))
		command_post(c, t, (struct command){ .kind = COMMAND_FORGET, .tunnel = t->number });
}

// ------------------------------------------------------------------------------------------------------------------- keys

struct tunnel_keys *key_pool_take(struct key_pool *p)
{
	struct tunnel_keys *k;

	if (p->n_free == 0)
		return NULL;
	k = &p->sets[p->free[--p->n_free]];
	p->touched = RTE_MAX(p->touched, p->n - p->n_free);
	memset(k, 0, offsetof(struct tunnel_keys, in));
	return k;
}

void key_pool_give(void *pool, void *keys)
{
	struct key_pool *p = pool;
	struct tunnel_keys *k = keys;

	aead_key_wipe(&k->in);
	aead_key_wipe(&k->out);
	secret_wipe(k, sizeof(*k));
	p->free[p->n_free++] = (uint32_t)(k - p->sets);
}

static void keys_bury(struct control *c, struct tunnel_keys *k)
{
	if (k)
		limbo_put(&c->tables, key_pool_give, &c->keys, k);
}

static void installs_reap(struct control *c)
{
	struct command *i;

	while (c->installs_n > 0) {
		i = &c->installs[c->installs_first];
		if (!__atomic_load_n(&i->done, __ATOMIC_ACQUIRE))
			return;
		keys_bury(c, i->retired[0]);
		c->installs_first = (c->installs_first + 1) % INSTALLS_MAX;
		c->installs_n--;
	}
}

int tunnel_install(struct control *c, struct tunnel *t, struct tunnel_keys *k)
{
	struct command *i;
	int ret;

	installs_reap(c);
	if (c->installs_n == INSTALLS_MAX || !command_wait(c, t, INSTALL_PATIENCE_US))
		return -EAGAIN;
	i = &c->installs[(c->installs_first + c->installs_n) % INSTALLS_MAX];
	*i = (struct command){ .kind = COMMAND_INSTALL, .tunnel = t->number, .keys = k };
	ret = mailbox_post(c->dp.cores[t->owner], i);
	if (ret == 0)
		c->installs_n++;
	return ret;
}

static void released_reap(struct control *c, struct lcore *lc)
{
	struct tunnel_keys *keys[KEYS_BURST];
	unsigned n = mailbox_collect(lc, keys, KEYS_BURST);

	for (unsigned i = 0; i < n; i++)
		keys_bury(c, keys[i]);
}

// -------------------------------------------------------------------------------------------------------------------- add

struct tunnel *tunnel_of(struct control *c, uint32_t number)
{
	if (number >= c->dp.tunnels_max || c->tunnels[number].phase != TUNNEL_UP)
		return NULL;
	return &c->tunnels[number];
}

// Some 30 years are as good as never, and three times as many still fit.
static uint64_t ticks(const struct control *c, uint32_t seconds)
{
	return RTE_MIN(seconds, 1u << 30) * c->dp.tsc_hz;
}

static uint8_t flags_of(const struct msg_tunnel_add *m)
{
	static const struct {
		uint8_t rule, flag;
	} rules[] = {
		{ RULE_DENY_ROAMING, TUNNEL_DENY_ROAMING },
		{ RULE_COPY_DSCP, TUNNEL_COPY_DSCP },
		{ RULE_CLAMP_MSS, TUNNEL_CLAMP_MSS },
	};
	uint8_t flags = TUNNEL_LIVE | (m->networks ? TUNNEL_ROUTES : 0) | (m->compress ? TUNNEL_COMPRESS : 0) |
	                (m->relay.family ? TUNNEL_BY_WORKER : 0);

	for (size_t i = 0; i < RTE_DIM(rules); i++)
		flags |= m->rules & rules[i].rule ? rules[i].flag : 0;
	return flags;
}

static void publish_halves(struct control *c, const struct msg_tunnel_add *m)
{
	struct tunnel_in *in = &c->dp.in[m->tunnel];
	struct tunnel_out *out = &c->dp.out[m->tunnel];

	memset(in, 0, sizeof(*in));
	memset(out, 0, sizeof(*out));
	memset(&c->dp.cold[m->tunnel], 0, sizeof(*c->dp.cold));
	if (m->ipv4.family)
		memcpy(&in->ipv4, m->ipv4.ip, 4);
	if (m->ipv6.family)
		memcpy(in->ipv6, m->ipv6.ip, 16);
	out->channel = CHANNEL_CSTP;
	out->mtu = m->mtu;
	out->udp_silence = tunnel_silence(m->udp_silence, c->dp.tsc_hz);
	out->compress = m->compress;
	out->tos = m->tos & (uint8_t)~ECN_MASK;
	out->compress_above = m->compress_above;
	in->flags = flags_of(m) | (c->dp.policy[m->tunnel] ? TUNNEL_POLICY : 0);
	out->flags = flags_of(m) | (policy_is_out(c->dp.policy[m->tunnel]) ? TUNNEL_POLICY : 0);
}

static void unlink_all(struct control *c, struct tunnel *t)
{
	struct tables *tb = &c->tables;

	if (t->ipv4.family)
		tables_unlink(tb, &tb->by_ipv4, t->ipv4.ip, t->number);
	if (t->ipv6.family)
		tables_unlink(tb, &tb->by_ipv6, t->ipv6.ip, t->number);
	tables_unlink(tb, &tb->by_app_id, t->app_id, t->number);
	handshake_forget(&c->paths, &t->handshakes, t->number);
	farewell_forget(t);
	peers_set(&c->peers, t->number, &t->handshakes.path.key);
	for (unsigned i = 0; i < t->n_networks; i++)
		networks_remove(tb, &c->networks, &t->networks[i], t->number);
	free(t->networks);
	t->networks = NULL;
	t->n_networks = 0;
}

static int link_networks(struct control *c, struct tunnel *t, char *why)
{
	char text[ADDR_TEXT];

	for (unsigned i = 0; i < t->n_networks; i++)
		if (networks_add(&c->networks, &t->networks[i], t->number) < 0)
			return START_ERROR(why, ENOSPC, "no room for network %s", addr_text_prefix(&t->networks[i], text));
	return 0;
}

static int link_all(struct control *c, struct tunnel *t, char *why)
{
	struct tables *tb = &c->tables;
	char text[ADDR_TEXT];
	int ret = 0;

	if (t->ipv4.family && tables_link(&tb->by_ipv4, t->ipv4.ip, t->number) < 0)
		ret = START_ERROR(why, EEXIST, "%s is another tunnel's", addr_text(&t->ipv4, text));
	else if (t->ipv6.family && tables_link(&tb->by_ipv6, t->ipv6.ip, t->number) < 0)
		ret = START_ERROR(why, EEXIST, "%s is another tunnel's", addr_text(&t->ipv6, text));
	else if (tables_link(&tb->by_app_id, t->app_id, t->number) < 0)
		ret = START_ERROR(why, EEXIST, "the App-ID is another tunnel's");
	if (ret == 0)
		ret = link_networks(c, t, why);
	return ret;
}

static bool is_inner(const struct addr *a, uint8_t family)
{
	if (a->family != family)
		return false;
	if (family == 4)
		return a->ip[0] != 0 && a->ip[0] != 127 && a->ip[0] < 224;
	return a->ip[0] != 0 && a->ip[0] != 0xff;
}

static int check(struct control *c, const struct msg_tunnel_add *m, char *why)
{
	if (m->tunnel >= c->dp.tunnels_max)
		return START_ERROR(why, ERANGE, "tunnel %u is beyond %u", m->tunnel, c->dp.tunnels_max);
	if (c->tunnels[m->tunnel].phase != TUNNEL_FREE)
		return START_ERROR(why, EBUSY, "tunnel %u is in use", m->tunnel);
	if (m->ipv4.family == 0 && m->ipv6.family == 0)
		return START_ERROR(why, EINVAL, "no inner address");
	if ((m->ipv4.family && !is_inner(&m->ipv4, 4)) || (m->ipv6.family && !is_inner(&m->ipv6, 6)))
		return START_ERROR(why, EINVAL, "an inner address that no client can have");
	if (!draft_is_whole(&c->draft, m))
		return START_ERROR(why, EPROTO, "what main has said of tunnel %u before has not come whole", m->tunnel);
	return 0;
}

// For once no core can be looking at it any more.
static void policy_bury(struct control *c, const struct tunnel *t)
{
	if (c->dp.policy[t->number])
		limbo_put(&c->tables, policy_free, &c->policies, c->dp.policy[t->number]);
	c->dp.policy[t->number] = NULL;
}

// A core may have found it already.
static void withdraw(struct control *c, struct tunnel *t)
{
	unlink_all(c, t);
	c->dp.in[t->number].flags = 0;
	c->dp.out[t->number].flags = 0;
	policy_bury(c, t);
}

static int take_draft(struct control *c, struct tunnel *t, const struct msg_tunnel_add *m)
{
	const struct draft *d = &c->draft;
	int ret = policy_new(&c->policies, d, m, &c->dp.policy[m->tunnel]);

	if (ret < 0 || !m->networks)
		return ret;
	t->networks = malloc(m->networks * sizeof(*t->networks));
	if (!t->networks)
		return -ENOMEM;
	memcpy(t->networks, d->networks, m->networks * sizeof(*t->networks));
	t->n_networks = m->networks;
	return 0;
}

int tunnel_add(struct control *c, const struct msg_tunnel_add *m, int lane, char *why)
{
	struct tunnel *t;
	int ret;

	ret = check(c, m, why);
	if (ret < 0)
		return ret;
	t = &c->tunnels[m->tunnel];
	memset(t, 0, sizeof(*t));
	t->number = m->tunnel;
	t->lane.fd = -1;
	t->ipv4 = m->ipv4;
	t->ipv6 = m->ipv6;
	t->deny_roaming = m->rules & RULE_DENY_ROAMING;
	t->relay = m->relay;
	memcpy(t->app_id, m->app_id, sizeof(t->app_id));
	t->owner = (uint8_t)cores_choose(c, PORTS_MAX, 0);
	c->dp.owner[t->number] = t->owner;
	ret = take_draft(c, t, m);
	if (ret == 0)
		ret = farewell_expect(c, t, m);
	if (ret < 0)
		ret = START_ERROR(why, -ret, "no memory for its networks and rules");
	if (ret == 0) {
		publish_halves(c, m);
		ret = link_all(c, t, why);
	}
	if (ret == 0 && (ret = lane_open(c, t, lane)) < 0)
		ret = START_ERROR(why, -ret, "lane: %s", strerror(-ret));
	if (ret < 0) {
		withdraw(c, t);
		return ret;
	}
	t->phase = TUNNEL_UP;
	c->owned[t->owner]++;
	t->added = c->now;
	t->dpd.interval = ticks(c, m->dpd);
	t->idle = ticks(c, m->idle);
	t->rekey = rekey_deadline(m->rekey) * c->dp.tsc_hz;
	t->place = c->n_active;
	c->active[c->n_active++] = t->number;
	return 0;
}

// ----------------------------------------------------------------------------------------------------------------- change

// What main says is to hold whatever comes in between: its core does it in its next round, and nobody waits for that.
int tunnel_change(struct control *c, const struct msg_tunnel_change *m, char *why)
{
	const struct msg_tunnel_add kept_to = {
		.tunnel = m->tunnel,
		.rules = m->rules,
		.targets = m->targets,
		.services = m->services,
		.ports = m->ports,
		.rx_rate = m->rx_rate,
		.tx_rate = m->tx_rate,
	};
	struct command command = { .kind = COMMAND_POLICY, .tunnel = m->tunnel };
	struct tunnel *t = tunnel_of(c, m->tunnel);

	if (!t)
		return START_ERROR(why, ENOENT, "tunnel %u is not up", m->tunnel);
	if (!draft_is_whole(&c->draft, &kept_to))
		return START_ERROR(why, EPROTO, "what main has said of tunnel %u before has not come whole", m->tunnel);
	if (!command_wait(c, t, INSTALL_PATIENCE_US))
		return START_ERROR(why, EBUSY, "its core is too busy");
	if (policy_new(&c->policies, &c->draft, &kept_to, &command.policy) < 0)
		return START_ERROR(why, ENOMEM, "no memory for its rules");
	if (command_post(c, t, command) < 0) {
		policy_free(&c->policies, command.policy);
		return START_ERROR(why, EAGAIN, "its core is too busy");
	}
	t->idle = ticks(c, m->idle);
	return 0;
}

// ------------------------------------------------------------------------------------------------------------------- tell

static struct msg_tunnel_counters counters(const struct control *c, const struct tunnel *t)
{
	const struct tunnel_in *in = &c->dp.in[t->number];
	const struct tunnel_out *out = &c->dp.out[t->number];
	const struct tunnel_cold *cold = &c->dp.cold[t->number];
	uint64_t active = sweep_active(c, t);

	return (struct msg_tunnel_counters){
		.tunnel = t->number,
		.packets_in = in->packets,
		.bytes_in = in->bytes,
		.packets_out = out->packets - t->lost,
		.bytes_out = out->bytes - t->lost_bytes,
		.dropped = out->dropped + t->lost,
		.datagrams = t->datagrams,
		.cstp_bytes_in = cold->cstp_in_bytes,
		.cstp_bytes_out = cold->cstp_out_bytes - t->lost_bytes,
		.idle_ms = c->now > active ? (uint32_t)RTE_MIN((c->now - active) * 1000.0 / (double)c->dp.tsc_hz, 4e9) : 0,
	};
}

bool tunnel_tell_counters(struct control *c, const struct tunnel *t)
{
	struct msg_tunnel_counters m = counters(c, t);

	return main_offer(c, MSG_TUNNEL_COUNTERS, &m);
}

static void tell_last_counters(struct control *c, const struct tunnel *t)
{
	struct msg_tunnel_counters m = counters(c, t);

	m.last = 1;
	MAIN_SEND(c, TUNNEL_COUNTERS, &m);
}

bool tunnel_tell_state(struct control *c, struct tunnel *t)
{
	struct msg_tunnel_state m = { .tunnel = t->number, .channel = t->channel, .why = t->why, .cipher = t->handshakes.cipher };

	if (t->handshakes.confirmed) {
		path_peer(&t->handshakes.path, &m.path);
		path_ours(&t->handshakes.path, &m.ours);
	}
	if (!main_offer(c, MSG_TUNNEL_STATE, &m))
		return false;
	t->untold = false;
	t->told = c->now;
	return true;
}

static void state_changed(struct control *c, struct tunnel *t)
{
	t->untold = true;
	if (c->now - t->told >= TELL_SECONDS * c->dp.tsc_hz)
		tunnel_tell_state(c, t);
}

static void channel_is(struct control *c, struct tunnel *t, uint8_t channel, uint8_t why)
{
	c->on_dtls += (channel == CHANNEL_DTLS) - (t->channel == CHANNEL_DTLS);
	t->channel = channel;
	t->why = why;
	state_changed(c, t);
}

static void on_confirmed(struct control *c, struct tunnel *t, const struct packet *p)
{
	struct msg_dtls_confirmed m = { .handshake = p->handshake };

	// Its slot may have gone to a younger handshake in the meantime; the keys are in force all the same.
	if (!handshake_confirmed(&c->paths, &t->handshakes, t->number, p->handshake))
		log_debug("tunnel %u: handshake %u is confirmed late", t->number, p->handshake);
	peers_set(&c->peers, t->number, &t->handshakes.path.key);
	farewell_forget(t);
	t->keyed = c->now;
	t->keyed_for = p->handshake;
	t->ended = 0;
	CHAN_SEND(&t->lane, DTLS_CONFIRMED, &m);
	channel_is(c, t, CHANNEL_DTLS, WHY_KEYS);
}

static void on_path(struct control *c, struct tunnel *t, const struct packet *p)
{
	if (!handshake_roamed(&c->paths, &t->handshakes, t->number, p->handshake, &p->path)) {
		log_debug("tunnel %u: a path that cannot be taken", t->number);
		return;
	}
	peers_set(&c->peers, t->number, &p->path.key);
	state_changed(c, t);
}

static void on_alert(struct control *c, struct tunnel *t, const struct packet *p)
{
	struct msg_dtls_alert m = { .handshake = p->handshake, .level = p->level, .description = p->description };

	CHAN_SEND(&t->lane, DTLS_ALERT, &m);
}

void tunnel_relays(struct control *c, struct tunnel *t, const struct msg_dtls_channel *m)
{
	if (m->channel == CHANNEL_DTLS && handshake_confirmed(&c->paths, &t->handshakes, t->number, m->handshake))
		peers_set(&c->peers, t->number, &t->handshakes.path.key);
	channel_is(c, t, m->channel, m->why);
}

void tunnel_on_event(struct control *c, const struct packet *p)
{
	struct tunnel *t = tunnel_of(c, p->tunnel);

	if (!t)
		return;
	switch (p->event) {
	case EVENT_CONFIRMED:
		on_confirmed(c, t, p);
		break;
	case EVENT_ALERT:
		on_alert(c, t, p);
		break;
	case EVENT_CHANNEL:
		if (t->channel != p->channel)
			channel_is(c, t, p->channel, p->why);
		break;
	case EVENT_PATH:
		on_path(c, t, p);
		break;
	case EVENT_ELSEWHERE:
		tunnel_move(c, t, p->core); // not now: the core will say so again
		break;
	default:
		break;
	}
}

// ------------------------------------------------------------------------------------------------------------------ leave

void tunnel_del(struct control *c, uint32_t number)
{
	struct msg_tunnel_counters none = { .tunnel = number, .last = 1 };
	struct tunnel *t = tunnel_of(c, number);

	if (!t) {
		if (number < c->dp.tunnels_max && c->tunnels[number].phase == TUNNEL_FREE)
			MAIN_SEND(c, TUNNEL_COUNTERS, &none);
		return;
	}
	watcher_tunnel_gone(c, number);
	lane_close(c, t);
	unlink_all(c, t);
	c->on_dtls -= t->channel == CHANNEL_DTLS;
	t->phase = TUNNEL_LEAVING;
	c->leaving[c->n_leaving] = number;
	c->n_leaving++;
}

static void bury_tunnel(void *control, void *tunnel)
{
	struct control *c = control;
	struct tunnel *t = tunnel;

	t->mark = c->emptied + 1;
	t->phase = TUNNEL_FLUSHING;
}

static void tunnel_end(struct control *c, struct tunnel *t)
{
	uint32_t last = c->active[--c->n_active];

	tell_last_counters(c, t);
	c->owned[t->owner]--;
	c->active[t->place] = last;
	c->tunnels[last].place = t->place;
	t->phase = TUNNEL_FREE;
}

// One step of a tunnel's way out: nothing on either side may still know its number when main may use it again.
static void leave(struct control *c, struct tunnel *t)
{
	switch (t->phase) {
	case TUNNEL_LEAVING:
		if (!command_reap(c, t))
			break;
		t->command = (struct command){ .kind = COMMAND_RETIRE, .tunnel = t->number };
		if (mailbox_post(c->dp.cores[t->owner], &t->command) == 0)
			t->phase = TUNNEL_RETIRING;
		break;
	case TUNNEL_RETIRING:
		if (!__atomic_load_n(&t->command.done, __ATOMIC_ACQUIRE))
			break;
		keys_bury(c, t->command.retired[0]);
		keys_bury(c, t->command.retired[1]);
		policy_bury(c, t);
		// One epoch until nobody hands over any more what he took for live, another until that has come through.
		t->mark = epoch_next(c) + 1;
		t->phase = TUNNEL_DRAINING;
		break;
	case TUNNEL_DRAINING:
		if (c->epoch.done < t->mark)
			break;
		t->phase = TUNNEL_BURYING;
		limbo_put(&c->tables, bury_tunnel, c, t);
		break;
	case TUNNEL_FLUSHING:
		if (c->emptied >= t->mark)
			tunnel_end(c, t);
		break;
	default:
		break;
	}
}

unsigned tunnel_turn(struct control *c)
{
	unsigned busy = c->n_leaving + c->installs_n;

	epoch_turn(c);
	installs_reap(c);
	for (unsigned i = 0; i < c->dp.n_cores; i++)
		released_reap(c, c->dp.cores[i]);
	for (uint32_t i = c->n_leaving; i-- > 0;) {
		leave(c, &c->tunnels[c->leaving[i]]);
		if (c->tunnels[c->leaving[i]].phase == TUNNEL_FREE)
			c->leaving[i] = c->leaving[--c->n_leaving];
	}
	limbo_reap(&c->tables, LIMBO_BURST);
	return busy;
}

static bool needs_path(const struct control *c, struct tunnel *t, const struct path *p)
{
	const struct handshake *s = handshake_of_path(&t->handshakes, p);
	const struct tunnel_keys *k;

	if (s && c->now - s->started < PATH_YOUNG_SECONDS * c->dp.tsc_hz)
		return true;
	if (!s && handshake_has_left(&t->handshakes, p))
		return false;
	// Only this thread ever frees key sets: they can be looked at.
	k = __atomic_load_n(&c->dp.in[t->number].keys, __ATOMIC_RELAXED);
	if (t->relay.family && c->now - t->heard < PATH_SILENT_SECONDS * c->dp.tsc_hz)
		return true;
	return k && !k->closed && (int64_t)(c->now - k->last_udp) < (int64_t)(PATH_SILENT_SECONDS * c->dp.tsc_hz);
}

// Asked by the path book: may another tunnel have this path of ours?
bool tunnel_path_yields(void *control, uint32_t owner, const struct path *p)
{
	struct control *c = control;
	struct tunnel *t = tunnel_of(c, owner);

	if (!t)
		return true;
	if (needs_path(c, t, p))
		return false;
	handshake_lose_path(&t->handshakes, p);
	peers_set(&c->peers, t->number, &t->handshakes.path.key);
	return true;
}
