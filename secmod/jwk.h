// An issuer's public keys: its JWK set (RFC 7517) read into fixed structs. Pure.
// Read by the process that fetched it (oidc_helper.c); sec-mod gets no more than these.
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "secmod/jose.h"

#define JWK_KID 128    // bytes of a key's name; Azure's have 27, Keycloak's 43
#define JWK_DER 1152   // SubjectPublicKeyInfo of RSA-8192: 1024 + 60
#define JWK_MOST 32    // keys of one issuer
#define JWK_TEXT 65536 // bytes of a JWK set; a certificate chain beside each key is not rare

struct jwk {
	char kid[JWK_KID + 1]; // "": without a name
	uint8_t alg;           // enum jose_alg: for this one only; JOSE_NONE: whatever its type fits
	uint16_t der_len;
	uint8_t der[JWK_DER];
};

// The usable keys of a set; what is for encryption, symmetric, too weak or malformed is passed over. How many, or -EINVAL: no set.
int jwk_read(const char *text, size_t len, struct jwk out[JWK_MOST]);

// The key itself, checked again. NULL: it is none.
EVP_PKEY *jwk_key(const struct jwk *k);
