#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "signer.h"
#include "tls_ctx.h"

// Forward secrecy and AEAD only. sec-mod knows these groups and signs over no other.
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS "X25519:P-256:P-384:P-521:X448"
// By whose taste.
#define TASTE (SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA)
#define SIGNATURES                                                                                                                \
	"ECDSA+SHA256:ed25519:ECDSA+SHA384:ECDSA+SHA512:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pss_pss_" \
	"sha256:"                                                                                                                 \
	"rsa_pss_pss_sha384:rsa_pss_pss_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512"

SSL_CTX *tls_ctx_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx)
		return NULL;
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 || SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, CIPHERS_12) != 1 || SSL_CTX_set1_groups_list(ctx, GROUPS) != 1 ||
	    SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | TASTE |
	                                 SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_cert_list(ctx, 4096); // a client's certificate would be the only long message
	return ctx;
}

// ---------------------------------------------------------------------------------------------------------------- rules

static bool set_versions(SSL_CTX *ctx, const char *versions)
{
	bool tls12 = strstr(versions, "TLSv1.2"), tls13 = strstr(versions, "TLSv1.3");

	return (tls12 || tls13) && SSL_CTX_set_min_proto_version(ctx, tls12 ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1;
}

// A list for a version that is not spoken may be empty, and OpenSSL takes no such list.
static bool set_suites(SSL_CTX *ctx, const char *tls12, const char *tls13)
{
	return (!tls12[0] || SSL_CTX_set_cipher_list(ctx, tls12) == 1) && (!tls13[0] || SSL_CTX_set_ciphersuites(ctx, tls13) == 1);
}

static void set_options(SSL_CTX *ctx, const char *options)
{
	if (!strstr(options, "server-precedence"))
		SSL_CTX_clear_options(ctx, TASTE);
	if (strstr(options, "no-tickets"))
		SSL_CTX_set_num_tickets(ctx, 0);
}

static const char *word(const struct snapshot *conf, unsigned vhost, const char *key)
{
	const char *value = snapshot_vhost_get(conf, vhost, key);

	return value ? value : "";
}

int tls_ctx_rule(SSL_CTX *ctx, const struct snapshot *conf, unsigned vhost, char text[LIMIT_TEXT + 1])
{
	const char *versions = snapshot_vhost_get(conf, vhost, "@tls-versions");

	if (!versions)
		return 0;
	if (!set_versions(ctx, versions) || !set_suites(ctx, word(conf, vhost, "@tls-ciphers"), word(conf, vhost, "@tls-suites")) ||
	    SSL_CTX_set1_groups_list(ctx, word(conf, vhost, "@tls-groups")) != 1 ||
	    SSL_CTX_set1_sigalgs_list(ctx, word(conf, vhost, "@tls-signatures")) != 1) {
		snprintf(text, LIMIT_TEXT + 1, "tls-priorities: OpenSSL does not take its words");
		ERR_clear_error();
		return -EINVAL;
	}
	set_options(ctx, word(conf, vhost, "@tls-options"));
	return 0;
}

// OpenSSL takes certificates, suites and signatures from the other context, and leaves the rest as it was.
bool tls_ctx_take(SSL *ssl, SSL_CTX *ctx, const char *groups)
{
	if (!SSL_set_SSL_CTX(ssl, ctx))
		return false;
	SSL_clear_options(ssl, TASTE);
	SSL_set_options(ssl, SSL_CTX_get_options(ctx));
	return SSL_set_min_proto_version(ssl, SSL_CTX_get_min_proto_version(ctx)) == 1 &&
	       SSL_set_max_proto_version(ssl, SSL_CTX_get_max_proto_version(ctx)) == 1 &&
	       SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(ctx)) == 1 && (!groups || SSL_set1_groups_list(ssl, groups) == 1);
}

// -------------------------------------------------------------------------------------------------------- certificates

static const char *openssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	return reason ? reason : "unknown error";
}

static X509 *read_leaf(const char *file, char text[LIMIT_TEXT + 1])
{
	FILE *f = fopen(file, "re");
	X509 *leaf;

	if (!f) {
		snprintf(text, LIMIT_TEXT + 1, "server-cert %s: %s", file, strerror(errno));
		return NULL;
	}
	leaf = PEM_read_X509_AUX(f, NULL, NULL, NULL);
	fclose(f);
	if (!leaf)
		snprintf(text, LIMIT_TEXT + 1, "server-cert %s: no certificate in it: %s", file, openssl_reason());
	return leaf;
}

int tls_ctx_add(SSL_CTX *ctx, const char *file, unsigned vhost, unsigned key, char text[LIMIT_TEXT + 1])
{
	EVP_PKEY *pair;
	X509 *leaf;
	int ret = -EINVAL;

	ERR_clear_error();
	leaf = read_leaf(file, text);
	if (!leaf)
		return -EINVAL;
	pair = signer_key_new(X509_get0_pubkey(leaf), (uint8_t)vhost, (uint8_t)key);
	if (!pair)
		snprintf(text, LIMIT_TEXT + 1, "server-cert %s: its key is no RSA, ECDSA P-256 or P-384, or Ed25519 key", file);
	else if (SSL_CTX_use_certificate_chain_file(ctx, file) != 1 || SSL_CTX_use_PrivateKey(ctx, pair) != 1)
		snprintf(text, LIMIT_TEXT + 1, "server-cert %s: %s", file, openssl_reason());
	else
		ret = 0;
	EVP_PKEY_free(pair);
	X509_free(leaf);
	return ret;
}
