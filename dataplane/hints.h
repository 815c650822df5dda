// Where a burst's entries probably are: one cache line a lookup, while the exact table beside it costs three or four, each on a
// page of its own. A hint says which tunnel, or that the exact table must be asked. Control thread writes, poll cores read.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <rte_prefetch.h>

#define HINTS_A_LINE 8
#define HINT_NONE UINT32_MAX          // nothing is known of it here
#define HINT_SEVERAL (UINT32_MAX - 1) // two entries look the same

// Each 8 bytes are a tag (the upper half of the key's hash) and the tunnel's number + 1; 0: free. Written at once.
struct hints {
	uint64_t (*line)[HINTS_A_LINE];
	uint32_t mask;
	uint64_t seed; // nobody outside can choose keys that look the same
};

#define HINTS_BYTES 32                             // an entry, at most
int hints_init(struct hints *h, uint32_t entries); // 0, -ENOMEM
void hints_fini(struct hints *h);

// Two halves: which line, and the tag there. A tag of 32 bits is not proof: whoever takes a tunnel from here finds out by other
// means (a record does not open), or has the whole key in the tag.
static inline uint64_t hints_hash(const struct hints *h, const uint64_t *key, unsigned words)
{
	uint64_t x = h->seed;

	for (unsigned i = 0; i < words; i++) {
		x = (x ^ key[i]) * 0x9e3779b97f4a7c15; // 2^64 by the golden ratio
		x ^= x >> 32;
	}
	return x * 0xd6e8feb86659fd93;
}

static inline uint64_t hints_hash_ipv4(const struct hints *h, uint32_t address)
{
	uint32_t line = (uint32_t)((((uint64_t)address ^ h->seed) * 0x9e3779b97f4a7c15) >> 32);

	return (uint64_t)address << 32 | line;
}

static inline void hints_prefetch(const struct hints *h, uint64_t hash)
{
	rte_prefetch0(h->line[hash & h->mask]);
}

static inline uint32_t hints_find(const struct hints *h, uint64_t hash)
{
	const uint64_t *line = h->line[hash & h->mask];

	for (unsigned i = 0; i < HINTS_A_LINE; i++) {
		uint64_t word = __atomic_load_n(&line[i], __ATOMIC_RELAXED);
		if (word >> 32 == hash >> 32 && (uint32_t)word)
			return (uint32_t)word - 1;
	}
	return HINT_NONE;
}

// The entry is new. Without room there is no hint.
void hints_add(struct hints *h, uint64_t hash, uint32_t tunnel);
// The entry is gone, or another tunnel's now.
void hints_remove(struct hints *h, uint64_t hash, uint32_t tunnel);
