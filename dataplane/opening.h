// A record on its way to be opened: its sequence number, and what the AEAD has to know (RFC 5246 6.2.3.3, RFC 5288, RFC 7905).
#pragma once
#include "packet.h"
#include "record.h"

static inline uint64_t sequence_of(const uint8_t *header)
{
	return record_number(header) & DTLS_SEQUENCE_MAX;
}

static inline bool epoch_matches(const struct tunnel_keys *k, const uint8_t *header)
{
	return memcmp(&k->epoch, header + 3, 2) == 0;
}

static inline void opening_nonce(uint8_t nonce[12], const struct tunnel_keys *k, const uint8_t *explicit)
{
	memcpy(nonce, k->in_iv, 12);
	if (k->cipher != AEAD_CHACHA20_POLY1305) {
		memcpy(nonce + 4, explicit, 8);
		return;
	}
	for (unsigned i = 0; i < 8; i++) // RFC 7905: epoch and sequence, padded on the left
		nonce[4 + i] ^= explicit[i];
}

static inline void opening_aad(uint8_t aad[AEAD_AAD], const uint8_t *header, uint32_t len)
{
	memcpy(aad, header + 3, 8);
	memcpy(aad + 8, header, 3);
	store16(aad + 11, (uint16_t)len);
}

// false: too short for this cipher.
static inline bool opening_set(struct aead_op *op, struct rte_mbuf *m, struct tunnel_keys *k)
{
	uint8_t *header = packet_data(m);
	unsigned explicit = aead_explicit_nonce(k->cipher), body = m->data_len - RECORD_HEADER;

	if (unlikely(body < explicit + AEAD_TAG))
		return false;
	op->key = &k->in;
	op->cipher = k->cipher;
	op->data = header + RECORD_HEADER + explicit;
	op->len = body - explicit - AEAD_TAG;
	op->tag = op->data + op->len;
	opening_nonce(op->nonce, k, explicit ? header + RECORD_HEADER : header + 3);
	opening_aad(op->aad, header, op->len);
	return true;
}

// Opening is done in place; the same keystream again gives back what came.
static inline void opening_undo(const struct aead_op *op)
{
	uint8_t unused[AEAD_TAG];
	struct aead_op restore = *op;

	restore.tag = unused;
	aead_seal_burst(&restore, 1);
}
