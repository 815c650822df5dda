#include "stray.h"

#include "control.h"
#include "opening.h"

// Of all cores together; and of those whose address nobody has, for which tunnels have to be looked through.
#define ALL_A_SECOND 1000
#define ALL_BURST 256
#define SEARCHES_A_SECOND 200
#define SEARCHES_BURST 32
// Tunnels looked at for one record: behind the same address, and in a search, each of which goes on where the last one ended.
#define SAME_ADDRESS_MAX 1024
#define SEARCH_MAX 1024

// The best so far: what is next to be expected from their clients is nearest to what has come.
struct choice {
	uint32_t tunnel[CANDIDATES_MAX];
	uint64_t ahead[CANDIDATES_MAX];
	unsigned n;
};

static void choose(struct choice *c, uint32_t tunnel, uint64_t ahead)
{
	unsigned at = c->n;

	for (unsigned i = 0; i < c->n; i++)
		if (c->tunnel[i] == tunnel)
			return;
	if (at == CANDIDATES_MAX && ahead >= c->ahead[--at])
		return;
	c->n = at + 1;
	for (; at > 0 && c->ahead[at - 1] > ahead; at--) {
		c->tunnel[at] = c->tunnel[at - 1];
		c->ahead[at] = c->ahead[at - 1];
	}
	c->tunnel[at] = tunnel;
	c->ahead[at] = ahead;
}

struct wanted {
	const struct path_key *from;
	uint16_t epoch; // as it came
	uint64_t sequence;
};

// Only this thread ever frees key sets: they can be looked at. What their owner writes meanwhile makes a choice worse, not wrong.
static void consider(const struct control *c, uint32_t number, const struct wanted *w, struct choice *out)
{
	const struct tunnel *t = &c->tunnels[number];
	const struct tunnel_keys *k = __atomic_load_n(&c->dp.in[number].keys, __ATOMIC_RELAXED);

	if (t->phase != TUNNEL_UP || !k || !stray_fits(k, w->epoch, w->sequence))
		return;
	if (t->deny_roaming && !stray_same_address(&t->handshakes.path.key, w->from))
		return;
	choose(out, number, w->sequence - __atomic_load_n(&k->seen.top, __ATOMIC_RELAXED));
}

// A NAT that has chosen another port: the usual case.
static void same_address(const struct control *c, const struct wanted *w, struct choice *out)
{
	uint32_t t = peers_first(&c->peers, w->from);

	for (unsigned i = 0; i < SAME_ADDRESS_MAX && t != PEER_NONE; i++) {
		consider(c, t, w, out);
		t = peers_next(&c->peers, w->from, t);
	}
}

static void search(struct control *c, const struct wanted *w, struct choice *out)
{
	uint32_t n = RTE_MIN(c->n_active, (uint32_t)SEARCH_MAX);

	if (!bucket_take(&c->searches, c->now, c->dp.tsc_hz / SEARCHES_A_SECOND, SEARCHES_BURST))
		return;
	for (uint32_t i = 0; i < n; i++) {
		if (c->search_at >= c->n_active)
			c->search_at = 0;
		consider(c, c->active[c->search_at++], w, out);
	}
}

static void candidates(struct control *c, struct rte_mbuf *m, struct choice *out)
{
	struct wanted w = { .from = &packet_of(m)->path.key, .sequence = sequence_of(packet_data(m)) };

	memcpy(&w.epoch, packet_data(m) + 3, 2);
	if (!bucket_take(&c->strays, c->now, c->dp.tsc_hz / ALL_A_SECOND, ALL_BURST))
		return;
	same_address(c, &w, out);
	if (out->n < CANDIDATES_MAX)
		search(c, &w, out);
}

// Where records are the worker's, it alone can say whose this one is: the latest such tunnel whose peer has this address is asked.
static bool ask_worker(struct control *c, struct rte_mbuf *m)
{
	const struct path_key *from = &packet_of(m)->path.key;
	uint32_t t = peers_first(&c->peers, from);

	for (unsigned i = 0; i < SAME_ADDRESS_MAX && t != PEER_NONE; i++) {
		if (c->tunnels[t].phase == TUNNEL_UP && c->tunnels[t].relay.family)
			return lane_stray(c, &c->tunnels[t], m);
		t = peers_next(&c->peers, from, t);
	}
	return false;
}

void stray_deliver(struct control *c, struct rte_mbuf *m)
{
	struct packet *p = packet_of(m);
	struct choice best;
	unsigned owner;

	// before others behind the same address are thought of
	if (farewell_stray(c, m)) {
		rte_pktmbuf_free(m);
		return;
	}
	best.n = 0;
	candidates(c, m, &best);
	if (best.n == 0) {
		if (!ask_worker(c, m))
			c->count.value[COUNT_drop_unknown_path]++;
		rte_pktmbuf_free(m);
		return;
	}
	p->n_candidates = (uint8_t)best.n;
	memcpy(p->candidate, best.tunnel, best.n * sizeof(*best.tunnel));
	p->tunnel = best.tunnel[0];
	owner = c->tunnels[p->tunnel].owner;
	if (rte_ring_sp_enqueue(c->dp.cores[owner]->from_control, m) == 0)
		return;
	c->count.value[COUNT_drop_ring_full]++;
	rte_pktmbuf_free(m);
}
