// TLS handshakes in memory with a client's certificate, as a worker sees them: its messages, and what it had signed. The server's
// private key is where `sign` is: in the test, or in a real sec-mod. Included by tests that link signer.c of the worker, and
// libssl.
#pragma once
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "control/worker/signer.h"
#include "pki.h"
#include "proto/limits.h"

struct handshake {
	// before: what to do
	X509 *server_cert;
	int version;         // TLS1_2_VERSION, TLS1_3_VERSION
	const char *groups;  // of the server; the client's first is X25519: others make a HelloRetryRequest. NULL: X25519 first
	const char *suites;  // of TLS 1.3, NULL: any
	const char *sigalgs; // both sides', NULL: any
	X509 *cert;          // the client's, NULL: none
	X509 *issuer;        // goes with it, NULL: none
	EVP_PKEY *key;
	signer_ask sign;
	void *who;
	bool no_time; // the server's random does not begin with the time
	// after: what came of it
	bool done;
	uint8_t messages[65536];
	size_t len;      // up to the client's CertificateVerify
	uint16_t scheme; // of the server's signature
	uint8_t tbs[LIMIT_TBS], signature[LIMIT_SIGNATURE];
	size_t tbs_len, signature_len;
};

static int handshake_trust_all(X509_STORE_CTX *ctx, void *arg)
{
	return 1;
}

static void handshake_on_message(int out, int version, int type, const void *buf, size_t len, SSL *ssl, void *arg)
{
	struct handshake *h = arg;

	if (type != SSL3_RT_HANDSHAKE || h->done)
		return;
	PKI_NEED(h->len + len <= sizeof(h->messages));
	memcpy(h->messages + h->len, buf, len);
	h->len += len;
	h->done = !out && *(const uint8_t *)buf == SSL3_MT_CERTIFICATE_VERIFY;
}

static int handshake_sign(void *who, uint8_t vhost, uint8_t key, uint16_t scheme, const uint8_t *tbs, size_t len,
                          uint8_t *signature, size_t room)
{
	struct handshake *h = who;
	int n = h->sign(h->who, vhost, key, scheme, tbs, len, signature, room);

	PKI_NEED(len <= sizeof(h->tbs));
	memcpy(h->tbs, tbs, len);
	h->tbs_len = len;
	h->scheme = scheme;
	if (n > 0)
		memcpy(h->signature, signature, n);
	h->signature_len = n > 0 ? n : 0;
	return n;
}

static SSL_CTX *handshake_server(struct handshake *h)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = signer_key_new(X509_get0_pubkey(h->server_cert), 0, 0);

	PKI_NEED(ctx != NULL && key != NULL);
	PKI_NEED(SSL_CTX_use_certificate(ctx, h->server_cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
	EVP_PKEY_free(key);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, handshake_trust_all, NULL);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (!h->no_time)
		SSL_CTX_set_mode(ctx, SSL_MODE_SEND_SERVERHELLO_TIME);
	PKI_NEED(SSL_CTX_set1_groups_list(ctx, h->groups != NULL ? h->groups : "X25519:P-256:P-384") == 1);
	return ctx;
}

static SSL_CTX *handshake_client(struct handshake *h)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	PKI_NEED(ctx != NULL && SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1);
	PKI_NEED(h->cert == NULL || (SSL_CTX_use_certificate(ctx, h->cert) == 1 && SSL_CTX_use_PrivateKey(ctx, h->key) == 1));
	PKI_NEED(h->issuer == NULL || SSL_CTX_add1_chain_cert(ctx, h->issuer) == 1);
	return ctx;
}

static void handshake_settle(struct handshake *h, SSL_CTX *ctx)
{
	PKI_NEED(SSL_CTX_set_min_proto_version(ctx, h->version) == 1 && SSL_CTX_set_max_proto_version(ctx, h->version) == 1);
	PKI_NEED(h->sigalgs == NULL || SSL_CTX_set1_sigalgs_list(ctx, h->sigalgs) == 1);
	PKI_NEED(h->suites == NULL || SSL_CTX_set_ciphersuites(ctx, h->suites) == 1);
}

// Did it come to its end on both sides, with a client's signature in it?
static PKI_UNUSED bool handshake_run(struct handshake *h)
{
	SSL_CTX *server_ctx = handshake_server(h), *client_ctx = handshake_client(h);
	BIO *one, *other;
	SSL *server, *client;

	h->len = 0;
	h->done = false;
	handshake_settle(h, server_ctx);
	handshake_settle(h, client_ctx);
	server = SSL_new(server_ctx);
	client = SSL_new(client_ctx);
	PKI_NEED(server != NULL && client != NULL && BIO_new_bio_pair(&one, 1 << 17, &other, 1 << 17) == 1);
	SSL_set_bio(server, one, one);
	SSL_set_bio(client, other, other);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	SSL_set_msg_callback(server, handshake_on_message);
	SSL_set_msg_callback_arg(server, h);
	signer_set(handshake_sign, h);
	for (int i = 0; i < 8 && !(SSL_is_init_finished(client) && SSL_is_init_finished(server)); i++) {
		SSL_do_handshake(client);
		SSL_do_handshake(server);
	}
	h->done = h->done && SSL_is_init_finished(server) && SSL_is_init_finished(client);
	SSL_free(server);
	SSL_free(client);
	SSL_CTX_free(server_ctx);
	SSL_CTX_free(client_ctx);
	return h->done;
}
