#include "networks.h"

#include <errno.h>
#include <string.h>

#include <rte_hash_crc.h>

#include "proto/err.h"

// Hashed and compared as bytes; rte_hash compares 32 of them in registers.
struct network_key {
	uint64_t ip[2]; // network order, without host bits
	uint8_t family, prefix;
	uint8_t zero[14];
};
static_assert(sizeof(struct network_key) == 32, "network_key is hashed as 32 bytes");

int networks_init(struct networks *n, uint32_t most)
{
	struct rte_hash_parameters p = {
		.name = "networks",
		.entries = most,
		.key_len = sizeof(struct network_key),
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	memset(n, 0, sizeof(*n));
	n->table.exact = rte_hash_create(&p);
	return n->table.exact ? 0 : -ENOMEM;
}

void networks_fini(struct networks *n)
{
	rte_hash_free(n->table.exact);
	memset(n, 0, sizeof(*n));
}

size_t networks_budget(uint32_t most)
{
	return (size_t)most * 160; // as the other tables: a key store entry and its share of buckets
}

// The first `bits` of 64, as they lie in memory.
static inline uint64_t mask64(unsigned bits)
{
	return bits ? rte_cpu_to_be_64(UINT64_MAX << (64 - bits)) : 0;
}

static inline void key_set(struct network_key *k, uint8_t family, unsigned prefix, const uint64_t ip[2])
{
	*k = (struct network_key){ .family = family, .prefix = (uint8_t)prefix };
	k->ip[0] = ip[0] & mask64(RTE_MIN(prefix, 64u));
	k->ip[1] = ip[1] & mask64(prefix > 64 ? prefix - 64 : 0);
}

static void key_of(struct network_key *k, const struct addr *network)
{
	uint64_t ip[2];

	memcpy(ip, network->ip, sizeof(ip));
	key_set(k, network->family, network->prefix, ip);
}

static void length_set(uint64_t *lengths, unsigned prefix, bool there)
{
	uint64_t bit = 1ULL << (prefix % 64), *word = &lengths[prefix / 64];

	__atomic_store_n(word, there ? *word | bit : *word & ~bit, __ATOMIC_RELEASE);
}

// Readers look for a length as long as anything has it.
static void counted(struct networks *n, const struct addr *network, int by)
{
	uint32_t *count = network->family == 4 ? &n->count4[network->prefix] : &n->count6[network->prefix];

	*count += (uint32_t)by;
	length_set(network->family == 4 ? &n->lengths4 : n->lengths6, network->prefix, *count > 0);
	__atomic_store_n(&n->n, n->n + (uint32_t)by, __ATOMIC_RELEASE);
}

int networks_add(struct networks *n, const struct addr *network, uint32_t tunnel)
{
	struct network_key key;
	uint32_t before;
	bool there;
	int ret;

	key_of(&key, network);
	there = tables_find(&n->table, &key, &before);
	ret = tables_relink(&n->table, &key, tunnel);
	if (ret == 0 && !there)
		counted(n, network, 1);
	return ret;
}

void networks_remove(struct tables *t, struct networks *n, const struct addr *network, uint32_t tunnel)
{
	struct network_key key;
	uint32_t owner;

	key_of(&key, network);
	if (!tables_find(&n->table, &key, &owner) || owner != tunnel)
		return;
	tables_unlink(t, &n->table, &key, tunnel);
	counted(n, network, -1);
}

static bool find_in(const struct networks *n, uint64_t lengths, unsigned first, uint8_t family, const uint64_t ip[2],
                    uint32_t *tunnel)
{
	struct network_key key;

	while (lengths) {
		unsigned bit = 63 - (unsigned)__builtin_clzll(lengths);

		key_set(&key, family, first + bit, ip);
		if (tables_find(&n->table, &key, tunnel))
			return true;
		lengths &= ~(1ULL << bit);
	}
	return false;
}

bool networks_find(const struct networks *n, uint8_t family, const uint8_t *ip, uint32_t *tunnel)
{
	uint64_t copy[2] = { 0, 0 };

	memcpy(copy, ip, family == 4 ? 4 : 16);
	if (family == 4)
		return find_in(n, __atomic_load_n(&n->lengths4, __ATOMIC_ACQUIRE), 0, 4, copy, tunnel);
	for (unsigned word = 3; word-- > 0;)
		if (find_in(n, __atomic_load_n(&n->lengths6[word], __ATOMIC_ACQUIRE), 64 * word, 6, copy, tunnel))
			return true;
	return false;
}
