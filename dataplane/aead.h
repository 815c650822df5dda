// Records' AEAD, a burst at a time: AES-128/256-GCM and ChaCha20-Poly1305 (RFC 5288, RFC 7905) through intel-ipsec-mb.
// No allocation; any poll core may use any key. Keys live in huge pages and are wiped with aead_key_wipe().
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>

#include "proto/states.h"

#define AEAD_TAG 16
#define AEAD_AAD 13        // epoch and sequence, type, version, plaintext length (RFC 6347 4.1.2.1)
#define AEAD_KEY_ROOM 1024 // ipsec-mb's gcm_key_data is 1008 bytes and unaligned: stride 1024, aligned to a cache line

struct aead_key {
	uint8_t room[AEAD_KEY_ROOM];
} __rte_cache_aligned;

struct aead_op {
	const struct aead_key *key;
	uint8_t *data;  // in place
	uint32_t len;   // of plain or cipher text, without tag
	uint8_t cipher; // enum aead_cipher
	bool ok;        // out, of aead_open_burst()
	uint8_t nonce[12];
	uint8_t aad[AEAD_AAD];
	uint8_t *tag; // opening: what came; sealing: where it goes
};

// ipsec-mb, or OpenSSL where the CPU lacks what that needs. Once, before any other call; 0 or -ENOTSUP.
int aead_init(void);
int aead_init_openssl(void);           // the fallback, whatever the CPU has (tests)
const char *aead_implementation(void); // "ipsec-mb 1.3.0 (AVX512)"
int aead_thread_init(void);            // in each thread that opens or seals: 0 or -ENOMEM
int aead_key_set(struct aead_key *k, uint8_t cipher, const uint8_t *key, size_t len);
void aead_key_wipe(struct aead_key *k);
static inline unsigned aead_explicit_nonce(uint8_t cipher)
{
	return cipher == AEAD_CHACHA20_POLY1305 ? 0 : 8;
}
static inline unsigned aead_iv_len(uint8_t cipher)
{
	return cipher == AEAD_CHACHA20_POLY1305 ? 12 : 4;
}
static inline unsigned aead_key_len(uint8_t cipher)
{
	return cipher == AEAD_AES_128_GCM ? 16 : 32;
}

// Operations whose keys are fetched before their turn comes: so many into the second-level cache, and the next few into the first.
// A GCM key is sixteen lines: more of them would push each other and the packets out, and the CPU can wait for some twenty lines at
// once.
#define AEAD_ANNOUNCED 8
#define AEAD_AHEAD 3

// Key data is prefetched inside: hand over whole bursts.
void aead_open_burst(struct aead_op *ops, unsigned n);
void aead_seal_burst(struct aead_op *ops, unsigned n);
// As soon as a burst's keys are known, each for an operation on some `len` bytes: announce the first AEAD_ANNOUNCED, then prefetch
// the first AEAD_AHEAD.
void aead_key_announce(const struct aead_key *k, uint8_t cipher, uint32_t len);
void aead_key_prefetch(const struct aead_key *k, uint8_t cipher, uint32_t len);
