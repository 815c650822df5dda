#include "secmod/key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "proto/log.h"
#include "proto/text.h"
#include "secmod/key_sign.h"
#include "secmod/token.h"

// Eight RSA-8192 keys take some 100 KiB with the buddy allocator's rounding, 64 virtual hosts may have as many each, and a reload
// holds two sets. Pages count only once they are used.
#define KEY_HEAP (16 << 20)
#define KEY_RSA_BITS_MIN 2048
#define KEY_RSA_BITS_MAX (LIMIT_SIGNATURE * 8)

struct key {
	EVP_PKEY *pkey;      // NULL: it is in a token
	struct token *token; // else NULL
	enum key_kind kind;
	uint8_t cert[KEY_DIGEST]; // SHA-256 of its certificate
};

void key_memory_init(void)
{
	if (CRYPTO_secure_malloc_init(KEY_HEAP, 32) != 1)
		log_notice("private keys are not in locked memory: the system refuses to lock %d KiB", KEY_HEAP / 1024);
}

struct passphrase {
	const char *pin;
	bool asked;
};

// OpenSSL asks for a passphrase only if the key is encrypted: remember that.
static int on_passphrase(char *buf, int size, int rwflag, void *who)
{
	struct passphrase *p = who;
	size_t len = p->pin != NULL ? strlen(p->pin) : 0;

	p->asked = true;
	if (len == 0 || len > (size_t)size)
		return -1;
	memcpy(buf, p->pin, len);
	return (int)len;
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

static void refuse_key(const struct key_source *from, const struct passphrase *p, char text[LIMIT_TEXT + 1])
{
	if (!p->asked)
		text_refuse(text, "server-key %s: no PEM private key in it", from->key);
	else if (p->pin == NULL)
		text_refuse(text, "server-key %s: the key is encrypted, and there is neither key-pin nor pin-file", from->key);
	else
		text_refuse(text, "server-key %s: the key is encrypted, and the PIN (key-pin, pin-file) does not open it",
		            from->key);
}

static EVP_PKEY *read_key(const struct key_source *from, char text[LIMIT_TEXT + 1])
{
	struct passphrase passphrase = { .pin = from->pin };
	BIO *bio = BIO_new_file(from->key, "r");
	EVP_PKEY *pkey = NULL;

	if (bio == NULL) {
		text_refuse(text, "server-key %s: %s", from->key, strerror(errno));
		return NULL;
	}
	pkey = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &passphrase);
	BIO_free(bio);
	if (pkey == NULL)
		refuse_key(from, &passphrase, text);
	ERR_clear_error();
	return pkey;
}

static X509 *read_cert(const char *cert, char text[LIMIT_TEXT + 1])
{
	BIO *bio = BIO_new_file(cert, "r");
	X509 *x509 = NULL;

	if (bio == NULL) {
		text_refuse(text, "server-cert %s: %s", cert, strerror(errno));
		return NULL;
	}
	x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (x509 == NULL)
		text_refuse(text, "server-cert %s: no PEM certificate in it", cert);
	return x509;
}

static int sign(const struct key *k, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t signature[LIMIT_SIGNATURE],
                uint16_t *len)
{
	int ret;

	if (k->token != NULL)
		return token_sign(k->token, scheme, tbs, tbs_len, signature, len);
	ret = key_sign_with(k->pkey, scheme, tbs, tbs_len, signature, len);
	if (ret < 0)
		ERR_clear_error();
	return ret;
}

// Can it sign as TLS wants, and does the certificate tell? An RSA-PSS key may be bound to a digest, an MGF1 and a shortest salt
// (RFC 4055 3.1), and a token may know some schemes only.
static int try_key(const struct key *k, const struct key_source *from, X509 *x509, char text[LIMIT_TEXT + 1])
{
	static const uint8_t trial[] = "a trial";
	uint8_t signature[LIMIT_SIGNATURE];
	bool signs = false;
	uint16_t len;

	for (uint16_t scheme = 0; (scheme = scheme_next(k->kind, scheme)) != 0;) {
		if (sign(k, scheme, trial, sizeof(trial), signature, &len) < 0)
			continue;
		signs = true;
		if (key_verify_with(X509_get0_pubkey(x509), scheme, trial, sizeof(trial), signature, len))
			return 0;
	}
	ERR_clear_error();
	if (signs)
		return text_refuse(text, "server-key %s does not belong to server-cert %s", from->key, from->cert);
	if (k->token != NULL)
		return text_refuse(text, "server-key %s: its token does not sign", from->key);
	return text_refuse(
	        text,
	        "server-key %s: an RSA-PSS key that is bound to what TLS does not sign with (SHA-256, SHA-384 or SHA-512, "
	        "MGF1 with the same, a salt of that length)",
	        from->key);
}

// A PEM file of this kind is no key that OpenSSL could read by itself (GnuTLS takes it as it is).
static bool is_tpm_file(const char *file)
{
	BIO *bio = BIO_new_file(file, "r");
	char line[64];
	bool found = false;

	while (bio != NULL && !found && BIO_gets(bio, line, sizeof(line)) > 0)
		found = strncmp(line, "-----BEGIN TSS2 PRIVATE KEY-----", 32) == 0;
	BIO_free(bio);
	ERR_clear_error();
	return found;
}

static int load_token(struct key *k, const struct key_source *from, const char *url, X509 *x509, char text[LIMIT_TEXT + 1])
{
	char why[LIMIT_TEXT + 1];

	if (kind_of(X509_get0_pubkey(x509), from->key, &k->kind, text) < 0)
		return -EINVAL;
	k->token = token_open(url, from->pin, from->srk_pin, k->kind, why);
	return k->token != NULL ? 0 : text_refuse(text, "server-key %s: %s", from->key, why);
}

static int load_file(struct key *k, const struct key_source *from, X509 *x509, char text[LIMIT_TEXT + 1])
{
	k->pkey = read_key(from, text);
	if (k->pkey == NULL || kind_of(k->pkey, from->key, &k->kind, text) < 0)
		return -EINVAL;
	if (X509_check_private_key(x509, k->pkey) == 1)
		return 0;
	return text_refuse(text, "server-key %s does not belong to server-cert %s", from->key, from->cert);
}

static int load(struct key *k, const struct key_source *from, X509 *x509, char text[LIMIT_TEXT + 1])
{
	char url[LIMIT_TEXT + 16];
	int ret;

	snprintf(url, sizeof(url), "tpmkey:file=%s", from->key);
	if (token_is_url(from->key))
		ret = load_token(k, from, from->key, x509, text);
	else if (is_tpm_file(from->key))
		ret = load_token(k, from, url, x509, text);
	else
		ret = load_file(k, from, x509, text);
	return ret < 0 ? ret : try_key(k, from, x509, text);
}

struct key *key_load(const struct key_source *from, char text[LIMIT_TEXT + 1])
{
	X509 *x509 = read_cert(from->cert, text);
	struct key *k = x509 != NULL ? OPENSSL_zalloc(sizeof(*k)) : NULL;

	if (x509 != NULL && k == NULL)
		text_refuse(text, "server-key %s: no memory", from->key);
	if (k != NULL && (load(k, from, x509, text) < 0 || X509_digest(x509, EVP_sha256(), k->cert, NULL) != 1)) {
		key_free(k);
		k = NULL;
	}
	ERR_clear_error();
	X509_free(x509);
	return k;
}

void key_free(struct key *k)
{
	if (k == NULL)
		return;
	token_close(k->token);
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

bool key_is_token(const struct key *k)
{
	return k->token != NULL;
}

bool key_is_quick(const struct key *k)
{
	return k->token == NULL && (k->kind == KEY_P256 || k->kind == KEY_ED25519);
}

bool key_may_sign(const struct key *k, uint16_t scheme, const uint8_t *tbs, size_t tbs_len)
{
	return scheme_allowed(tbs_classify(tbs, tbs_len), k->kind, scheme);
}

int key_sign(const struct key *k, uint16_t scheme, const uint8_t *tbs, size_t tbs_len, uint8_t signature[LIMIT_SIGNATURE],
             uint16_t *len)
{
	if (!key_may_sign(k, scheme, tbs, tbs_len))
		return -EPERM;
	return sign(k, scheme, tbs, tbs_len, signature, len);
}
