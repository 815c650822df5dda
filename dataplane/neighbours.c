#include "neighbours.h"

#include <stdlib.h>
#include <string.h>

// Twice as many places as neighbours at least: a search ends soon.
struct neighbours {
	uint32_t mask;
	struct neighbour place[]; // family 0: free
};

static uint32_t hash(uint8_t family, const uint8_t *ip)
{
	uint64_t words[2] = { 0 }, h;

	memcpy(words, ip, family == 4 ? 4 : 16);
	h = (words[0] ^ words[1] * 0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd;
	return (uint32_t)(h >> 32);
}

static bool is_at(const struct neighbour *n, uint8_t family, const uint8_t *ip)
{
	return n->family == family && memcmp(n->ip, ip, family == 4 ? 4 : 16) == 0;
}

struct neighbours *neighbours_new(const struct neighbour *all, unsigned n)
{
	struct neighbours *t;
	uint32_t places = 16;

	while (places < 2 * n)
		places *= 2;
	t = calloc(1, sizeof(*t) + places * sizeof(*t->place));
	if (!t)
		return NULL;
	t->mask = places - 1;
	for (unsigned i = 0; i < n; i++) {
		uint32_t at = hash(all[i].family, all[i].ip) & t->mask;
		while (t->place[at].family)
			at = (at + 1) & t->mask;
		t->place[at] = all[i];
	}
	return t;
}

void neighbours_free(struct neighbours *t)
{
	free(t);
}

const struct neighbour *neighbours_find(const struct neighbours *t, uint8_t family, const uint8_t *ip)
{
	uint32_t at = hash(family, ip) & t->mask;

	for (; t->place[at].family; at = (at + 1) & t->mask)
		if (is_at(&t->place[at], family, ip))
			return &t->place[at];
	return NULL;
}
