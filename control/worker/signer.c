#include <errno.h>
#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "signer.h"

#define KEY_NUMBER "penstock-key"
#define NUMBER_OF(vhost, key) ((vhost) << 8 | (key))
#define OURS "provider=penstock"

static struct {
	signer_ask ask;
	void *who;
	uint16_t scheme;
	uint8_t key;
} signer;

enum kind { KIND_RSA, KIND_RSA_PSS, KIND_EC, KIND_ED25519 };
static const char *const kind_names[] = { "RSA", "RSA-PSS", "EC", "ED25519" };

struct key {
	EVP_PKEY *public; // the default provider's
	int number;       // NUMBER_OF() sec-mod's; -1: a public key that OpenSSL wants to compare with ours
	enum kind kind;
};

// --------------------------------------------------------------------------------------------------------------- keymgmt

static void *key_new(enum kind kind)
{
	struct key *k = calloc(1, sizeof(*k));

	if (k) {
		k->kind = kind;
		k->number = -1;
	}
	return k;
}

static void *key_new_rsa(void *provider)
{
	return key_new(KIND_RSA);
}
static void *key_new_rsa_pss(void *provider)
{
	return key_new(KIND_RSA_PSS);
}
static void *key_new_ec(void *provider)
{
	return key_new(KIND_EC);
}
static void *key_new_ed25519(void *provider)
{
	return key_new(KIND_ED25519);
}

static void key_free(void *key)
{
	struct key *k = key;

	if (!k)
		return;
	EVP_PKEY_free(k->public);
	free(k);
}

static int key_has(const void *key, int selection)
{
	const struct key *k = key;
	bool private = selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY;

	return k->public && (!private || k->number >= 0);
}

static int key_match(const void *one, const void *other, int selection)
{
	const struct key *a = one, *b = other;

	return a->public && b->public && EVP_PKEY_eq(a->public, b->public) == 1;
}

static int key_import(void *key, int selection, const OSSL_PARAM params[])
{
	struct key *k = key;
	const OSSL_PARAM *number = OSSL_PARAM_locate_const(params, KEY_NUMBER);
	EVP_PKEY_CTX *ctx;
	int ok;

	if (k->public || (number && !OSSL_PARAM_get_int(number, &k->number)))
		return 0;
	ctx = EVP_PKEY_CTX_new_from_name(NULL, kind_names[k->kind], "provider=default");
	ok = ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
	     EVP_PKEY_fromdata(ctx, &k->public, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)params) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

// The private half has no other form: refusing it here is what makes OpenSSL come back to our own signature.
static int key_export(void *key, int selection, OSSL_CALLBACK *deliver, void *arg)
{
	struct key *k = key;

	if (!k->public || selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
		return 0;
	return EVP_PKEY_export(k->public, selection, deliver, arg);
}

// What passes through is the default provider's business.
static const OSSL_PARAM *key_types(int selection)
{
	static const OSSL_PARAM none[] = { OSSL_PARAM_END };

	return none;
}

static int key_get_params(void *key, OSSL_PARAM params[])
{
	struct key *k = key;

	return k->public && EVP_PKEY_get_params(k->public, params);
}

static const OSSL_PARAM *key_gettable(void *provider)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};

	return list;
}

static const char *ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}
static const char *rsa_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

#define FN(id, f)                       \
	{                               \
		id, (void (*)(void))(f) \
	}
#define KEYMGMT(new_fn, ...)                                                                                                 \
	{                                                                                                                    \
		FN(OSSL_FUNC_KEYMGMT_NEW, new_fn), FN(OSSL_FUNC_KEYMGMT_FREE, key_free), FN(OSSL_FUNC_KEYMGMT_HAS, key_has), \
		        FN(OSSL_FUNC_KEYMGMT_MATCH, key_match), FN(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                    \
		        FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types), FN(OSSL_FUNC_KEYMGMT_EXPORT, key_export),             \
		        FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types), FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),     \
		        FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable), __VA_ARGS__                                     \
		{                                                                                                            \
			0, NULL                                                                                              \
		}                                                                                                            \
	}

static const OSSL_DISPATCH rsa_keymgmt[] = KEYMGMT(key_new_rsa, FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, rsa_operation), );
static const OSSL_DISPATCH rsa_pss_keymgmt[] =
        KEYMGMT(key_new_rsa_pss, FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, rsa_operation), );
static const OSSL_DISPATCH ec_keymgmt[] = KEYMGMT(key_new_ec, FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation), );
static const OSSL_DISPATCH ed25519_keymgmt[] = KEYMGMT(key_new_ed25519, );

// ------------------------------------------------------------------------------------------------------------- signature

struct signing {
	const struct key *key;
	int bits; // of the digest, 0 = none
	bool pss;
};

static void *signing_new(void *provider, const char *properties)
{
	return calloc(1, sizeof(struct signing));
}

static void signing_free(void *ctx)
{
	free(ctx);
}

static int is_pss(const OSSL_PARAM *p, bool *out)
{
	int pad;

	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		*out = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
		return *out || strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0;
	}
	if (!OSSL_PARAM_get_int(p, &pad))
		return 0;
	*out = pad == RSA_PKCS1_PSS_PADDING;
	return *out || pad == RSA_PKCS1_PADDING;
}

// TLS knows one salt only, as long as the digest (RFC 8446 4.2.3): what it says of salts needs no remembering.
static int signing_set_params(void *ctx, const OSSL_PARAM params[])
{
	struct signing *s = ctx;
	const OSSL_PARAM *pad = params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;

	return !pad || is_pss(pad, &s->pss);
}

static const OSSL_PARAM *signing_settable(void *ctx, void *provider)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_END,
	};

	return list;
}

static int digest_bits(const char *digest)
{
	return strstr(digest, "256") ? 256 : strstr(digest, "384") ? 384 : strstr(digest, "512") ? 512 : -1;
}

// An RSA-PSS key may be bound to one digest (RFC 4055 3.1). OpenSSL offers the schemes whose digest is not refused here.
static bool takes_digest(const struct key *k, int bits)
{
	char bound[32];

	if (k->kind != KIND_RSA_PSS ||
	    EVP_PKEY_get_utf8_string_param(k->public, OSSL_PKEY_PARAM_MANDATORY_DIGEST, bound, sizeof(bound), NULL) != 1)
		return true;
	return digest_bits(bound) == bits;
}

static int signing_init(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct signing *s = ctx;

	s->key = key;
	s->pss = s->key->kind == KIND_RSA_PSS;
	s->bits = 0;
	if (digest && digest[0]) {
		s->bits = digest_bits(digest);
		if (s->bits < 0 || !takes_digest(s->key, s->bits))
			return 0;
	}
	return signing_set_params(ctx, params);
}

// RFC 8446 4.2.3; 0: none of them.
static uint16_t scheme_of(const struct signing *s)
{
	int step = s->bits == 256 ? 0 : s->bits == 384 ? 1 : s->bits == 512 ? 2 : -1;

	if (s->key->kind == KIND_ED25519)
		return s->bits == 0 ? 0x0807 : 0;
	if (step < 0)
		return 0;
	switch (s->key->kind) {
	case KIND_RSA:
		return (uint16_t)(s->pss ? 0x0804 + step : 0x0401 + 0x100 * step);
	case KIND_RSA_PSS:
		return (uint16_t)(0x0809 + step);
	default:
		return (uint16_t)(0x0403 + 0x100 * step);
	}
}

static int signing_sign(void *ctx, unsigned char *signature, size_t *len, size_t room, const unsigned char *tbs, size_t tbs_len)
{
	const struct signing *s = ctx;
	uint16_t scheme = scheme_of(s);
	int n;

	if (scheme == 0 || s->key->number < 0)
		return 0;
	if (!signature) {
		*len = (size_t)EVP_PKEY_get_size(s->key->public);
		return 1;
	}
	n = signer.ask ? signer.ask(signer.who, (uint8_t)(s->key->number >> 8), (uint8_t)s->key->number, scheme, tbs, tbs_len,
	                            signature, room)
	               : -ENOKEY;
	if (n <= 0)
		return 0;
	signer.scheme = scheme;
	signer.key = (uint8_t)s->key->number;
	*len = (size_t)n;
	return 1;
}

static const OSSL_DISPATCH signature[] = {
	FN(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
	FN(OSSL_FUNC_SIGNATURE_FREECTX, signing_free),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signing_init),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signing_sign),
	FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signing_set_params),
	FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signing_settable),
	{ 0, NULL },
};

// -------------------------------------------------------------------------------------------------------------- provider

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keymgmts[] = {
		{ "RSA:rsaEncryption", OURS, rsa_keymgmt, NULL },
		{ "RSA-PSS:RSASSA-PSS", OURS, rsa_pss_keymgmt, NULL },
		{ "EC:id-ecPublicKey", OURS, ec_keymgmt, NULL },
		{ "ED25519", OURS, ed25519_keymgmt, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	static const OSSL_ALGORITHM signatures[] = {
		{ "RSA:rsaEncryption", OURS, signature, NULL },
		{ "ECDSA", OURS, signature, NULL },
		{ "ED25519", OURS, signature, NULL },
		{ NULL, NULL, NULL, NULL },
	};

	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? keymgmts : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH functions[] = { FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), { 0, NULL } };

	*out = functions;
	*provider = (void *)core;
	return 1;
}

int signer_init(void)
{
	static OSSL_PROVIDER *held[2]; // for the life of the process

	// The first provider loaded wins where both have an algorithm: everything but our keys is the default's.
	held[0] = OSSL_PROVIDER_load(NULL, "default");
	if (held[0] && OSSL_PROVIDER_add_builtin(NULL, "penstock", provider_init))
		held[1] = OSSL_PROVIDER_load(NULL, "penstock");
	return held[1] ? 0 : -ENOTSUP;
}

void signer_set(signer_ask ask, void *who)
{
	signer.ask = ask;
	signer.who = who;
}

uint16_t signer_scheme(void)
{
	return signer.scheme;
}

uint8_t signer_key(void)
{
	return signer.key;
}

static const char *kind_name_of(const EVP_PKEY *public)
{
	size_t i;

	for (i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++)
		if (EVP_PKEY_is_a(public, kind_names[i]))
			return kind_names[i];
	return NULL;
}

// params and one more.
static OSSL_PARAM *with_number(const OSSL_PARAM *params, int *number)
{
	OSSL_PARAM *out;
	size_t n = 0;

	while (params[n].key)
		n++;
	out = calloc(n + 2, sizeof(*out));
	if (!out)
		return NULL;
	memcpy(out, params, n * sizeof(*out));
	out[n] = OSSL_PARAM_construct_int(KEY_NUMBER, number);
	out[n + 1] = OSSL_PARAM_construct_end();
	return out;
}

EVP_PKEY *signer_key_new(EVP_PKEY *public, uint8_t vhost, uint8_t key)
{
	const char *name = kind_name_of(public);
	OSSL_PARAM *params = NULL, *all = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *pair = NULL;
	int number = NUMBER_OF(vhost, key);

	if (!name || EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return NULL;
	all = with_number(params, &number);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, name, OURS);
	if (!all || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &pair, EVP_PKEY_KEYPAIR, all) != 1)
		pair = NULL;
	EVP_PKEY_CTX_free(ctx);
	free(all);
	OSSL_PARAM_free(params);
	return pair;
}
