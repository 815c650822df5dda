#include <stdio.h>

#include <rte_cycles.h>

#include "report.h"

static uint64_t ms_since(const struct control *c, uint64_t then)
{
	return c->now > then ? (uint64_t)((double)(c->now - then) * 1e3 / (double)c->dp.tsc_hz) : 0;
}

static void tell_drops(struct control *c, uint32_t token, const struct tunnel_cold *cold)
{
	struct cold_drop drop;

	for (unsigned i = 0; i < COLD_DROPS; i++) {
		struct msg_tunnel_drop m = { .token = token };

		drop = cold->drops[i];
		if (!drop.at || drop.why >= COUNTERS)
			continue;
		snprintf(m.name, sizeof(m.name), "%s", counter_descs[drop.why].name);
		m.times = drop.times;
		m.ago_ms = ms_since(c, drop.at);
		MAIN_SEND(c, TUNNEL_DROP, &m);
	}
}

static void see_path(const struct control *c, const struct path *p, struct msg_tunnel_view *m)
{
	const struct port *port = p->port < c->dp.n_ports ? c->dp.ports[p->port] : NULL;

	if (!port || !p->key.family)
		return;
	path_peer(p, &m->peer);
	path_ours(p, &m->local);
	m->vlan = rte_be_to_cpu_16(p->vlan);
	snprintf(m->port, sizeof(m->port), "%s", port->name);
	snprintf(m->interface, sizeof(m->interface), "%s", port->interface);
}

// Only this thread ever frees key sets: they can be looked at.
static void see_keys(const struct control *c, const struct tunnel_in *in, struct msg_tunnel_view *m)
{
	const struct tunnel_keys *k = __atomic_load_n(&in->keys, __ATOMIC_RELAXED);

	if (!k)
		return;
	m->cipher = k->cipher;
	m->closed = k->closed;
	m->epoch = rte_be_to_cpu_16(k->epoch);
	m->sent = RTE_MIN(k->next_sequence, DTLS_SEQUENCE_MAX);
	m->seen = RTE_MIN(k->seen.top, DTLS_SEQUENCE_MAX);
	m->heard_ms = ms_since(c, k->last_udp);
	see_path(c, &k->path, m);
}

// A worker that opens its records by itself knows the keys; we know where they come from.
static void see_relay(const struct control *c, const struct tunnel *t, struct msg_tunnel_view *m)
{
	m->relayed = 1;
	m->heard_ms = ms_since(c, t->heard);
	see_path(c, &t->handshakes.path, m);
}

static void see_counts(const struct control *c, const struct tunnel *t, struct msg_tunnel_view *m)
{
	const struct tunnel_in *in = &c->dp.in[t->number];
	const struct tunnel_out *out = &c->dp.out[t->number];
	const struct tunnel_cold *cold = &c->dp.cold[t->number];

	// the parts before the whole: a packet that comes meanwhile must not make them larger than it
	m->cstp_packets_in = cold->cstp_in;
	m->cstp_bytes_in = cold->cstp_in_bytes;
	m->cstp_packets_out = cold->cstp_out - t->lost;
	m->cstp_bytes_out = cold->cstp_out_bytes - t->lost_bytes;
	m->packets_in = in->packets;
	m->bytes_in = in->bytes;
	m->packets_out = out->packets - t->lost;
	m->bytes_out = out->bytes - t->lost_bytes;
	m->dropped = out->dropped + t->lost;
	m->lane_lost = t->lost;
	m->lost = cold->lost > 0 ? (uint64_t)cold->lost : 0;
	m->copies = cold->copies;
}

void view_tell(struct control *c, uint32_t token, uint32_t number)
{
	struct msg_tunnel_view m = { .token = token, .tunnel = number };
	const struct tunnel *t = tunnel_of(c, number);

	if (t) {
		tell_drops(c, token, &c->dp.cold[number]);
		m.up = 1;
		m.channel = t->channel;
		m.why = t->why;
		m.handshaking = handshake_running(&t->handshakes);
		m.core = c->dp.cores[t->owner]->id;
		m.cpu = c->dp.cores[t->owner]->cpu;
		if (t->relay.family && t->handshakes.confirmed)
			see_relay(c, t, &m);
		else
			see_keys(c, &c->dp.in[number], &m);
		see_counts(c, t, &m);
	}
	MAIN_SEND(c, TUNNEL_VIEW, &m);
}
