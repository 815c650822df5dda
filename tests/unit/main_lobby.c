// Who gets a worker when many want one, and who has to make room.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/main/conn.h"
#include "control/main/gateway.h"
#include "control/main/supervise.h"
#include "proto/log.h"

#define SOCKETS 256
#define FRESH 1000 // more than any machine has CPUs for

static struct gateway g;
static struct child secmod, dataplane, nursery;
static struct {
	int ours; // the client's end; -1: closed
} clients[SOCKETS];
static unsigned n_clients;
static int deaf[3];
static unsigned n_deaf;

// --------------------------------------------------------------------------------------------------------------- a client

// The n-th place: an IPv4 address, or from 1000 on a /64.
static struct addr address(unsigned place, unsigned host)
{
	struct addr a = { .family = place < 1000 ? 4 : 6, .prefix = place < 1000 ? 32 : 128 };

	a.ip[0] = place < 1000 ? 10 : 0x20;
	a.ip[place < 1000 ? 2 : 6] = (uint8_t)(place % 1000 >> 8);
	a.ip[place < 1000 ? 3 : 7] = (uint8_t)(place % 1000);
	if (place >= 1000)
		a.ip[15] = (uint8_t)host;
	return a;
}

static unsigned come_from(unsigned place, unsigned host, bool speaks, bool proxied)
{
	struct addr client = address(place, host), local = address(0, 0);
	int pair[2];

	assert_true(n_clients < SOCKETS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	clients[n_clients].ours = pair[0];
	if (speaks)
		assert_int_equal(write(pair[0], "hello", 5), 5);
	lobby_take(&g, pair[1], &client, &local, proxied);
	return n_clients++;
}

static unsigned come(unsigned place)
{
	return come_from(place, 1, true, false);
}

// The loop sees who has sent something.
static void look(void)
{
	event_base_loop(g.base, EVLOOP_NONBLOCK);
}

// Those who have a worker and no session, oldest first: places.
static void assert_starts(const unsigned *places, size_t n)
{
	struct conn *c = TAILQ_FIRST(&g.lobby.starts);

	assert_int_equal(g.lobby.starts_count, n);
	for (size_t i = 0; i < n; i++, c = TAILQ_NEXT(c, start)) {
		struct addr a = address(places[i], 1);

		assert_non_null(c);
		assert_memory_equal(c->client.ip, a.ip, 8);
	}
}
#define STARTS(...) assert_starts((const unsigned[]){ __VA_ARGS__ }, sizeof((unsigned[]){ __VA_ARGS__ }) / sizeof(unsigned))

static struct conn *first(void)
{
	return TAILQ_FIRST(&g.lobby.starts);
}

// The first answers of all who are at it now: each lets one in.
static void all_answered(void)
{
	struct conn *c = TAILQ_FIRST(&g.lobby.starts), *last = TAILQ_LAST(&g.lobby.starts, conn_starts);

	for (; c; c = c == last ? NULL : TAILQ_NEXT(c, start))
		if (!c->answered_ms)
			lobby_answered(c);
}

static void age(uint64_t ms)
{
	struct conn *c;

	TAILQ_FOREACH(c, &g.conns, all)
	c->since_ms -= ms;
}

// ------------------------------------------------------------------------------------------------------------------- turns

static void who_says_nothing_has_no_worker(void **state)
{
	unsigned silent = come_from(1, 1, false, false);

	look();
	assert_int_equal(g.lobby.starts_count, 0);
	assert_int_equal(g.lobby.waiters, 1);
	come(2);
	look();
	STARTS(2);
	assert_int_equal(write(clients[silent].ours, "hello", 5), 5);
	look();
	STARTS(2, 1);
	assert_int_equal(g.lobby.waiters, 0);
}

static void who_has_gone_needs_none(void **state)
{
	unsigned gone = come(1);

	close(clients[gone].ours);
	clients[gone].ours = -1;
	look();
	assert_int_equal(g.lobby.starts_count, 0);
	assert_int_equal(g.lobby.waiters, 0);
}

static void places_take_turns(void **state)
{
	// one CPU: four at their first answer
	for (unsigned i = 0; i < 8; i++)
		come(1);
	look();
	STARTS(1, 1, 1, 1);
	come(2);
	come(3);
	come_from(1007, 1, true, false);
	come_from(1007, 2, true, false); // the same /64
	look();
	STARTS(1, 1, 1, 1);
	all_answered();
	STARTS(1, 1, 1, 1, 1, 2, 3, 1007);
	all_answered();
	STARTS(1, 1, 1, 1, 1, 2, 3, 1007, 1, 1007, 1, 1);
	assert_int_equal(g.lobby.waiters, 0);
}

static void few_are_fresh_at_one_time(void **state)
{
	for (unsigned i = 0; i < 40; i++)
		come(i);
	look();
	for (unsigned i = 0; i < 20; i++)
		all_answered();
	assert_int_equal(g.lobby.starts_count, 32);
	conn_join(first()); // has its session
	assert_int_equal(g.lobby.starts_count, 32);
	assert_int_equal(g.lobby.waiters, 7);
	assert_int_equal(g.clients_count, 1);
}

// --------------------------------------------------------------------------------------------------------------- make room

static void the_heaviest_makes_room(void **state)
{
	g.lobby.cpus = FRESH;
	g.policy.startups = 6;
	come(1);
	for (unsigned i = 0; i < 4; i++)
		come(2);
	come(3);
	look();
	STARTS(1, 2, 2, 2, 2, 3);
	come(4);
	look();
	STARTS(1, 2, 2, 2, 3, 4);
	come(5);
	look();
	STARTS(1, 2, 2, 3, 4, 5);
	assert_int_equal(g.stats.total.refused[REFUSED_STARTUPS], 2);
	come(2); // its own do not make room for it
	look();
	STARTS(1, 2, 2, 3, 4, 5);
	come(6); // which does not hold up others
	look();
	STARTS(1, 2, 3, 4, 5, 6);
	come(7); // nor does one of one
	look();
	STARTS(1, 2, 3, 4, 5, 6);
	assert_int_equal(g.lobby.waiters, 2);
	age(5000); // but who has had his time makes room
	lobby_pump(&g);
	assert_int_equal(g.lobby.waiters, 0);
	STARTS(3, 4, 5, 6, 2, 7);
}

static void who_is_about_to_have_a_session_stays(void **state)
{
	g.lobby.cpus = FRESH;
	g.policy.startups = 2;
	come(1);
	come(1);
	look();
	chan_enter(&first()->link.chan, MW_OPENING);
	age(5000);
	come(2);
	look();
	STARTS(1, 2);
	assert_int_equal(first()->link.chan.state, MW_OPENING);
}

static void a_proxy_is_not_heavy(void **state)
{
	g.lobby.cpus = FRESH;
	g.policy.startups = 4;
	for (unsigned i = 0; i < 4; i++)
		come_from(1, 1, true, true);
	look();
	STARTS(1, 1, 1, 1);
	come_from(1, 1, true, true);
	look();
	assert_int_equal(g.lobby.waiters, 1);
	// their headers say whose they are
	for (struct conn *c = first(); c; c = TAILQ_NEXT(c, start)) {
		c->client = address(7, 1);
		c->of_proxy = false;
		lobby_move(c);
	}
	lobby_pump(&g);
	STARTS(7, 7, 7, 1);
}

static void a_place_has_a_bound_where_it_is_said(void **state)
{
	g.lobby.cpus = FRESH;
	g.policy.startups_per_source = 3;
	for (unsigned i = 0; i < 5; i++)
		come_from(1003, i, true, false);
	come(2);
	look();
	STARTS(1003, 1003, 1003, 2);
	assert_int_equal(g.stats.total.refused[REFUSED_STARTUPS], 2);
	conn_evict(first());
	come_from(1003, 9, true, false);
	look();
	STARTS(1003, 1003, 2, 1003);
}

static void a_ban_is_for_who_waits_too(void **state)
{
	struct addr network = address(1005, 0);

	g.phase = GATEWAY_STARTING; // nobody is served
	come_from(1005, 1, true, false);
	come_from(1005, 2, false, false);
	come(5);
	look();
	assert_int_equal(g.lobby.waiters, 3);
	network.prefix = 48;
	addr_mask(&network);
	lobby_ban(&g, &network);
	assert_int_equal(g.lobby.waiters, 1);
	g.phase = GATEWAY_UP;
	lobby_pump(&g);
	STARTS(5);
}

static void how_many_there_may_be(void **state)
{
#define T(clients, startups_said, most)                          \
	do {                                                     \
		g.policy.max_clients = clients;                  \
		g.policy.startups = startups_said;               \
		assert_int_equal(lobby_startups_most(&g), most); \
	} while (0)
	T(16, 0, 64);
	T(1000, 0, 250);
	T(100000, 0, 1024);
	T(16, 3, 3);
	g.tunnels_max = 400;
	T(0, 0, 100);
}

// ---------------------------------------------------------------------------------------------------------------- set-up

// Who is not there to read: what is said to it waits.
static int child_up(struct child *c, enum role role)
{
	int pair[2], ret;

	*c = (struct child){ .g = &g, .ready = true };
	ret = chan_pair(pair);
	if (ret < 0)
		return ret;
	deaf[n_deaf++] = pair[1];
	chan_init(&c->link.chan, pair[0], ROLE_MAIN, role, CHAN_PLAIN, "child");
	return link_open(&c->link, g.base, 4096);
}

static int set_up(void **state)
{
	log_init("main_lobby", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	n_clients = n_deaf = 0;
	g = (struct gateway){ .accepting = true, .secmod = &secmod, .dataplane = &dataplane, .nursery = &nursery };
	g.base = event_base_new();
	if (!g.base || gateway_tables_init(&g) < 0)
		return -1;
	g.bans = ban_list_new(&g.policy.bans, 16);
	door_init(&g);
	lobby_init(&g);
	g.lobby.cpus = 1;
	g.phase = GATEWAY_UP;
	return child_up(&secmod, ROLE_SECMOD) || child_up(&dataplane, ROLE_DATAPLANE) || child_up(&nursery, ROLE_NURSERY);
}

static int tear_down(void **state)
{
	g.phase = GATEWAY_STOPPING;
	lobby_fini(&g);
	conn_lose_nursery(&g, &nursery);
	assert_int_equal(g.lobby.starts_count + g.lobby.fresh_count + g.lobby.answers + g.lobby.sources.count + g.clients_count, 0);
	link_close(&secmod.link);
	link_close(&dataplane.link);
	link_close(&nursery.link);
	for (unsigned i = 0; i < n_deaf; i++)
		close(deaf[i]);
	for (unsigned i = 0; i < n_clients; i++)
		if (clients[i].ours >= 0)
			close(clients[i].ours);
	ban_list_free(g.bans);
	gateway_tables_fini(&g);
	event_base_free(g.base);
	return 0;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(who_says_nothing_has_no_worker),
		TEST(who_has_gone_needs_none),
		TEST(places_take_turns),
		TEST(few_are_fresh_at_one_time),
		TEST(the_heaviest_makes_room),
		TEST(who_is_about_to_have_a_session_stays),
		TEST(a_proxy_is_not_heavy),
		TEST(a_place_has_a_bound_where_it_is_said),
		TEST(a_ban_is_for_who_waits_too),
		TEST(how_many_there_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
