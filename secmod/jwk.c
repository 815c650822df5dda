#include "secmod/jwk.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <string.h>

#define POINT_MAX (1 + 2 * 48)

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static int decode(const json_t *object, const char *name, uint8_t *out, size_t room)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_string(value))
		return -EINVAL;
	return jose_decode(json_string_value(value), json_string_length(value), out, room);
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *read_rsa(const json_t *object)
{
	uint8_t n[JOSE_SIGNATURE], e[8];
	const int n_len = decode(object, "n", n, sizeof(n)), e_len = decode(object, "e", e, sizeof(e));
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	BIGNUM *bn_n = NULL, *bn_e = NULL;
	EVP_PKEY *key = NULL;

	if (n_len <= 0 || e_len <= 0 || bld == NULL)
		goto out;
	bn_n = BN_bin2bn(n, n_len, NULL);
	bn_e = BN_bin2bn(e, e_len, NULL);
	if (bn_n == NULL || bn_e == NULL || !BN_is_odd(bn_e) || BN_is_one(bn_e))
		goto out;
	if (OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e))
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params != NULL)
		key = from_params("RSA", params);
out:
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn_n);
	BN_free(bn_e);
	return key;
}

static EVP_PKEY *read_ec(const json_t *object)
{
	static const struct {
		const char *crv, *group;
		int size;
	} curves[] = { { "P-256", SN_X9_62_prime256v1, 32 }, { "P-384", SN_secp384r1, 48 } };
	uint8_t point[POINT_MAX] = { POINT_CONVERSION_UNCOMPRESSED };

	for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++) {
		const int size = curves[i].size;
		OSSL_PARAM params[] = {
			OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)curves[i].group, 0),
			OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * (size_t)size),
			OSSL_PARAM_construct_end(),
		};

		if (strcmp(text_of(object, "crv"), curves[i].crv) != 0)
			continue;
		if (decode(object, "x", point + 1, size) != size || decode(object, "y", point + 1 + size, size) != size)
			return NULL;
		return from_params("EC", params); // OpenSSL refuses what is not on the curve
	}
	return NULL;
}

static EVP_PKEY *read_okp(const json_t *object)
{
	uint8_t x[32];

	if (strcmp(text_of(object, "crv"), "Ed25519") != 0 || decode(object, "x", x, sizeof(x)) != (int)sizeof(x))
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof(x));
}

static EVP_PKEY *read_key(const json_t *object)
{
	const char *kty = text_of(object, "kty");

	if (strcmp(kty, "RSA") == 0)
		return read_rsa(object);
	if (strcmp(kty, "EC") == 0)
		return read_ec(object);
	return strcmp(kty, "OKP") == 0 ? read_okp(object) : NULL;
}

static bool is_for_signatures(const json_t *object)
{
	const json_t *use = json_object_get(object, "use"), *ops = json_object_get(object, "key_ops"), *op;
	size_t i;

	if (use != NULL && strcmp(text_of(object, "use"), "sig") != 0)
		return false;
	if (ops == NULL)
		return true;
	json_array_foreach(ops, i, op) if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0) return true;
	return false;
}

static bool read_one(const json_t *object, struct jwk *out)
{
	const json_t *kid = json_object_get(object, "kid"), *alg = json_object_get(object, "alg");
	uint8_t *der = NULL;
	EVP_PKEY *key;
	int len;

	memset(out, 0, sizeof(*out));
	if (!json_is_object(object) || !is_for_signatures(object) || (kid != NULL && json_string_length(kid) > JWK_KID))
		return false;
	strcpy(out->kid, text_of(object, "kid"));
	out->alg = alg != NULL ? jose_alg_of(text_of(object, "alg")) : JOSE_NONE;
	if (alg != NULL && out->alg == JOSE_NONE)
		return false;
	key = read_key(object);
	if (key == NULL)
		return false;
	len = out->alg != JOSE_NONE ? jose_key_fits(key, out->alg) : jose_key_is_good(key);
	if (len != 0)
		len = i2d_PUBKEY(key, &der);
	EVP_PKEY_free(key);
	if (len > 0 && len <= JWK_DER) {
		memcpy(out->der, der, len);
		out->der_len = len;
	}
	OPENSSL_free(der);
	return out->der_len > 0;
}

int jwk_read(const char *text, size_t len, struct jwk out[JWK_MOST])
{
	json_t *set = len <= JWK_TEXT ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const json_t *keys = json_object_get(set, "keys"), *one;
	int n = 0;
	size_t i;

	if (!json_is_array(keys)) {
		json_decref(set);
		return -EINVAL;
	}
	json_array_foreach(keys, i, one) if (n < JWK_MOST && read_one(one, &out[n])) n++;
	json_decref(set);
	ERR_clear_error();
	return n;
}

EVP_PKEY *jwk_key(const struct jwk *k)
{
	const uint8_t *p = k->der;
	EVP_PKEY *key = k->der_len <= JWK_DER ? d2i_PUBKEY(NULL, &p, k->der_len) : NULL;

	if (key != NULL && (p != k->der + k->der_len || !jose_key_is_good(key))) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	ERR_clear_error();
	return key;
}
