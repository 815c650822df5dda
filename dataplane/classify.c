#include <rte_prefetch.h>

#include "frame.h"
#include "packet.h"
#include "record.h"
#include "stage.h"

// What a frame of ours says before any table is asked.
struct candidate {
	struct rte_mbuf *m;
	struct outer_frame frame;
	struct record record;
};

static inline uint8_t *payload_of(const struct candidate *c)
{
	return packet_data(c->m) + c->frame.udp + UDP_HEADER;
}

static inline void key_of(const struct candidate *c, struct path_key *key)
{
	const uint8_t *frame = packet_data(c->m), *ip = frame + c->frame.ip;

	memset(key, 0, sizeof(*key));
	if (c->frame.family == 4) {
		memcpy(key->peer_ip, ip + 12, 4);
		memcpy(key->our_ip, ip + 16, 4);
	} else {
		memcpy(key->peer_ip, ip + 8, 16);
		memcpy(key->our_ip, ip + 24, 16);
	}
	memcpy(&key->peer_udp, frame + c->frame.udp, 2);
	memcpy(&key->our_udp, frame + c->frame.udp + 2, 2);
	key->family = c->frame.family;
}

static void path_of(const struct candidate *c, const struct path_key *key, uint16_t port, struct path *out)
{
	const uint8_t *frame = packet_data(c->m);

	memset(out, 0, sizeof(*out));
	memcpy(&out->our_mac, frame, 6);
	memcpy(&out->peer_mac, frame + 6, 6);
	memcpy(out->peer_ip, key->peer_ip, 16);
	memcpy(out->our_ip, key->our_ip, 16);
	out->peer_udp = key->peer_udp;
	out->our_udp = key->our_udp;
	out->family = c->frame.family;
	out->port = port;
	out->vlan = c->frame.vlan;
}

static inline void prefetch_frame(struct rte_mbuf **pkts, unsigned n, unsigned i)
{
	if (i + 2 * PREFETCH_AHEAD < n)
		rte_prefetch0(pkts[i + 2 * PREFETCH_AHEAD]);
	if (i + PREFETCH_AHEAD < n) {
		rte_prefetch0(packet_data(pkts[i + PREFETCH_AHEAD]));
		rte_prefetch0(packet_data(pkts[i + PREFETCH_AHEAD]) + RTE_CACHE_LINE_SIZE);
	}
}

// COUNTERS: a candidate; else why it is none.
static inline enum counter examine(struct lcore *lc, struct rte_mbuf *m, struct candidate *c)
{
	c->m = m;
	if (unlikely(!packet_is_one(m)))
		return COUNT_drop_malformed_outer;
	switch (outer_frame_parse(packet_data(m), m->data_len, lc->dp->udp_port, &c->frame)) {
	case FRAME_OURS:
		break;
	case FRAME_NOT_OURS:
		return COUNT_drop_not_ours;
	case FRAME_FRAGMENT:
		return COUNT_drop_fragment;
	default:
		return COUNT_drop_malformed_outer;
	}
	return record_parse(payload_of(c), c->frame.payload_len, &c->record) ? COUNTERS : COUNT_drop_malformed_record;
}

static unsigned examine_all(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct candidate *found, struct path_key *keys)
{
	unsigned n_found = 0;

	for (unsigned i = 0; i < n && i < 2 * PREFETCH_AHEAD; i++)
		rte_prefetch0(pkts[i]);
	for (unsigned i = 0; i < n && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(packet_data(pkts[i]));
	for (unsigned i = 0; i < n; i++) {
		prefetch_frame(pkts, n, i);
		enum counter why = examine(lc, pkts[i], &found[n_found]);
		if (unlikely(why != COUNTERS)) {
			drop(lc, why, pkts[i]);
			continue;
		}
		key_of(&found[n_found], &keys[n_found]);
		n_found++;
	}
	return n_found;
}

static inline bool tunnel_live(const struct lcore *lc, uintptr_t number)
{
	return number < lc->dp->tunnels_max && lc->dp->in[number].live;
}

static void punt(struct lcore *lc, const struct candidate *c, const struct path_key *key, uint16_t port, uint32_t tunnel,
                 bool hello)
{
	struct packet *p = packet_of(c->m);

	*p = (struct packet){ .tunnel = tunnel, .kind = PACKET_HANDSHAKE, .type = c->record.type, .hello = hello };
	path_of(c, key, port, &p->path);
	packet_cut(c->m, c->frame.udp + UDP_HEADER, c->frame.payload_len);
	to_control(lc, c->m, hello ? COUNT_punt_hello : COUNT_punt_handshake);
}

// An App-ID opens the door, whatever address it comes from. Whether an address that has a tunnel already may speak for another one
// is for the control thread to say: its owner may be long gone.
static void punt_hello(struct lcore *lc, const struct candidate *c, const struct path_key *key, uint16_t port)
{
	const uint8_t *app_id = hello_app_id(payload_of(c), c->frame.payload_len);
	void *data;

	if (!app_id) {
		drop(lc, COUNT_drop_malformed_record, c->m);
		return;
	}
	if (rte_hash_lookup_data(lc->dp->tables->by_app_id, app_id, &data) < 0 || !tunnel_live(lc, (uintptr_t)data)) {
		drop(lc, COUNT_drop_unknown_app_id, c->m);
		return;
	}
	lc->dp->in[(uintptr_t)data].handshaking = true;
	punt(lc, c, key, port, (uint32_t)(uintptr_t)data, true);
}

// Handshake records outside a handshake are nobody's: the worker has freed its DTLS object.
static void punt_record(struct lcore *lc, const struct candidate *c, const struct path_key *key, uint16_t port, uintptr_t owner)
{
	const struct tunnel_in *in = &lc->dp->in[owner];

	if (!in->handshaking && !in->next) {
		drop(lc, COUNT_drop_no_handshake, c->m);
		return;
	}
	punt(lc, c, key, port, (uint32_t)owner, false);
}

static inline bool is_handshake(const struct record *r)
{
	return r->type == CONTENT_HANDSHAKE || r->type == CONTENT_CCS || (r->type == CONTENT_ALERT && r->epoch == 0);
}

static void classify_handshake(struct lcore *lc, const struct candidate *c, const struct path_key *key, uint16_t port, bool known,
                               uintptr_t owner)
{
	if (record_is_hello(payload_of(c), c->frame.payload_len))
		punt_hello(lc, c, key, port);
	else if (known && tunnel_live(lc, owner))
		punt_record(lc, c, key, port, owner);
	else
		drop(lc, COUNT_drop_unknown_path, c->m);
}

// One datagram may hold several records. The first stays where it is; each other gets a buffer of its own.
static unsigned split_rest(struct lcore *lc, const struct candidate *c, uint32_t tunnel, struct rte_mbuf **out, unsigned room)
{
	const uint8_t *rest = payload_of(c) + RECORD_HEADER + c->record.length;
	unsigned n = 0, len = c->frame.payload_len - RECORD_HEADER - c->record.length;
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
		*packet_of(m) = (struct packet){ .tunnel = tunnel, .kind = PACKET_RECORD, .type = r.type };
		out[n] = m;
		rest += RECORD_HEADER + r.length;
		len -= RECORD_HEADER + r.length;
	}
	return n;
}

static inline void to_record(const struct candidate *c, uint32_t tunnel)
{
	struct packet *p = packet_of(c->m);

	p->tunnel = tunnel;
	p->kind = PACKET_RECORD;
	p->type = c->record.type;
	packet_cut(c->m, c->frame.udp + UDP_HEADER, RECORD_HEADER + c->record.length);
}

unsigned classify(struct lcore *lc, const struct port *port, struct rte_mbuf **pkts, unsigned n)
{
	struct candidate found[BURST];
	struct path_key keys[BURST];
	const void *asked[BURST];
	void *owner[BURST];
	uint64_t hits = 0;
	unsigned n_out = 0, n_extra = 0;
	struct rte_mbuf *extra[BURST];

	n = examine_all(lc, pkts, n, found, keys);
	for (unsigned i = 0; i < n; i++)
		asked[i] = &keys[i];
	if (n)
		rte_hash_lookup_bulk_data(lc->dp->tables->by_path, asked, n, &hits, owner);
	for (unsigned i = 0; i < n; i++) {
		const struct candidate *c = &found[i];
		bool known = hits >> i & 1;
		uintptr_t number = known ? (uintptr_t)owner[i] : 0;

		if (unlikely(is_handshake(&c->record))) {
			classify_handshake(lc, c, &keys[i], port->id, known, number);
			continue;
		}
		if (unlikely(!known || number >= lc->dp->tunnels_max)) {
			drop(lc, COUNT_drop_unknown_path, c->m);
			continue;
		}
		rte_prefetch0(&lc->dp->in[number]);
		if (unlikely(c->frame.payload_len > RECORD_HEADER + c->record.length))
			n_extra += split_rest(lc, c, (uint32_t)number, extra + n_extra, BURST - n - n_extra);
		to_record(c, (uint32_t)number);
		pkts[n_out++] = c->m;
	}
	memcpy(pkts + n_out, extra, n_extra * sizeof(*extra));
	return n_out + n_extra;
}
