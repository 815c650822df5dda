// Tables: one owner an entry, and nothing is buried while a core may look at it.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/tables.h"
#include "dataplane/tunnel.h"
#include "eal.h"

#define TUNNELS 64

static struct tables t;
static unsigned buried;

static void bury(void *who, void *what)
{
	assert_ptr_equal(who, &t);
	buried += (unsigned)(uintptr_t)what;
}

static void has_one_owner(void **state)
{
	uint32_t ip = 0x0100000a, owner;

	assert_false(tables_find(&t.by_ipv4, &ip, &owner));
	assert_int_equal(tables_link(&t.by_ipv4, &ip, 3), 0);
	assert_int_equal(tables_link(&t.by_ipv4, &ip, 3), 0);
	assert_int_equal(tables_link(&t.by_ipv4, &ip, 4), -EEXIST);
	assert_true(tables_find(&t.by_ipv4, &ip, &owner));
	assert_int_equal(owner, 3);
	tables_unlink(&t, &t.by_ipv4, &ip, 4); // not theirs
	assert_true(tables_find(&t.by_ipv4, &ip, &owner));
	assert_int_equal(tables_relink(&t.by_ipv4, &ip, 4), 0);
	assert_true(tables_find(&t.by_ipv4, &ip, &owner));
	assert_int_equal(owner, 4);
	tables_unlink(&t, &t.by_ipv4, &ip, 4);
	assert_false(tables_find(&t.by_ipv4, &ip, &owner));
	assert_int_equal(limbo_reap(&t, 100), 1);
}

static void tells_paths_apart(void **state)
{
	struct path a = { .key = { .family = 4, .peer_udp = 1, .our_udp = 2, .peer_ip = { 1, 1, 1, 1 } } }, b = a;
	uint32_t owner;

	b.port = 9; // the way to it is no part of it
	b.tos = 3;
	assert_int_equal(tables_link(&t.by_path, &a.key, 5), 0);
	assert_true(tables_find(&t.by_path, &b.key, &owner));
	b.key.peer_udp = 2;
	assert_false(tables_find(&t.by_path, &b.key, &owner));
	b = a;
	b.key.family = 6;
	assert_false(tables_find(&t.by_path, &b.key, &owner));
	tables_unlink(&t, &t.by_path, &a.key, 5);
	assert_int_equal(limbo_reap(&t, 100), 1);
}

static void buries_after_a_grace_period(void **state)
{
	rte_rcu_qsbr_thread_register(t.rcu, 0);
	rte_rcu_qsbr_thread_online(t.rcu, 0);
	buried = 0;
	limbo_put(&t, bury, &t, (void *)1);
	assert_int_equal(limbo_reap(&t, 100), 0);
	rte_rcu_qsbr_quiescent(t.rcu, 0);
	limbo_put(&t, bury, &t, (void *)10);
	assert_int_equal(limbo_reap(&t, 100), 1); // the second came after the core's report
	assert_int_equal(buried, 1);
	rte_rcu_qsbr_thread_offline(t.rcu, 0); // a core that sleeps holds nothing
	assert_int_equal(limbo_reap(&t, 100), 1);
	assert_int_equal(buried, 11);
	rte_rcu_qsbr_thread_unregister(t.rcu, 0);
}

static void holds_all_it_promised(void **state)
{
	struct path_key key = { .family = 4 };
	uint32_t owner;

	// Twice over: places come back.
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < TUNNELS * 3; i++) {
			memcpy(key.peer_ip, &i, 4);
			assert_int_equal(tables_link(&t.by_path, &key, i / 3), 0);
		}
		for (uint32_t i = 0; i < TUNNELS * 3; i++) {
			memcpy(key.peer_ip, &i, 4);
			assert_true(tables_find(&t.by_path, &key, &owner));
			assert_int_equal(owner, i / 3);
			tables_unlink(&t, &t.by_path, &key, i / 3);
		}
		assert_int_equal(limbo_reap(&t, 10), 10);
		assert_int_equal(limbo_reap(&t, 1000), TUNNELS * 3 - 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_one_owner),
		cmocka_unit_test(tells_paths_apart),
		cmocka_unit_test(buries_after_a_grace_period),
		cmocka_unit_test(holds_all_it_promised),
	};
	int ret;

	eal_for_test();
	if (tables_init(&t, TUNNELS, 1) < 0)
		return 1;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	tables_fini(&t);
	return ret;
}
