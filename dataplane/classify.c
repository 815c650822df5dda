#include <rte_prefetch.h>

#include "packet.h"
#include "record.h"
#include "stage.h"
#include "stray.h"

static inline bool tunnel_live(const struct lcore *lc, uintptr_t number)
{
	return number < lc->dp->tunnels_max && (lc->dp->in[number].flags & TUNNEL_LIVE);
}

static void punt(struct lcore *lc, struct rte_mbuf *m, uint8_t type, uint32_t tunnel, bool hello)
{
	struct packet *p = packet_of(m);

	p->tunnel = tunnel;
	p->handshake = 0;
	p->kind = PACKET_HANDSHAKE;
	p->type = type;
	p->hello = hello;
	p->core = (uint8_t)lc->index;
	to_control(lc, m, hello ? COUNT_punt_hello : COUNT_punt_handshake);
}

// By the App-ID and not the tunnel: whose number somebody had before has a measure of his own. It is random.
static struct bucket *hellos_of(struct lcore *lc, const uint8_t *app_id)
{
	return &lc->hellos[(app_id[0] << 8 | app_id[1]) % HELLOS];
}

// An App-ID opens the door, whatever address it comes from. Whether an address that has a tunnel already may speak for another one
// is for the control thread to say: its owner may be long gone.
static void punt_hello(struct lcore *lc, struct rte_mbuf *m)
{
	const uint8_t *app_id = hello_app_id(packet_data(m), m->data_len);
	uint32_t tunnel;

	if (!app_id) {
		drop(lc, COUNT_drop_malformed_record, m);
		return;
	}
	if (!tables_find(&lc->dp->tables->by_app_id, app_id, &tunnel) || !tunnel_live(lc, tunnel)) {
		drop(lc, COUNT_drop_unknown_app_id, m);
		return;
	}
	// here already: who has seen an App-ID can make a core meet it a hundred thousand times a second
	if (!bucket_take(hellos_of(lc, app_id), lc->now, lc->dp->tsc_hz / HELLOS_A_SECOND, HELLOS_BURST)) {
		drop(lc, COUNT_drop_handshake_rate, m);
		return;
	}
	lc->dp->in[tunnel].handshaking = true;
	punt(lc, m, CONTENT_HANDSHAKE, tunnel, true);
}

// Handshake records outside a handshake are nobody's: the worker has freed its DTLS object.
static void punt_record(struct lcore *lc, struct rte_mbuf *m, uint8_t type, uintptr_t owner)
{
	const struct tunnel_in *in = &lc->dp->in[owner];

	if (!in->handshaking && (!in->next || in->next->past) && !(in->flags & TUNNEL_BY_WORKER)) {
		drop(lc, COUNT_drop_no_handshake, m);
		return;
	}
	punt(lc, m, type, (uint32_t)owner, false);
}

static inline bool is_handshake(const struct record *r)
{
	return r->type == CONTENT_HANDSHAKE || r->type == CONTENT_CCS || (r->type == CONTENT_ALERT && r->epoch == 0);
}

static void classify_handshake(struct lcore *lc, struct rte_mbuf *m, uint8_t type, bool known, uintptr_t owner)
{
	if (record_is_hello(packet_data(m), m->data_len))
		punt_hello(lc, m);
	else if (known && tunnel_live(lc, owner))
		punt_record(lc, m, type, owner);
	else
		drop(lc, COUNT_drop_unknown_path, m);
}

static inline void to_record(const struct lcore *lc, struct rte_mbuf *m, const struct record *r, uint32_t tunnel)
{
	struct packet *p = packet_of(m);

	p->tunnel = tunnel;
	p->kind = PACKET_RECORD;
	p->type = r->type;
	p->core = (uint8_t)lc->index;
	packet_cut(m, 0, RECORD_HEADER + r->length);
}

// One datagram may hold several records. The first stays where it is; each other gets a buffer of its own.
static unsigned split_rest(struct lcore *lc, struct rte_mbuf *first, const struct record *head, uint32_t tunnel,
                           struct rte_mbuf **out, unsigned room)
{
	const uint8_t *rest = packet_data(first) + RECORD_HEADER + head->length;
	unsigned n = 0, len = first->data_len - RECORD_HEADER - head->length;
	struct record r;

	for (; len; n++) {
		struct rte_mbuf *m = NULL;
		lc->count.value[COUNT_extra_records]++;
		bool good = record_parse(rest, len, &r) && !is_handshake(&r) && r.epoch;
		if (good && n < room)
			m = rte_pktmbuf_alloc(lc->pool);
		uint8_t *copy = m ? (uint8_t *)rte_pktmbuf_append(m, RECORD_HEADER + r.length) : NULL;
		if (!copy) {
			count(lc, good ? COUNT_drop_no_mbuf : COUNT_drop_malformed_record);
			rte_pktmbuf_free(m);
			return n;
		}
		memcpy(copy, rest, RECORD_HEADER + r.length);
		packet_of(m)->path = packet_of(first)->path;
		to_record(lc, m, &r, tunnel);
		out[n] = m;
		rest += RECORD_HEADER + r.length;
		len -= RECORD_HEADER + r.length;
	}
	return n;
}

// Only what a client sends all the time is worth looking for its tunnel.
static void stray(struct lcore *lc, struct rte_mbuf *m, const struct record *r)
{
	if (r->type != CONTENT_DATA || r->epoch == 0) {
		drop(lc, COUNT_drop_unknown_path, m);
		return;
	}
	to_record(lc, m, r, 0);
	stray_punt(lc, m, COUNT_drop_unknown_path);
}

// Those that begin with a whole record, and what their tables are asked.
static unsigned parse_all(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct record *records, const void **keys)
{
	unsigned n_out = 0;

	for (unsigned i = 0; i < n; i++) {
		if (unlikely(!record_parse(packet_data(pkts[i]), pkts[i]->data_len, &records[n_out]))) {
			drop(lc, COUNT_drop_malformed_record, pkts[i]);
			continue;
		}
		keys[n_out] = &packet_of(pkts[i])->path.key;
		pkts[n_out++] = pkts[i];
	}
	return n_out;
}

unsigned classify(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	struct record records[BURST];
	const void *keys[BURST] = { 0 };
	uint32_t owner[BURST];
	unsigned n_out = 0, n_extra = 0;
	struct rte_mbuf *extra[BURST];

	n = parse_all(lc, pkts, n, records, keys);
	tables_find_burst(&lc->dp->tables->by_path, keys, n, owner);
	for (unsigned i = 0; i < n; i++) {
		const struct record *r = &records[i];
		struct rte_mbuf *m = pkts[i];
		uint32_t number = owner[i];
		bool known = number < lc->dp->tunnels_max;

		if (unlikely(is_handshake(r))) {
			classify_handshake(lc, m, r->type, known, number);
			continue;
		}
		if (unlikely(!known)) {
			stray(lc, m, r);
			continue;
		}
		if (unlikely(m->data_len > RECORD_HEADER + r->length))
			n_extra += split_rest(lc, m, r, number, extra + n_extra, BURST - n - n_extra);
		to_record(lc, m, r, number);
		pkts[n_out++] = m;
	}
	memcpy(pkts + n_out, extra, n_extra * sizeof(*extra));
	return n_out + n_extra;
}
