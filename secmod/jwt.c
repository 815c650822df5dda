#include "secmod/jwt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"

// Numbers as they are, one value a name: two readers of a token must not see two tokens.
#define JSON_FLAGS (JSON_REJECT_DUPLICATES)

static int wrong(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

static int read_header(const char *text, size_t len, struct jwt *out, const char **why)
{
	uint8_t raw[JWT_HEADER];
	const json_t *alg, *kid;
	json_t *header;
	int n = jose_decode(text, len, raw, sizeof(raw)), ret = 0;

	header = n > 0 ? json_loadb((const char *)raw, n, JSON_FLAGS, NULL) : NULL;
	if (!json_is_object(header)) {
		json_decref(header);
		return wrong(why, "its header is no JSON object");
	}
	alg = json_object_get(header, "alg");
	kid = json_object_get(header, "kid");
	out->alg = json_is_string(alg) ? jose_alg_of(json_string_value(alg)) : JOSE_NONE;
	if (out->alg == JOSE_NONE)
		ret = wrong(why, "its algorithm is none of RS256 to RS512, PS256 to PS512, ES256, ES384, EdDSA");
	else if (json_object_get(header, "crit") != NULL) // RFC 7515 4.1.11
		ret = wrong(why, "its header has critical extensions");
	else if (kid != NULL && (!json_is_string(kid) || json_string_length(kid) > JWK_KID))
		ret = wrong(why, "the name of its key is too long");
	else if (kid != NULL)
		strcpy(out->kid, json_string_value(kid));
	json_decref(header);
	return ret;
}

int jwt_parse(const char *text, size_t len, struct jwt *out, const char **why)
{
	struct jwt t = { .text = text };
	const char *first, *second;
	int n, ret;

	if (len > JWT_MOST)
		return wrong(why, "it is too long");
	first = memchr(text, '.', len);
	second = first != NULL ? memchr(first + 1, '.', text + len - first - 1) : NULL;
	if (second == NULL || memchr(second + 1, '.', text + len - second - 1) != NULL)
		return wrong(why, "it does not have three parts");
	ret = read_header(text, first - text, &t, why);
	if (ret < 0)
		return ret;
	t.signed_len = second - text;
	t.claims_at = first + 1 - text;
	t.claims_len = second - first - 1;
	n = jose_decode(second + 1, text + len - second - 1, t.signature, sizeof(t.signature));
	if (n <= 0)
		return wrong(why, "its signature is not base64url");
	t.signature_len = n;
	*out = t;
	return 0;
}

json_t *jwt_claims(const struct jwt *t, EVP_PKEY *key, const char **why)
{
	const size_t room = t->claims_len / 4 * 3 + 3;
	json_t *claims = NULL;
	uint8_t *raw;
	int n;

	if (!jose_verify(key, t->alg, t->text, t->signed_len, t->signature, t->signature_len)) {
		*why = "its signature is wrong";
		return NULL;
	}
	raw = malloc(room);
	n = raw != NULL ? jose_decode(t->text + t->claims_at, t->claims_len, raw, room) : -ENOMEM;
	if (n > 0)
		claims = json_loadb((const char *)raw, n, JSON_FLAGS, NULL);
	if (raw != NULL)
		secret_wipe(raw, room);
	free(raw);
	if (!json_is_object(claims)) {
		*why = "its claims are no JSON object";
		json_decref(claims);
		return NULL;
	}
	return claims;
}
