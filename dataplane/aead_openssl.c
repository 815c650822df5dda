// The AEAD through OpenSSL's EVP: where the CPU lacks what ipsec-mb needs, and as the second opinion of the unit tests.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <rte_prefetch.h>

#include "aead_engine.h"

static EVP_CIPHER *ciphers[AEAD_LAST + 1];
static __thread EVP_CIPHER_CTX *contexts[AEAD_LAST + 1]; // this thread's, made before the first packet

static int openssl_init(void)
{
	static const char *const names[] = {
		[AEAD_AES_128_GCM] = "AES-128-GCM",
		[AEAD_AES_256_GCM] = "AES-256-GCM",
		[AEAD_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
	};

	for (unsigned c = AEAD_NONE + 1; c <= AEAD_LAST; c++) {
		if (!ciphers[c])
			ciphers[c] = EVP_CIPHER_fetch(NULL, names[c], NULL);
		if (!ciphers[c])
			return -ENOTSUP;
	}
	return 0;
}

static int openssl_thread_init(void)
{
	for (unsigned c = AEAD_NONE + 1; c <= AEAD_LAST; c++) {
		if (contexts[c])
			continue;
		EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
		if (!ctx || EVP_CipherInit_ex2(ctx, ciphers[c], NULL, NULL, 1, NULL) != 1) {
			EVP_CIPHER_CTX_free(ctx);
			return -ENOMEM;
		}
		contexts[c] = ctx;
	}
	return 0;
}

static const char *openssl_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "OpenSSL %s", OpenSSL_version(OPENSSL_VERSION_STRING));
	return name;
}

static void openssl_key_set(struct aead_key *k, uint8_t cipher, const uint8_t *key)
{
	memcpy(k->room, key, aead_key_len(cipher));
}

static void openssl_key_prefetch(const struct aead_key *k, uint8_t cipher, uint32_t len)
{
	rte_prefetch0(k->room);
}

static EVP_CIPHER_CTX *begin(const struct aead_op *op, int sealing)
{
	EVP_CIPHER_CTX *ctx = contexts[op->cipher];
	int len;

	EVP_CipherInit_ex2(ctx, NULL, op->key->room, op->nonce, sealing, NULL);
	EVP_CipherUpdate(ctx, NULL, &len, op->aad, AEAD_AAD);
	return ctx;
}

// EVP compares tags itself and does not show what it computed: aead.c is told by a copy that is equal or not.
static void openssl_open(const struct aead_op *op, uint8_t tag[AEAD_TAG])
{
	EVP_CIPHER_CTX *ctx = begin(op, 0);
	int len, ok;

	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, op->tag);
	ok = EVP_CipherUpdate(ctx, op->data, &len, op->data, (int)op->len);
	ok = ok == 1 && EVP_CipherFinal_ex(ctx, op->data + op->len, &len) == 1;
	memcpy(tag, op->tag, AEAD_TAG);
	if (!ok)
		tag[0] ^= 1;
}

static void openssl_seal(const struct aead_op *op)
{
	EVP_CIPHER_CTX *ctx = begin(op, 1);
	int len;

	EVP_CipherUpdate(ctx, op->data, &len, op->data, (int)op->len);
	EVP_CipherFinal_ex(ctx, op->data + op->len, &len);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, op->tag);
}

static void openssl_key_announce(const struct aead_key *k, uint8_t cipher, uint32_t len)
{
	rte_prefetch1(k->room);
}

const struct aead_engine aead_engine_openssl = {
	.init = openssl_init,
	.thread_init = openssl_thread_init,
	.name = openssl_name,
	.key_set = openssl_key_set,
	.key_announce = openssl_key_announce,
	.key_prefetch = openssl_key_prefetch,
	.open = openssl_open,
	.seal = openssl_seal,
};
