// The control thread when what it has to give is used up: who asks is refused by name, what is there goes on, and what comes back
// can be had again. The core is a set of rings that nobody serves but this test.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "dataplane/control.h"
#include "dataplane/mailbox.h"
#include "eal.h"
#include "proto/lane.h"

#define TUNNELS 16
#define SETS 12
#define RING 8 // has room for one less
#define BUFFERS 31

static struct control c;
static struct lcore lc;
static struct tunnel tunnels[TUNNELS];
static struct tunnel_in in[TUNNELS];
static struct tunnel_out out[TUNNELS];
static struct tunnel_keys sets[SETS + 1]; // the last is none of the pool's
static uint32_t free_sets[SETS];
static struct chan worker[TUNNELS];

#define COUNTED(what, n) assert_int_equal(c.count.value[COUNT_##what], n)

static void pool_of(uint32_t n)
{
	c.keys = (struct key_pool){ .sets = sets, .free = free_sets, .n = n };
	for (; c.keys.n_free < n; c.keys.n_free++)
		free_sets[c.keys.n_free] = n - 1 - c.keys.n_free;
}

static void tunnel_up(uint32_t number)
{
	struct tunnel *t = &tunnels[number];
	int fds[2];

	*t = (struct tunnel){ .number = number, .phase = TUNNEL_UP };
	t->handshakes.slot[0].number = t->handshakes.last = 1;
	in[number].flags = out[number].flags = TUNNEL_LIVE;
	assert_int_equal(chan_pair(fds), 0);
	assert_int_equal(lane_open(&c, t, fds[0]), 0);
	chan_init(&worker[number], fds[1], ROLE_WORKER, ROLE_DATAPLANE, CHAN_PLAIN, "lane");
}

static int fresh(void **state)
{
	memset(in, 0, sizeof(in));
	memset(out, 0, sizeof(out));
	memset(sets, 0x5a, sizeof(sets));
	memset(&c.count, 0, sizeof(c.count));
	c.installs_first = c.installs_n = 0;
	pool_of(SETS);
	for (uint32_t i = 0; i < TUNNELS; i++)
		tunnel_up(i);
	return 0;
}

static int over(void **state)
{
	void *m;

	mailbox_serve(&lc);
	while (rte_ring_dequeue(lc.from_control, &m) == 0)
		rte_pktmbuf_free(m);
	for (uint32_t i = 0; i < TUNNELS; i++) {
		lane_close(&c, &tunnels[i]);
		chan_fini(&worker[i]);
	}
	return rte_mempool_avail_count(lc.pool) == BUFFERS ? 0 : -1;
}

static void send_keys(uint32_t number)
{
	struct msg_dtls_keys m = {
		.handshake = 1,
		.cipher = AEAD_AES_256_GCM,
		.epoch = 1,
		.client_key_len = 32,
		.server_key_len = 32,
		.client_iv_len = 4,
		.server_iv_len = 4,
	};

	assert_int_equal(CHAN_SEND(&worker[number], DTLS_KEYS, &m), 0);
	assert_int_equal(lane_read(&c, &tunnels[number]), 1);
}

static bool has_keys(uint32_t number)
{
	return tunnels[number].handshakes.slot[0].cipher == AEAD_AES_256_GCM;
}

static void send_packets(uint32_t number, unsigned n)
{
	static const uint8_t packet[40] = { 0x45 };

	for (unsigned i = 0; i < n; i++)
		assert_int_equal(send(worker[number].fd, packet, sizeof(packet), 0), (ssize_t)sizeof(packet));
	assert_int_equal(lane_read(&c, &tunnels[number]), n);
}

static void deliver_cstp(uint32_t number)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(lc.pool);

	assert_non_null(m);
	assert_non_null(rte_pktmbuf_append(m, 1000));
	*packet_of(m) = (struct packet){ .tunnel = number, .kind = PACKET_CSTP };
	assert_int_equal(rte_ring_enqueue(lc.to_control, m), 0);
	assert_int_equal(lane_turn(&c), 1);
}

static void keys_run_out(void **state)
{
	pool_of(2);
	for (uint32_t i = 0; i < 3; i++)
		send_keys(i);
	COUNTED(keys_full, 1);
	assert_true(has_keys(0) && has_keys(1));
	assert_false(has_keys(2));
	assert_true(tunnels[2].lane.fd >= 0); // its packets go on over TLS
	send_packets(2, 1);
	COUNTED(worker_rx, 1);
	key_pool_give(&c.keys, &sets[0]);
	send_keys(2);
	assert_true(has_keys(2));
	COUNTED(keys_full, 1);
}

static void the_mailbox_is_full(void **state)
{
	for (uint32_t i = 0; i < RING; i++)
		send_keys(i);
	COUNTED(keys_late, 1);
	assert_true(has_keys(RING - 2));
	assert_false(has_keys(RING - 1));
	assert_int_equal(c.keys.n_free, SETS - (RING - 1)); // nothing is lost
	mailbox_serve(&lc);
	send_keys(RING - 1);
	assert_true(has_keys(RING - 1));
	COUNTED(keys_late, 1);
	COUNTED(keys_full, 0);
}

// As many as may be under way, whatever the mailbox has room for.
static void too_many_installations(void **state)
{
	c.installs_n = INSTALLS_MAX;
	c.installs[0].done = false;
	send_keys(3);
	COUNTED(keys_late, 1);
	assert_int_equal(c.keys.n_free, SETS);
	assert_int_equal(rte_ring_count(lc.mailbox), 0);
	for (unsigned i = 0; i < INSTALLS_MAX; i++)
		c.installs[i] = (struct command){ .done = true };
	send_keys(3);
	assert_true(has_keys(3));
	assert_int_equal(c.installs_n, 1);
}

static void the_core_is_behind(void **state)
{
	send_packets(4, RING + 2);
	COUNTED(worker_rx, RING + 2);
	COUNTED(drop_ring_full, 3);
	assert_int_equal(rte_mempool_avail_count(lc.pool), BUFFERS - (RING - 1));
	assert_true(lane_congested(&c, &tunnels[4])); // from now on they wait in their socket
}

static void buffers_run_out(void **state)
{
	struct rte_mbuf *all[BUFFERS];

	assert_int_equal(rte_pktmbuf_alloc_bulk(lc.pool, all, BUFFERS), 0);
	send_packets(5, 2);
	COUNTED(drop_no_mbuf, 2);
	rte_pktmbuf_free_bulk(all, BUFFERS);
	send_packets(5, 2);
	COUNTED(drop_no_mbuf, 2);
	assert_int_equal(rte_ring_count(lc.from_control), 2);
}

// What a worker does not read is lost and known to be, and the next worker's packets come all the same.
static void a_lane_is_full(void **state)
{
	unsigned sent;

	for (sent = 0; c.count.value[COUNT_drop_lane_full] == 0 && sent < 100000; sent++)
		deliver_cstp(6);
	COUNTED(drop_lane_full, 1);
	COUNTED(lane_tx, sent - 1);
	assert_int_equal(tunnels[6].lost, 1);
	deliver_cstp(7);
	COUNTED(drop_lane_full, 1);
	assert_int_equal(tunnels[7].lost, 0);
}

// A million tunnels' key sets are gigabytes: what nobody has used is not made memory at the end.
static void wipes_what_was_used(void **state)
{
	static const uint8_t zero[sizeof(*sets)];
	struct tunnel_keys *first = key_pool_take(&c.keys), *second = key_pool_take(&c.keys);

	key_pool_give(&c.keys, second);
	second = key_pool_take(&c.keys);
	memset(first, 1, sizeof(*first));
	memset(second, 2, sizeof(*second));
	control_wipe(&c);
	assert_memory_equal(&sets[0], zero, sizeof(zero));
	assert_memory_equal(&sets[1], zero, sizeof(zero));
	assert_memory_equal(&sets[2], &sets[SETS], sizeof(*sets));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, over)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_run_out),    TEST(the_mailbox_is_full), TEST(too_many_installations), TEST(the_core_is_behind),
		TEST(buffers_run_out), TEST(a_lane_is_full),      TEST(wipes_what_was_used),
	};

	eal_for_test();
	c.dp.in = in;
	c.dp.out = out;
	c.dp.tunnels_max = TUNNELS;
	c.dp.tsc_hz = rte_get_tsc_hz();
	c.dp.n_cores = 1;
	c.dp.cores[0] = &lc;
	c.tunnels = tunnels;
	c.epoll = epoll_create1(EPOLL_CLOEXEC);
	lc.dp = &c.dp;
	lc.mailbox = rte_ring_create("mailbox", RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	lc.from_control = rte_ring_create("from_control", RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	lc.to_control = rte_ring_create("to_control", RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	lc.pool = rte_pktmbuf_pool_create("pool", BUFFERS, 0, sizeof(struct packet), 2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	if (aead_init() < 0 || lane_init(&c) < 0 || !lc.mailbox || !lc.from_control || !lc.to_control || !lc.pool)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
