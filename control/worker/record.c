#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

#include "proto/secret.h"
#include "record.h"

#define TAG 16
#define ALERT 2 // bytes: level, description
#define GCM_EXPLICIT 8
#define MASTER_MAX 64
#define BLOCK_MAX (2 * (LIMIT_AEAD_KEY + LIMIT_AEAD_IV))

static uint64_t read_be(const uint8_t *p, int n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

int record_parse(const uint8_t *buf, size_t len, struct record *out)
{
	size_t body;

	if (len < RECORD_HEADER)
		return -EBADMSG;
	body = read_be(buf + 11, 2);
	if (body > len - RECORD_HEADER)
		return -EBADMSG;
	out->type = buf[0];
	out->epoch = (uint16_t)read_be(buf + 3, 2);
	out->sequence = read_be(buf + 5, 6);
	out->body = buf + RECORD_HEADER;
	out->len = body;
	out->whole = RECORD_HEADER + body;
	return 0;
}

int record_handshake_span(const struct record *r, size_t *at, uint32_t *message_len, uint32_t *end)
{
	const uint8_t *m = r->body + *at;
	uint32_t fragment;

	if (r->type != RECORD_HANDSHAKE || r->epoch != 0 || r->len < *at || r->len - *at < HANDSHAKE_HEADER)
		return -EBADMSG;
	*message_len = (uint32_t)read_be(m + 1, 3);
	fragment = (uint32_t)read_be(m + 9, 3);
	*end = (uint32_t)read_be(m + 6, 3) + fragment; // both are 24 bits: no overflow
	*at += HANDSHAKE_HEADER + fragment;
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- keys

struct shape {
	enum aead_cipher cipher;
	size_t key, iv;
};

static const struct shape *shape_of(const SSL_CIPHER *c)
{
	static const struct {
		int nid;
		struct shape shape;
	} shapes[] = {
		{ NID_aes_128_gcm, { AEAD_AES_128_GCM, 16, 4 } },
		{ NID_aes_256_gcm, { AEAD_AES_256_GCM, 32, 4 } },
		{ NID_chacha20_poly1305, { AEAD_CHACHA20_POLY1305, 32, 12 } },
	};
	size_t i;

	for (i = 0; c && i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].nid == SSL_CIPHER_get_cipher_nid(c))
			return &shapes[i].shape;
	return NULL;
}

int record_prf(const char *digest, const uint8_t *master, size_t master_len, const char *label, const uint8_t *seed,
               size_t seed_len, uint8_t *out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)master, master_len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)label, strlen(label)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)seed, seed_len),
		OSSL_PARAM_construct_end(),
	};
	int ret = ctx && EVP_KDF_derive(ctx, out, len, params) == 1 ? 0 : -EIO;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ret;
}

// RFC 5246 6.3: AEAD suites have no MAC keys.
static void cut_block(const uint8_t *p, const struct shape *s, struct msg_dtls_keys *out)
{
	out->cipher = s->cipher;
	out->client_key_len = out->server_key_len = (uint16_t)s->key;
	out->client_iv_len = out->server_iv_len = (uint16_t)s->iv;
	memcpy(out->client_key, p, s->key);
	p += s->key;
	memcpy(out->server_key, p, s->key);
	p += s->key;
	memcpy(out->client_iv, p, s->iv);
	p += s->iv;
	memcpy(out->server_iv, p, s->iv);
}

int record_keys_derive(SSL *ssl, struct msg_dtls_keys *out)
{
	uint8_t master[MASTER_MAX], randoms[2 * SSL3_RANDOM_SIZE], block[BLOCK_MAX];
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	const struct shape *shape = shape_of(cipher);
	size_t master_len;
	int ret = -EPROTO;

	if (!shape)
		return -ENOTSUP;
	master_len = SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master));
	if (master_len == 0)
		goto out;
	SSL_get_server_random(ssl, randoms, SSL3_RANDOM_SIZE);
	SSL_get_client_random(ssl, randoms + SSL3_RANDOM_SIZE, SSL3_RANDOM_SIZE);
	ret = record_prf(EVP_MD_get0_name(SSL_CIPHER_get_handshake_digest(cipher)), master, master_len, "key expansion", randoms,
	                 sizeof(randoms), block, 2 * (shape->key + shape->iv));
	if (ret == 0)
		cut_block(block, shape, out);
out:
	secret_wipe(master, sizeof(master));
	secret_wipe(block, sizeof(block));
	return ret;
}

// ------------------------------------------------------------------------------------------------------------ records

static const EVP_CIPHER *evp_of(enum aead_cipher cipher)
{
	switch (cipher) {
	case AEAD_AES_128_GCM:
		return EVP_aes_128_gcm();
	case AEAD_AES_256_GCM:
		return EVP_aes_256_gcm();
	case AEAD_CHACHA20_POLY1305:
		return EVP_chacha20_poly1305();
	default:
		return NULL;
	}
}

// RFC 5288 3: fixed part and the record's explicit part; RFC 7905 2: the whole IV xor the padded sequence number.
static void make_nonce(enum aead_cipher cipher, const uint8_t *iv, const uint8_t *header, const uint8_t *body, uint8_t nonce[12])
{
	int i;

	if (cipher != AEAD_CHACHA20_POLY1305) {
		memcpy(nonce, iv, 4);
		memcpy(nonce + 4, body, GCM_EXPLICIT);
		return;
	}
	memcpy(nonce, iv, 12);
	for (i = 0; i < 8; i++)
		nonce[4 + i] ^= header[3 + i];
}

static int open_aead(const EVP_CIPHER *evp, const uint8_t *key, const uint8_t nonce[12], const uint8_t aad[13],
                     const uint8_t *sealed, int len, uint8_t *plain)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n, ret = -EBADMSG;

	if (!ctx)
		return -ENOMEM;
	if (EVP_DecryptInit_ex(ctx, evp, NULL, key, nonce) == 1 && EVP_DecryptUpdate(ctx, NULL, &n, aad, 13) == 1 &&
	    (len == 0 || EVP_DecryptUpdate(ctx, plain, &n, sealed, len) == 1) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, (void *)(sealed + len)) == 1 &&
	    EVP_DecryptFinal_ex(ctx, plain + len, &n) == 1)
		ret = len;
	EVP_CIPHER_CTX_free(ctx);
	return ret;
}

static int seal_aead(const EVP_CIPHER *evp, const uint8_t *key, const uint8_t nonce[12], const uint8_t aad[13], uint8_t *data,
                     int len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n, ret = -EIO;

	if (!ctx)
		return -EIO;
	if (EVP_EncryptInit_ex(ctx, evp, NULL, key, nonce) == 1 && EVP_EncryptUpdate(ctx, NULL, &n, aad, 13) == 1 &&
	    EVP_EncryptUpdate(ctx, data, &n, data, len) == 1 && EVP_EncryptFinal_ex(ctx, data + len, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, data + len) == 1)
		ret = 0;
	EVP_CIPHER_CTX_free(ctx);
	return ret;
}

static void write_be(uint8_t *p, int n, uint64_t v)
{
	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

int record_alert(const struct msg_dtls_keys *keys, uint64_t sequence, uint8_t out[LIMIT_FAREWELL])
{
	size_t explicit_len = keys->cipher == AEAD_CHACHA20_POLY1305 ? 0 : GCM_EXPLICIT;
	uint8_t *body = out + RECORD_HEADER, *alert = body + explicit_len, nonce[12], aad[13];
	const EVP_CIPHER *evp = evp_of(keys->cipher);

	if (!evp)
		return -EIO;
	out[0] = RECORD_ALERT;
	write_be(out + 1, 2, DTLS1_2_VERSION);
	write_be(out + 3, 2, keys->epoch);
	write_be(out + 5, 6, sequence);
	write_be(out + 11, 2, explicit_len + ALERT + TAG);
	memcpy(body, out + 3, explicit_len);
	alert[0] = SSL3_AL_FATAL;
	alert[1] = SSL_AD_USER_CANCELLED;
	make_nonce(keys->cipher, keys->server_iv, out, body, nonce);
	memcpy(aad, out + 3, 8);
	memcpy(aad + 8, out, 3);
	write_be(aad + 11, 2, ALERT);
	if (seal_aead(evp, keys->server_key, nonce, aad, alert, ALERT) < 0)
		return -EIO;
	return (int)(RECORD_HEADER + explicit_len + ALERT + TAG);
}

int record_open(const struct msg_dtls_keys *keys, const uint8_t *aead_key, const uint8_t *aead_iv, const struct record *r,
                uint8_t *plain, size_t room)
{
	const uint8_t *header = r->body - RECORD_HEADER;
	size_t explicit_len = keys->cipher == AEAD_CHACHA20_POLY1305 ? 0 : GCM_EXPLICIT;
	const EVP_CIPHER *evp = evp_of(keys->cipher);
	uint8_t nonce[12], aad[13];
	size_t len;

	if (!evp || r->len < explicit_len + TAG || r->len - explicit_len - TAG > room)
		return -EBADMSG;
	len = r->len - explicit_len - TAG;
	make_nonce(keys->cipher, aead_iv, header, r->body, nonce);
	memcpy(aad, header + 3, 8);
	memcpy(aad + 8, header, 3);
	aad[11] = (uint8_t)(len >> 8);
	aad[12] = (uint8_t)len;
	return open_aead(evp, aead_key, nonce, aad, r->body + explicit_len, (int)len, plain);
}
