// Throw-away keys and self-signed certificates, and the structures that TLS signs. Included by tests that link libcrypto.
#pragma once
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PKI_UNUSED __attribute__((unused))
#define PKI_NEED(x)                                                             \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

// kind: "rsa", "rsa-pss", "p256", "p384", "p521", "ed25519", "rsa1024"
static PKI_UNUSED EVP_PKEY *pki_key(const char *kind)
{
	EVP_PKEY *key = NULL;

	if (strcmp(kind, "rsa") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	else if (strcmp(kind, "rsa1024") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	else if (strcmp(kind, "p256") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	else if (strcmp(kind, "p384") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	else if (strcmp(kind, "p521") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");
	else if (strcmp(kind, "ed25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else if (strcmp(kind, "rsa-pss") == 0) {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA_PSS, NULL);

		PKI_NEED(ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) == 1);
		PKI_NEED(EVP_PKEY_keygen(ctx, &key) == 1);
		EVP_PKEY_CTX_free(ctx);
	}
	PKI_NEED(key != NULL);
	return key;
}

// An RSA-PSS key that signs with this digest and this MGF1 only, and with a salt no shorter than that.
static PKI_UNUSED EVP_PKEY *pki_bound_key(const char *digest, const char *mgf1, int salt)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA_PSS, NULL);
	EVP_PKEY *key = NULL;

	PKI_NEED(ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) == 1);
	PKI_NEED(EVP_PKEY_CTX_set_rsa_pss_keygen_md_name(ctx, digest, NULL) == 1);
	PKI_NEED(EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md_name(ctx, mgf1) == 1);
	PKI_NEED(EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(ctx, salt) == 1);
	PKI_NEED(EVP_PKEY_keygen(ctx, &key) == 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static PKI_UNUSED X509 *pki_cert(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	const bool own_digest = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
	char digest[32];

	PKI_NEED(own_digest || EVP_PKEY_get_default_digest_name(key, digest, sizeof(digest)) > 0);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"gateway.test", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, key);
	PKI_NEED(X509_sign(x, key, own_digest ? NULL : EVP_get_digestbyname(digest)) > 0);
	return x;
}

static PKI_UNUSED void pki_write_key(const char *path, EVP_PKEY *key, const char *passphrase)
{
	FILE *f = fopen(path, "w");

	PKI_NEED(f != NULL);
	PKI_NEED(PEM_write_PKCS8PrivateKey(f, key, passphrase != NULL ? EVP_aes_256_cbc() : NULL, passphrase,
	                                   passphrase != NULL ? (int)strlen(passphrase) : 0, NULL, NULL) == 1);
	fclose(f);
}

static PKI_UNUSED void pki_write_cert(const char *path, X509 *cert)
{
	FILE *f = fopen(path, "w");

	PKI_NEED(f != NULL && PEM_write_X509(f, cert) == 1);
	fclose(f);
}

// RFC 8446 4.4.3; hash_len 32 or 48 where it is right.
static PKI_UNUSED size_t pki_tls13(uint8_t *out, size_t hash_len)
{
	static const char label[] = "TLS 1.3, server CertificateVerify";

	memset(out, ' ', 64);
	memcpy(out + 64, label, sizeof(label));
	memset(out + 64 + sizeof(label), 0xab, hash_len);
	return 64 + sizeof(label) + hash_len;
}

// RFC 8422 5.4: two randoms, named_curve, group, a point of that length that begins with `first`.
static PKI_UNUSED size_t pki_tls12(uint8_t *out, uint16_t group, uint8_t point_len, uint8_t first)
{
	memset(out, 0x11, 32);
	memset(out + 32, 0x22, 32);
	out[64] = 3;
	out[65] = group >> 8;
	out[66] = group & 0xff;
	out[67] = point_len;
	memset(out + 68, 0x33, point_len);
	out[68] = first;
	return 68u + point_len;
}

// Is it this certificate's signature, by that digest (NULL: Ed25519)?
static PKI_UNUSED bool pki_verify(X509 *cert, const char *digest, bool pss, const uint8_t *tbs, size_t tbs_len, const uint8_t *sig,
                                  size_t sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	bool good = EVP_DigestVerifyInit_ex(ctx, &pctx, digest, NULL, NULL, X509_get0_pubkey(cert), NULL) == 1;

	if (good && pss)
		good = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good && EVP_DigestVerify(ctx, sig, sig_len, tbs, tbs_len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}
