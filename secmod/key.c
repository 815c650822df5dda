#include "secmod/key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "proto/log.h"
#include "proto/text.h"

// Eight RSA-8192 keys take some 100 KiB with the buddy allocator's rounding, a reload holds two sets.
#define KEY_HEAP (1 << 20)
#define KEY_RSA_BITS_MIN 2048
#define KEY_RSA_BITS_MAX (LIMIT_SIGNATURE * 8)

struct key {
	EVP_PKEY *pkey;
	enum key_kind kind;
	uint8_t cert[KEY_DIGEST]; // SHA-256 of its certificate
};

void key_memory_init(void)
{
	if (CRYPTO_secure_malloc_init(KEY_HEAP, 32) != 1)
		log_notice("private keys are not in locked memory: the system refuses to lock %d KiB", KEY_HEAP / 1024);
}

// OpenSSL asks for a passphrase only if the key is encrypted: remember that, and have none.
static int on_passphrase(char *buf, int size, int rwflag, void *asked)
{
	*(int *)asked = 1;
	return -1;
}

static int kind_of(EVP_PKEY *pkey, const char *file, enum key_kind *kind, char text[LIMIT_TEXT + 1])
{
	const int bits = EVP_PKEY_get_bits(pkey);
	char group[32] = "";

	switch (EVP_PKEY_get_base_id(pkey)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		if (bits < KEY_RSA_BITS_MIN || bits > KEY_RSA_BITS_MAX)
			return text_refuse(text, "server-key %s: RSA of %d bits; %d to %d are supported", file, bits,
			                   KEY_RSA_BITS_MIN, KEY_RSA_BITS_MAX);
		*kind = EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA ? KEY_RSA : KEY_RSA_PSS;
		return 0;
	case EVP_PKEY_ED25519:
		*kind = KEY_ED25519;
		return 0;
	case EVP_PKEY_EC:
		EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
		if (strcmp(group, SN_X9_62_prime256v1) == 0)
			*kind = KEY_P256;
		else if (strcmp(group, SN_secp384r1) == 0)
			*kind = KEY_P384;
		else
			return text_refuse(text, "server-key %s: curve %s is not supported (P-256 and P-384 are)", file, group);
		return 0;
	default:
		return text_refuse(
		        text, "server-key %s: a key of type %s is not supported (RSA, RSA-PSS, ECDSA P-256 and P-384, Ed25519 are)",
		        file, EVP_PKEY_get0_type_name(pkey));
	}
}

static EVP_PKEY *read_key(const char *file, char text[LIMIT_TEXT + 1])
{
	BIO *bio = BIO_new_file(file, "r");
	EVP_PKEY *pkey = NULL;
	int asked = 0;

	if (bio == NULL) {
		text_refuse(text, "server-key %s: %s", file, strerror(errno));
		return NULL;
	}
	pkey = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &asked);
	BIO_free(bio);
	if (pkey == NULL && asked)
		text_refuse(text, "server-key %s: the key is encrypted; keys with a passphrase are not supported", file);
	else if (pkey == NULL)
		text_refuse(text, "server-key %s: no PEM private key in it", file);
	ERR_clear_error();
	return pkey;
}

static int match_cert(EVP_PKEY *pkey, const char *file, const char *cert, uint8_t digest[KEY_DIGEST], char text[LIMIT_TEXT + 1])
{
	BIO *bio = BIO_new_file(cert, "r");
	X509 *x509 = NULL;
	bool ok;

	if (bio == NULL)
		return text_refuse(text, "server-cert %s: %s", cert, strerror(errno));
	x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (x509 == NULL)
		return text_refuse(text, "server-cert %s: no PEM certificate in it", cert);
	ok = X509_check_private_key(x509, pkey) == 1 && X509_digest(x509, EVP_sha256(), digest, NULL) == 1;
	X509_free(x509);
	if (!ok)
		return text_refuse(text, "server-key %s does not belong to server-cert %s", file, cert);
	return 0;
}

static int sign_with(EVP_MD_CTX *ctx, const struct key *k, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t *out,
                     size_t *len)
{
	EVP_PKEY_CTX *pctx = NULL;

	if (EVP_DigestSignInit_ex(ctx, &pctx, scheme_digest(scheme), NULL, NULL, k->pkey, NULL) != 1)
		return -EIO;
	// RFC 8446 4.2.3: MGF1 uses the same digest, and the salt is as long
	if (scheme_is_pss(scheme) && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1 ||
	                              EVP_PKEY_CTX_set_rsa_mgf1_md_name(pctx, scheme_digest(scheme), NULL) != 1 ||
	                              EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) != 1))
		return -EIO;
	return EVP_DigestSign(ctx, out, len, tbs, tbs_len) == 1 ? 0 : -EIO;
}

static int sign(const struct key *k, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t signature[LIMIT_SIGNATURE],
                uint16_t *len)
{
	uint8_t out[LIMIT_SIGNATURE];
	size_t out_len = sizeof(out);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ret;

	if (ctx == NULL)
		return -ENOMEM;
	ret = sign_with(ctx, k, scheme, tbs, tbs_len, out, &out_len);
	EVP_MD_CTX_free(ctx);
	if (ret < 0) {
		ERR_clear_error();
		return ret;
	}
	memcpy(signature, out, out_len);
	*len = out_len;
	return 0;
}

// An RSA-PSS key may be bound to a digest, an MGF1 and a shortest salt (RFC 4055 3.1): is there a scheme that keeps to them?
static bool fits_tls(const struct key *k)
{
	static const uint16_t schemes[] = { SCHEME_PSS_PSS_SHA256, SCHEME_PSS_PSS_SHA384, SCHEME_PSS_PSS_SHA512 };
	uint8_t signature[LIMIT_SIGNATURE];
	uint16_t len;

	if (k->kind != KEY_RSA_PSS)
		return true;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (sign(k, schemes[i], (const uint8_t *)"a trial", 7, signature, &len) == 0)
			return true;
	return false;
}

struct key *key_load(const char *file, const char *cert, char text[LIMIT_TEXT + 1])
{
	EVP_PKEY *pkey = read_key(file, text);
	uint8_t digest[KEY_DIGEST];
	enum key_kind kind;
	struct key *k;

	if (pkey == NULL)
		return NULL;
	if (kind_of(pkey, file, &kind, text) < 0 || match_cert(pkey, file, cert, digest, text) < 0)
		goto free_key;
	k = OPENSSL_zalloc(sizeof(*k));
	if (k == NULL) {
		text_refuse(text, "server-key %s: no memory", file);
		goto free_key;
	}
	k->pkey = pkey;
	k->kind = kind;
	memcpy(k->cert, digest, KEY_DIGEST);
	if (fits_tls(k))
		return k;
	text_refuse(text,
	            "server-key %s: an RSA-PSS key that is bound to what TLS does not sign with (SHA-256, SHA-384 or SHA-512, "
	            "MGF1 with the same, a salt of that length)",
	            file);
	OPENSSL_free(k);
free_key:
	ERR_clear_error();
	EVP_PKEY_free(pkey);
	return NULL;
}

void key_free(struct key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey); // cleanses its numbers
	OPENSSL_free(k);
}

const uint8_t *key_cert_digest(const struct key *k)
{
	return k->cert;
}

enum key_kind key_kind(const struct key *k)
{
	return k->kind;
}

const char *key_kind_name(const struct key *k)
{
	static const char *const names[] = {
		[KEY_RSA] = "RSA", [KEY_RSA_PSS] = "RSA-PSS", [KEY_P256] = "P-256", [KEY_P384] = "P-384", [KEY_ED25519] = "Ed25519",
	};

	return names[k->kind];
}

int key_sign(const struct key *k, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t signature[LIMIT_SIGNATURE],
             uint16_t *len)
{
	if (!scheme_allowed(tbs_classify(tbs, tbs_len), k->kind, scheme))
		return -EPERM;
	return sign(k, scheme, tbs, tbs_len, signature, len);
}
