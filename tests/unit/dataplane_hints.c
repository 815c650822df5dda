// Hints: the right tunnel, or none; never a wrong one for what is exact, and never a stale one.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <rte_common.h>
#include <rte_hash.h>

#include "dataplane/tables.h"
#include "dataplane/tunnel.h"
#include "eal.h"

#define TUNNELS 4096

static struct hints h;
static struct tables t;

static uint64_t hash(uint32_t tag, uint32_t line)
{
	return (uint64_t)tag << 32 | line;
}

static int fresh(void **unused)
{
	hints_fini(&h);
	return hints_init(&h, 64);
}

static void finds_what_was_added(void **unused)
{
	assert_int_equal(hints_find(&h, hash(1, 2)), HINT_NONE);
	hints_add(&h, hash(1, 2), 0);
	hints_add(&h, hash(0, 2), 7);
	assert_int_equal(hints_find(&h, hash(1, 2)), 0);
	assert_int_equal(hints_find(&h, hash(0, 2)), 7); // a tag of 0 is as good as any
	assert_int_equal(hints_find(&h, hash(1, 3)), HINT_NONE);
	hints_remove(&h, hash(1, 2), 3); // it is not theirs
	assert_int_equal(hints_find(&h, hash(1, 2)), 0);
	hints_remove(&h, hash(1, 2), 0);
	assert_int_equal(hints_find(&h, hash(1, 2)), HINT_NONE);
	assert_int_equal(hints_find(&h, hash(0, 2)), 7);
}

static void what_looks_the_same_is_for_the_table(void **unused)
{
	hints_add(&h, hash(5, 1), 10);
	hints_add(&h, hash(5, 1), 10); // two paths of one tunnel: the answer is the same
	assert_int_equal(hints_find(&h, hash(5, 1)), 10);
	hints_add(&h, hash(5, 1), 11);
	assert_int_equal(hints_find(&h, hash(5, 1)), HINT_SEVERAL);
	hints_remove(&h, hash(5, 1), 10);
	assert_int_equal(hints_find(&h, hash(5, 1)), HINT_SEVERAL);
}

static void a_full_line_has_no_hint_of_the_next(void **unused)
{
	for (uint32_t i = 0; i < HINTS_A_LINE + 1; i++)
		hints_add(&h, hash(100 + i, 4), i);
	for (uint32_t i = 0; i < HINTS_A_LINE; i++)
		assert_int_equal(hints_find(&h, hash(100 + i, 4)), i);
	assert_int_equal(hints_find(&h, hash(100 + HINTS_A_LINE, 4)), HINT_NONE);
	hints_remove(&h, hash(103, 4), 3);
	hints_add(&h, hash(200, 4), 9);
	assert_int_equal(hints_find(&h, hash(200, 4)), 9);
}

// ------------------------------------------------------------------------------------------------------- beside the tables

static struct path_key path_of(uint32_t i)
{
	struct path_key k = { .family = 4, .our_udp = 443, .peer_udp = (uint16_t)(i * 7) };

	memcpy(k.peer_ip, &i, sizeof(i));
	return k;
}

static uint32_t one(const struct table *table, const void *key)
{
	uint32_t tunnel;

	tables_find_burst(table, &key, 1, &tunnel);
	return tunnel;
}

// Bursts say what the table says, of as many as there may be and whatever became of their hints.
static void bursts_say_what_the_table_says(void **unused)
{
	struct path_key keys[RTE_HASH_LOOKUP_BULK_MAX];
	const void *asked[RTE_HASH_LOOKUP_BULK_MAX];
	uint32_t got[RTE_HASH_LOOKUP_BULK_MAX], want;

	for (uint32_t i = 0; i < TUNNELS; i++) {
		struct path_key k = path_of(i);
		assert_int_equal(tables_link(&t.by_path, &k, i), 0);
	}
	for (uint32_t i = 0; i < TUNNELS; i += 3) {
		struct path_key k = path_of(i);
		if (i % 2)
			tables_unlink(&t, &t.by_path, &k, i);
		else
			assert_int_equal(tables_relink(&t.by_path, &k, TUNNELS - 1 - i), 0);
	}
	for (uint32_t i = 0; i < 2 * TUNNELS; i += RTE_DIM(keys)) { // half of them never were there
		for (uint32_t k = 0; k < RTE_DIM(keys); k++) {
			keys[k] = path_of(i + k);
			asked[k] = &keys[k];
		}
		tables_find_burst(&t.by_path, asked, RTE_DIM(keys), got);
		for (uint32_t k = 0; k < RTE_DIM(keys); k++)
			assert_int_equal(got[k], tables_find(&t.by_path, &keys[k], &want) ? want : NO_TUNNEL);
	}
}

static void addresses_are_exact(void **unused)
{
	for (uint32_t i = 0; i < TUNNELS; i++)
		assert_int_equal(tables_link(&t.by_ipv4, &i, i), 0);
	for (uint32_t i = 0; i < 16 * TUNNELS; i++)
		assert_int_equal(one(&t.by_ipv4, &i), i < TUNNELS ? i : NO_TUNNEL);
	for (uint32_t i = 0; i < TUNNELS; i += 5)
		tables_unlink(&t, &t.by_ipv4, &i, i);
	for (uint32_t i = 0; i < TUNNELS; i++)
		assert_int_equal(one(&t.by_ipv4, &i), i % 5 ? i : NO_TUNNEL);
}

static int open_tables(void **unused)
{
	eal_for_test();
	return tables_init(&t, TUNNELS, 1);
}

static int shut_tables(void **unused)
{
	hints_fini(&h);
	tables_fini(&t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_what_was_added, fresh),
		cmocka_unit_test_setup(what_looks_the_same_is_for_the_table, fresh),
		cmocka_unit_test_setup(a_full_line_has_no_hint_of_the_next, fresh),
		cmocka_unit_test(bursts_say_what_the_table_says),
		cmocka_unit_test(addresses_are_exact),
	};

	return cmocka_run_group_tests(tests, open_tables, shut_tables);
}
