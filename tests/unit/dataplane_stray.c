// Paths: what moves a tunnel to another address, what does not, and how little a flood of strangers can ask for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#define CORES 2
#include "dataplane/control.h"
#include "dataplane/stray.h"
#include "dataplane_traffic.h"

// What this test plays: the control thread, to which tunnels 0 to 7 are up.
static struct control control;

static void peers_free(void)
{
	free(control.peers.of);
	free(control.peers.first);
	control.peers = (struct peers){ 0 };
}

static void buckets_fill(struct lcore *lc)
{
	lc->strays = (struct bucket){ 0 };
	memset(lc->source, 0, sizeof(lc->source));
}

static int fresh_control(void **state)
{
	static struct tunnel tunnels[TUNNELS];
	static uint32_t active[TUNNELS];

	fresh(state);
	peers_free(); // of the row before
	arrival = 0;
	memset(tunnels, 0, sizeof(tunnels));
	for (unsigned i = 0; i < CORES; i++)
		buckets_fill(w.dp.cores[i]);
	control = (struct control){ .dp = w.dp, .tunnels = tunnels, .active = active, .now = rte_rdtsc() };
	assert_int_equal(peers_init(&control.peers, TUNNELS), 0);
	for (uint32_t t = 0; t < TUNNELS; t++) {
		struct path path = path_of(t, 0);
		tunnels[t] = (struct tunnel){ .number = t, .phase = TUNNEL_UP, .handshakes.path = path, .handshakes.confirmed = 1 };
		active[control.n_active++] = t;
		if (t != 7)
			peers_set(&control.peers, t, &path.key);
	}
	return 0;
}

static int check(void **state)
{
	check_balance(state);
	peers_free();
	return 0;
}

// The address that tunnel t's client has gone to.
static struct path elsewhere(uint32_t t)
{
	struct path p = path_of(t, 0);

	p.key.peer_udp = rte_cpu_to_be_16(50001);
	p.key.peer_ip[3] = 77;
	return p;
}

static void send_from(const struct path *path, uint32_t t)
{
	uint8_t plain[2048], record[2200];

	arrive_outside(world_frame(&w, path, record, record_of(t, 0, CONTENT_DATA, plain, inner_plain(t, 200, plain), record)));
	run();
}

// The stray that lies before the control thread; NULL: none.
static struct rte_mbuf *stray_taken(void)
{
	for (unsigned i = 0; i < CORES; i++) {
		void *m;
		if (rte_ring_dequeue(w.dp.cores[i]->to_control, &m) < 0)
			continue;
		assert_int_equal(packet_of(m)->kind, PACKET_STRAY);
		return m;
	}
	return NULL;
}

// The control thread does its part.
static void answer(void)
{
	struct rte_mbuf *m = stray_taken();

	assert_non_null(m);
	stray_deliver(&control, m);
	run();
}

// The control thread names these.
static void answer_with(unsigned n, const uint32_t *candidates)
{
	struct rte_mbuf *m = stray_taken();

	assert_non_null(m);
	packet_of(m)->n_candidates = (uint8_t)n;
	memcpy(packet_of(m)->candidate, candidates, n * sizeof(*candidates));
	packet_of(m)->tunnel = candidates[0];
	assert_int_equal(rte_ring_enqueue(w.dp.cores[w.dp.owner[candidates[0]]]->from_control, m), 0);
	run();
}

#define ANSWER_WITH(...) answer_with(sizeof((uint32_t[]){ __VA_ARGS__ }) / 4, (uint32_t[]){ __VA_ARGS__ })

static void moved(uint32_t t, const struct path *to)
{
	COUNTED(paths_moved, 1);
	COUNTED(dtls_data_in, 1);
	assert_true(path_same_key(&w.dp.in[t].keys->path, to));
	struct rte_ring *told = w.dp.cores[w.dp.owner[t]]->to_control;
	struct rte_mbuf *m = next_of(told);
	assert_non_null(m);
	assert_int_equal(packet_of(m)->kind, PACKET_EVENT);
	assert_int_equal(packet_of(m)->event, EVENT_PATH);
	assert_int_equal(packet_of(m)->tunnel, t);
	assert_true(path_same_key(&packet_of(m)->path, to));
}

static void nothing_moved(uint32_t t)
{
	struct path path = path_of(t, 0);

	COUNTED(paths_moved, 0);
	COUNTED(drop_unknown_path, 1);
	assert_true(path_same_key(&w.dp.in[t].keys->path, &path));
	nothing_came_out();
}

// ------------------------------------------------------------------------------------------------------------------ moves

static void a_newer_record_moves_the_path(void **state)
{
	for (uint32_t t = 0; t < 7; t++) {
		struct path to = elsewhere(t);
		fresh_control(NULL);
		send_from(&to, t);
		COUNTED(punt_stray, 1);
		answer();
		moved(t, &to);
		send_inside(t, 100);
		run();
		struct rte_mbuf *m = next_of(w.outer.tx);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *) + headers_len(&to) - 6, &to.key.peer_udp, 2);
		empty(w.inner.tx);
		check_balance(NULL);
	}
}

static void from_one_ip_version_to_the_other(void **state)
{
	for (uint32_t t = 2; t < 4; t++) {
		struct path to = path_of(5 - t, 0);
		fresh_control(NULL);
		to.key.peer_udp = rte_cpu_to_be_16(50001);
		send_from(&to, t);
		answer();
		moved(t, &to);
		empty(w.inner.tx);
	}
}

static void old_records_move_nothing(void **state)
{
	struct path to = elsewhere(2);
	uint8_t plain[300], record[400];
	uint16_t len = record_of(2, 0, CONTENT_DATA, plain, inner_plain(2, 200, plain), record);

	send_data(2, 0, 200); // overtakes it
	run();
	empty(w.inner.tx);
	send_bytes(&to, record, len); // not seen before, but older
	ANSWER_WITH(2);
	nothing_moved(2);
}

static void replays_move_nothing(void **state)
{
	struct path here = path_of(2, 0), to = elsewhere(2);
	uint8_t plain[300], record[400];
	uint16_t len = record_of(2, 0, CONTENT_DATA, plain, inner_plain(2, 200, plain), record);

	send_bytes(&here, record, len);
	empty(w.inner.tx);
	send_bytes(&to, record, len);
	answer(); // which finds nobody
	nothing_moved(2);
}

static void forgeries_move_nothing(void **state)
{
	struct path to = elsewhere(2);
	uint8_t plain[300], record[400];
	uint16_t len = record_of(2, 0, CONTENT_DATA, plain, inner_plain(2, 200, plain), record);

	record[len - 1] ^= 1;
	send_bytes(&to, record, len);
	answer();
	nothing_moved(2);
	send_data(2, 0, 200);
	run();
	COUNTED(dtls_data_in, 1);
}

static void far_ahead_is_nobodys(void **state)
{
	struct path to = elsewhere(2);

	sequence[2][0] = 1 + STRAY_AHEAD;
	send_from(&to, 2);
	ANSWER_WITH(2);
	nothing_moved(2);
}

static void other_epochs_are_nobodys(void **state)
{
	struct path to = elsewhere(2);
	uint8_t plain[300], record[400];
	uint16_t len = world_seal(&client[2][0], record, CONTENT_DATA, 2, 5, plain, inner_plain(2, 200, plain));

	send_bytes(&to, record, len);
	ANSWER_WITH(2);
	nothing_moved(2);
}

static void tries_leave_the_record_as_it_is(void **state)
{
	struct path to = elsewhere(6); // of a cipher that others have too, and others have not
	send_from(&to, 6);
	ANSWER_WITH(0, 1, 2, 4, 5, 3, 6);
	moved(6, &to);
}

static void owners_on_other_cores_are_asked(void **state)
{
	struct path to = elsewhere(5);

	w.dp.owner[1] = w.dp.owner[5] = 1;
	send_from(&to, 5);
	ANSWER_WITH(0, 1, 2, 5);
	moved(5, &to);
	COUNTED(handed_out, 1);
	assert_int_equal(w.dp.cores[1]->count.value[COUNT_dtls_data_in], 1);
}

static bool moving;

static void *move_about(void *arg)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all)); // not on the CPU that EAL has bound the test to
	pthread_setaffinity_np(pthread_self(), sizeof(all), &all);
	for (uint8_t owner = 0; __atomic_load_n(&moving, __ATOMIC_RELAXED); owner ^= 1)
		__atomic_store_n(&w.dp.owner[1], owner, __ATOMIC_RELEASE);
	return NULL;
}

// Nobody hands a record to himself: there is no ring for that.
static void owners_may_change_meanwhile(void **state)
{
	uint64_t begin = rte_rdtsc(), handed = 0, before;
	unsigned n = 0, changes = 0;
	pthread_t thread;
	bool last = false;

	moving = true;
	w.lc->now = rte_rdtsc();
	assert_int_equal(pthread_create(&thread, NULL, move_about, NULL), 0);
	while (changes < 20000 && rte_rdtsc() - begin < w.dp.tsc_hz / 2) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(w.pool);
		assert_non_null(m);
		memset(rte_pktmbuf_append(m, 64), 0, 64);
		*packet_of(m) = (struct packet){ .kind = PACKET_STRAY, .n_candidates = 1, .candidate = { 1 } };
		count(w.lc, COUNT_lane_rx);
		assert_int_equal(adopt(w.lc, &m, 1), 0);
		assert_int_equal(w.lc->hand[w.lc->index].n, 0);
		hand_flush(w.lc);
		empty(w.dp.cores[1]->handed[0]);
		before = handed;
		handed = total(COUNT_handed_out);
		changes += (handed > before) != last;
		last = handed > before;
		n++;
	}
	__atomic_store_n(&moving, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	COUNTED(drop_unknown_path, n - total(COUNT_handed_out));
	w.lc->count.value[COUNT_handed_in] += total(COUNT_handed_out); // by us
	w.lc->count.value[COUNT_drop_unknown_path] += total(COUNT_handed_out);
}

static void nobody_is_left_on_any_core(void **state)
{
	struct path to = elsewhere(5);

	w.dp.owner[1] = 1;
	send_from(&to, 5);
	ANSWER_WITH(0, 1, 2);
	nothing_moved(5);
}

static void gone_tunnels_are_not_asked(void **state)
{
	struct path to = elsewhere(2);

	w.dp.in[2].flags = 0;
	send_from(&to, 2);
	ANSWER_WITH(2, 7); // nor one that has no keys
	nothing_moved(2);
}

static void deny_roaming_allows_another_port(void **state)
{
	struct path to = elsewhere(2);

	w.dp.in[2].flags |= TUNNEL_DENY_ROAMING;
	send_from(&to, 2);
	ANSWER_WITH(2);
	nothing_moved(2);
	to = path_of(2, 0);
	to.key.peer_udp ^= 1;
	send_from(&to, 2);
	ANSWER_WITH(2);
	moved(2, &to);
}

static void nothing_moves_untold(void **state)
{
	struct path to = elsewhere(2);
	struct rte_ring *ring = w.lc->to_control;

	send_from(&to, 2);
	struct rte_mbuf *m = stray_taken();
	while (!rte_ring_full(ring)) // the control thread is busy
		assert_int_equal(rte_ring_enqueue(ring, world_packet(&w)), 0);
	packet_of(m)->n_candidates = 1;
	packet_of(m)->candidate[0] = 2;
	assert_int_equal(rte_ring_enqueue(w.lc->from_control, m), 0);
	run();
	nothing_moved(2);
	empty(ring);
	send_from(&to, 2); // the next one does it
	ANSWER_WITH(2);
	moved(2, &to);
}

static void only_data_is_worth_a_search(void **state)
{
	struct path to = elsewhere(2);
	uint8_t record[64] = "\x17\xfe\xfd\0\0\0\0\0\0\0\x09\0\x20"; // epoch 0

	send_bytes(&to, record, 13 + 32);
	record[0] = CONTENT_ALERT;
	record[4] = 1;
	send_bytes(&to, record, 13 + 32);
	record[0] = CONTENT_HANDSHAKE;
	send_bytes(&to, record, 13 + 32);
	COUNTED(drop_unknown_path, 3);
	COUNTED(punt_stray, 0);
}

// An address whose NAT has given it to another client.
static void silent_tunnels_give_their_address_away(void **state)
{
	struct path taken = path_of(0, 0);

	send_from(&taken, 2);
	COUNTED(drop_bad_mac, 1); // not while its own client has just been heard
	w.dp.in[0].keys->last_udp -= 11 * w.dp.tsc_hz;
	send_from(&taken, 2);
	COUNTED(punt_stray, 1);
	answer();
	moved(2, &taken);
}

// ------------------------------------------------------------------------------------------------------------------ flood

static void a_flood_buys_so_much_and_no_more(void **state)
{
	struct path path = path_of(1, 0);
	uint8_t record[64] = "\x17\xfe\xfd\0\x01\0\0\0\0\0\x09\0\x20";
	uint64_t begin = rte_rdtsc();
	unsigned n = 0;

	for (unsigned i = 0; i < 20000; i++) {
		path.key.peer_ip[0] = 10;
		path.key.peer_ip[1] = (uint8_t)(i >> 8);
		path.key.peer_ip[2] = (uint8_t)i;
		arrive_outside(world_frame(&w, &path, record, 13 + 32));
		if (i % 20 == 0) {
			send_data(1, 0, 100);
			n++;
		}
		if (i % 20 == 19)
			run();
		empty(w.inner.tx);
		empty(w.lc->to_control);
	}
	run();
	empty(w.lc->to_control);
	assert_int_equal(w.dp.in[1].packets, n); // who has a tunnel notices nothing
	COUNTED(drop_unknown_path, 20000 - total(COUNT_punt_stray));
	assert_in_range(total(COUNT_punt_stray), STRAYS_BURST,
	                STRAYS_BURST + 1 + STRAYS_A_SECOND * (rte_rdtsc() - begin) / w.dp.tsc_hz);
}

// A record of 32 bytes that is nobody's, from 10.a.b.1 or from 2001:db8:a::b.
static void send_junk(uint8_t family, uint8_t a, uint8_t b)
{
	struct path path = path_of(1, 0);
	uint8_t record[64] = "\x17\xfe\xfd\0\x01\0\0\0\0\0\x09\0\x20";

	path.key.family = family;
	memset(path.key.peer_ip, 0, sizeof(path.key.peer_ip));
	if (family == 4) {
		memcpy(path.key.peer_ip, ((uint8_t[]){ 10, a, b, 1 }), 4);
	} else {
		memcpy(path.key.peer_ip, ((uint8_t[]){ 0x20, 1, 0x0d, 0xb8, 0, a }), 6);
		path.key.peer_ip[15] = b;
	}
	path.key.peer_udp = (uint16_t)(40000 + b);
	arrive_outside(world_frame(&w, &path, record, 13 + 32));
	run();
	empty(w.lc->to_control);
}

static void one_source_leaves_room_for_others(void **state)
{
	static const uint8_t families[] = { 4, 6 };
	struct path to = elsewhere(1);

	for (unsigned f = 0; f < 2; f++) {
		uint64_t begin = rte_rdtsc(), before = total(COUNT_punt_stray);
		for (unsigned i = 0; i < 1000; i++) // IPv6: all that a host may call its own
			send_junk(families[f], 1, families[f] == 4 ? 1 : (uint8_t)i);
		assert_in_range(total(COUNT_punt_stray) - before, STRAYS_SOURCE_BURST,
		                STRAYS_SOURCE_BURST + 1 + STRAYS_SOURCE_A_SECOND * (rte_rdtsc() - begin) / w.dp.tsc_hz);
		before = total(COUNT_punt_stray);
		for (unsigned i = 2; i < 10; i++)
			send_junk(families[f], (uint8_t)i, 1);
		assert_int_equal(total(COUNT_punt_stray) - before, 8);
	}
	send_from(&to, 1);
	answer();
	COUNTED(paths_moved, 1);
	empty(w.inner.tx);
}

static void a_bucket_fills_again(void **state)
{
	struct bucket b = { 0 };
	unsigned taken = 0;

	for (unsigned i = 0; i < 100; i++)
		taken += bucket_take(&b, 1000000, 1000, 10);
	assert_int_equal(taken, 10);
	for (unsigned i = 0; i < 100; i++) // a token every tenth time
		taken += bucket_take(&b, 1000000 + 100 * i, 1000, 10);
	assert_int_equal(taken, 10 + 9);
	for (unsigned i = 0; i < 100; i++)
		taken += bucket_take(&b, 9000000, 1000, 10);
	assert_int_equal(taken, 10 + 9 + 10);
}

// ------------------------------------------------------------------------------------------------------------- candidates

static struct rte_mbuf *asked(void)
{
	struct rte_mbuf *m = stray_taken();
	void *out;

	stray_deliver(&control, m);
	return rte_ring_dequeue(w.lc->from_control, &out) == 0 ? out : NULL;
}

static void candidates_are(const uint32_t *want, size_t n)
{
	struct rte_mbuf *m = asked();

	assert_non_null(m);
	assert_int_equal(packet_of(m)->n_candidates, n);
	assert_memory_equal(packet_of(m)->candidate, want, n * sizeof(*want));
	w.lc->count.value[COUNT_lane_rx]++; // here it ends
	w.lc->count.value[COUNT_drop_unknown_path]++;
	rte_pktmbuf_free(m);
}

#define CANDIDATES(...) candidates_are((uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4)

static void who_expects_it_comes_first(void **state)
{
	struct path from = elsewhere(0);

	for (uint32_t t = 0; t < 7; t++)
		w.dp.in[t].keys->seen.top = 100 - t;
	w.dp.in[5].keys->seen.top = 102; // has seen it already
	sequence[3][0] = 101;
	send_from(&from, 3);
	CANDIDATES(0, 1, 2, 3, 4, 6);
}

static void who_has_left_is_none(void **state)
{
	struct path from = elsewhere(0);

	control.tunnels[1].phase = TUNNEL_LEAVING;
	control.tunnels[2].deny_roaming = true;
	w.dp.in[3].keys = NULL;
	w.dp.in[4].keys->epoch = rte_cpu_to_be_16(2);
	w.dp.in[5].keys->seen.top = 1000;
	send_from(&from, 6);
	CANDIDATES(0, 6);
	w.dp.in[3].keys = &w.keys[6];
}

static void strangers_to_everybody_end_there(void **state)
{
	struct path from = elsewhere(0);

	for (uint32_t t = 0; t < 7; t++)
		w.dp.in[t].keys->seen.top = 1000;
	send_from(&from, 6);
	assert_null(asked());
	assert_int_equal(control.count.value[COUNT_drop_unknown_path], 1);
}

static void the_same_address_is_asked_without_a_search(void **state)
{
	struct path from = path_of(4, 0), far = elsewhere(4);

	from.key.peer_udp ^= 1;
	for (unsigned i = 0; i < 40; i++) { // searches are used up
		far.key.peer_ip[2] = (uint8_t)i;
		send_from(&far, 4);
		struct rte_mbuf *m = asked();
		w.lc->count.value[COUNT_drop_unknown_path] += m ? 1 : 0;
		w.lc->count.value[COUNT_lane_rx] += m ? 1 : 0;
		rte_pktmbuf_free(m);
	}
	send_from(&far, 4);
	assert_null(asked());
	send_from(&from, 4);
	CANDIDATES(6, 5, 4, 2, 1, 0); // all of them but the one over IPv6; the latest first where nothing else tells
}

static void an_index_by_address(void **state)
{
	struct path a = path_of(0, 0), b = elsewhere(0), none = { 0 };
	struct peers p;

	assert_int_equal(peers_init(&p, 8), 0);
	assert_int_equal(peers_first(&p, &a.key), PEER_NONE);
	for (uint32_t t = 0; t < 8; t++)
		peers_set(&p, t, t % 2 ? &b.key : &a.key);
	peers_set(&p, 4, &none.key);
	peers_set(&p, 4, &none.key);
	peers_set(&p, 6, &b.key);
	peers_set(&p, 0, &a.key);
	assert_int_equal(peers_first(&p, &a.key), 2);
	assert_int_equal(peers_next(&p, &a.key, 2), 0);
	assert_int_equal(peers_next(&p, &a.key, 0), PEER_NONE);
	static const uint32_t want[] = { 6, 7, 5, 3, 1 };
	uint32_t at = peers_first(&p, &b.key);
	for (unsigned i = 0; i < 5; i++, at = peers_next(&p, &b.key, at))
		assert_int_equal(at, want[i]);
	assert_int_equal(at, PEER_NONE);
	b.key.family = 6; // the same bytes
	assert_int_equal(peers_first(&p, &b.key), PEER_NONE);
	free(p.of);
	free(p.first);
}

// --------------------------------------------------------------------------------------------------------------- next hop

static void answers_follow_the_next_hop(void **state)
{
	struct path path = path_of(2, 0);
	uint8_t plain[300], record[400];
	uint16_t len, old_len;

	old_len = record_of(2, 0, CONTENT_DATA, plain, inner_plain(2, 200, plain), record);
	path.peer_mac.addr_bytes[5] = 9;
	path.vlan = rte_cpu_to_be_16(7);
	w.dp.in[2].keys->last_udp -= w.dp.tsc_hz;
	send_from(&path, 2);
	COUNTED(hops_moved, 1);
	send_inside(2, 100);
	run();
	struct rte_mbuf *m = next_of(w.outer.tx);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), &path.peer_mac, 6);
	assert_int_equal(load16(rte_pktmbuf_mtod(m, uint8_t *) + 14), 7);
	path = path_of(2, 0); // an older record from where it was before
	w.dp.in[2].keys->last_udp -= w.dp.tsc_hz;
	send_bytes(&path, record, old_len);
	COUNTED(dtls_data_in, 2);
	COUNTED(hops_moved, 1);
	len = record_of(2, 0, CONTENT_DATA, plain, inner_plain(2, 200, plain), record);
	record[len - 1] ^= 1;
	w.dp.in[2].keys->last_udp -= w.dp.tsc_hz;
	send_bytes(&path, record, len); // a forged one
	COUNTED(drop_bad_mac, 1);
	COUNTED(hops_moved, 1);
	for (unsigned i = 0; i < 16; i++) // while it is busy, one of so many is looked at
		send_from(&path, 2);
	COUNTED(hops_moved, 2);
	COUNTED(paths_moved, 0);
	empty(w.inner.tx);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh_control, check)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_newer_record_moves_the_path),
		TEST(from_one_ip_version_to_the_other),
		TEST(old_records_move_nothing),
		TEST(replays_move_nothing),
		TEST(forgeries_move_nothing),
		TEST(far_ahead_is_nobodys),
		TEST(other_epochs_are_nobodys),
		TEST(tries_leave_the_record_as_it_is),
		TEST(owners_on_other_cores_are_asked),
		TEST(owners_may_change_meanwhile),
		TEST(nobody_is_left_on_any_core),
		TEST(gone_tunnels_are_not_asked),
		TEST(deny_roaming_allows_another_port),
		TEST(nothing_moves_untold),
		TEST(only_data_is_worth_a_search),
		TEST(silent_tunnels_give_their_address_away),
		TEST(a_flood_buys_so_much_and_no_more),
		TEST(one_source_leaves_room_for_others),
		TEST(a_bucket_fills_again),
		TEST(who_expects_it_comes_first),
		TEST(who_has_left_is_none),
		TEST(strangers_to_everybody_end_there),
		TEST(the_same_address_is_asked_without_a_search),
		TEST(an_index_by_address),
		TEST(answers_follow_the_next_hop),
	};
	int failed;

	traffic_init();
	failed = cmocka_run_group_tests_name(aead_implementation(), tests, NULL, NULL);
	world_must(aead_init_openssl() == 0, "OpenSSL"); // whose records have to survive a try too
	return failed + cmocka_run_group_tests_name(aead_implementation(), tests, NULL, NULL);
}
