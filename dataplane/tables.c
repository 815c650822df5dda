#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>

#include "networks.h"
#include "tunnel.h"

// A path in force and those of two handshakes, and one more for what still waits to be buried.
#define PATHS_A_TUNNEL 4
// rte_hash wants a bucket's worth at least.
#define ENTRIES_MIN 64

static struct rte_hash *hash_new(const char *name, uint32_t key_len, uint32_t entries)
{
	struct rte_hash_parameters p = {
		.name = name,
		.entries = RTE_MAX(entries, (uint32_t)ENTRIES_MIN),
		.key_len = key_len,
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};

	return rte_hash_create(&p);
}

static int rcu_new(struct tables *t, unsigned poll_cores)
{
	size_t size = rte_rcu_qsbr_get_memsize(poll_cores);

	t->rcu = rte_zmalloc("rcu", size, RTE_CACHE_LINE_SIZE);
	return t->rcu && rte_rcu_qsbr_init(t->rcu, poll_cores) == 0 ? 0 : -ENOMEM;
}

// Every hash entry, key set and tunnel can be in limbo at once: a ring that never is too small.
static int limbo_init(struct limbo *l, uint32_t tunnels_max)
{
	uint32_t room = rte_align32pow2((tunnels_max + ENTRIES_MIN) * (3 + 1 + PATHS_A_TUNNEL + 4) + NETWORKS_MOST(tunnels_max));

	l->items = calloc(room, sizeof(*l->items));
	l->mask = room - 1;
	return l->items ? 0 : -ENOMEM;
}

int tables_init(struct tables *t, uint32_t tunnels_max, unsigned poll_cores)
{
	memset(t, 0, sizeof(*t));
	if (rcu_new(t, poll_cores) < 0 || limbo_init(&t->limbo, tunnels_max) < 0)
		goto fail;
	t->by_ipv4.exact = hash_new("by_ipv4", sizeof(uint32_t), tunnels_max);
	t->by_ipv6.exact = hash_new("by_ipv6", 16, tunnels_max);
	t->by_app_id.exact = hash_new("by_app_id", APP_ID_SIZE, tunnels_max);
	t->by_path.exact = hash_new("by_path", sizeof(struct path_key), tunnels_max * PATHS_A_TUNNEL);
	if (!t->by_ipv4.exact || !t->by_ipv6.exact || !t->by_app_id.exact || !t->by_path.exact)
		goto fail;
	t->by_ipv4.kind = TABLE_HINTS_IPV4;
	t->by_path.kind = TABLE_HINTS_PATH;
	if (hints_init(&t->by_ipv4.hints, tunnels_max) < 0 || hints_init(&t->by_path.hints, tunnels_max) < 0)
		goto fail;
	return 0;
fail:
	tables_fini(t);
	return -ENOMEM;
}

void tables_fini(struct tables *t)
{
	hints_fini(&t->by_ipv4.hints);
	hints_fini(&t->by_path.hints);
	rte_hash_free(t->by_ipv4.exact);
	rte_hash_free(t->by_ipv6.exact);
	rte_hash_free(t->by_app_id.exact);
	rte_hash_free(t->by_path.exact);
	rte_free(t->rcu);
	free(t->limbo.items);
	memset(t, 0, sizeof(*t));
}

// ---------------------------------------------------------------------------------------------------------------- entries

static inline uint64_t hash_of(const struct table *t, const void *key)
{
	uint64_t words[sizeof(struct path_key) / sizeof(uint64_t)];
	uint32_t address;

	if (t->kind == TABLE_HINTS_IPV4) {
		memcpy(&address, key, sizeof(address));
		return hints_hash_ipv4(&t->hints, address);
	}
	memcpy(words, key, sizeof(words));
	return hints_hash(&t->hints, words, RTE_DIM(words));
}

bool tables_find(const struct table *t, const void *key, uint32_t *tunnel)
{
	void *data;

	if (rte_hash_lookup_data(t->exact, key, &data) < 0)
		return false;
	*tunnel = (uint32_t)(uintptr_t)data;
	return true;
}

static void find_exact(const struct table *t, const void *const *keys, unsigned n, uint32_t *tunnel)
{
	void *data[RTE_HASH_LOOKUP_BULK_MAX];
	uint64_t hits = 0;

	rte_hash_lookup_bulk_data(t->exact, (const void **)(uintptr_t)keys, n, &hits, data);
	for (unsigned i = 0; i < n; i++)
		tunnel[i] = hits >> i & 1 ? (uint32_t)(uintptr_t)data[i] : NO_TUNNEL;
}

// Those of which there is no hint, or more than one.
static void find_rest(const struct table *t, const void *const *keys, unsigned n, uint32_t *tunnel)
{
	const void *rest[RTE_HASH_LOOKUP_BULK_MAX];
	uint32_t found[RTE_HASH_LOOKUP_BULK_MAX];
	unsigned at[RTE_HASH_LOOKUP_BULK_MAX], n_rest = 0;

	for (unsigned i = 0; i < n; i++) {
		if (tunnel[i] < HINT_SEVERAL)
			continue;
		at[n_rest] = i;
		rest[n_rest++] = keys[i];
	}
	find_exact(t, rest, n_rest, found);
	for (unsigned i = 0; i < n_rest; i++)
		tunnel[at[i]] = found[i];
}

void tables_find_burst(const struct table *t, const void *const *keys, unsigned n, uint32_t *tunnel)
{
	uint64_t hash[RTE_HASH_LOOKUP_BULK_MAX];
	bool all = true;

	if (n == 0)
		return;
	if (t->kind == TABLE_EXACT) {
		find_exact(t, keys, n, tunnel);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		hash[i] = hash_of(t, keys[i]);
		hints_prefetch(&t->hints, hash[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		tunnel[i] = hints_find(&t->hints, hash[i]);
		all = all && tunnel[i] < HINT_SEVERAL;
	}
	if (unlikely(!all))
		find_rest(t, keys, n, tunnel);
}

int tables_relink(struct table *t, const void *key, uint32_t tunnel)
{
	uint32_t owner;
	bool taken = tables_find(t, key, &owner);
	int ret = rte_hash_add_key_data(t->exact, key, (void *)(uintptr_t)tunnel);

	if (ret < 0 || t->kind == TABLE_EXACT)
		return ret;
	if (taken && owner != tunnel)
		hints_remove(&t->hints, hash_of(t, key), owner);
	if (!taken || owner != tunnel)
		hints_add(&t->hints, hash_of(t, key), tunnel);
	return 0;
}

int tables_link(struct table *t, const void *key, uint32_t tunnel)
{
	uint32_t owner;

	if (tables_find(t, key, &owner))
		return owner == tunnel ? 0 : -EEXIST;
	return tables_relink(t, key, tunnel);
}

static void bury_entry(void *hash, void *position)
{
	rte_hash_free_key_with_position(hash, (int32_t)(intptr_t)position);
}

void tables_unlink(struct tables *all, struct table *t, const void *key, uint32_t tunnel)
{
	int32_t position;
	uint32_t owner;

	if (!tables_find(t, key, &owner) || owner != tunnel)
		return;
	if (t->kind != TABLE_EXACT)
		hints_remove(&t->hints, hash_of(t, key), tunnel);
	position = rte_hash_del_key(t->exact, key);
	if (position >= 0)
		limbo_put(all, bury_entry, t->exact, (void *)(intptr_t)position);
}

// ------------------------------------------------------------------------------------------------------------------ limbo

void limbo_put(struct tables *t, void (*bury)(void *who, void *what), void *who, void *what)
{
	struct limbo *l = &t->limbo;

	RTE_VERIFY(l->n <= l->mask);
	l->items[(l->first + l->n++) & l->mask] = (struct limbo_item){ rte_rcu_qsbr_start(t->rcu), bury, who, what };
}

unsigned limbo_reap(struct tables *t, unsigned most)
{
	struct limbo *l = &t->limbo;
	struct limbo_item item;
	unsigned buried = 0;

	while (l->n > 0 && buried < most && rte_rcu_qsbr_check(t->rcu, l->items[l->first].token, false) == 1) {
		item = l->items[l->first];
		l->first = (l->first + 1) & l->mask;
		l->n--;
		item.bury(item.who, item.what);
		buried++;
	}
	return buried;
}
