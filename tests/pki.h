// Throw-away keys and self-signed certificates, and the structures that TLS signs. Included by tests that link libcrypto.
#pragma once
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
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

// A certificate of `key`'s as `issuer` (NULL: itself) makes it. dn: "OID=value" or "NAME=value" each, NULL at the end.
struct pki_wish {
	const char *const *dn;
	const char *san; // "email:anna@example.test", NULL: none
	const char *eku; // "clientAuth", NULL: none
	bool ca;
	long from, until; // seconds from now, 0: a minute ago, a day from now
	long serial;
};

static PKI_UNUSED void pki_extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	PKI_NEED(e != NULL && X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static PKI_UNUSED void pki_name(X509 *x, const char *const *dn)
{
	char field[64];
	const char *value;

	for (; *dn != NULL; dn++) {
		value = strchr(*dn, '=') + 1;
		snprintf(field, sizeof(field), "%.*s", (int)(value - 1 - *dn), *dn);
		PKI_NEED(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), field, MBSTRING_UTF8, (const unsigned char *)value,
		                                    -1, -1, 0) == 1);
	}
}

static PKI_UNUSED X509 *pki_issue(EVP_PKEY *key, const struct pki_wish *wish, X509 *issuer, EVP_PKEY *issuer_key)
{
	EVP_PKEY *by = issuer_key != NULL ? issuer_key : key;
	X509 *x = X509_new();

	PKI_NEED(x != NULL && X509_set_version(x, 2) == 1 && X509_set_pubkey(x, key) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), wish->serial != 0 ? wish->serial : 1);
	X509_gmtime_adj(X509_getm_notBefore(x), wish->from != 0 ? wish->from : -60);
	X509_gmtime_adj(X509_getm_notAfter(x), wish->until != 0 ? wish->until : 86400);
	pki_name(x, wish->dn);
	X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer : x));
	if (wish->ca)
		pki_extend(x, NID_basic_constraints, "critical,CA:TRUE");
	if (wish->san != NULL)
		pki_extend(x, NID_subject_alt_name, wish->san);
	if (wish->eku != NULL)
		pki_extend(x, NID_ext_key_usage, wish->eku);
	PKI_NEED(X509_sign(x, by, EVP_PKEY_get_base_id(by) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) > 0);
	return x;
}

// A CRL of issuer's that revokes one serial number (0: none), good until so many seconds from now.
static PKI_UNUSED void pki_write_crl(const char *path, X509 *issuer, EVP_PKEY *key, long serial, long until)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *from = X509_gmtime_adj(NULL, -3600), *to = X509_gmtime_adj(NULL, until);
	FILE *f = fopen(path, "w");

	PKI_NEED(crl != NULL && f != NULL && X509_CRL_set_version(crl, 1) == 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer));
	X509_CRL_set1_lastUpdate(crl, from);
	X509_CRL_set1_nextUpdate(crl, to);
	if (serial != 0) {
		X509_REVOKED *r = X509_REVOKED_new();
		ASN1_INTEGER *number = ASN1_INTEGER_new();

		ASN1_INTEGER_set(number, serial);
		X509_REVOKED_set_serialNumber(r, number);
		X509_REVOKED_set_revocationDate(r, from);
		PKI_NEED(X509_CRL_add0_revoked(crl, r) == 1);
		ASN1_INTEGER_free(number);
	}
	PKI_NEED(X509_CRL_sign(crl, key, EVP_sha256()) > 0 && PEM_write_X509_CRL(f, crl) == 1);
	fclose(f);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	X509_CRL_free(crl);
}
