// A dataplane dies, and the next one gets the tunnels of who is connected: this test plays the dataplanes, and the workers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway_rig.h"
#include "control/main/refill.h"
#include "control/main/session.h"
#include "control/main/supervise.h"

#define MANY 600 // more than may be asked for at once

static struct child dataplane;
static struct chan as_dataplane;
static struct terms terms;

static struct {
	struct session *session;
	struct conn conn;
	struct tunnel *tunnel;
	struct chan worker; // the worker's end of main's channel
	int lane;           // that it has got
	unsigned lanes;     // how many
	bool told_to_go;
} one[MANY];
static unsigned n;

// What the dataplane was asked.
static struct msg_tunnel_add adds[MANY];
static unsigned added, deleted;

static int keep_add(void *who, const void *m, const int *fds)
{
	assert_true(added < MANY);
	adds[added++] = *(const struct msg_tunnel_add *)m;
	return 0;
}

static int keep_del(void *who, const void *m, const int *fds)
{
	deleted++;
	return 0;
}

static int keep_lane(void *who, const void *m, const int *fds)
{
	int i = (int)(intptr_t)who;

	one[i].lane = chan_take_fd(fds, 0);
	one[i].lanes++;
	close(one[i].lane);
	return 0;
}

static int keep_terminate(void *who, const void *m, const int *fds)
{
	one[(intptr_t)who].told_to_go = ((const struct msg_terminate *)m)->reason == END_DATAPLANE;
	return 0;
}

static const chan_handler of_dataplane[MSG_NUMBERS] = { [MSG_TUNNEL_ADD] = keep_add, [MSG_TUNNEL_DEL] = keep_del };
static const chan_handler of_worker[MSG_NUMBERS] = { [MSG_LANE_NEW] = keep_lane, [MSG_TERMINATE] = keep_terminate };

static void hear_all(void)
{
	for (int i = 0; i < 100; i++) {
		event_base_loop(g.base, EVLOOP_NONBLOCK);
		while (chan_serve(&as_dataplane, of_dataplane, NULL, 64) > 0)
			;
	}
	for (unsigned i = 0; i < n; i++)
		while (chan_serve(&one[i].worker, of_worker, (void *)(intptr_t)i, 8) > 0)
			;
}

static void dataplane_says(uint32_t tunnel, bool ok)
{
	tunnel_replied(&g, &(struct msg_tunnel_reply){ .tunnel = tunnel, .ok = ok, .text = "it is full" });
}

static void counted(uint32_t tunnel, uint64_t bytes)
{
	tunnel_counted(&g, &(struct msg_tunnel_counters){
	                           .tunnel = tunnel, .packets_in = bytes / 10, .bytes_in = bytes, .cstp_bytes_in = bytes });
}

static void dies(void)
{
	dataplane.ready = false;
	refill_lose(&g);
}

static void is_ready(uint32_t tunnels_max)
{
	assert_int_equal(refill_room(&g, tunnels_max), 0);
	dataplane.ready = true;
	refill_begin(&g);
	hear_all();
}

// ------------------------------------------------------------------------------------------------------------------- facts

static void it_gets_them_again(void **unused)
{
	struct tunnel *t = one[0].tunnel;

	t->kept.rx_rate = 1000;
	t->rekey_time = 77;
	tunnel_changed(&g,
	               &(struct msg_tunnel_state){ .tunnel = t->number,
	                                           .channel = CHANNEL_DTLS,
	                                           .cipher = AEAD_AES_128_GCM,
	                                           .path = { .family = 4, .prefix = 32, .port = 5000, .ip = { 192, 0, 2, 9 } },
	                                           .ours = { .family = 4, .prefix = 32, .port = 443, .ip = { 192, 0, 2, 1 } } });
	dies();
	assert_int_equal(t->channel, CHANNEL_CSTP);
	assert_int_equal(t->why, WHY_REFILL);
	hear_all();
	assert_int_equal(added, 0);
	is_ready(g.tunnels_max);
	assert_int_equal(added, 2);
	assert_int_equal(adds[0].tunnel, t->number);
	assert_memory_equal(adds[0].app_id, t->app_id, APP_ID_SIZE);
	assert_int_equal(adds[0].rx_rate, 1000);
	assert_int_equal(adds[0].rekey, 77);
	assert_int_equal(adds[0].peer.port, 5000); // where its client was
	assert_int_equal(adds[0].ours.port, 443);
	assert_int_equal(adds[1].peer.family, 0);
	assert_int_equal(one[0].lanes, 0); // not before the dataplane has it
	dataplane_says(t->number, true);
	hear_all();
	assert_int_equal(one[0].lanes, 1);
	assert_int_equal(one[1].lanes, 0);
	dataplane_says(one[1].tunnel->number, true);
	hear_all();
	assert_int_equal(one[1].lanes, 1);
	assert_int_equal(t->lane_fd, -1);
	assert_int_equal(t->where, WHERE_DATAPLANE);
	assert_false(one[0].told_to_go);
	assert_int_equal(g.sessions_active, 2);
}

static void what_was_counted_counts(void **unused)
{
	struct tunnel *t = one[0].tunnel;

	counted(t->number, 5000);
	dies();
	assert_int_equal(t->now.bytes_in, 5000);
	is_ready(g.tunnels_max);
	dataplane_says(t->number, true);
	counted(t->number, 10);
	assert_int_equal(t->now.bytes_in, 5010);
	assert_int_equal(t->now.packets_in, 501);
	assert_int_equal(t->now.cstp_bytes_in, 5010);
	dies(); // and again
	is_ready(g.tunnels_max);
	dataplane_says(t->number, true);
	counted(t->number, 20);
	assert_int_equal(t->now.bytes_in, 5030);
}

static void one_that_is_refused_ends(void **unused)
{
	dies();
	is_ready(g.tunnels_max);
	dataplane_says(one[0].tunnel->number, false);
	dataplane_says(one[1].tunnel->number, true);
	hear_all();
	assert_true(one[0].told_to_go);
	assert_int_equal(one[0].lanes, 0);
	assert_null(one[0].conn.tunnel);
	assert_int_equal(deleted, 0); // it has none to delete
	assert_false(one[1].told_to_go);
	assert_int_equal(g.sessions_active, 1);
	one[0].tunnel = NULL;
}

static void who_leaves_meanwhile_is_not_asked_for(void **unused)
{
	dies();
	conn_end(&one[0].conn, END_BY_ADMIN);
	assert_null(one[0].session->tunnel);
	one[0].tunnel = NULL;
	is_ready(g.tunnels_max);
	assert_int_equal(added, 1);
	assert_int_equal(adds[0].tunnel, one[1].tunnel->number);
	assert_int_equal(deleted, 0);
	conn_end(&one[1].conn, END_BY_ADMIN); // asked for, not answered yet
	hear_all();
	assert_int_equal(deleted, 1);
	dataplane_says(1, true);
	hear_all();
	assert_int_equal(one[1].lanes, 0);
	tunnel_counted(&g, &(struct msg_tunnel_counters){ .tunnel = 1, .last = 1 });
	assert_null(tunnel_find(&g, 1));
	assert_int_equal(g.tunnels_free_count, g.tunnels_max);
	one[1].tunnel = NULL;
}

static void it_dies_while_it_is_asked(void **unused)
{
	dies();
	is_ready(g.tunnels_max);
	dataplane_says(0, true);
	dies();
	added = 0;
	is_ready(g.tunnels_max);
	assert_int_equal(added, 2);
	dataplane_says(0, true);
	dataplane_says(1, true);
	hear_all();
	assert_int_equal(one[0].lanes, 2);
	assert_int_equal(one[1].lanes, 1);
}

static void the_next_one_has_less_room(void **unused)
{
	dies();
	is_ready(1);
	assert_true(one[1].told_to_go);
	one[1].tunnel = NULL;
	assert_int_equal(added, 1);
	dataplane_says(0, true);
	hear_all();
	assert_int_equal(one[0].lanes, 1);
	assert_int_equal(g.tunnels_free_count, 0);
	dies();
	is_ready(5); // and the next one more
	assert_int_equal(g.tunnels_free_count, 4);
	assert_int_equal(g.tunnels_free[0], 1);
	assert_ptr_equal(tunnel_find(&g, 0), one[0].tunnel);
}

// It need not hold more lanes than that, however slow the dataplane is.
static void so_many_at_a_time(void **unused)
{
	unsigned answered = 0, most = 0;

	dies();
	is_ready(g.tunnels_max);
	assert_in_range(added, 1, MANY / 2);
	while (answered < added) {
		most = added - answered > most ? added - answered : most;
		dataplane_says(adds[answered++].tunnel, true);
		if (answered % 50 == 0 || answered == added)
			hear_all();
	}
	assert_int_equal(added, MANY);
	assert_in_range(most, 1, 256);
	hear_all();
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(one[i].lanes, 1);
	assert_int_equal(g.refill.done, MANY);
}

// -------------------------------------------------------------------------------------------------------------------- life

static void connect_one(unsigned i)
{
	struct msg_session_reply m = { .sid_len = SID_SIZE, .user = "anna" };
	struct tunnel *t = calloc(1, sizeof(*t));

	memcpy(m.sid, &i, sizeof(i));
	memset(&one[i], 0, sizeof(one[i]));
	one[i].session = session_get(&g, &m);
	one[i].session->since_ms = clock_ms();
	one[i].session->ipv4 = (struct addr){ .family = 4, .prefix = 32, .ip = { 10, 9, (uint8_t)(i >> 8), (uint8_t)i } };
	one[i].session->tunnels = 1;
	one[i].conn.g = &g;
	one[i].conn.tunnel = t;
	rig_peer(&one[i].conn.link, &one[i].worker, ROLE_WORKER, MW_UP, WM_UP, 16);
	evtimer_assign(&one[i].conn.timer, g.base, NULL, NULL);
	*t = (struct tunnel){
		.g = &g, .number = i, .phase = TUNNEL_UP, .session = one[i].session, .conn = &one[i].conn, .mtu = 1400
	};
	t->terms = terms_get(&terms);
	t->lane_fd = -1;
	t->info = calloc(1, sizeof(*t->info));
	t->kept = change_kept(t->session, &terms, false);
	memset(t->app_id, (int)i + 1, APP_ID_SIZE);
	TAILQ_INIT(&t->iroutes);
	evtimer_assign(&t->timer, g.base, NULL, NULL);
	evtimer_assign(&t->report, g.base, NULL, NULL);
	g.tunnels[i] = one[i].session->tunnel = one[i].tunnel = t;
	g.tunnels_free_count--;
	g.tunnels_free_first++;
	g.sessions_active++;
}

static void begin_with(unsigned count)
{
	memset(&g, 0, sizeof(g));
	memset(&dataplane, 0, sizeof(dataplane));
	added = deleted = 0;
	g.base = event_base_new();
	gateway_tables_init(&g);
	g.config = config;
	dataplane.g = &g;
	dataplane.ready = true;
	rig_peer(&dataplane.link, &as_dataplane, ROLE_DATAPLANE, ANY, DM_READY, 65536);
	g.dataplane = &dataplane;
	refill_init(&g);
	terms = (struct terms){ .references = 1000 };
	assert_int_equal(tunnel_table_open(&g, count), 0);
	for (n = 0; n < count; n++)
		connect_one(n);
	g.tunnels_free_first = 0;
}

static int two(void **unused)
{
	begin_with(2);
	return 0;
}

static int many(void **unused)
{
	begin_with(MANY);
	return 0;
}

static int down(void **unused)
{
	evtimer_del(&g.refill.step);
	for (unsigned i = 0; i < n; i++) {
		if (one[i].tunnel) {
			if (one[i].tunnel->lane_fd >= 0)
				close(one[i].tunnel->lane_fd);
			free(one[i].tunnel->info);
			free(one[i].tunnel);
		}
		evtimer_del(&one[i].conn.timer);
		link_close(&one[i].conn.link);
		chan_fini(&one[i].worker);
	}
	session_free_all(&g);
	link_close(&dataplane.link);
	chan_fini(&as_dataplane);
	g.config = NULL;
	tunnel_table_close(&g);
	gateway_tables_fini(&g);
	event_base_free(g.base);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, two, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_gets_them_again),
		TEST(what_was_counted_counts),
		TEST(one_that_is_refused_ends),
		TEST(who_leaves_meanwhile_is_not_asked_for),
		TEST(it_dies_while_it_is_asked),
		TEST(the_next_one_has_less_room),
		cmocka_unit_test_setup_teardown(so_many_at_a_time, many, down),
	};

	return cmocka_run_group_tests(tests, rig_begin, rig_end);
}
