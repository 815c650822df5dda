// DTLS records under AES-CBC-SHA (RFC 4347 4.1.2.2, RFC 5246 6.2.3.2), one direction. OpenSSL's own record functions for TLS do the
// work, so that neither padding nor length shows in the time it takes. Worker only. No I/O.
#pragma once
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

#define CBC_BLOCK 16
#define CBC_MAC 20
#define CBC_RECORD_GROWS (RECORD_HEADER + CBC_BLOCK + CBC_MAC + CBC_BLOCK) // at most, with padding

struct cbc_way {
	uint16_t version;
	EVP_CIPHER_CTX *cipher;
	EVP_MAC_CTX *mac;
};

// version: of the records, 0x0100 for DTLS 0.9. 0 or -ENOMEM, and then nothing is left of it.
int cbc_way_init(struct cbc_way *w, uint16_t version, bool seals, const uint8_t *key, size_t key_len,
                 const uint8_t mac_key[CBC_MAC]);
void cbc_way_fini(struct cbc_way *w);

// A whole record around `plain`; out has room for len + CBC_RECORD_GROWS. Its length, or -EIO.
int cbc_seal(struct cbc_way *w, uint8_t type, uint16_t epoch, uint64_t sequence, const uint8_t *plain, size_t len, uint8_t *out);
// The plaintext's length, or -EBADMSG. plain has room for r->len: what does not authenticate passes through it too.
int cbc_open(struct cbc_way *w, const struct record *r, uint8_t *plain);
