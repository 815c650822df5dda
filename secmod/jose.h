// Signatures of JSON Web Tokens: the algorithms that are taken (RFC 7518 3.1, RFC 8037) and the public keys that go with them.
// Pure. Neither "none" nor any HMAC is in the table: a token can only be proven by a key of its issuer's.
#pragma once
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jose_alg {
	JOSE_NONE, // not in the table
	JOSE_RS256,
	JOSE_RS384,
	JOSE_RS512,
	JOSE_PS256,
	JOSE_PS384,
	JOSE_PS512,
	JOSE_ES256,
	JOSE_ES384,
	JOSE_EDDSA,
	JOSE_ALG_LAST = JOSE_EDDSA,
};

#define JOSE_SIGNATURE 1024 // RSA-8192

enum jose_alg jose_alg_of(const char *name);
const char *jose_alg_name(enum jose_alg alg);

// Is this a key for that algorithm: its type, an RSA modulus of 2048 to 8192 bits, the algorithm's own curve?
bool jose_key_fits(EVP_PKEY *key, enum jose_alg alg);
// Any algorithm of the table?
bool jose_key_is_good(EVP_PKEY *key);

// The signature as it stands in a token (ECDSA: r and s side by side). Only with a key that fits.
bool jose_verify(EVP_PKEY *key, enum jose_alg alg, const void *text, size_t len, const uint8_t *signature, size_t signature_len);

// RFC 4648 5 without padding, canonical. The decoded length, or -EINVAL.
int jose_decode(const char *text, size_t len, uint8_t *out, size_t room);
