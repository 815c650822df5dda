#include "control/main/lease.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// A tree of bit sets: a bit of level 0 is a free address, a bit above says that the 64 bits below it are not all 0. The next free
// one is found in a few steps however full the pool is.
#define LEVELS 4
#define POOL_BITS_MAX 24 // 2^24 addresses: the whole of a /8; larger IPv6 pools are used up to there

typedef unsigned __int128 u128;

struct lease_pool {
	struct addr gateway;
	u128 base;         // the network's address as a number
	unsigned width;    // 32 or 128
	unsigned subnet;   // prefix length of one lease
	bool whole;        // the index reaches to the network's last address
	size_t size, lent; // size: addresses that can be lent at all
	size_t count;      // indexes, the never-lent ones too
	uint64_t *free_bits[LEVELS];
	size_t words[LEVELS];
	void (*freed)(void *who, const struct addr *gateway); // NULL: nobody wants to know
	void *who;
};

static u128 addr_number(const struct addr *a)
{
	u128 n = 0;

	for (int i = 0; i < (a->family == 4 ? 4 : 16); i++)
		n = n << 8 | a->ip[i];
	return n;
}

static void number_addr(u128 n, unsigned width, struct addr *out)
{
	*out = (struct addr){ .family = width == 32 ? 4 : 6, .prefix = width };
	for (int i = width / 8 - 1; i >= 0; i--, n >>= 8)
		out->ip[i] = (uint8_t)n;
}

static bool bit_is_free(const struct lease_pool *p, size_t index)
{
	return p->free_bits[0][index / 64] >> (index % 64) & 1;
}

static void bit_set(struct lease_pool *p, size_t index)
{
	for (int l = 0; l < LEVELS; l++, index /= 64)
		p->free_bits[l][index / 64] |= 1ULL << (index % 64);
}

static void bit_clear(struct lease_pool *p, size_t index)
{
	for (int l = 0; l < LEVELS; l++, index /= 64) {
		p->free_bits[l][index / 64] &= ~(1ULL << (index % 64));
		if (p->free_bits[l][index / 64])
			return;
	}
}

// The first free index at or after `from`; count where there is none.
static size_t bit_find(const struct lease_pool *p, size_t from)
{
	int level = 0;

	for (;;) {
		uint64_t word;

		if (from / 64 >= p->words[level])
			return p->count;
		word = p->free_bits[level][from / 64] & ~0ULL << (from % 64);
		if (word) {
			from = from / 64 * 64 + (size_t)__builtin_ctzll(word);
			if (level == 0)
				return from;
			level--;
			from *= 64;
		} else {
			if (level == LEVELS - 1)
				return p->count;
			level++;
			from = from / 64 + 1;
		}
	}
}

static int bits_alloc(struct lease_pool *p)
{
	size_t bits = p->count;

	for (int l = 0; l < LEVELS; l++) {
		p->words[l] = (bits + 63) / 64;
		p->free_bits[l] = calloc(p->words[l], sizeof(uint64_t));
		if (!p->free_bits[l])
			return -ENOMEM;
		bits = p->words[l];
	}
	return 0;
}

static bool never_lent(const struct lease_pool *p, size_t index)
{
	bool hosts = p->subnet == p->width;

	if (index == 0 || (hosts && index == 1))
		return true;
	return p->width == 32 && p->whole && index == p->count - 1;
}

static void pool_fill(struct lease_pool *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (never_lent(p, i))
			continue;
		bit_set(p, i);
		p->size++;
	}
}

void lease_pool_free(struct lease_pool *p)
{
	if (p && p->freed)
		p->freed(p->who, &p->gateway);
	for (int l = 0; p && l < LEVELS; l++)
		free(p->free_bits[l]);
	free(p);
}

int lease_pool_new(const struct addr *network, unsigned subnet_prefix, struct lease_pool **out)
{
	unsigned width = network->family == 4 ? 32 : 128;
	struct lease_pool *p;
	unsigned bits;
	int ret;

	if (!network->family || network->prefix > width || subnet_prefix > width || subnet_prefix < network->prefix ||
	    network->prefix == 0)
		return -EINVAL;
	if (width == 32 && subnet_prefix != 32)
		return -EINVAL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	bits = subnet_prefix - network->prefix;
	p->width = width;
	p->subnet = subnet_prefix;
	p->whole = bits <= POOL_BITS_MAX;
	p->count = (size_t)1 << (p->whole ? bits : POOL_BITS_MAX);
	p->base = addr_number(network) >> (width - network->prefix) << (width - network->prefix);
	number_addr(p->base + 1, width, &p->gateway);
	p->gateway.prefix = network->prefix;
	ret = bits_alloc(p);
	if (ret < 0)
		goto fail;
	pool_fill(p);
	ret = p->size ? 0 : -ENOSPC;
	if (ret < 0)
		goto fail;
	*out = p;
	return 0;
fail:
	lease_pool_free(p);
	return ret;
}

void lease_pool_watch(struct lease_pool *p, void (*freed)(void *who, const struct addr *gateway), void *who)
{
	p->freed = freed;
	p->who = who;
}

bool lease_pool_is(const struct lease_pool *p, const struct addr *network, unsigned subnet_prefix)
{
	return addr_in(&p->gateway, network) && p->gateway.prefix == network->prefix && p->subnet == subnet_prefix;
}

const struct addr *lease_gateway(const struct lease_pool *p)
{
	return &p->gateway;
}

unsigned lease_reserved(const struct lease_pool *p, struct addr out[3])
{
	number_addr(p->base, p->width, &out[0]);
	number_addr(p->base + 1, p->width, &out[1]);
	if (p->width == 128)
		return 2;
	number_addr(p->base | (((u128)1 << (32 - p->gateway.prefix)) - 1), 32, &out[2]);
	return 3;
}

unsigned lease_subnet_prefix(const struct lease_pool *p)
{
	return p->subnet;
}

int lease_take(struct lease_pool *p, uint64_t hint, struct addr *out)
{
	size_t index = bit_find(p, hint % p->count);
	u128 host;

	if (index >= p->count)
		index = bit_find(p, 0);
	if (index >= p->count)
		return -ENOSPC;
	bit_clear(p, index);
	p->lent++;
	// inside a subnet of its own a client is the first host
	host = p->subnet == p->width ? 0 : 1;
	number_addr(p->base + ((u128)index << (p->width - p->subnet)) + host, p->width, out);
	return 0;
}

bool lease_covers(const struct lease_pool *p, const struct addr *a)
{
	return addr_in(a, &p->gateway);
}

// May be beyond p->count: a pool lends no more than that of a large network.
static u128 index_of(const struct lease_pool *p, const struct addr *a)
{
	return (addr_number(a) - p->base) >> (p->width - p->subnet);
}

int lease_claim(struct lease_pool *p, const struct addr *a)
{
	u128 index = index_of(p, a);

	if (!lease_covers(p, a))
		return -EINVAL;
	if (index >= p->count)
		return 0;
	if (never_lent(p, (size_t)index) || !bit_is_free(p, (size_t)index))
		return -EADDRINUSE;
	bit_clear(p, (size_t)index);
	p->lent++;
	return 0;
}

void lease_return(struct lease_pool *p, const struct addr *a)
{
	u128 index = index_of(p, a);

	if (!lease_covers(p, a) || index >= p->count || never_lent(p, (size_t)index) || bit_is_free(p, (size_t)index))
		return;
	bit_set(p, (size_t)index);
	p->lent--;
}

size_t lease_size(const struct lease_pool *p)
{
	return p->size;
}

size_t lease_lent(const struct lease_pool *p)
{
	return p->lent;
}

// FNV-1a with a final mix: names that differ in one letter land far apart.
uint64_t lease_hint(const char *user)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *user; user++)
		h = (h ^ (uint8_t)*user) * 0x100000001b3ULL;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ULL;
	return h ^ h >> 32;
}
