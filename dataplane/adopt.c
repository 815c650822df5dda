#include <rte_hash_crc.h>

#include "hand.h"
#include "opening.h"
#include "stage.h"
#include "stray.h"

// Strangers whose hash is the same share what there is for one.
static bool source_may(struct lcore *lc, const struct path_key *from)
{
	uint32_t hash = rte_hash_crc(from->peer_ip, from->family == 4 ? 4 : 8, from->family);

	return bucket_take(&lc->source[hash % SOURCES], lc->now, lc->dp->tsc_hz / STRAYS_SOURCE_A_SECOND, STRAYS_SOURCE_BURST);
}

void stray_punt(struct lcore *lc, struct rte_mbuf *m, enum counter otherwise)
{
	struct packet *p = packet_of(m);

	if (!source_may(lc, &p->path.key) || !bucket_take(&lc->strays, lc->now, lc->dp->tsc_hz / STRAYS_A_SECOND, STRAYS_BURST)) {
		drop(lc, otherwise, m);
		return;
	}
	p->kind = PACKET_STRAY;
	p->n_candidates = 0;
	to_control(lc, m, COUNT_punt_stray);
}

bool stray_move(struct lcore *lc, uint32_t tunnel, struct tunnel_keys *k, const struct path *to)
{
	struct path before = k->path;

	if ((lc->dp->in[tunnel].flags & TUNNEL_DENY_ROAMING) && !stray_same_address(&before.key, &to->key))
		return false;
	k->path = *to;
	if (!tell_control(lc, EVENT_PATH, tunnel, k, 0, 0)) {
		k->path = before;
		return false;
	}
	count(lc, COUNT_paths_moved);
	return true;
}

// The record stays as it came.
static bool opens(struct rte_mbuf *m, struct tunnel_keys *k)
{
	struct aead_op op;

	if (!opening_set(&op, m, k))
		return false;
	aead_open_burst(&op, 1);
	opening_undo(&op);
	return op.ok;
}

static bool adopt_as(struct lcore *lc, struct rte_mbuf *m, uint32_t tunnel)
{
	struct packet *p = packet_of(m);
	const struct tunnel_in *in = &lc->dp->in[tunnel];
	struct tunnel_keys *k = in->keys;
	uint16_t epoch;

	memcpy(&epoch, packet_data(m) + 3, 2);
	if (!(in->flags & TUNNEL_LIVE) || !k || k->closed || !stray_fits(k, epoch, sequence_of(packet_data(m))))
		return false;
	if (!opens(m, k) || !stray_move(lc, tunnel, k, &p->path))
		return false;
	p->tunnel = tunnel;
	p->kind = PACKET_RECORD;
	return true;
}

enum adopted { ADOPTED, ELSEWHERE, NOBODYS };

// ELSEWHERE: on core *next. Owners are asked once: they change meanwhile, and nobody hands to himself.
static enum adopted adopt_one(struct lcore *lc, struct rte_mbuf *m, unsigned *next)
{
	struct packet *p = packet_of(m);
	unsigned n = p->n_candidates, owner;

	p->n_candidates = 0;
	for (unsigned i = 0; i < n; i++) {
		uint32_t tunnel = p->candidate[i];
		owner = owner_of(lc->dp, tunnel);
		if (owner == lc->index) {
			if (adopt_as(lc, m, tunnel))
				return ADOPTED;
			continue;
		}
		if (p->n_candidates == 0)
			*next = owner;
		p->candidate[p->n_candidates++] = tunnel;
	}
	if (p->n_candidates == 0)
		return NOBODYS;
	p->tunnel = p->candidate[0];
	return ELSEWHERE;
}

unsigned adopt(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	unsigned n_out = 0, next = 0;

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		switch (adopt_one(lc, m, &next)) {
		case ADOPTED:
			pkts[n_out++] = m;
			break;
		case ELSEWHERE:
			hand(lc, next, m);
			break;
		case NOBODYS:
			drop(lc, COUNT_drop_unknown_path, m);
			break;
		}
	}
	return n_out;
}
