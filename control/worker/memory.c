#include <malloc.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "memory.h"

#define PAGE ((size_t)4096)
#define HEAP_KEEP (1 << 20)         // a busy connection's buffers come and go without system calls; idle ones are trimmed
#define HOLE_MAX ((size_t)64 << 10) // below what malloc() takes from mmap()
#define HOLE_MIN ((size_t)16)
#define STACK_DEEP ((size_t)112 << 10) // more than a worker has ever used

// ------------------------------------------------------------------------------------------------------------- OpenSSL

// A handshake counts references to some twenty of its objects and takes some locks, which lie among a quarter of a megabyte of what
// is only read. Here they lie side by side, each kind by itself: of the ciphers few are used, of the locks hardly one. Who
// allocates is told by OpenSSL's file names; where those change, workers share less and nothing else happens.
#define POOL_SIZE (48 * 1024)
#define BLOCK_MOST 2048

struct block {
	size_t size;
	union {
		struct block *next; // while it is free
		uint8_t bytes[8];
	};
};

struct pool {
	uint8_t bytes[POOL_SIZE];
	size_t used;
	struct block *free[BLOCK_MOST / 16 + 1];
};

enum pool_kind { POOL_LOCKS, POOL_CIPHERS, POOL_OTHERS, POOL_KINDS };

static struct pool pools[POOL_KINDS] __attribute__((aligned(4096)));
static bool shared; // the nursery has forked, or is about to: its pages are left as they are

static const struct {
	const char *file;
	enum pool_kind kind;
} written[] = {
	{ "crypto/threads_pthread.c", POOL_LOCKS },
	{ "crypto/evp/evp_enc.c", POOL_CIPHERS },
	{ "crypto/evp/digest.c", POOL_OTHERS },
	{ "crypto/evp/exchange.c", POOL_OTHERS },
	{ "crypto/evp/kdf_meth.c", POOL_OTHERS },
	{ "crypto/evp/keymgmt_meth.c", POOL_OTHERS },
	{ "crypto/evp/mac_meth.c", POOL_OTHERS },
	{ "crypto/evp/signature.c", POOL_OTHERS },
	{ "crypto/evp/evp_rand.c", POOL_OTHERS },
	{ "crypto/evp/p_lib.c", POOL_OTHERS },
	{ "crypto/err/err.c", POOL_OTHERS },
	{ "crypto/initthread.c", POOL_OTHERS },
	{ "crypto/provider_core.c", POOL_OTHERS },
	{ "providers/implementations/rands/drbg.c", POOL_OTHERS },
	{ "providers/implementations/rands/drbg_ctr.c", POOL_OTHERS },
	{ "providers/implementations/ciphers/cipher_aes.c", POOL_OTHERS },
	{ "crypto/x509/x509_lu.c", POOL_OTHERS },
	{ "crypto/x509/x509_vpm.c", POOL_OTHERS },
	{ "ssl/ssl_cert.c", POOL_OTHERS },
	{ "ssl/ssl_lib.c", POOL_OTHERS },
};

static struct pool *pool_for(const char *file)
{
	size_t i, len = strlen(file), n;

	for (i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		n = strlen(written[i].file);
		if (len >= n && strcmp(file + len - n, written[i].file) == 0)
			return &pools[written[i].kind];
	}
	return NULL;
}

static struct pool *pool_of(const void *p)
{
	uintptr_t at = (uintptr_t)p - (uintptr_t)pools;

	return at < sizeof(pools) ? &pools[at / sizeof(pools[0])] : NULL;
}

// Blocks of 16 bytes less 8, as malloc() has them: a lock takes 64.
static void *pool_take(struct pool *pool, size_t size)
{
	size_t whole = (size + sizeof(size_t) + 15) & ~(size_t)15;
	struct block *b;

	if (size == 0 || whole > BLOCK_MOST)
		return NULL;
	b = pool->free[whole / 16];
	if (b) {
		pool->free[whole / 16] = b->next;
		return b->bytes;
	}
	if (pool->used == 0)
		pool->used = 16 - sizeof(size_t);
	if (whole > POOL_SIZE - pool->used)
		return NULL;
	b = (struct block *)(pool->bytes + pool->used);
	b->size = whole;
	pool->used += whole;
	return b->bytes;
}

static struct block *block_of(void *p)
{
	return (struct block *)((uint8_t *)p - offsetof(struct block, bytes));
}

static void *take(size_t size, const char *file, int line)
{
	struct pool *pool = shared || !file ? NULL : pool_for(file);
	void *p = pool ? pool_take(pool, size) : NULL;

	return p || size == 0 ? p : malloc(size);
}

static void give(void *p, const char *file, int line)
{
	struct pool *pool = pool_of(p);
	struct block *b;

	if (!pool) {
		free(p);
	} else if (!shared) {
		b = block_of(p);
		b->next = pool->free[b->size / 16];
		pool->free[b->size / 16] = b;
	}
}

static void *retake(void *p, size_t size, const char *file, int line)
{
	void *fresh;
	size_t had;

	if (size == 0) {
		give(p, file, line);
		return NULL;
	}
	if (!pool_of(p))
		return realloc(p, size);
	had = block_of(p)->size - sizeof(size_t);
	fresh = malloc(size);
	if (!fresh)
		return NULL;
	memcpy(fresh, p, had < size ? had : size);
	give(p, file, line);
	return fresh;
}

void memory_init(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, HEAP_KEEP);
#ifndef __SANITIZE_ADDRESS__ // which is to see each allocation
	CRYPTO_set_mem_functions(take, retake, give);
#endif
}

// -------------------------------------------------------------------------------------------------------------- nursery

// Plug what free() has left between the shared objects: a worker's own memory then comes off the top of the heap, on pages of its
// own, and does not turn every shared page that has room in it into a private one.
static void plug_heap(void)
{
	size_t size, step, top;
	void *p;

	malloc_trim(0);
	if (mallinfo2().keepcost == 0)
		return; // not glibc's malloc (a sanitizer's): nobody knows where its top is
	for (size = HOLE_MAX; size >= HOLE_MIN; size -= step) {
		step = size > 4096 ? 1024 : 16;
		do {
			top = mallinfo2().keepcost;
			p = malloc(size);
		} while (p && mallinfo2().keepcost == top);
		free(p); // this one came off the top
	}
	malloc_trim(0);
}

void memory_settle(void)
{
	plug_heap();
	shared = true;
}

// --------------------------------------------------------------------------------------------------------------- worker

// What the deepest calls have left below: 40 KiB after a handshake.
void __attribute__((noinline)) memory_trim_stack(void)
{
	uintptr_t end = ((uintptr_t)__builtin_frame_address(0) - PAGE) & ~(PAGE - 1);

	madvise((void *)(end - STACK_DEEP), STACK_DEEP, MADV_DONTNEED); // ENOMEM: it is not as deep, and all there is has gone
}

void memory_trim(void)
{
	malloc_trim(0);
	memory_trim_stack();
}
