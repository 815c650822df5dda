// A JSON Web Token in its compact form (RFC 7519, RFC 7515 7.1): header.claims.signature.
// Pure and bounded. Before its signature has been verified nothing but the header is looked at.
#pragma once
#include <jansson.h>

#include "proto/limits.h"
#include "secmod/jwk.h"

#define JWT_MOST 12288  // of a whole token; what a worker can hand over
#define JWT_HEADER 2048 // decoded

struct jwt {
	enum jose_alg alg;
	char kid[JWK_KID + 1]; // "": it names no key
	const char *text;      // the caller's, all of it
	size_t signed_len;     // what is signed is its beginning
	size_t claims_at, claims_len;
	uint8_t signature[JOSE_SIGNATURE];
	size_t signature_len;
};

// 0; or -EINVAL and *why says what is wrong with it. `text` has to live as long as `out`.
int jwt_parse(const char *text, size_t len, struct jwt *out, const char **why);

// Its claims, if this key proves them; NULL otherwise. The caller's (json_decref).
json_t *jwt_claims(const struct jwt *t, EVP_PKEY *key, const char **why);
