#include "secmod/jose.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX (8 * JOSE_SIGNATURE)
#define COORDINATE_MAX 48 // P-384

static const struct alg {
	const char *name;
	int type;          // of key
	const char *group; // EC
	const EVP_MD *(*md)(void);
	bool pss;
	unsigned coordinate; // bytes of r and of s
} algs[] = {
	[JOSE_RS256] = { "RS256", EVP_PKEY_RSA, .md = EVP_sha256 },
	[JOSE_RS384] = { "RS384", EVP_PKEY_RSA, .md = EVP_sha384 },
	[JOSE_RS512] = { "RS512", EVP_PKEY_RSA, .md = EVP_sha512 },
	[JOSE_PS256] = { "PS256", EVP_PKEY_RSA, .md = EVP_sha256, .pss = true },
	[JOSE_PS384] = { "PS384", EVP_PKEY_RSA, .md = EVP_sha384, .pss = true },
	[JOSE_PS512] = { "PS512", EVP_PKEY_RSA, .md = EVP_sha512, .pss = true },
	[JOSE_ES256] = { "ES256", EVP_PKEY_EC, SN_X9_62_prime256v1, EVP_sha256, .coordinate = 32 },
	[JOSE_ES384] = { "ES384", EVP_PKEY_EC, SN_secp384r1, EVP_sha384, .coordinate = 48 },
	[JOSE_EDDSA] = { "EdDSA", EVP_PKEY_ED25519 },
};

enum jose_alg jose_alg_of(const char *name)
{
	for (int i = JOSE_NONE + 1; i <= JOSE_ALG_LAST; i++)
		if (strcmp(algs[i].name, name) == 0)
			return i;
	return JOSE_NONE;
}

const char *jose_alg_name(enum jose_alg alg)
{
	return algs[alg].name;
}

bool jose_key_fits(EVP_PKEY *key, enum jose_alg alg)
{
	const struct alg *a = &algs[alg];
	const int bits = EVP_PKEY_get_bits(key);
	char group[32] = "";

	if (alg == JOSE_NONE || EVP_PKEY_get_base_id(key) != a->type)
		return false;
	if (a->type == EVP_PKEY_RSA)
		return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
	if (a->type != EVP_PKEY_EC)
		return true;
	return EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 && strcmp(group, a->group) == 0;
}

bool jose_key_is_good(EVP_PKEY *key)
{
	for (int i = JOSE_NONE + 1; i <= JOSE_ALG_LAST; i++)
		if (jose_key_fits(key, i))
			return true;
	return false;
}

// RFC 7518 3.4: r and s in big endian, each as long as the curve; OpenSSL wants them in DER.
static int der_of(const struct alg *a, const uint8_t *raw, size_t len, uint8_t **der)
{
	ECDSA_SIG *sig;
	BIGNUM *r, *s;
	int ret = -1;

	if (len != 2 * (size_t)a->coordinate)
		return -1;
	sig = ECDSA_SIG_new();
	r = BN_bin2bn(raw, a->coordinate, NULL);
	s = BN_bin2bn(raw + a->coordinate, a->coordinate, NULL);
	if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL;
		ret = i2d_ECDSA_SIG(sig, der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return ret;
}

static bool set_padding(EVP_PKEY_CTX *pctx, const struct alg *a)
{
	if (a->type != EVP_PKEY_RSA)
		return true;
	if (!a->pss)
		return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool jose_verify(EVP_PKEY *key, enum jose_alg alg, const void *text, size_t len, const uint8_t *signature, size_t signature_len)
{
	const struct alg *a = &algs[alg];
	EVP_PKEY_CTX *pctx = NULL;
	EVP_MD_CTX *ctx = NULL;
	uint8_t *der = NULL;
	bool good = false;
	int der_len;

	if (!jose_key_fits(key, alg))
		return false;
	if (a->coordinate > 0) {
		der_len = der_of(a, signature, signature_len, &der);
		if (der_len <= 0)
			goto out;
		signature = der;
		signature_len = der_len;
	}
	ctx = EVP_MD_CTX_new();
	if (ctx != NULL && EVP_DigestVerifyInit(ctx, &pctx, a->md != NULL ? a->md() : NULL, NULL, key) == 1 && set_padding(pctx, a))
		good = EVP_DigestVerify(ctx, signature, signature_len, text, len) == 1;
out:
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ERR_clear_error();
	return good;
}

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int jose_decode(const char *text, size_t len, uint8_t *out, size_t room)
{
	const size_t want = len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0);
	uint32_t bits = 0;
	size_t n = 0;

	if (len % 4 == 1 || want > room)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		const int six = sextet(text[i]);

		if (six < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)six;
		if (i % 4 > 0)
			out[n++] = bits >> (6 - 2 * (i % 4));
	}
	// what is left over of the last character has to be zero, or two texts would be one token
	if ((len % 4 == 2 && (bits & 0xf)) || (len % 4 == 3 && (bits & 0x3)))
		return -EINVAL;
	return (int)n;
}
