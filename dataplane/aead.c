#include "aead.h"

#include <errno.h>
#include <string.h>

#include <rte_branch_prediction.h>

#include "aead_engine.h"
#include "proto/err.h"
#include "proto/secret.h"

static const struct aead_engine *engine;

int aead_init(void)
{
	engine = &aead_engine_mb;
	if (engine->init() == 0)
		return aead_thread_init();
	log_warn("no AES-NI that ipsec-mb can use: records are sealed through OpenSSL, which is slower");
	return aead_init_openssl();
}

int aead_init_openssl(void)
{
	engine = &aead_engine_openssl;
	int ret = engine->init();
	if (ret < 0)
		return errno_log(-ret, "no AEAD ciphers in OpenSSL either");
	return aead_thread_init();
}

int aead_thread_init(void)
{
	return engine->thread_init();
}

const char *aead_implementation(void)
{
	return engine ? engine->name() : "none";
}

int aead_key_set(struct aead_key *k, uint8_t cipher, const uint8_t *key, size_t len)
{
	if (cipher == AEAD_NONE || cipher > AEAD_LAST || len != aead_key_len(cipher))
		return -EINVAL;
	memset(k, 0, sizeof(*k));
	engine->key_set(k, cipher, key);
	return 0;
}

void aead_key_wipe(struct aead_key *k)
{
	secret_wipe(k, sizeof(*k));
}

static inline bool tag_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, AEAD_TAG);
	memcpy(y, b, AEAD_TAG);
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

void aead_key_announce(const struct aead_key *k, uint8_t cipher, uint32_t len)
{
	engine->key_announce(k, cipher, len);
}

void aead_key_prefetch(const struct aead_key *k, uint8_t cipher, uint32_t len)
{
	engine->key_prefetch(k, cipher, len);
}

static inline void fetch(const struct aead_op *ops, unsigned n, unsigned i)
{
	if (i + AEAD_ANNOUNCED < n)
		engine->key_announce(ops[i + AEAD_ANNOUNCED].key, ops[i + AEAD_ANNOUNCED].cipher, ops[i + AEAD_ANNOUNCED].len);
	if (i + AEAD_AHEAD < n)
		engine->key_prefetch(ops[i + AEAD_AHEAD].key, ops[i + AEAD_AHEAD].cipher, ops[i + AEAD_AHEAD].len);
}

static inline void fetch_first(const struct aead_op *ops, unsigned n)
{
	for (unsigned i = 0; i < n && i < AEAD_AHEAD; i++)
		engine->key_prefetch(ops[i].key, ops[i].cipher, ops[i].len);
}

void aead_open_burst(struct aead_op *ops, unsigned n)
{
	uint8_t tag[AEAD_TAG];

	fetch_first(ops, n);
	for (unsigned i = 0; i < n; i++) {
		fetch(ops, n, i);
		engine->open(&ops[i], tag);
		ops[i].ok = tag_equal(tag, ops[i].tag);
	}
}

void aead_seal_burst(struct aead_op *ops, unsigned n)
{
	fetch_first(ops, n);
	for (unsigned i = 0; i < n; i++) {
		fetch(ops, n, i);
		engine->seal(&ops[i]);
	}
}
