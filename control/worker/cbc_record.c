#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>

#include "cbc_record.h"

#define PSEUDO_HEADER 13 // what the MAC covers before the plaintext

static EVP_CIPHER_CTX *cipher_new(unsigned version, bool seals, const uint8_t *key, size_t key_len)
{
	static const uint8_t none[CBC_BLOCK]; // the explicit IV is a random block before the plaintext
	EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, key_len == 16 ? "AES-128-CBC" : "AES-256-CBC", NULL);
	EVP_CIPHER_CTX *ctx = aes ? EVP_CIPHER_CTX_new() : NULL;
	size_t mac = CBC_MAC;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(OSSL_CIPHER_PARAM_TLS_VERSION, &version),
		OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_TLS_MAC_SIZE, &mac),
		OSSL_PARAM_construct_end(),
	};

	if (ctx && EVP_CipherInit_ex2(ctx, aes, key, none, seals, params) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_CIPHER_free(aes);
	return ctx;
}

static EVP_MAC_CTX *mac_new(const uint8_t key[CBC_MAC])
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA1", 0),
		OSSL_PARAM_construct_end(),
	};

	if (ctx && EVP_MAC_init(ctx, key, CBC_MAC, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_MAC_free(hmac);
	return ctx;
}

int cbc_way_init(struct cbc_way *w, uint16_t version, bool seals, const uint8_t *key, size_t key_len,
                 const uint8_t mac_key[CBC_MAC])
{
	w->version = version;
	w->cipher = cipher_new(version, seals, key, key_len);
	w->mac = mac_new(mac_key);
	if (w->cipher && w->mac)
		return 0;
	cbc_way_fini(w);
	return -ENOMEM;
}

void cbc_way_fini(struct cbc_way *w)
{
	EVP_CIPHER_CTX_free(w->cipher);
	EVP_MAC_CTX_free(w->mac);
	w->cipher = NULL;
	w->mac = NULL;
}

// padded: the length that anybody can see, of plaintext, MAC and padding together; the work is that of the longest plaintext that
// fits into it (RFC 5246 6.2.3.2, "Implementation note"). 0: the length is nobody's secret.
static int make_mac(const struct cbc_way *w, const uint8_t header[RECORD_HEADER], const uint8_t *plain, size_t len, size_t padded,
                    uint8_t mac[CBC_MAC])
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_TLS_DATA_SIZE, &padded),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(w->mac); // a context that has seen one record never forgets its header
	uint8_t pseudo[PSEUDO_HEADER];
	size_t made = 0;

	memcpy(pseudo, header + 3, 8);
	memcpy(pseudo + 8, header, 3);
	pseudo[11] = (uint8_t)(len >> 8);
	pseudo[12] = (uint8_t)len;
	if (!ctx || EVP_MAC_CTX_set_params(ctx, params) != 1 || EVP_MAC_update(ctx, pseudo, sizeof(pseudo)) != 1 ||
	    EVP_MAC_update(ctx, plain, len) != 1 || EVP_MAC_final(ctx, mac, &made, CBC_MAC) != 1)
		made = 0;
	EVP_MAC_CTX_free(ctx);
	return made == CBC_MAC ? 0 : -EIO;
}

int cbc_seal(struct cbc_way *w, uint8_t type, uint16_t epoch, uint64_t sequence, const uint8_t *plain, size_t len, uint8_t *out)
{
	uint8_t *body = out + RECORD_HEADER;
	int i, n, sealed;

	out[0] = type;
	out[1] = (uint8_t)(w->version >> 8);
	out[2] = (uint8_t)w->version;
	out[3] = (uint8_t)(epoch >> 8);
	out[4] = (uint8_t)epoch;
	for (i = 0; i < 6; i++)
		out[5 + i] = (uint8_t)(sequence >> (8 * (5 - i)));
	memcpy(body + CBC_BLOCK, plain, len);
	if (RAND_bytes(body, CBC_BLOCK) != 1 || make_mac(w, out, body + CBC_BLOCK, len, 0, body + CBC_BLOCK + len) < 0)
		return -EIO;
	n = (int)(CBC_BLOCK + len + CBC_MAC);
	if (EVP_CipherUpdate(w->cipher, body, &sealed, body, n) != 1)
		return -EIO;
	out[11] = (uint8_t)(sealed >> 8);
	out[12] = (uint8_t)sealed;
	return RECORD_HEADER + sealed;
}

int cbc_open(struct cbc_way *w, const struct record *r, uint8_t *plain)
{
	uint8_t made[CBC_MAC], *sent = NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_ptr(OSSL_CIPHER_PARAM_TLS_MAC, (void **)&sent, CBC_MAC),
		OSSL_PARAM_construct_end(),
	};
	int len;

	if (r->len % CBC_BLOCK != 0 || r->len < 3 * CBC_BLOCK)
		return -EBADMSG;
	memcpy(plain, r->body, r->len);
	// A wrong padding is no error here: the MAC that comes out of it is a random one.
	if (EVP_CipherUpdate(w->cipher, plain, &len, plain, (int)r->len) != 1 ||
	    EVP_CIPHER_CTX_get_params(w->cipher, params) != 1 || !sent)
		return -EBADMSG;
	// Nobody sends an empty record, and OpenSSL would not make its MAC: then that of another one is made, which takes as long.
	if (make_mac(w, r->body - RECORD_HEADER, plain + CBC_BLOCK, (size_t)(len ? len : 1), r->len - CBC_BLOCK, made) < 0 ||
	    CRYPTO_memcmp(made, sent, CBC_MAC) != 0 || len == 0)
		return -EBADMSG;
	memmove(plain, plain + CBC_BLOCK, (size_t)len);
	return len;
}
