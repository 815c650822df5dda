// What an implementation of the record AEAD offers to aead.c. Chosen once, at start.
#pragma once
#include "aead.h"

struct aead_engine {
	int (*init)(void); // 0 or -ENOTSUP; once a process
	int (*thread_init)(void);
	const char *(*name)(void);
	void (*key_set)(struct aead_key *k, uint8_t cipher, const uint8_t *key);
	void (*key_announce)(const struct aead_key *k, uint8_t cipher,
	                     uint32_t len); // some of its lines, to the second-level cache
	void (*key_prefetch)(const struct aead_key *k, uint8_t cipher, uint32_t len); // all lines that will be touched
	void (*open)(const struct aead_op *op, uint8_t tag[AEAD_TAG]); // decrypts and computes the tag; compares nothing
	void (*seal)(const struct aead_op *op);
};

extern const struct aead_engine aead_engine_mb, aead_engine_openssl;
