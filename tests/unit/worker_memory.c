// What OpenSSL writes to lies together until the nursery forks; an idle worker keeps nothing that it does not need.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/evp.h>

#include "control/worker/memory.h"

#define LOCKS "../crypto/threads_pthread.c"
#define OTHER "../crypto/lhash/lhash.c"

// A sanitizer is to see each allocation: memory_init() leaves them to it.
#ifdef __SANITIZE_ADDRESS__
#define NOT_SANITIZED skip()
#else
#define NOT_SANITIZED ((void)0)
#endif

static bool adjoin(const void *a, const void *b)
{
	return labs((const char *)a - (const char *)b) == 64;
}

static void objects_of_one_kind_lie_together(void **state)
{
	NOT_SANITIZED;
	void *a = CRYPTO_malloc(56, LOCKS, 1), *between = CRYPTO_malloc(56, OTHER, 1), *b = CRYPTO_malloc(56, LOCKS, 1), *c;

	assert_true(adjoin(a, b));
	assert_false(adjoin(a, between));
	assert_int_equal((uintptr_t)a % 16, 0);
	CRYPTO_free(a, LOCKS, 1);
	c = CRYPTO_malloc(50, LOCKS, 1);
	assert_ptr_equal(c, a); // whose place it took
	CRYPTO_free(c, LOCKS, 1);
	CRYPTO_free(b, LOCKS, 1);
	CRYPTO_free(between, OTHER, 1);
}

static void what_grows_moves(void **state)
{
	char *p = CRYPTO_malloc(8, LOCKS, 1);

	memcpy(p, "content", 8);
	p = CRYPTO_realloc(p, 100000, LOCKS, 1);
	assert_string_equal(p, "content");
	p = CRYPTO_realloc(p, 8, LOCKS, 1);
	assert_string_equal(p, "content");
	assert_null(CRYPTO_realloc(p, 0, LOCKS, 1));
	assert_null(CRYPTO_malloc(0, LOCKS, 1));
}

static void too_many_are_no_harm(void **state)
{
	static void *many[4096];
	size_t i;

	for (i = 0; i < 4096; i++) {
		many[i] = CRYPTO_malloc(56, LOCKS, 1);
		assert_non_null(many[i]);
		memset(many[i], (int)i, 56);
	}
	for (i = 0; i < 4096; i++) {
		assert_int_equal(*(uint8_t *)many[i], i & 0xff);
		CRYPTO_free(many[i], LOCKS, 1);
	}
}

static unsigned stack_kib(void)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned kib = 0;
	char line[256];
	bool stack = false;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		stack = strstr(line, "[stack]") || (stack && line[0] >= 'A' && line[0] <= 'Z');
		if (stack && sscanf(line, "Rss: %u", &kib) == 1)
			break;
	}
	fclose(f);
	return kib;
}

static void __attribute__((noinline)) go_deep(void)
{
	volatile uint8_t deep[80 * 1024];
	size_t i;

	for (i = 0; i < sizeof(deep); i += 1024)
		deep[i] = 1;
}

static void an_idle_worker_keeps_no_stack(void **state)
{
	unsigned before;

	NOT_SANITIZED;
	go_deep();
	before = stack_kib();
	assert_true(before >= 80);
	memory_trim();
	assert_true(stack_kib() + 60 <= before);
	go_deep();
}

// The pages that workers share stay as they are.
static void after_the_fork_nothing_is_taken_or_given_back(void **state)
{
	NOT_SANITIZED;
	void *before = CRYPTO_malloc(56, LOCKS, 1), *after;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL), 1);
	memory_settle();
	memset(before, 0xa5, 56);
	CRYPTO_free(before, LOCKS, 1);
	after = CRYPTO_malloc(56, LOCKS, 1);
	assert_ptr_not_equal(after, before);
	assert_int_equal(((uint8_t *)before)[0], 0xa5);
	CRYPTO_free(after, LOCKS, 1);
	EVP_MD_CTX_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_of_one_kind_lie_together),
		cmocka_unit_test(what_grows_moves),
		cmocka_unit_test(too_many_are_no_harm),
		cmocka_unit_test(an_idle_worker_keeps_no_stack),
		cmocka_unit_test(after_the_fork_nothing_is_taken_or_given_back),
	};

	memory_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
