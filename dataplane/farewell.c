#include "farewell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "packet.h"
#include "proto/err.h"
#include "record.h"

// Tunnels behind one address that are looked at for one record.
#define SAME_ADDRESS_MAX 1024

struct farewell {
	struct addr peer, ours; // with their ports
	uint64_t sent;          // TSC of the last
	uint8_t len, next, n;   // of each, the one whose turn it is, how many there are
	uint8_t record[FAREWELLS_A_LANE][LIMIT_FAREWELL];
};

int farewell_expect(struct control *c, struct tunnel *t, const struct msg_tunnel_add *m)
{
	struct path_key at = { .family = m->peer.family };

	if (!m->peer.family)
		return 0;
	t->farewell = calloc(1, sizeof(*t->farewell));
	if (!t->farewell)
		return -ENOMEM;
	t->farewell->peer = m->peer;
	t->farewell->ours = m->ours;
	memcpy(at.peer_ip, m->peer.ip, m->peer.family == 4 ? 4 : 16);
	peers_set(&c->peers, t->number, &at);
	return 0;
}

void farewell_forget(struct tunnel *t)
{
	free(t->farewell);
	t->farewell = NULL;
}

static void say(struct control *c, struct tunnel *t, const struct path *to)
{
	struct farewell *f = t->farewell;

	lane_datagram(c, t, to, f->record[f->next++], f->len);
	f->sent = c->now;
	c->count.value[COUNT_dtls_farewells]++;
}

// The kernel's sockets take a datagram to an address; a frame needs a way there, and the client's own datagrams will show it.
static bool path_by_kernel(const struct control *c, const struct farewell *f, struct path *out)
{
	int port = ports_socket(&c->ports, &f->ours);

	if (port < 0)
		return false;
	memset(out, 0, sizeof(*out));
	out->port = (uint8_t)port;
	out->key.family = f->peer.family;
	out->key.peer_udp = rte_cpu_to_be_16(f->peer.port);
	out->key.our_udp = rte_cpu_to_be_16(f->ours.port);
	memcpy(out->key.peer_ip, f->peer.ip, f->peer.family == 4 ? 4 : 16);
	memcpy(out->key.our_ip, f->ours.ip, f->peer.family == 4 ? 4 : 16);
	return true;
}

// What it is under its seal nobody can see here. But it is no more than one short record of that kind, and of that block of
// numbers.
static bool is_farewell(const uint8_t *record, size_t len)
{
	struct record r;

	return record_parse(record, len, &r) && len == (size_t)RECORD_HEADER + r.length && r.type == CONTENT_ALERT &&
	       r.epoch != 0 && r.sequence > DTLS_SEQUENCE_LAST;
}

int farewell_take(struct control *c, struct tunnel *t, const struct msg_dtls_farewell *m)
{
	struct farewell *f = t->farewell;
	struct path to;

	if (m->first_len != m->second_len || !is_farewell(m->first, m->first_len) || !is_farewell(m->second, m->second_len))
		return errno_log(EPROTO, "%s: DTLS_FAREWELL: no alert under a number that is no dataplane's", t->lane.name);
	// its client has had no DTLS that main knew of, or has new keys already
	if (!f || t->handshakes.confirmed)
		return 0;
	f->len = (uint8_t)m->first_len;
	f->n = FAREWELLS_A_LANE;
	memcpy(f->record[0], m->first, f->len);
	memcpy(f->record[1], m->second, f->len);
	if (path_by_kernel(c, f, &to))
		say(c, t, &to);
	return 0;
}

static bool is_from(const struct path_key *from, const struct farewell *f)
{
	return f && f->peer.family == from->family && f->peer.port == rte_be_to_cpu_16(from->peer_udp) &&
	       memcmp(f->peer.ip, from->peer_ip, from->family == 4 ? 4 : 16) == 0;
}

// The answer is no longer than what it answers, which anybody may have sent in the client's name: it tells the client nothing
// wrong.
bool farewell_stray(struct control *c, struct rte_mbuf *m)
{
	const struct path *from = &packet_of(m)->path;
	uint32_t number = peers_first(&c->peers, &from->key);

	for (unsigned i = 0; i < SAME_ADDRESS_MAX && number != PEER_NONE; i++) {
		struct tunnel *t = &c->tunnels[number];
		struct farewell *f = t->farewell;

		number = peers_next(&c->peers, &from->key, number);
		if (t->phase != TUNNEL_UP || !is_from(&from->key, f))
			continue;
		if (t->relay.family)
			return lane_stray(c, t, m);
		if (f->next == f->n || m->data_len < f->len || (f->sent && c->now - f->sent < c->dp.tsc_hz))
			return false;
		c->count.value[COUNT_drop_unknown_path]++;
		say(c, t, from);
		return true;
	}
	return false;
}
