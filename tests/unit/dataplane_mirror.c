// The kernel's routes and neighbours as cores see them: what changes, what is thrown away, and what never comes half.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/mirror.h"
#include "eal.h"

#define OURS 5
#define OTHER 6
#define HZ 1000000u

static struct forwarding to;
static struct tables tables;
static struct mirror m;
static uint64_t now;

static const uint8_t host[16] = { 172, 16, 0, 2 }, far[16] = { 10, 50, 0, 1 }, gateway[16] = { 172, 16, 0, 254 };

// What was asked of the real kernel is answered here.
static bool asks_for(bool routes)
{
	now += HZ;
	mirror_turn(&m, now);
	return m.asking && m.sequence % 2 == routes;
}

static void answer(struct rtnl msg)
{
	msg.sequence = m.sequence;
	mirror_take_dump(&m, &msg);
}

static struct rtnl neighbour(const uint8_t ip[16], uint8_t mac, bool usable)
{
	struct rtnl msg = { .kind = RTNL_NEIGHBOUR, .neighbour = { .index = OURS, .family = 4, .usable = usable } };

	memcpy(msg.neighbour.ip, ip, 16);
	msg.neighbour.mac[5] = mac;
	return msg;
}

static struct rtnl route(const char *ip, uint8_t prefix, int index)
{
	struct rtnl msg = { .kind = RTNL_ROUTE,
		            .route = { .family = 4, .prefix = prefix, .main = true, .unicast = true, .index = index } };

	memcpy(msg.route.to, ip, 4);
	return msg;
}

static struct rtnl route_by(const char *ip, uint8_t prefix, const uint8_t via[16])
{
	struct rtnl msg = route(ip, prefix, OURS);

	msg.route.has_via = true;
	memcpy(msg.route.via, via, 16);
	return msg;
}

static void done(void)
{
	answer((struct rtnl){ .kind = RTNL_DONE });
}

static void picture_is_taken(void)
{
	assert_true(asks_for(false));
	answer(neighbour(host, 2, true));
	answer(neighbour(gateway, 9, true));
	done();
	assert_true(asks_for(true));
	answer(route("\xac\x10\0\0", 16, OURS));
	answer(route_by("\x0a\x32\0\0", 16, gateway));
	done();
	now += HZ;
	mirror_turn(&m, now);
}

static const uint8_t *via(const uint8_t *ip)
{
	return fib_find(forwarding_routes(&to), 4, ip);
}

static int mac(const uint8_t *ip)
{
	const struct neighbour *n = neighbours_find(forwarding_neighbours(&to), 4, ip);

	return n ? n->mac[5] : -1;
}

static int fresh(void **state)
{
	struct port tap = { .index = OURS }, *nic = &tap;

	tap.beside = nic;
	memset(&to, 0, sizeof(to));
	assert_int_equal(tables_init(&tables, 8, 1), 0);
	assert_int_equal(mirror_open(&m, &to, &tables, &tap, HZ), 0);
	now = HZ;
	return 0;
}

static int over(void **state)
{
	// no core runs: whatever lies in limbo is due
	while (limbo_reap(&tables, 64) > 0)
		;
	assert_int_equal(m.unburied, 0);
	fib_free((struct fib *)(uintptr_t)to.routes);
	neighbours_free((struct neighbours *)(uintptr_t)to.neighbours);
	free(m.routes);
	close(m.news);
	close(m.dump);
	tables_fini(&tables);
	return 0;
}

static void at_first_all_is_the_kernels(void **state)
{
	assert_null(via(host));
	assert_int_equal(mac(host), -1);
}

static void then_it_is_as_the_kernel_says(void **state)
{
	picture_is_taken();
	assert_memory_equal(via(host), host, 4);
	assert_memory_equal(via(far), gateway, 4);
	assert_int_equal(mac(host), 2);
	assert_int_equal(mac(gateway), 9);
	assert_false(m.asking);
}

static void nothing_of_other_interfaces_and_tables(void **state)
{
	struct rtnl odd = route_by("\x0a\x32\0\0", 16, gateway), other = neighbour(host, 3, true);

	assert_true(asks_for(false));
	other.neighbour.index = OTHER;
	answer(other);
	done();
	assert_true(asks_for(true));
	odd.route.main = false;
	answer(odd);
	answer(route("\xac\x10\0\0", 16, OTHER));
	done();
	assert_int_equal(mac(host), -1);
	assert_null(via(far));
	assert_null(via(host));
}

static void neighbours_change_one_by_one(void **state)
{
	struct rtnl msg = neighbour(host, 7, true);

	picture_is_taken();
	mirror_take_news(&m, &msg);
	mirror_turn(&m, now);
	assert_int_equal(mac(host), 7);
	assert_int_equal(mac(gateway), 9);
	msg = neighbour(host, 7, false);
	mirror_take_news(&m, &msg);
	mirror_turn(&m, now);
	assert_int_equal(mac(host), -1);
	msg = neighbour(gateway, 9, true);
	msg.gone = true;
	mirror_take_news(&m, &msg);
	mirror_turn(&m, now);
	assert_int_equal(mac(gateway), -1);
	assert_false(m.asking);
}

static void a_changed_route_is_asked_for(void **state)
{
	struct rtnl msg = route_by("\x0a\x32\0\0", 16, gateway);

	picture_is_taken();
	msg.gone = true;
	mirror_take_news(&m, &msg);
	assert_true(asks_for(true));
	answer(route("\xac\x10\0\0", 16, OURS));
	assert_non_null(via(far)); // the old picture holds until the new one is whole
	done();
	assert_null(via(far));
	assert_non_null(via(host));
}

static void a_torn_answer_is_thrown_away(void **state)
{
	struct rtnl end = { .kind = RTNL_DONE, .interrupted = true };

	picture_is_taken();
	m.routes_due = true;
	assert_true(asks_for(true));
	answer(end);
	assert_non_null(via(far));
	assert_true(asks_for(true));
	answer((struct rtnl){ .kind = RTNL_ERROR, .error = -16 });
	assert_non_null(via(far));
	assert_true(asks_for(true));
	done();
	assert_null(via(far));
}

static void answers_to_others_are_not_ours(void **state)
{
	struct rtnl msg = route("\xac\x10\0\0", 16, OURS);

	assert_true(asks_for(false));
	msg.sequence = m.sequence + 1;
	mirror_take_dump(&m, &msg);
	msg = (struct rtnl){ .kind = RTNL_DONE, .sequence = m.sequence + 1 };
	mirror_take_dump(&m, &msg);
	assert_true(m.asking);
	done();
	assert_false(m.asking);
}

static void too_much_is_the_kernels(void **state)
{
	uint8_t ip[16] = { 10 };

	picture_is_taken();
	m.neighbours_due = true;
	assert_true(asks_for(false));
	for (unsigned i = 0; i < NEIGHBOURS_MAX + 100; i++) {
		memcpy(ip + 2, &i, 2);
		answer(neighbour(ip, 1, true));
	}
	done();
	mirror_turn(&m, now);
	assert_int_equal(m.n_neighbours, NEIGHBOURS_MAX);

	m.routes_due = true;
	assert_true(asks_for(true));
	for (unsigned i = 0; i < FIB_ROUTES_MAX + 100; i++) {
		struct rtnl msg = route("\xac\x10\0\0", 32, OURS);
		memcpy(msg.route.to + 1, &i, 3);
		answer(msg);
	}
	done();
	assert_null(via(host));
}

static void a_core_that_stands_still_stops_changes(void **state)
{
	struct rtnl msg;

	picture_is_taken();
	while (limbo_reap(&tables, 64) > 0)
		;
	rte_rcu_qsbr_thread_register(tables.rcu, 0);
	rte_rcu_qsbr_thread_online(tables.rcu, 0);
	for (uint8_t i = 0; i < 100; i++) {
		msg = neighbour(host, i, true);
		mirror_take_news(&m, &msg);
		mirror_turn(&m, now);
	}
	assert_in_range(m.unburied, 1, 8);
	rte_rcu_qsbr_quiescent(tables.rcu, 0);
	while (limbo_reap(&tables, 64) > 0)
		;
	mirror_turn(&m, now);
	assert_int_equal(mac(host), 99);
	rte_rcu_qsbr_thread_offline(tables.rcu, 0);
	rte_rcu_qsbr_thread_unregister(tables.rcu, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, over)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(at_first_all_is_the_kernels),
		TEST(then_it_is_as_the_kernel_says),
		TEST(nothing_of_other_interfaces_and_tables),
		TEST(neighbours_change_one_by_one),
		TEST(a_changed_route_is_asked_for),
		TEST(a_torn_answer_is_thrown_away),
		TEST(answers_to_others_are_not_ours),
		TEST(too_much_is_the_kernels),
		TEST(a_core_that_stands_still_stops_changes),
	};

	eal_for_test();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
