// The sweep over many tunnels: everyone has its turn, and no turn costs more than a burst. Main is a socket that this test reads;
// time is ours.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <rte_malloc.h>

#include "dataplane/control.h"
#include "eal.h"

#define MANY 100000
#define HZ 1000000000ULL

static struct control c;
static struct chan ours;
static uint8_t seen[MANY];
static unsigned told;

static int on_tunnel_counters(void *who, const struct msg_tunnel_counters *m, const int *fds)
{
	assert_true(m->tunnel < MANY);
	seen[m->tunnel]++;
	told++;
	return 0;
}
#define NOTHING(name)                                                               \
	static int on_##name(void *who, const struct msg_##name *m, const int *fds) \
	{                                                                           \
		return 0;                                                           \
	}
NOTHING(dataplane_nic)
NOTHING(dataplane_ready)
NOTHING(tunnel_reply)
NOTHING(tunnel_state)
NOTHING(dp_port)
NOTHING(dp_core)
NOTHING(dp_counter)
NOTHING(dataplane_stats_end)
NOTHING(dataplane_pong)
NOTHING(dp_latency)
NOTHING(dp_pool)
NOTHING(dp_ring)
NOTHING(watch_packet)
NOTHING(watch_end)
NOTHING(tunnel_changed)
NOTHING(tunnel_drop)
NOTHING(tunnel_view)
NOTHING(tunnel_held)
NOTHING(tunnels_told)
#define HANDLERS from_dataplane
#define ON_DATAPLANE_MAIN(...) __VA_ARGS__
#include "proto/handlers.h"

static int up(void **state)
{
	int fds[2], room = 1 << 20;

	memset(&c, 0, sizeof(c));
	c.dp.in = rte_zmalloc("in", MANY * sizeof(*c.dp.in), RTE_CACHE_LINE_SIZE);
	c.dp.out = rte_zmalloc("out", MANY * sizeof(*c.dp.out), RTE_CACHE_LINE_SIZE);
	c.dp.cold = rte_zmalloc("cold", MANY * sizeof(*c.dp.cold), RTE_CACHE_LINE_SIZE);
	c.tunnels = calloc(MANY, sizeof(*c.tunnels));
	c.active = calloc(MANY, sizeof(*c.active));
	assert_true(c.dp.in && c.dp.out && c.dp.cold && c.tunnels && c.active);
	c.dp.tunnels_max = MANY;
	c.dp.tsc_hz = c.paths.hz = HZ;
	c.now = c.sweep_began = 1000 * HZ;
	assert_int_equal(chan_pair(fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
	chan_init(&c.main, fds[0], ROLE_DATAPLANE, ROLE_MAIN, CHAN_PLAIN, "main");
	chan_init(&ours, fds[1], ROLE_MAIN, ROLE_DATAPLANE, CHAN_PLAIN, "dataplane");
	memset(seen, 0, sizeof(seen));
	return 0;
}

static int down(void **state)
{
	chan_fini(&c.main);
	chan_fini(&ours);
	rte_free(c.dp.in);
	rte_free(c.dp.out);
	rte_free(c.dp.cold);
	free(c.tunnels);
	free(c.active);
	return 0;
}

// The last numbers first, as a busy life would have mixed them.
static void tunnels_are(uint32_t n)
{
	for (c.n_active = 0; c.n_active < n; c.n_active++) {
		uint32_t number = n - 1 - c.n_active;
		c.active[c.n_active] = number;
		c.tunnels[number] = (struct tunnel){ .number = number, .phase = TUNNEL_UP, .place = c.n_active, .added = c.now };
	}
}

static void packet_for(uint32_t number)
{
	c.dp.out[number].packets++;
}

// How many tunnels were told of in this turn.
static unsigned turn(void)
{
	int ret;

	told = 0;
	sweep_turn(&c);
	while ((ret = chan_serve(&ours, from_dataplane, NULL, 64)) > 0)
		;
	assert_int_equal(ret, -EAGAIN);
	return told;
}

static void test_one_tunnel_once_a_second(void **state)
{
	tunnels_are(1);
	turn();
	packet_for(0);
	c.now += HZ / 2;
	assert_int_equal(turn(), 0);
	assert_in_range(sweep_wait_ns(&c), 400000000, 500000000);
	c.now += HZ / 2;
	assert_int_equal(turn(), 1);
	c.now += HZ;
	turn();
	c.now += HZ;
	assert_int_equal(turn(), 0); // nothing moved
}

// A thread that sleeps until it is due keeps pace; each of its turns is short.
static void test_very_many(void **state)
{
	uint64_t began = c.now;
	unsigned turns = 0, n, most = 0;

	tunnels_are(MANY);
	turn();
	for (uint32_t i = 0; i < MANY; i++)
		packet_for(i);
	for (unsigned all = 0; all < MANY; turns++) {
		int64_t wait = sweep_wait_ns(&c);
		assert_in_range(wait, 1, 10000000);
		c.now += (uint64_t)wait + 1;
		n = turn();
		most = RTE_MAX(most, n);
		all += n;
	}
	assert_true(most <= 256);
	assert_true(turns < 500);
	assert_true(c.now - began < 4 * HZ);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(seen[i], 1);
}

// After a long time without a turn it catches up in bursts, not at once.
static void test_late(void **state)
{
	tunnels_are(1000);
	turn();
	for (uint32_t i = 0; i < 1000; i++)
		packet_for(i);
	c.now += 100 * HZ;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(turn(), 256);
		assert_int_equal(sweep_wait_ns(&c), 0);
	}
	assert_int_equal(turn(), 1000 - 3 * 256);
}

static void test_idle_is_told_until_it_ends(void **state)
{
	tunnels_are(2);
	c.tunnels[0].idle = 10 * HZ;
	turn();
	for (unsigned s = 0; s < 20; s++) {
		if (s == 5)
			c.dp.in[0].last_data = c.now; // a packet long counted
		c.now += HZ;
		turn();
		turn();
	}
	assert_in_range(seen[0], 4, 6);
	assert_int_equal(seen[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_tunnel_once_a_second, up, down),
		cmocka_unit_test_setup_teardown(test_very_many, up, down),
		cmocka_unit_test_setup_teardown(test_late, up, down),
		cmocka_unit_test_setup_teardown(test_idle_is_told_until_it_ends, up, down),
	};

	eal_for_test();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
