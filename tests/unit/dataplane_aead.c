// ipsec-mb and OpenSSL must agree on every length, in both directions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/aead.h"

#define LENGTH_MAX 1600
#define ROOM (LENGTH_MAX + AEAD_TAG)

static const uint8_t ciphers[] = { AEAD_AES_128_GCM, AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305 };
static uint8_t secret[32], nonce[12], aad[AEAD_AAD];

static void noise(void *p, size_t n)
{
	static uint32_t x = 12345;

	for (uint8_t *b = p; n--; b++) {
		x = x * 1664525 + 1013904223;
		*b = x >> 24;
	}
}

static void key_set(struct aead_key *k, uint8_t cipher)
{
	assert_int_equal(aead_key_set(k, cipher, secret, aead_key_len(cipher)), 0);
}

static struct aead_op op_of(const struct aead_key *k, uint8_t cipher, uint8_t *data, uint32_t len)
{
	struct aead_op op = { .key = k, .data = data, .len = len, .cipher = cipher, .tag = data + len };

	memcpy(op.nonce, nonce, sizeof(nonce));
	memcpy(op.aad, aad, sizeof(aad));
	return op;
}

static void seal(const struct aead_key *k, uint8_t cipher, uint8_t *data, uint32_t len)
{
	struct aead_op op = op_of(k, cipher, data, len);

	aead_seal_burst(&op, 1);
}

static bool opens(const struct aead_key *k, uint8_t cipher, uint8_t *data, uint32_t len)
{
	struct aead_op op = op_of(k, cipher, data, len);

	aead_open_burst(&op, 1);
	return op.ok;
}

static void test_agree(void **state)
{
	static uint8_t plain[ROOM], mb[ROOM], openssl[ROOM];
	struct aead_key mb_key, openssl_key;

	for (unsigned c = 0; c < 3; c++) {
		for (uint32_t len = 0; len <= LENGTH_MAX; len++) {
			noise(secret, sizeof(secret));
			noise(nonce, sizeof(nonce));
			noise(aad, sizeof(aad));
			noise(plain, len);
			memcpy(mb, plain, len);
			memcpy(openssl, plain, len);
			assert_int_equal(aead_init(), 0);
			key_set(&mb_key, ciphers[c]);
			seal(&mb_key, ciphers[c], mb, len);
			assert_int_equal(aead_init_openssl(), 0);
			key_set(&openssl_key, ciphers[c]);
			seal(&openssl_key, ciphers[c], openssl, len);
			assert_memory_equal(mb, openssl, len + AEAD_TAG);
			assert_true(opens(&openssl_key, ciphers[c], mb, len));
			assert_memory_equal(mb, plain, len);
			assert_int_equal(aead_init(), 0);
			assert_true(opens(&mb_key, ciphers[c], openssl, len));
			assert_memory_equal(openssl, plain, len);
		}
	}
}

static void check_forgeries(uint8_t cipher)
{
	struct aead_key k;
	uint8_t data[100 + AEAD_TAG], good[sizeof(data)];

	key_set(&k, cipher);
	noise(good, 100);
	seal(&k, cipher, good, 100);
	for (unsigned bit = 0; bit < 8 * sizeof(good); bit++) {
		memcpy(data, good, sizeof(data));
		data[bit / 8] ^= 1 << bit % 8;
		assert_false(opens(&k, cipher, data, 100));
	}
	for (unsigned bit = 0; bit < 8 * AEAD_AAD; bit++) {
		memcpy(data, good, sizeof(data));
		aad[bit / 8] ^= 1 << bit % 8;
		assert_false(opens(&k, cipher, data, 100));
		aad[bit / 8] ^= 1 << bit % 8;
	}
	for (unsigned bit = 0; bit < 96; bit++) {
		memcpy(data, good, sizeof(data));
		nonce[bit / 8] ^= 1 << bit % 8;
		assert_false(opens(&k, cipher, data, 100));
		nonce[bit / 8] ^= 1 << bit % 8;
	}
	assert_true(opens(&k, cipher, good, 100));
}

static void test_forgeries(void **state)
{
	for (unsigned c = 0; c < 3; c++) {
		assert_int_equal(aead_init(), 0);
		check_forgeries(ciphers[c]);
		assert_int_equal(aead_init_openssl(), 0);
		check_forgeries(ciphers[c]);
	}
}

static void test_burst_of_many_keys(void **state)
{
	static struct aead_key keys[32];
	static uint8_t data[32][ROOM], plain[32][ROOM];
	struct aead_op op[32];

	assert_int_equal(aead_init(), 0);
	for (unsigned i = 0; i < 32; i++) {
		uint8_t cipher = ciphers[i % 3];
		noise(secret, sizeof(secret));
		key_set(&keys[i], cipher);
		noise(plain[i], 40 * i);
		memcpy(data[i], plain[i], 40 * i);
		op[i] = op_of(&keys[i], cipher, data[i], 40 * i);
	}
	aead_seal_burst(op, 32);
	data[7][3] ^= 1;
	aead_open_burst(op, 32);
	for (unsigned i = 0; i < 32; i++) {
		assert_int_equal(op[i].ok, i != 7);
		if (i != 7)
			assert_memory_equal(data[i], plain[i], 40 * i);
	}
}

static void test_keys(void **state)
{
	static const uint8_t zero[sizeof(struct aead_key)];
	struct aead_key k;

	assert_int_equal(aead_init(), 0);
	assert_true(aead_key_set(&k, AEAD_NONE, secret, 16) < 0);
	assert_true(aead_key_set(&k, AEAD_LAST + 1, secret, 32) < 0);
	assert_true(aead_key_set(&k, AEAD_AES_128_GCM, secret, 32) < 0);
	assert_true(aead_key_set(&k, AEAD_AES_256_GCM, secret, 16) < 0);
	assert_true(aead_key_set(&k, AEAD_CHACHA20_POLY1305, secret, 31) < 0);
	key_set(&k, AEAD_AES_256_GCM);
	assert_memory_not_equal(&k, zero, sizeof(k));
	aead_key_wipe(&k);
	assert_memory_equal(&k, zero, sizeof(k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agree),
		cmocka_unit_test(test_forgeries),
		cmocka_unit_test(test_burst_of_many_keys),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
