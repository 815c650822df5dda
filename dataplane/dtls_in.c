#include <rte_prefetch.h>

#include "channel.h"
#include "mailbox.h"
#include "opening.h"
#include "stage.h"
#include "stray.h"

#define ASTRAY_RECORDS 64
// A record's path is compared with what is known of it once in so many, and after so long a silence: it is on a line of its own,
// and among 100,000 tunnels each is silent for some 40 ms between two records.
#define FOLLOW_RECORDS 16
#define FOLLOW_SILENCE(hz) ((hz) / 2)
// Without an authenticated record for so long, who has the address may be somebody else.
#define SILENT_SECONDS 10

// A burst of records on their way to be opened, each beside its operation.
struct opening {
	struct rte_mbuf *m[BURST];
	struct tunnel_keys *keys[BURST];
	uint64_t sequence[BURST];
	struct aead_op op[BURST];
	unsigned n;
};

// COUNTERS: it is the next of `o`; else why it is not. Replay before decryption: a flood of copies must not buy crypto.
static inline enum counter opening_add(struct opening *o, struct rte_mbuf *m, struct tunnel_keys *k)
{
	if (unlikely(!opening_set(&o->op[o->n], m, k)))
		return COUNT_drop_malformed_record;
	o->sequence[o->n] = sequence_of(packet_data(m));
	if (unlikely(!replay_check(&k->seen, o->sequence[o->n])))
		return COUNT_drop_replay;
	o->keys[o->n] = k;
	o->m[o->n++] = m;
	return COUNTERS;
}

static inline struct tunnel_keys *keys_newest(const struct tunnel_in *in)
{
	return unlikely(in->next != NULL) && !in->next->past ? in->next : in->keys;
}

// The key set to try first: a second handshake's has the same epoch as the first's.
static inline struct tunnel_keys *keys_for(const struct tunnel_in *in, const uint8_t *header)
{
	struct tunnel_keys *k = keys_newest(in);

	if (unlikely(k && k == in->next && !epoch_matches(k, header)))
		k = in->keys;
	return k && epoch_matches(k, header) ? k : NULL;
}

// The other set that a record may belong to which does not open under k.
static inline struct tunnel_keys *keys_after(const struct tunnel_in *in, const struct tunnel_keys *k)
{
	struct tunnel_keys *other = k == in->next ? in->keys : in->next;

	return unlikely(other != NULL) && other->epoch == k->epoch ? other : NULL;
}

// The key sets of a burst and its first keys; the AEAD goes on from there.
static inline void prefetch_keys(const struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	const struct tunnel_keys *k[BURST];
	uint8_t cipher[BURST];

	for (unsigned i = 0; i < n; i++) {
		const struct tunnel_in *in = &lc->dp->in[packet_of(pkts[i])->tunnel];
		k[i] = keys_newest(in);
		cipher[i] = in->cipher;
		rte_prefetch0(k[i]);
	}
	for (unsigned i = 0; i < n && i < AEAD_ANNOUNCED; i++)
		if (likely(k[i] != NULL))
			aead_key_announce(&k[i]->in, cipher[i], pkts[i]->data_len);
	for (unsigned i = 0; i < n && i < AEAD_AHEAD; i++)
		if (likely(k[i] != NULL))
			aead_key_prefetch(&k[i]->in, cipher[i], pkts[i]->data_len);
}

static void no_opening(struct lcore *lc, struct rte_mbuf *m, uint8_t flags)
{
	if (!(flags & TUNNEL_LIVE)) {
		drop(lc, COUNT_drop_tunnel_gone, m);
		return;
	}
	packet_of(m)->kind = PACKET_HANDSHAKE;
	packet_of(m)->hello = false;
	to_control(lc, m, COUNT_punt_record);
}

// Whether the tunnel's client has proven to be where this comes from, lately. A NAT gives an address that nobody has used for a
// while to another client; and a ClientHello, which brings a path, proves nothing: its source may be that of somebody who is
// silent.
static bool is_proven(const struct lcore *lc, const struct packet *p, const struct tunnel_keys *k)
{
	return k && k->confirmed && path_same_key(&k->path, &p->path) &&
	       (int64_t)(lc->now - k->last_udp) < (int64_t)(SILENT_SECONDS * lc->dp->tsc_hz);
}

static inline void opening_add_one(struct lcore *lc, struct opening *o, struct rte_mbuf *m)
{
	const struct tunnel_in *in = &lc->dp->in[packet_of(m)->tunnel];
	struct tunnel_keys *k = keys_for(in, packet_data(m)), *other;
	enum counter why;

	if (unlikely((in->flags & (TUNNEL_LIVE | TUNNEL_BY_WORKER)) != TUNNEL_LIVE)) {
		no_opening(lc, m, in->flags);
		return;
	}
	if (unlikely(!k)) {
		if (packet_of(m)->type == CONTENT_DATA && !is_proven(lc, packet_of(m), in->keys))
			stray_punt(lc, m, COUNT_drop_no_keys);
		else
			drop_of(lc, COUNT_drop_no_keys, m);
		return;
	}
	why = opening_add(o, m, k);
	other = why == COUNT_drop_replay ? keys_after(in, k) : NULL;
	if (unlikely(other != NULL))
		why = opening_add(o, m, other);
	if (unlikely(why != COUNTERS))
		drop_of(lc, why, m);
}

// What did not open under the newest keys is tried under those before.
static void opening_retry(struct lcore *lc, struct opening *o)
{
	struct opening again;
	unsigned at[BURST];

	again.n = 0;
	for (unsigned i = 0; i < o->n; i++) {
		const struct tunnel_in *in = &lc->dp->in[packet_of(o->m[i])->tunnel];
		struct tunnel_keys *other = o->op[i].ok ? NULL : keys_after(in, o->keys[i]);
		if (likely(!other))
			continue;
		opening_undo(&o->op[i]);
		at[again.n] = i;
		opening_add(&again, o->m[i], other);
	}
	aead_open_burst(again.op, again.n);
	for (unsigned i = 0; i < again.n; i++) {
		o->op[at[i]] = again.op[i];
		if (again.op[i].ok || !again.keys[i]->past)
			o->keys[at[i]] = again.keys[i];
	}
}

// The client has our Finished: its new keys are in force. What it sent under those before may still be on its way, until the
// control thread has them forgotten.
static void keys_confirm(struct lcore *lc, uint32_t tunnel, struct tunnel_keys *k)
{
	struct tunnel_in *in = &lc->dp->in[tunnel];
	struct tunnel_out *out = &lc->dp->out[tunnel];

	if (in->next == k) {
		struct tunnel_keys *before = in->keys;
		in->keys = k;
		in->next = before;
		in->cipher = k->cipher;
		if (before)
			before->past = before->told = true;
	}
	in->handshaking = false;
	k->confirmed = true;
	out->keys = k;
	k->quiet = true; // until the control thread knows of the channel
}

// Answers go where the newest record has come from.
static inline void keys_follow(struct lcore *lc, const struct packet *p, struct tunnel_keys *k, uint64_t sequence)
{
	if (likely(sequence % FOLLOW_RECORDS != 0 && lc->now - k->last_udp < FOLLOW_SILENCE(lc->dp->tsc_hz)))
		return;
	if (sequence + 1 != k->seen.top || k->past)
		return;
	if (unlikely(!path_same_key(&k->path, &p->path))) {
		stray_move(lc, p->tunnel, k, &p->path); // a handshake of its own has gone on there
	} else if (unlikely(!path_same_hop(&k->path, &p->path))) {
		path_take_hop(&k->path, &p->path);
		count(lc, COUNT_hops_moved);
	}
}

// An authenticated record: the peer is there.
static inline void keys_heard(struct lcore *lc, uint32_t tunnel, struct tunnel_keys *k, bool data)
{
	k->last_udp = lc->now;
	if (unlikely(!k->confirmed && data && !k->closed))
		keys_confirm(lc, tunnel, k);
	if (unlikely(!k->told && k->confirmed))
		k->told = tell_control(lc, EVENT_CONFIRMED, tunnel, k, 0, 0);
	if (unlikely(k->quiet && !k->closed && lc->dp->out[tunnel].keys == k))
		channel_to_dtls(lc, tunnel);
}

// So many records in a row through another core: that is where the client's path leads now, and its tunnel may follow. A port that
// cannot spread flows over the cores says nothing by the core it uses.
static void heard_astray(struct lcore *lc, const struct packet *p)
{
	struct tunnel_in *in = &lc->dp->in[p->tunnel];

	if (++in->astray < ASTRAY_RECORDS)
		return;
	in->astray = 0;
	if (lc->dp->ports[p->path.port]->rx_queues >= lc->dp->n_cores)
		tell_control(lc, EVENT_ELSEWHERE, p->tunnel, in->keys, p->core, 0);
}

// close_notify or a fatal alert ends the key set; any other is only told.
static void keys_alert(struct lcore *lc, struct rte_mbuf *m, struct tunnel_keys *k)
{
	uint32_t tunnel = packet_of(m)->tunnel;
	struct tunnel_in *in = &lc->dp->in[tunnel];
	const uint8_t *alert = packet_data(m);

	if (m->data_len != 2) {
		drop_of(lc, COUNT_drop_malformed_record, m);
		return;
	}
	tell_control(lc, EVENT_ALERT, tunnel, k, alert[0], alert[1]);
	end_of(lc, COUNT_dtls_alert, m);
	if (alert[0] != ALERT_FATAL && alert[1] != ALERT_CLOSE_NOTIFY)
		return;
	channel_end_keys(lc, tunnel, k, WHY_ALERT);
	if (k == in->next && !k->past) {
		in->next = NULL;
		mailbox_release_keys(lc, k);
	}
}

// The answer echoes what came, byte for byte, in the same buffer.
static inline void answer_dpd(struct lcore *lc, struct rte_mbuf *m, const struct tunnel_keys *k)
{
	struct packet *p = packet_of(m);

	packet_data(m)[0] = TYPE_DPD_RESPONSE;
	p->kind = PACKET_SEAL;
	p->type = CONTENT_DATA;
	p->handshake = k->handshake;
	count(lc, COUNT_dtls_dpd_answered);
}

static enum counter why_no_data(uint8_t type)
{
	switch (type) {
	case TYPE_DPD_RESPONSE:
		return COUNT_dtls_dpd_reply;
	case TYPE_KEEPALIVE:
		return COUNT_dtls_keepalive;
	case TYPE_DISCONNECT: // CSTP is where a session ends
	case TYPE_TERMINATE:
		return COUNT_dtls_disconnect;
	default:
		return COUNT_drop_unknown_type;
	}
}

static void take_unopened(struct lcore *lc, struct rte_mbuf *m, const struct aead_op *op, const struct tunnel_keys *k)
{
	if (packet_of(m)->type != CONTENT_DATA || is_proven(lc, packet_of(m), k)) {
		drop_of(lc, COUNT_drop_bad_mac, m);
		return;
	}
	opening_undo(op);
	watch_over(lc, COUNT_punt_stray, m);
	stray_punt(lc, m, COUNT_drop_bad_mac);
}

// COUNTERS: what a client compressed is an inner packet now.
static enum counter expand(struct lcore *lc, struct rte_mbuf *m)
{
	uint32_t tunnel = packet_of(m)->tunnel;

	if (!(lc->dp->in[tunnel].flags & TUNNEL_COMPRESS))
		return COUNT_drop_compressed;
	if (!squeeze_unpack(&lc->squeeze, &lc->dp->out[tunnel], m))
		return COUNT_drop_decompress;
	count(lc, COUNT_dtls_compressed_in);
	return COUNTERS;
}

enum opened { OPENED_DATA, OPENED_REPLY, OPENED_DONE };

static inline enum opened opened_take(struct lcore *lc, struct rte_mbuf *m, const struct aead_op *op, struct tunnel_keys *k,
                                      uint64_t sequence)
{
	struct packet *p = packet_of(m);

	if (unlikely(!op->ok)) {
		take_unopened(lc, m, op, k);
		return OPENED_DONE;
	}
	if (unlikely(!replay_take(&k->seen, sequence, &lc->dp->cold[p->tunnel].lost))) {
		drop_of(lc, COUNT_drop_replay, m);
		return OPENED_DONE;
	}
	keys_follow(lc, p, k, sequence);
	keys_heard(lc, p->tunnel, k, p->type == CONTENT_DATA);
	if (unlikely(p->core != lc->index))
		heard_astray(lc, p);
	else
		lc->dp->in[p->tunnel].astray = 0;
	packet_cut(m, (int)(op->data - packet_data(m)), (uint16_t)op->len);
	if (unlikely(p->type == CONTENT_ALERT)) {
		keys_alert(lc, m, k);
		return OPENED_DONE;
	}
	uint8_t type = op->len ? packet_data(m)[0] : UINT8_MAX;
	if (likely(type == TYPE_DATA || type == TYPE_COMPRESSED)) {
		packet_cut(m, 1, (uint16_t)(op->len - 1));
		enum counter why = likely(type == TYPE_DATA) ? COUNTERS : expand(lc, m);
		if (unlikely(why != COUNTERS)) {
			drop_of(lc, why, m);
			return OPENED_DONE;
		}
		p->kind = PACKET_OPENED;
		count(lc, COUNT_dtls_data_in);
		return OPENED_DATA;
	}
	if (type == TYPE_DPD_REQUEST) {
		answer_dpd(lc, m, k);
		return OPENED_REPLY;
	}
	end_of(lc, why_no_data(type), m);
	return OPENED_DONE;
}

unsigned dtls_in(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct rte_mbuf **reply, unsigned *n_reply)
{
	struct opening o;
	unsigned n_out = 0;

	*n_reply = 0;
	o.n = 0;
	prefetch_keys(lc, pkts, n);
	for (unsigned i = 0; i < n; i++)
		opening_add_one(lc, &o, pkts[i]);
	aead_open_burst(o.op, o.n);
	opening_retry(lc, &o);
	for (unsigned i = 0; i < o.n; i++) {
		struct rte_mbuf *m = o.m[i];
		switch (opened_take(lc, m, &o.op[i], o.keys[i], o.sequence[i])) {
		case OPENED_DATA:
			pkts[n_out++] = m;
			break;
		case OPENED_REPLY:
			reply[(*n_reply)++] = m;
			break;
		case OPENED_DONE:
			break;
		}
	}
	return n_out;
}
