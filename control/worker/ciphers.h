// Which ciphers a client's DTLS may have, out of tls-priorities and match-tls-dtls-ciphers. Worker only. No I/O.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/snapshot.h"
#include "proto/states.h"

#define CIPHERS_TEXT 128 // for ciphers_psk()

struct ciphers {
	enum aead_cipher aead[AEAD_LAST]; // the preferred first
	uint8_t n;
	bool aes256_cbc, aes128_cbc; // of the oldest clients
	bool match;                  // only what TLS has
};

// Of a virtual host. A snapshot without such words allows all.
void ciphers_load(struct ciphers *c, const struct snapshot *conf, unsigned vhost);
extern const struct ciphers ciphers_all;
// Of one client, whose TLS has this cipher: it comes first, or is the only one.
struct ciphers ciphers_beside(const struct ciphers *c, enum aead_cipher tls);
// An AEAD, or AES-CBC-SHA with a key of `aes` bytes (AEAD_NONE).
bool ciphers_have(const struct ciphers *c, enum aead_cipher cipher, unsigned aes);
// As OpenSSL's list for a pre-shared key; "" where none is left.
void ciphers_psk(const struct ciphers *c, char out[CIPHERS_TEXT]);
