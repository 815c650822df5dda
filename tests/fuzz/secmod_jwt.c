// What an issuer's file, its set of keys and its tokens may be: the first byte says which of them this is.
#include <stdlib.h>
#include <string.h>

#include "secmod/claims.h"
#include "secmod/jwt.h"

// One of each kind that signs tokens; nobody has their private halves any more.
static EVP_PKEY *key_of(unsigned n)
{
	static EVP_PKEY *keys[5];

	if (!keys[0]) {
		keys[0] = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)"01234567890123456789012345678901",
		                                      32);
		keys[1] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
		keys[2] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
		keys[3] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
		keys[4] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");
	}
	return keys[n];
}

static void read_token(const char *text, size_t len)
{
	const char *why = NULL;
	struct jwt t;

	if (jwt_parse(text, len, &t, &why) < 0) {
		if (why == NULL)
			abort();
		return;
	}
	if (t.alg == JOSE_NONE || t.signed_len >= len || t.claims_at + t.claims_len != t.signed_len || strlen(t.kid) > JWK_KID)
		abort();
	jose_alg_name(t.alg);
	for (unsigned i = 0; i < 5; i++)
		if (jwt_claims(&t, key_of(i), &why) != NULL)
			abort();
}

static void read_keys(const char *text, size_t len)
{
	static struct jwk keys[JWK_MOST];
	const int n = jwk_read(text, len, keys);

	for (int i = 0; i < n; i++) {
		EVP_PKEY *key = jwk_key(&keys[i]);

		if (key == NULL)
			abort(); // what one process hands on the other has to take
		EVP_PKEY_free(key);
	}
}

// The same text as the rules and as the claims.
static void read_claims(const char *text, size_t len)
{
	char why_not[LIMIT_TEXT + 1];
	struct claims_rules r;
	struct claims_who who;
	const char *why = NULL;
	json_t *claims;

	if (claims_rules_read(text, len, &r, why_not) < 0)
		return;
	claims = json_loadb(text, len, 0, NULL);
	if (claims_check(&r, claims, "https://idp.example", "", 1000000, &who, &why) == 0) {
		if (who.user[0] == '\0' || strchr(who.user, '/') != NULL || strchr(who.group, '/') != NULL)
			abort();
	} else if (why == NULL)
		abort();
	json_decref(claims);
	claims_rules_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const char *text, size_t len) = { read_token, read_keys, read_claims };

	if (size > 0)
		readers[data[0] % 3]((const char *)data + 1, size - 1);
	return 0;
}
