#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	t->by_ipv4 = hash_new("by_ipv4", sizeof(uint32_t), tunnels_max);
	t->by_ipv6 = hash_new("by_ipv6", 16, tunnels_max);
	t->by_app_id = hash_new("by_app_id", APP_ID_SIZE, tunnels_max);
	t->by_path = hash_new("by_path", sizeof(struct path_key), tunnels_max * PATHS_A_TUNNEL);
	if (!t->by_ipv4 || !t->by_ipv6 || !t->by_app_id || !t->by_path)
		goto fail;
	return 0;
fail:
	tables_fini(t);
	return -ENOMEM;
}

void tables_fini(struct tables *t)
{
	rte_hash_free(t->by_ipv4);
	rte_hash_free(t->by_ipv6);
	rte_hash_free(t->by_app_id);
	rte_hash_free(t->by_path);
	rte_free(t->rcu);
	free(t->limbo.items);
	memset(t, 0, sizeof(*t));
}

// ---------------------------------------------------------------------------------------------------------------- entries

bool tables_find(const struct rte_hash *h, const void *key, uint32_t *tunnel)
{
	void *data;

	if (rte_hash_lookup_data(h, key, &data) < 0)
		return false;
	*tunnel = (uint32_t)(uintptr_t)data;
	return true;
}

int tables_relink(struct rte_hash *h, const void *key, uint32_t tunnel)
{
	return rte_hash_add_key_data(h, key, (void *)(uintptr_t)tunnel);
}

int tables_link(struct rte_hash *h, const void *key, uint32_t tunnel)
{
	uint32_t owner;

	if (tables_find(h, key, &owner))
		return owner == tunnel ? 0 : -EEXIST;
	return tables_relink(h, key, tunnel);
}

static void bury_entry(void *hash, void *position)
{
	rte_hash_free_key_with_position(hash, (int32_t)(intptr_t)position);
}

void tables_unlink(struct tables *t, struct rte_hash *h, const void *key, uint32_t tunnel)
{
	int32_t position;
	uint32_t owner;

	if (!tables_find(h, key, &owner) || owner != tunnel)
		return;
	position = rte_hash_del_key(h, key);
	if (position >= 0)
		limbo_put(t, bury_entry, h, (void *)(intptr_t)position);
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
