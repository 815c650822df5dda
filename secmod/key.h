// The server's private keys. sec-mod only. One that is loaded does not change: threads may sign with it, with one in a token one
// thread at a time. A key signs TLS handshakes and nothing else: what it is asked to sign is looked at first (tbs.h).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"
#include "secmod/tbs.h"

#define KEY_DIGEST 32 // SHA-256

struct key;

// Put private key material in locked memory that is in no core dump, where the system lets us. Before any key_load().
void key_memory_init(void);

struct key_source {
	const char *key;  // a PEM file, or the URL of a key in a token
	const char *cert; // a PEM file
	const char *pin;  // of an encrypted key, a token, or a TPM's key; NULL: none
	const char *srk_pin;
};

// Load a private key and check that it belongs to the first certificate of `cert`. One in a token may take seconds.
// NULL: `text` says which file is wrong and why.
struct key *key_load(const struct key_source *from, char text[LIMIT_TEXT + 1]);
void key_free(struct key *k);
const uint8_t *key_cert_digest(const struct key *k); // of the certificate that it belongs to; KEY_DIGEST bytes
enum key_kind key_kind(const struct key *k);
const char *key_kind_name(const struct key *k);

bool key_is_token(const struct key *k); // it may take as long as the token likes
bool key_is_quick(const struct key *k); // a signature takes less than handing it to another thread
// Is it a handshake, and one that this key may sign with that scheme?
bool key_may_sign(const struct key *k, uint16_t scheme, const uint8_t *tbs, size_t tbs_len);
// Sign a handshake. 0 and *len <= LIMIT_SIGNATURE; -EPERM: no handshake, or not with that scheme; -EIO: OpenSSL or the token
// says no.
int key_sign(const struct key *k, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t signature[LIMIT_SIGNATURE],
             uint16_t *len);
