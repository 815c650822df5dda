#include <rte_prefetch.h>

#include "channel.h"
#include "ecn.h"
#include "inner.h"
#include "headers.h"
#include "mss.h"
#include "packet.h"
#include "record.h"
#include "stage.h"

static inline void prefetch_sets(const struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct tunnel_keys *k = lc->dp->out[packet_of(pkts[i])->tunnel].keys;
		if (likely(k != NULL)) {
			rte_prefetch0(k);
			rte_prefetch0(&k->path);
		}
	}
}

// The keys of a burst; the AEAD goes on from there.
static inline void prefetch_keys(const struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	for (unsigned i = 0; i < n && i < AEAD_ANNOUNCED; i++) {
		const struct tunnel_keys *k = lc->dp->out[packet_of(pkts[i])->tunnel].keys;
		if (likely(k != NULL))
			aead_key_announce(&k->out, k->cipher, pkts[i]->data_len);
	}
	for (unsigned i = 0; i < n && i < AEAD_AHEAD; i++) {
		const struct tunnel_keys *k = lc->dp->out[packet_of(pkts[i])->tunnel].keys;
		if (likely(k != NULL))
			aead_key_prefetch(&k->out, k->cipher, pkts[i]->data_len);
	}
}

static inline bool is_silent(const struct lcore *lc, const struct tunnel_out *out)
{
	return !out->keys || lc->now - out->keys->last_udp > out->udp_silence;
}

static inline void send_cstp(struct lcore *lc, struct tunnel_out *out, struct rte_mbuf *m)
{
	uint32_t tunnel = packet_of(m)->tunnel;
	struct tunnel_cold *cold = &lc->dp->cold[tunnel];
	uint16_t len = m->data_len;

	channel_to_cstp(lc, tunnel, WHY_SILENCE);
	packet_of(m)->kind = PACKET_CSTP;
	if (unlikely(!to_control(lc, m, COUNT_cstp_out))) {
		tell_drop(lc, COUNT_drop_ring_full, tunnel);
		return;
	}
	out->packets++;
	out->bytes += len;
	cold->cstp_out++;
	cold->cstp_out_bytes += len;
}

unsigned cstp_out(struct lcore *lc, struct rte_mbuf **pkts, unsigned n, struct rte_mbuf **big, unsigned *n_big)
{
	unsigned n_out = 0;

	*n_big = 0;
	prefetch_sets(lc, pkts, n);
	for (unsigned i = 0; i < n; i++) {
		struct packet *p = packet_of(pkts[i]);
		struct tunnel_out *out = &lc->dp->out[p->tunnel];
		if (unlikely(!(out->flags & TUNNEL_LIVE))) {
			drop(lc, COUNT_drop_no_tunnel, pkts[i]);
			continue;
		}
		if (unlikely(out->flags & TUNNEL_CLAMP_MSS) && mss_clamp(packet_data(pkts[i]), pkts[i]->data_len, out->mtu))
			count(lc, COUNT_mss_clamped);
		if (unlikely(pkts[i]->data_len > out->mtu)) {
			big[(*n_big)++] = pkts[i];
			continue;
		}
		if (unlikely(out->flags & TUNNEL_POLICY && !policy_out(lc->dp->policy[p->tunnel], pkts[i]->data_len, lc->now))) {
			drop_of(lc, COUNT_drop_rate_out, pkts[i]);
			continue;
		}
		if (!inner_is_chatter(packet_data(pkts[i])))
			out->last_data = lc->now;
		if (likely(out->channel == CHANNEL_DTLS && !is_silent(lc, out))) {
			pkts[n_out++] = pkts[i];
			continue;
		}
		send_cstp(lc, out, pkts[i]);
	}
	return n_out;
}

// Records that wait for their seal, and datagrams that want a checksum when they have it.
struct sealing {
	struct aead_op op[BURST];
	unsigned n;
	struct rte_mbuf *ipv6[BURST];
	unsigned n_ipv6;
};

// What a lane's plaintext is sealed with: its own handshake's keys, in force or not yet.
static struct tunnel_keys *keys_by_handshake(const struct tunnel_in *in, uint32_t handshake)
{
	if (in->next && in->next->handshake == handshake)
		return in->next;
	if (in->keys && in->keys->handshake == handshake)
		return in->keys;
	return NULL;
}

static inline void record_header(uint8_t *header, uint8_t type, const struct tunnel_keys *k)
{
	uint64_t number = __builtin_bswap64(k->next_sequence);

	header[0] = type;
	store16(header + 1, RECORD_VERSION);
	memcpy(header + 3, &number, 8);
	memcpy(header + 3, &k->epoch, 2);
}

static inline void nonce_set(uint8_t nonce[12], const struct tunnel_keys *k, const uint8_t number[8])
{
	memcpy(nonce, k->out_iv, 12);
	if (k->cipher != AEAD_CHACHA20_POLY1305) {
		memcpy(nonce + 4, number, 8);
		return;
	}
	for (unsigned i = 0; i < 8; i++) // RFC 7905: epoch and sequence, padded on the left
		nonce[4 + i] ^= number[i];
}

// The packet's bytes are the plaintext of a record of `type`: header and nonce go before them, room for the tag behind.
static inline void sealing_add(struct sealing *s, struct rte_mbuf *m, uint8_t type, struct tunnel_keys *k)
{
	unsigned explicit = aead_explicit_nonce(k->cipher), len = m->data_len;
	uint8_t *header = packet_data(m) - explicit - RECORD_HEADER;
	struct aead_op *op = &s->op[s->n++];

	record_header(header, type, k);
	store16(header + 11, (uint16_t)(explicit + len + AEAD_TAG));
	memcpy(header + RECORD_HEADER, header + 3, explicit);
	op->key = &k->out;
	op->cipher = k->cipher;
	op->data = packet_data(m);
	op->len = len;
	op->tag = op->data + len;
	nonce_set(op->nonce, k, header + 3);
	memcpy(op->aad, header + 3, 8);
	memcpy(op->aad + 8, header, 3);
	store16(op->aad + 11, (uint16_t)len);
	k->next_sequence++;
	packet_cut(m, -(int)(explicit + RECORD_HEADER), (uint16_t)(RECORD_HEADER + explicit + len + AEAD_TAG));
}

#define RECORD_GROWS (1 + 8 + RECORD_HEADER + HEADERS_MAX)

static inline void wrap(const struct lcore *lc, struct sealing *s, struct rte_mbuf *m, const struct path *path, struct marks marks)
{
	uint8_t *payload = packet_data(m);
	unsigned grows = headers_len(path);
	struct packet *p = packet_of(m);

	p->port = path->port;
	if (is_bare(lc->dp, path->port)) { // the kernel writes its headers
		if (path != &p->path)
			p->path = *path;
		p->path.tos = marks.tos;
		return;
	}
	marks.whole = lc->dp->whole;
	headers_write(path, payload, m->data_len, marks);
	packet_cut(m, -(int)grows, (uint16_t)(m->data_len + grows));
	if (path->key.family == 6)
		s->ipv6[s->n_ipv6++] = m;
}

static inline uint8_t squeeze(struct lcore *lc, const struct tunnel_out *out, struct rte_mbuf *m)
{
	if (likely(!(out->flags & TUNNEL_COMPRESS)) || m->data_len <= out->compress_above || !squeeze_pack(&lc->squeeze, out, m))
		return TYPE_DATA;
	count(lc, COUNT_dtls_compressed_out);
	return TYPE_COMPRESSED;
}

// Outwards never ECN: a client's end does not bring its marks back to the inner packet (RFC 6040 4.3).
static inline uint8_t tos_of(const struct tunnel_out *out, struct rte_mbuf *m)
{
	return out->flags & TUNNEL_COPY_DSCP ? ip_tos(packet_data(m)) & ~ECN_MASK : out->tos;
}

// COUNTERS: the record will be sealed and sent.
static inline enum counter seal_one(struct lcore *lc, struct sealing *s, struct rte_mbuf *m)
{
	struct packet *p = packet_of(m);
	struct tunnel_out *out = &lc->dp->out[p->tunnel];
	struct tunnel_keys *k = out->keys;
	uint8_t type = CONTENT_DATA;

	if (unlikely(p->kind == PACKET_SEAL)) {
		k = keys_by_handshake(&lc->dp->in[p->tunnel], p->handshake);
		type = p->type;
	}
	if (unlikely(!k || (k->closed && type != CONTENT_ALERT)))
		return COUNT_drop_no_keys;
	if (unlikely(k->next_sequence > DTLS_SEQUENCE_LAST))
		return COUNT_drop_sequence_end;
	if (unlikely(k->path.key.family == 0))
		return COUNT_drop_no_path;
	if (unlikely(rte_pktmbuf_headroom(m) < RECORD_GROWS || rte_pktmbuf_tailroom(m) < AEAD_TAG))
		return COUNT_drop_no_room;
	struct marks marks = { .id = (uint16_t)k->next_sequence, .tos = out->tos };
	if (likely(p->kind == PACKET_INNER)) {
		marks.tos = tos_of(out, m);
		out->packets++;
		out->bytes += m->data_len;
		uint8_t what = squeeze(lc, out, m);
		packet_cut(m, -1, (uint16_t)(m->data_len + 1));
		packet_data(m)[0] = what;
		count(lc, COUNT_dtls_data_out);
	}
	if (unlikely(type == CONTENT_ALERT && packet_data(m)[0] == ALERT_FATAL))
		channel_end_keys(lc, p->tunnel, k, WHY_REKEY);
	sealing_add(s, m, type, k);
	wrap(lc, s, m, &k->path, marks);
	return COUNTERS;
}

// A worker's handshake datagram goes as it is.
static enum counter send_one(const struct lcore *lc, struct sealing *s, struct rte_mbuf *m)
{
	struct packet *p = packet_of(m);

	if (p->path.key.family == 0)
		return COUNT_drop_no_path;
	if (rte_pktmbuf_headroom(m) < HEADERS_MAX)
		return COUNT_drop_no_room;
	wrap(lc, s, m, &p->path, (struct marks){ .id = (uint16_t)(lc->now >> 8), .tos = lc->dp->out[p->tunnel].tos });
	return COUNTERS;
}

// After sealing: UDP over IPv6 has a checksum over what is sent.
static inline void checksum_ipv6(const struct lcore *lc, struct rte_mbuf *m)
{
	uint8_t *frame = packet_data(m);
	unsigned ip = ETHER_HEADER + (load16(frame + 12) == ETHER_VLAN ? VLAN_TAG : 0);
	unsigned headers = ip + IPV6_HEADER + UDP_HEADER;
	uint16_t len = (uint16_t)(m->data_len - headers);

	if (!lc->dp->ports[packet_of(m)->port]->tx_udp_csum) {
		headers_checksum(frame + headers, len);
		return;
	}
	headers_half_checksum(frame + headers, len);
	m->l2_len = ip;
	m->l3_len = IPV6_HEADER;
	m->ol_flags |= RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM;
}

unsigned dtls_out(struct lcore *lc, struct rte_mbuf **pkts, unsigned n)
{
	struct sealing s;
	unsigned n_out = 0;

	s.n = s.n_ipv6 = 0;
	prefetch_keys(lc, pkts, n);
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		bool as_it_is = packet_of(m)->kind == PACKET_DATAGRAM;
		enum counter why = as_it_is ? send_one(lc, &s, m) : seal_one(lc, &s, m);
		if (likely(why == COUNTERS))
			pkts[n_out++] = m;
		else
			drop_of(lc, why, m);
	}
	aead_seal_burst(s.op, s.n);
	for (unsigned i = 0; i < s.n_ipv6; i++)
		checksum_ipv6(lc, s.ipv6[i]);
	return n_out;
}
