#include "hints.h"

#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_random.h>

// Lines for so many entries: two to four of the eight places are taken where each tunnel has one.
#define ENTRIES_A_LINE 4

int hints_init(struct hints *h, uint32_t entries)
{
	uint32_t lines = rte_align32pow2(entries / ENTRIES_A_LINE + 1);

	h->mask = lines - 1;
	h->seed = rte_rand();
	h->line = rte_zmalloc("hints", (size_t)lines * sizeof(*h->line), RTE_CACHE_LINE_SIZE);
	return h->line ? 0 : -ENOMEM;
}

void hints_fini(struct hints *h)
{
	rte_free(h->line);
	memset(h, 0, sizeof(*h));
}

static inline uint64_t word_of(uint64_t hash, uint32_t tunnel)
{
	return hash >> 32 << 32 | (uint32_t)(tunnel + 1);
}

static uint64_t *place_of(struct hints *h, uint64_t hash)
{
	uint64_t *line = h->line[hash & h->mask];

	for (unsigned i = 0; i < HINTS_A_LINE; i++)
		if (line[i] >> 32 == hash >> 32 && (uint32_t)line[i])
			return &line[i];
	return NULL;
}

static void add_first(struct hints *h, uint64_t hash, uint32_t tunnel)
{
	uint64_t *line = h->line[hash & h->mask];

	for (unsigned i = 0; i < HINTS_A_LINE; i++) {
		if (line[i] == 0) {
			__atomic_store_n(&line[i], word_of(hash, tunnel), __ATOMIC_RELAXED);
			return;
		}
	}
}

// What looks the same is left to the exact table for good: so rare that the place is not missed.
void hints_add(struct hints *h, uint64_t hash, uint32_t tunnel)
{
	uint64_t *place = place_of(h, hash);

	if (!place)
		add_first(h, hash, tunnel);
	else if (*place != word_of(hash, tunnel))
		__atomic_store_n(place, word_of(hash, HINT_SEVERAL), __ATOMIC_RELAXED);
}

void hints_remove(struct hints *h, uint64_t hash, uint32_t tunnel)
{
	uint64_t *place = place_of(h, hash);

	if (place && *place == word_of(hash, tunnel))
		__atomic_store_n(place, 0, __ATOMIC_RELAXED);
}
