// JSON Web Tokens: which signatures count, what their claims must say, and what a file of rules may hold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secmod/claims.h"
#include "secmod/jwt.h"

#define TEXT 16384

// ------------------------------------------------------------------------------------------------- an issuer's side of it

static void encode(const void *in, size_t len, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *p = in;
	uint32_t bits = 0;
	int n = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | p[i];
		for (n += 8; n >= 6; n -= 6)
			*out++ = digits[bits >> (n - 6) & 63];
	}
	if (n > 0)
		*out++ = digits[bits << (6 - n) & 63];
	*out = '\0';
}

static EVP_PKEY *rsa, *rsa_weak, *p256, *p384, *ed25519;

static size_t raw_ecdsa(const uint8_t *der, size_t len, int size, uint8_t *out)
{
	const uint8_t *p = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);

	assert_non_null(sig);
	BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, size);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + size, size);
	ECDSA_SIG_free(sig);
	return 2 * (size_t)size;
}

static void sign(EVP_PKEY *key, const char *alg, const char *text, char *out)
{
	static const struct {
		const char *bits;
		const EVP_MD *(*md)(void);
	} hashes[] = { { "256", EVP_sha256 }, { "384", EVP_sha384 }, { "512", EVP_sha512 } };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[JOSE_SIGNATURE], raw[JOSE_SIGNATURE];
	size_t len = sizeof(sig);
	const EVP_MD *md = NULL;
	EVP_PKEY_CTX *pctx;

	for (int i = 0; i < 3; i++)
		if (strstr(alg, hashes[i].bits))
			md = hashes[i].md();
	assert_int_equal(EVP_DigestSignInit(ctx, &pctx, md, NULL, key), 1);
	if (alg[0] == 'P') {
		EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, (const uint8_t *)text, strlen(text)), 1);
	EVP_MD_CTX_free(ctx);
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
		len = raw_ecdsa(sig, len, EVP_PKEY_get_bits(key) / 8, raw);
	else
		memcpy(raw, sig, len);
	encode(raw, len, out);
}

// header.claims.signature; `alg` is what the header says, `as` how it is signed.
static const char *token(EVP_PKEY *key, const char *header, const char *as, const char *claims)
{
	static char out[TEXT];
	char part[TEXT];

	encode(header, strlen(header), out);
	strcat(out, ".");
	encode(claims, strlen(claims), part);
	strcat(out, part);
	sign(key, as, out, part);
	strcat(out, ".");
	strcat(out, part);
	return out;
}

static const char *coordinate(EVP_PKEY *key, const char *name, int size, char *out)
{
	uint8_t raw[JOSE_SIGNATURE];
	BIGNUM *bn = NULL;

	assert_int_equal(EVP_PKEY_get_bn_param(key, name, &bn), 1);
	size = size ? size : BN_num_bytes(bn);
	BN_bn2binpad(bn, raw, size);
	encode(raw, (size_t)size, out);
	BN_free(bn);
	return out;
}

static void jwk_of(EVP_PKEY *key, const char *more, char *out)
{
	char a[TEXT / 4], b[TEXT / 4];
	uint8_t raw[64];
	size_t len = sizeof(raw);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		snprintf(out, TEXT, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", coordinate(key, OSSL_PKEY_PARAM_RSA_N, 0, a),
		         coordinate(key, OSSL_PKEY_PARAM_RSA_E, 0, b), more);
		break;
	case EVP_PKEY_EC:
		snprintf(out, TEXT, "{\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"%s}", EVP_PKEY_get_bits(key),
		         coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, EVP_PKEY_get_bits(key) / 8, a),
		         coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, EVP_PKEY_get_bits(key) / 8, b), more);
		break;
	default:
		EVP_PKEY_get_raw_public_key(key, raw, &len);
		encode(raw, len, a);
		snprintf(out, TEXT, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"%s}", a, more);
	}
}

static int make_keys(void **state)
{
	rsa = EVP_RSA_gen(2048);
	rsa_weak = EVP_RSA_gen(1024);
	p256 = EVP_EC_gen("P-256");
	p384 = EVP_EC_gen("P-384");
	ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return rsa && rsa_weak && p256 && p384 && ed25519 ? 0 : -1;
}

static int free_keys(void **state)
{
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(rsa_weak);
	EVP_PKEY_free(p256);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(ed25519);
	return 0;
}

// ------------------------------------------------------------------------------------------------------------ signatures

static bool proves(EVP_PKEY *key, const char *text)
{
	const char *why = NULL;
	struct jwt t;
	json_t *claims;

	if (jwt_parse(text, strlen(text), &t, &why) < 0)
		return false;
	claims = jwt_claims(&t, key, &why);
	json_decref(claims);
	return claims != NULL;
}

static void test_algorithms(void **state)
{
#define T(key, alg, good) assert_int_equal(proves(key, token(key, "{\"alg\":\"" alg "\"}", alg, "{\"sub\":\"anna\"}")), good)
	T(rsa, "RS256", true);
	T(rsa, "RS384", true);
	T(rsa, "RS512", true);
	T(rsa, "PS256", true);
	T(rsa, "PS384", true);
	T(rsa, "PS512", true);
	T(p256, "ES256", true);
	T(p384, "ES384", true);
	T(ed25519, "EdDSA", true);
	T(rsa_weak, "RS256", false); // below 2048 bits
	T(p384, "ES256", false);     // another algorithm's curve
	T(p256, "ES384", false);
#undef T
}

// What the header says is how it is checked, with a key of that kind only.
static void test_confusion(void **state)
{
#define T(key, header, as) assert_false(proves(key, token(key, header, as, "{\"sub\":\"anna\"}")))
	T(rsa, "{\"alg\":\"none\"}", "RS256");
	T(rsa, "{\"alg\":\"None\"}", "RS256");
	T(rsa, "{\"alg\":\"\"}", "RS256");
	T(rsa, "{}", "RS256");
	T(rsa, "{\"alg\":[\"RS256\"]}", "RS256");
	T(rsa, "{\"alg\":\"HS256\"}", "RS256"); // the public key as a shared secret
	T(rsa, "{\"alg\":\"PS256\"}", "RS256");
	T(rsa, "{\"alg\":\"RS384\"}", "RS256");
	T(p256, "{\"alg\":\"RS256\"}", "ES256");
	T(rsa, "{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}", "RS256");
	T(rsa, "{\"alg\":\"HS256\",\"alg\":\"RS256\"}", "RS256"); // two readers, two tokens
	T(rsa, "[\"RS256\"]", "RS256");
#undef T
	assert_false(proves(p256, token(rsa, "{\"alg\":\"RS256\"}", "RS256", "{}")));
	assert_false(proves(rsa, token(rsa, "{\"alg\":\"RS256\"}", "RS256", "[]")));
	assert_false(proves(rsa, token(rsa, "{\"alg\":\"RS256\"}", "RS256", "{\"a\":1,\"a\":2}")));
}

static void test_forged(void **state)
{
	char good[TEXT], bad[TEXT];
	size_t len;

	strcpy(good, token(p256, "{\"alg\":\"ES256\",\"kid\":\"k1\"}", "ES256", "{\"sub\":\"anna\"}"));
	len = strlen(good);
	assert_true(proves(p256, good));
	for (size_t i = 0; i < len; i++) { // not one character can be another, nor be missing at the end
		strcpy(bad, good);
		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		assert_false(proves(p256, bad));
		strcpy(bad, good);
		bad[i] = '\0';
		assert_false(proves(p256, bad));
	}
	snprintf(bad, sizeof(bad), "%s=", good);
	assert_false(proves(p256, bad));
	snprintf(bad, sizeof(bad), "%s.x", good);
	assert_false(proves(p256, bad));
	snprintf(bad, sizeof(bad), "%s ", good);
	assert_false(proves(p256, bad));
	assert_false(proves(p256, ""));
	assert_false(proves(p256, ".."));
}

// An ECDSA signature of zeros, or of r and s at their bounds, is no signature.
static void test_psychic(void **state)
{
	char text[TEXT], part[TEXT];
	uint8_t zeros[64] = { 0 };

	encode("{\"alg\":\"ES256\"}", 15, text);
	strcat(text, ".e30.");
	encode(zeros, sizeof(zeros), part);
	strcat(text, part);
	assert_false(proves(p256, text));
}

static void test_base64url(void **state)
{
	uint8_t out[8];

#define T(text, expect) assert_int_equal(jose_decode(text, strlen(text), out, sizeof(out)), expect)
	T("", 0);
	T("AA", 1);
	T("AAA", 2);
	T("AAAA", 3);
	T("-_-_", 3);
	T("A", -22);
	T("AB", -22); // stray bits
	T("AAB", -22);
	T("AA==", -22);
	T("+/+/", -22);
	T("A A", -22);
	T("AAAAAAAAAAA", 8);
	T("AAAAAAAAAAAA", -22); // no room
#undef T
}

// ------------------------------------------------------------------------------------------------------------------ keys

static int keys_of(EVP_PKEY *key, const char *more, struct jwk out[JWK_MOST])
{
	char one[TEXT], set[TEXT + 32];

	jwk_of(key, more, one);
	snprintf(set, sizeof(set), "{\"keys\":[%s]}", one);
	return jwk_read(set, strlen(set), out);
}

static void test_keys(void **state)
{
	static struct jwk out[JWK_MOST];
	EVP_PKEY *all[] = { rsa, p256, p384, ed25519 };
	EVP_PKEY *key;

	for (int i = 0; i < 4; i++) {
		assert_int_equal(keys_of(all[i], ",\"kid\":\"k1\",\"use\":\"sig\"", out), 1);
		assert_string_equal(out[0].kid, "k1");
		key = jwk_key(&out[0]);
		assert_non_null(key);
		assert_int_equal(EVP_PKEY_eq(key, all[i]), 1);
		EVP_PKEY_free(key);
	}
#define T(key, more, n) assert_int_equal(keys_of(key, more, out), n)
	T(rsa, "", 1);
	T(rsa, ",\"alg\":\"RS256\"", 1);
	T(rsa, ",\"alg\":\"RSA-OAEP\"", 0);
	T(rsa, ",\"alg\":\"ES256\"", 0);
	T(rsa, ",\"use\":\"enc\"", 0);
	T(rsa, ",\"key_ops\":[\"verify\"]", 1);
	T(rsa, ",\"key_ops\":[\"encrypt\"]", 0);
	T(rsa_weak, "", 0);
	T(rsa,
	  ",\"kid\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
	  "01234567890123456789012345678\"",
	  0);
#undef T
}

static void test_no_keys(void **state)
{
	static struct jwk out[JWK_MOST];

#define T(text, n) assert_int_equal(jwk_read(text, strlen(text), out), n)
	T("", -22);
	T("[]", -22);
	T("{\"keys\":{}}", -22);
	T("{\"keys\":[]}", 0);
	T("{\"keys\":[1,null,\"x\",[]]}", 0);
	T("{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}", 0);
	T("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", 0);
	T("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
	  "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}",
	  0); // not on the curve
	T("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AQAB\",\"y\":\"AQAB\"}]}", 0);
#undef T
}

// ---------------------------------------------------------------------------------------------------------------- claims

#define NOW 1000000
#define FILE_OF(more) "{\"openid_configuration_url\":\"https://idp.example/.well-known/openid-configuration\"" more "}"

static int who_by(const char *file, const char *claims, const char *group, struct claims_who *who)
{
	char text[LIMIT_TEXT + 1];
	struct claims_rules rules;
	const char *why = NULL;
	json_t *json = json_loads(claims, 0, NULL);
	int ret = claims_rules_read(file, strlen(file), &rules, text);

	assert_int_equal(ret, 0);
	assert_non_null(json);
	ret = claims_check(&rules, json, "https://idp.example", group, NOW, who, &why);
	assert_true(ret == 0 || why != NULL);
	json_decref(json);
	claims_rules_fini(&rules);
	return ret;
}

static void test_claims(void **state)
{
	static const char file[] =
	        FILE_OF(",\"client_id\":\"vpn\",\"required_claims\":{\"azp\":\"app\"},\"group_name_claim\":\"groups\"");
	struct claims_who who;

#define ISS "\"iss\":\"https://idp.example\","
#define ALL ISS "\"aud\":\"vpn\",\"azp\":\"app\",\"exp\":1000001,\"preferred_username\":\"anna\""
#define T(claims, expect) assert_int_equal(who_by(file, "{" claims "}", "", &who), expect)
	T(ALL, 0);
	assert_string_equal(who.user, "anna");
	assert_string_equal(who.group, "");
	T(ISS "\"aud\":[\"web\",\"vpn\"],\"azp\":\"app\",\"exp\":1000001,\"preferred_username\":\"anna\"", 0);
	T(ISS "\"aud\":[\"web\"],\"azp\":\"app\",\"exp\":1000001,\"preferred_username\":\"anna\"", -13);
	T(ISS "\"aud\":\"web\",\"azp\":\"app\",\"exp\":1000001,\"preferred_username\":\"anna\"", -13);
	T(ISS "\"azp\":\"app\",\"exp\":1000001,\"preferred_username\":\"anna\"", -13);
	T(ISS "\"aud\":\"vpn\",\"exp\":1000001,\"preferred_username\":\"anna\"", -13);
	T("\"iss\":\"https://idp.example/\",\"aud\":\"vpn\",\"azp\":\"app\",\"exp\":1000001,\"preferred_username\":\"anna\"", -13);
	T("\"aud\":\"vpn\",\"azp\":\"app\",\"exp\":1000001,\"preferred_username\":\"anna\"", -13);
	T(ISS "\"aud\":\"vpn\",\"azp\":\"app\",\"preferred_username\":\"anna\"", -13);                     // no exp
	T(ISS "\"aud\":\"vpn\",\"azp\":\"app\",\"exp\":\"1000001\",\"preferred_username\":\"anna\"", -13); // no number
	T(ISS "\"aud\":\"vpn\",\"azp\":\"app\",\"exp\":999941.5,\"preferred_username\":\"anna\"", 0);      // within the skew
	T(ISS "\"aud\":\"vpn\",\"azp\":\"app\",\"exp\":999940,\"preferred_username\":\"anna\"", -13);
	T(ALL ",\"nbf\":1000060,\"iat\":1000060", 0);
	T(ALL ",\"nbf\":1000061", -13);
	T(ALL ",\"iat\":1000061", -13);
	T(ALL ",\"iat\":null", -13);
#undef T
#define T(claims, wanted, expect, named)                                                      \
	do {                                                                                  \
		assert_int_equal(who_by(file, "{" ALL "," claims "}", wanted, &who), expect); \
		if (expect == 0)                                                              \
			assert_string_equal(who.group, named);                                \
	} while (0)
	T("\"groups\":[\"staff\",\"dev\"]", "", 0, "staff");
	T("\"groups\":[\"staff\",\"dev\"]", "dev", 0, "dev");
	T("\"groups\":[\"staff\",\"dev\"]", "root", -13, "");
	T("\"groups\":\"staff\"", "", 0, "staff");
	T("\"groups\":\"staff\"", "dev", -13, "");
	T("\"groups\":[1,\"../x\",\"a/b\"]", "", 0, "");
	T("\"groups\":{}", "staff", -13, "");
#undef T
}

static void test_names(void **state)
{
	static const char file[] = FILE_OF(",\"client_id\":\"vpn\",\"user_name_claim\":\"upn\"");
	struct claims_who who;

#define T(name, expect) \
	assert_int_equal(who_by(file, "{" ISS "\"aud\":\"vpn\",\"exp\":1000001,\"upn\":" name "}", "", &who), expect)
	T("\"anna@example.com\"", 0);
	T("\"J\u00fcrgen\"", 0);
	T("\"\"", -13);
	T("7", -13);
	T("[\"anna\"]", -13);
	T("\"..\"", -13);
	T("\"../anna\"", -13);
	T("\"a/b\"", -13);
	T("\"a:b\"", -13);
	T("\"a\\nb\"", -13);
	T("\"a\u202eb\"", -13);
	T("\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	  "890"
	  "12345678\"",
	  -13);
#undef T
}

static void test_rules(void **state)
{
	char text[LIMIT_TEXT + 1];
	struct claims_rules r;

#define T(file, says)                                                                   \
	do {                                                                            \
		assert_int_equal(claims_rules_read(file, strlen(file), &r, text), -22); \
		assert_non_null(strstr(text, says));                                    \
	} while (0)
	T("{", "line 1");
	T("[]", "no JSON object");
	T("{\"client_id\":\"vpn\"}", "openid_configuration_url is missing");
	T("{\"openid_configuration_url\":\"http://idp.example/\",\"client_id\":\"vpn\"}", "https:// only");
	T("{\"openid_configuration_url\":7,\"client_id\":\"vpn\"}", "is no text");
	T(FILE_OF(""), "for whom");
	T(FILE_OF(",\"required_claims\":{}"), "for whom");
	T(FILE_OF(",\"required_claims\":[\"aud\"]"), "no JSON object");
	T(FILE_OF(",\"client_id\":1"), "client_id is no text");
	T(FILE_OF(",\"client_id\":\"vpn\",\"ca_file\":\"ca.pem\""), "not absolute");
	T(FILE_OF(",\"client_id\":\"vpn\",\"minimum_jwk_refresh_time\":0"), "minimum_jwk_refresh_time");
#undef T
	assert_int_equal(claims_rules_read(FILE_OF(",\"client_id\":\"vpn\",\"required_claims\":{\"aud\":\"api\"}"),
	                                   strlen(FILE_OF(",\"client_id\":\"vpn\",\"required_claims\":{\"aud\":\"api\"}")), &r,
	                                   text),
	                 0);
	assert_string_equal(r.user_claim, "preferred_username");
	assert_string_equal(json_string_value(json_object_get(r.required, "aud")), "api"); // the operator's own word counts
	claims_rules_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_algorithms), cmocka_unit_test(test_confusion), cmocka_unit_test(test_forged),
		cmocka_unit_test(test_psychic),    cmocka_unit_test(test_base64url), cmocka_unit_test(test_keys),
		cmocka_unit_test(test_no_keys),    cmocka_unit_test(test_claims),    cmocka_unit_test(test_names),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
