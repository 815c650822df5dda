#include "control/main/htab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/secret.h"

#define FIRST_BUCKETS 256

int htab_init(struct htab *t)
{
	struct hlink **buckets = calloc(FIRST_BUCKETS, sizeof(*buckets));

	if (!buckets)
		return -ENOMEM;
	*t = (struct htab){ .buckets = buckets, .mask = FIRST_BUCKETS - 1 };
	return 0;
}

void htab_fini(struct htab *t)
{
	free(t->buckets);
	*t = (struct htab){ 0 };
}

// A table that cannot grow still works, with longer chains.
static void grow(struct htab *t)
{
	size_t buckets = (t->mask + 1) * 2;
	struct hlink **bigger = calloc(buckets, sizeof(*bigger));

	if (!bigger)
		return;
	for (size_t i = 0; i <= t->mask; i++) {
		struct hlink *next;

		for (struct hlink *l = t->buckets[i]; l; l = next) {
			next = l->next;
			l->next = bigger[l->hash & (buckets - 1)];
			bigger[l->hash & (buckets - 1)] = l;
		}
	}
	free(t->buckets);
	t->buckets = bigger;
	t->mask = buckets - 1;
}

void htab_insert(struct htab *t, struct hlink *link, uint64_t hash)
{
	if (t->count > t->mask)
		grow(t);
	link->hash = hash;
	link->next = t->buckets[hash & t->mask];
	t->buckets[hash & t->mask] = link;
	t->count++;
}

void htab_remove(struct htab *t, struct hlink *link)
{
	for (struct hlink **l = &t->buckets[link->hash & t->mask]; *l; l = &(*l)->next) {
		if (*l != link)
			continue;
		*l = link->next;
		t->count--;
		return;
	}
}

static struct hlink *same_hash(struct hlink *l, uint64_t hash)
{
	while (l && l->hash != hash)
		l = l->next;
	return l;
}

struct hlink *htab_first(const struct htab *t, uint64_t hash)
{
	return same_hash(t->buckets[hash & t->mask], hash);
}

struct hlink *htab_next(const struct hlink *link)
{
	return same_hash(link->next, link->hash);
}

static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 33;
}

static uint64_t hash_key;

uint64_t htab_key(void)
{
	if (!hash_key && secret_random(&hash_key, sizeof(hash_key)) < 0)
		hash_key = 0x9e3779b97f4a7c15ULL;
	return hash_key;
}

void htab_set_key(uint64_t key)
{
	hash_key = key;
}

uint64_t htab_hash(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h;

	for (h = htab_key(); len > 0;) {
		size_t n = len < 8 ? len : 8;
		uint64_t word = n;

		memcpy(&word, p, n);
		h = mix(h ^ word) * 0x9e3779b97f4a7c15ULL + n;
		p += n;
		len -= n;
	}
	return mix(h);
}
