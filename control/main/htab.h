// Intrusive hash table with chaining; it grows by doubling and never shrinks. The owner of the objects owns the links.
// Single thread. The caller hashes (htab_hash) and compares.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct hlink {
	struct hlink *next;
	uint64_t hash;
};

struct htab {
	struct hlink **buckets;
	size_t mask; // buckets - 1
	size_t count;
};

#define HTAB_OF(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

int htab_init(struct htab *t); // 0 or -ENOMEM
void htab_fini(struct htab *t);
void htab_insert(struct htab *t, struct hlink *link, uint64_t hash);
void htab_remove(struct htab *t, struct hlink *link);
// The first link with this hash, then the others with it: for (l = htab_first(t, h); l; l = htab_next(l)) compare.
struct hlink *htab_first(const struct htab *t, uint64_t hash);
struct hlink *htab_next(const struct hlink *link);

// Keyed by a random value of this process: peers who choose their addresses must not choose buckets.
uint64_t htab_hash(const void *data, size_t len);
// The value, for who takes our place and knows hashes of ours; and to take it over, before anything is hashed.
uint64_t htab_key(void);
void htab_set_key(uint64_t key);
