#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dtls.h"
#include "signer.h"
#include "tls_ctx.h"
#include "vhost.h"

#define ROUNDS 8

// A throw-away key signs here, with the context's own certificate beside it: the client notices at once, but by then the server has
// gone through all that needs its certificates. A second context, whose certificate is the throw-away key's, goes to the end.
static unsigned signatures; // that were asked for

static int sign_locally(void *who, uint8_t vhost, uint8_t key, uint16_t scheme, const uint8_t *tbs, size_t tbs_len,
                        uint8_t *signature, size_t room)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = room;
	int ok = ctx && EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, who, NULL) == 1 &&
	         EVP_DigestSign(ctx, signature, &len, tbs, tbs_len) == 1;

	EVP_MD_CTX_free(ctx);
	signatures++;
	return ok ? (int)len : -EIO;
}

static X509 *self_signed(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;

	if (!cert)
		return NULL;
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"warm-up", -1, -1, 0);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	if (!X509_gmtime_adj(X509_getm_notBefore(cert), 0) || !X509_gmtime_adj(X509_getm_notAfter(cert), 3600) ||
	    X509_set_issuer_name(cert, name) != 1 || X509_set_pubkey(cert, key) != 1 || X509_sign(cert, key, EVP_sha256()) <= 0) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

// ----------------------------------------------------------------------------------------------------------- handshakes

// Both ends in turn, over a pair of memory BIOs; then a record each way. True where it came to the end.
static bool shake(SSL *server, SSL *client)
{
	char buf[16];
	int i, s = 0, c = 0;

	for (i = 0; i < ROUNDS && (s != 1 || c != 1); i++) {
		c = SSL_connect(client);
		s = SSL_accept(server);
	}
	if (s != 1 || c != 1)
		return false;
	SSL_write(client, "up", 2);
	SSL_read(server, buf, sizeof(buf));
	SSL_write(server, "down", 4);
	SSL_read(client, buf, sizeof(buf));
	return true;
}

static bool shake_in_memory(SSL_CTX *server_ctx, SSL_CTX *client_ctx, int version)
{
	SSL *server = SSL_new(server_ctx), *client = SSL_new(client_ctx);
	BIO *a = NULL, *b = NULL;
	bool done = false;
	unsigned char psk[DTLS_PSK_SIZE];

	if (server && client && BIO_new_bio_pair(&a, 0, &b, 0) == 1) {
		SSL_set_bio(server, a, a);
		SSL_set_bio(client, b, b);
		SSL_set_min_proto_version(client, version);
		SSL_set_max_proto_version(client, version);
		done = shake(server, client);
		if (done)
			SSL_export_keying_material(server, psk, sizeof(psk), "EXPORTER-openconnect-psk", 24, NULL, 0, 0);
	}
	SSL_free(server);
	SSL_free(client);
	ERR_clear_error();
	return done;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

// A client that can do everything gets no signature of it: then nobody does.
static int warm_vhost(const struct vhost *vhost, SSL_CTX *client, char text[LIMIT_TEXT + 1])
{
	signatures = 0;
	for (int i = 0; i < 2; i++)
		shake_in_memory(vhost->tls, client, versions[i]);
	if (signatures > 0)
		return 0;
	snprintf(text, LIMIT_TEXT + 1, "tls-priorities: it leaves nothing that the keys of the server can be used with%s%s",
	         vhost->number > 0 ? ", at " : "", vhost->name);
	return -EINVAL;
}

static int warm_tls(const struct vhosts *v, SSL_CTX *own, char text[LIMIT_TEXT + 1])
{
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	int ret = client && SSL_CTX_set1_groups_list(client, "X25519:P-256:P-384:P-521:X448") == 1 ? 0 : -ENOMEM;

	for (unsigned n = 0; n < v->n && ret == 0; n++)
		ret = warm_vhost(&v->vhost[n], client, text);
	for (int i = 0; i < 2 && ret == 0; i++)
		if (!shake_in_memory(own, client, versions[i]))
			ret = -EPROTO;
	SSL_CTX_free(client);
	return ret;
}

// ----------------------------------------------------------------------------------------------------------------- DTLS

static const struct dtls_secret warm_secret = {
	.kind = DTLS_KIND_PSK,
	.psk = "warm-up",
	.ciphers = { .aead = { AEAD_AES_256_GCM }, .n = 1 },
};

// Datagrams do not survive a BIO pair; one at a time through a variable does, since each side answers before the next.
struct loop {
	uint8_t down[4][LIMIT_DATAGRAM], up[4][LIMIT_DATAGRAM];
	size_t down_len[4], up_len[4];
	unsigned n_down, at_down, n_up;
};

static void loop_send(void *who, uint32_t handshake, const uint8_t *buf, size_t len)
{
	struct loop *l = who;

	if (l->n_down == 4 || len > LIMIT_DATAGRAM)
		return;
	memcpy(l->down[l->n_down], buf, len);
	l->down_len[l->n_down++] = len;
}

static int loop_keys(void *who, const struct msg_dtls_keys *keys)
{
	return 0;
}
static void loop_seal(void *who, uint32_t handshake, uint8_t type, const uint8_t *plain, size_t len) {}

static int loop_write(BIO *b, const char *buf, int len)
{
	struct loop *l = BIO_get_data(b);

	if (l->n_up < 4 && len <= LIMIT_DATAGRAM) {
		memcpy(l->up[l->n_up], buf, (size_t)len);
		l->up_len[l->n_up++] = (size_t)len;
	}
	return len;
}

static int loop_read(BIO *b, char *buf, int room)
{
	struct loop *l = BIO_get_data(b);
	size_t len;

	BIO_clear_retry_flags(b);
	if (l->at_down == l->n_down) {
		BIO_set_retry_read(b);
		return -1;
	}
	len = l->down_len[l->at_down] < (size_t)room ? l->down_len[l->at_down] : (size_t)room;
	memcpy(buf, l->down[l->at_down++], len);
	return (int)len;
}

static long loop_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	return cmd == BIO_CTRL_FLUSH;
}

static unsigned int loop_psk(SSL *ssl, const char *hint, char *identity, unsigned int id_room, unsigned char *out,
                             unsigned int room)
{
	strncpy(identity, "psk", id_room);
	memcpy(out, warm_secret.psk, DTLS_PSK_SIZE);
	return DTLS_PSK_SIZE;
}

static BIO *loop_bio(BIO_METHOD *method, struct loop *l)
{
	BIO *b = NULL;

	if (method && BIO_meth_set_write(method, loop_write) && BIO_meth_set_read(method, loop_read) &&
	    BIO_meth_set_ctrl(method, loop_ctrl))
		b = BIO_new(method);
	if (b) {
		BIO_set_data(b, l);
		BIO_set_init(b, 1);
	}
	return b;
}

static bool shake_dtls(struct dtls *server, SSL *client, struct loop *l)
{
	unsigned i, n;

	for (i = 0; i < ROUNDS && SSL_connect(client) != 1; i++) {
		for (n = 0; n < l->n_up; n++)
			dtls_input(server, l->up[n], l->up_len[n]);
		l->n_up = 0;
		if (l->at_down == l->n_down)
			l->at_down = l->n_down = 0;
	}
	return dtls_done(server);
}

static int warm_dtls(SSL_CTX *ctx)
{
	static const struct dtls_road road = { loop_send, loop_keys, loop_seal };
	static struct loop l;
	SSL_CTX *client_ctx = SSL_CTX_new(DTLS_client_method());
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "warm-up");
	struct dtls *server = dtls_new(ctx, 1, &warm_secret, 1400, &road, &l, 0);
	SSL *client = client_ctx ? SSL_new(client_ctx) : NULL;
	BIO *bio = client ? loop_bio(method, &l) : NULL;
	int ret = -EPROTO;

	if (server && bio) {
		SSL_set_bio(client, bio, bio);
		SSL_set_psk_client_callback(client, loop_psk);
		SSL_set_cipher_list(client, "PSK");
		SSL_set_options(client, SSL_OP_NO_QUERY_MTU);
		SSL_set_mtu(client, 1400);
		if (shake_dtls(server, client, &l))
			ret = 0;
	}
	SSL_free(client);
	dtls_free(server);
	BIO_meth_free(method);
	SSL_CTX_free(client_ctx);
	ERR_clear_error();
	return ret;
}

// --------------------------------------------------------------------------------------------------------------- the door

int tls_warm_up(const struct vhosts *v, SSL_CTX *dtls, char text[LIMIT_TEXT + 1])
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *pair = key ? signer_key_new(key, 0, 0) : NULL;
	X509 *cert = pair ? self_signed(key) : NULL;
	SSL_CTX *own = cert ? tls_ctx_new() : NULL;
	int ret = -ENOMEM;

	snprintf(text, LIMIT_TEXT + 1, "the TLS warm-up failed");
	if (own && SSL_CTX_use_certificate(own, cert) == 1 && SSL_CTX_use_PrivateKey(own, pair) == 1) {
		signer_set(sign_locally, key);
		ret = warm_tls(v, own, text);
		signer_set(NULL, NULL);
	}
	if (ret == 0)
		ret = warm_dtls(dtls);
	SSL_CTX_free(own);
	X509_free(cert);
	EVP_PKEY_free(pair);
	EVP_PKEY_free(key);
	return ret;
}
