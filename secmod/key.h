// The server's private keys. sec-mod only, its loop's thread only.
// A key signs TLS handshakes and nothing else: what it is asked to sign is looked at first (tbs.h).
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"
#include "secmod/tbs.h"

#define KEY_DIGEST 32 // SHA-256

struct key;

// Put private key material in locked memory that is in no core dump, where the system lets us. Before any key_load().
void key_memory_init(void);

// Load a PEM private key and check that it belongs to the first certificate of the PEM file `cert`.
// NULL: `text` says which file is wrong and why.
struct key *key_load(const char *file, const char *cert, char text[LIMIT_TEXT + 1]);
void key_free(struct key *k);
const uint8_t *key_cert_digest(const struct key *k); // of the certificate that it belongs to; KEY_DIGEST bytes
enum key_kind key_kind(const struct key *k);
const char *key_kind_name(const struct key *k);

// Sign a handshake. 0 and *len <= LIMIT_SIGNATURE; -EPERM: no handshake, or not with that scheme; -EIO: OpenSSL says no.
int key_sign(const struct key *k, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t signature[LIMIT_SIGNATURE],
             uint16_t *len);
