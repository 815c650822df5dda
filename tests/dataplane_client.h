// The client's side of DTLS for tests of the dataplane: its keys, its records, the frames that bring them.
#pragma once
#include "dataplane_world.h"

// What the client knows of a handshake's keys: the same bytes that the dataplane got, by direction.
struct world_client {
	uint8_t cipher;
	uint8_t up[32], down[32]; // client write, server write
	uint8_t up_iv[12], down_iv[12];
	struct aead_key up_key, down_key;
};

static WORLD_UNUSED void world_client_init(struct world_client *c, uint8_t cipher, uint8_t salt)
{
	memset(c, 0, sizeof(*c));
	c->cipher = cipher;
	for (unsigned i = 0; i < 32; i++) {
		c->up[i] = (uint8_t)(salt + i);
		c->down[i] = (uint8_t)(salt ^ (0x80 + i));
	}
	for (unsigned i = 0; i < aead_iv_len(cipher); i++) {
		c->up_iv[i] = (uint8_t)(0x11 * i + salt);
		c->down_iv[i] = (uint8_t)(0x77 + i + salt);
	}
	aead_key_set(&c->up_key, cipher, c->up, aead_key_len(cipher));
	aead_key_set(&c->down_key, cipher, c->down, aead_key_len(cipher));
}

// Key set `slot` (0 or 1) of a tunnel, ready to be installed.
static WORLD_UNUSED struct tunnel_keys *world_keys(struct world *w, uint32_t t, unsigned slot, const struct world_client *c,
                                                   uint32_t handshake, const struct path *path)
{
	struct tunnel_keys *k = &w->keys[2 * t + slot];

	memset(k, 0, sizeof(*k));
	k->cipher = c->cipher;
	k->epoch = rte_cpu_to_be_16(1);
	k->handshake = handshake;
	k->next_sequence = 1;
	k->path = *path;
	memcpy(k->in_iv, c->up_iv, 12);
	memcpy(k->out_iv, c->down_iv, 12);
	aead_key_set(&k->in, c->cipher, c->up, aead_key_len(c->cipher));
	aead_key_set(&k->out, c->cipher, c->down, aead_key_len(c->cipher));
	return k;
}

static WORLD_UNUSED void world_path_link(struct world *w, uint32_t t, const struct path *path)
{
	world_must(tables_link(&w->tables.by_path, &path->key, t) == 0, "path");
}

// As if the handshake had been long ago.
static WORLD_UNUSED void world_up(struct world *w, uint32_t t, struct tunnel_keys *k)
{
	k->confirmed = k->told = true;
	k->last_udp = rte_rdtsc();
	w->dp.in[t].keys = k;
	w->dp.in[t].cipher = k->cipher;
	w->dp.out[t].keys = k;
	w->dp.out[t].channel = CHANNEL_DTLS;
}

static WORLD_UNUSED struct rte_mbuf *world_packet(struct world *w)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	world_must(m != NULL, "out of packets");
	return m;
}

// An IPv4 packet of `len` bytes.
static WORLD_UNUSED void world_ip(uint8_t *p, uint16_t len, uint32_t from, uint32_t to)
{
	memset(p, 0x5a, len);
	p[0] = 0x45;
	p[1] = 0;
	store16(p + 2, len);
	store16(p + 4, 0);
	store16(p + 6, 0);
	p[8] = 64;
	p[9] = 253;
	store16(p + 10, 0);
	memcpy(p + 12, &from, 4);
	memcpy(p + 16, &to, 4);
}

static WORLD_UNUSED void world_ip6(uint8_t *p, uint16_t len, const uint8_t from[16], const uint8_t to[16])
{
	memset(p, 0x5a, len);
	memset(p, 0, 8);
	p[0] = 0x60;
	store16(p + 4, len - IPV6_HEADER);
	p[6] = 59;
	p[7] = 64;
	memcpy(p + 8, from, 16);
	memcpy(p + 24, to, 16);
}

static WORLD_UNUSED void world_nonce(uint8_t nonce[12], uint8_t cipher, const uint8_t *iv, const uint8_t *number)
{
	memcpy(nonce, iv, 12);
	for (unsigned i = 0; i < 8; i++)
		nonce[4 + i] = cipher == AEAD_CHACHA20_POLY1305 ? nonce[4 + i] ^ number[i] : number[i];
}

// The client seals plaintext into `record`; returns its whole length.
static WORLD_UNUSED uint16_t world_seal(const struct world_client *c, uint8_t *record, uint8_t type, uint16_t epoch,
                                        uint64_t sequence, const uint8_t *plain, uint16_t len)
{
	unsigned explicit = aead_explicit_nonce(c->cipher);
	uint64_t number = rte_cpu_to_be_64(sequence);
	struct aead_op op = { .key = &c->up_key, .cipher = c->cipher, .len = len, .data = record + RECORD_HEADER + explicit };

	record[0] = type;
	store16(record + 1, RECORD_VERSION);
	memcpy(record + 3, &number, 8);
	store16(record + 3, epoch);
	store16(record + 11, (uint16_t)(explicit + len + AEAD_TAG));
	memcpy(record + RECORD_HEADER, record + 3, explicit);
	memmove(op.data, plain, len);
	world_nonce(op.nonce, c->cipher, c->up_iv, record + 3);
	memcpy(op.aad, record + 3, 8);
	memcpy(op.aad + 8, record, 3);
	store16(op.aad + 11, len);
	op.tag = op.data + len;
	aead_seal_burst(&op, 1);
	return (uint16_t)(RECORD_HEADER + explicit + len + AEAD_TAG);
}

// The client opens a record of ours in place: plaintext and its length, or NULL.
static WORLD_UNUSED uint8_t *world_open(const struct world_client *c, uint8_t *record, uint16_t len, uint16_t *plain_len)
{
	unsigned explicit = aead_explicit_nonce(c->cipher);
	struct aead_op op = { .key = &c->down_key, .cipher = c->cipher, .data = record + RECORD_HEADER + explicit };

	if (len < RECORD_HEADER + explicit + AEAD_TAG || load16(record + 11) != len - RECORD_HEADER)
		return NULL;
	op.len = len - RECORD_HEADER - explicit - AEAD_TAG;
	op.tag = op.data + op.len;
	world_nonce(op.nonce, c->cipher, c->down_iv, explicit ? record + RECORD_HEADER : record + 3);
	memcpy(op.aad, record + 3, 8);
	memcpy(op.aad + 8, record, 3);
	store16(op.aad + 11, (uint16_t)op.len);
	aead_open_burst(&op, 1);
	*plain_len = (uint16_t)op.len;
	return op.ok ? op.data : NULL;
}

// The frame that brings a datagram from the peer of `path` to us.
static WORLD_UNUSED struct rte_mbuf *world_frame(struct world *w, const struct path *path, const uint8_t *datagram, uint16_t len)
{
	struct rte_mbuf *m = world_packet(w);
	struct path back = *path;
	unsigned headers = headers_len(path);
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(headers + len));

	world_must(frame != NULL, "frame");
	memcpy(frame + headers, datagram, len);
	memcpy(&back.peer_mac, &path->our_mac, 6);
	memcpy(&back.our_mac, &path->peer_mac, 6);
	memcpy(back.key.peer_ip, path->key.our_ip, 16);
	memcpy(back.key.our_ip, path->key.peer_ip, 16);
	back.key.peer_udp = path->key.our_udp;
	back.key.our_udp = path->key.peer_udp;
	headers_write(&back, frame + headers, len, (struct marks){ .id = 1, .tos = path->tos });
	if (path->key.family == 6)
		headers_checksum(frame + headers, len);
	return m;
}
