// What an authorization server changes of a session: main asks the dataplane, and what it says then holds; this test plays both
// peers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config_rig.h"
#include "control/main/limit.h"
#include "control/main/session.h"
#include "control/main/supervise.h"

static struct gateway g;
static struct child secmod, dataplane;
static struct chan as_secmod, as_dataplane; // the other ends
static struct terms terms;
static struct tunnel *tunnel, *tunnels[4];
static struct session *session;
static struct config *config;
static const chan_handler deaf[MSG_NUMBERS];

// What main has said last.
static struct msg_session_changed changed;
static struct msg_tunnel_change order;
static unsigned answers, orders, revoked;

static int keep_changed(void *who, const void *m, const int *fds)
{
	changed = *(const struct msg_session_changed *)m;
	answers++;
	return 0;
}

static int keep_order(void *who, const void *m, const int *fds)
{
	order = *(const struct msg_tunnel_change *)m;
	orders++;
	return 0;
}

static int keep_revoked(void *who, const void *m, const int *fds)
{
	revoked++;
	return 0;
}

static int nothing(void *who, const void *m, const int *fds)
{
	return 0;
}

static const chan_handler of_secmod[MSG_NUMBERS] = {
	[MSG_SESSION_CHANGED] = keep_changed,
	[MSG_SESSION_REVOKE] = keep_revoked,
	[MSG_SESSION_LEASE] = nothing,
};
static const chan_handler of_dataplane[MSG_NUMBERS] = {
	[MSG_TUNNEL_CHANGE] = keep_order,
	[MSG_TUNNEL_PORT] = nothing,
};

static void hear_all(void)
{
	answers = orders = revoked = 0;
	event_base_loop(g.base, EVLOOP_NONBLOCK);
	while (chan_serve(&as_secmod, of_secmod, NULL, 64) > 0 || chan_serve(&as_dataplane, of_dataplane, NULL, 64) > 0)
		;
}

static void ask(struct msg_session_change m)
{
	static uint32_t token;

	m.token = ++token;
	m.sid_len = SID_SIZE;
	memcpy(m.sid, session->sid, SID_SIZE);
	change_session(&g, &m);
	hear_all();
}

static void dataplane_says(bool ok)
{
	change_done(&g, &(struct msg_tunnel_changed){ .token = order.token, .tunnel = order.tunnel, .ok = ok });
	hear_all();
}

static void answered(enum change_result result)
{
	assert_int_equal(answers, 1);
	assert_int_equal(changed.result, result);
}

// ------------------------------------------------------------------------------------------------------------------ facts

static void the_dataplane_comes_first(void **unused)
{
	ask((struct msg_session_change){ .what = CHANGE_RX_RATE | CHANGE_IDLE_TIMEOUT, .rx_rate = 1000, .idle_timeout = 60 });
	assert_int_equal(answers, 0);
	assert_int_equal(orders, 1);
	assert_int_equal(order.rx_rate, 1000);
	assert_int_equal(order.tx_rate, 5000); // as its terms have it
	assert_int_equal(order.idle, 60);
	assert_int_equal(tunnel->kept.rx_rate, 0); // not yet
	ask((struct msg_session_change){ .what = CHANGE_TX_RATE, .tx_rate = 1 });
	answered(CHANGE_BUSY);
	dataplane_says(true);
	answered(CHANGE_DONE);
	assert_int_equal(tunnel->kept.rx_rate, 1000);
	assert_int_equal(tunnel->kept.idle_timeout, 60);
	ask((struct msg_session_change){ .what = CHANGE_TX_RATE, .tx_rate = 7 }); // what holds already stays
	assert_int_equal(order.rx_rate, 1000);
	assert_int_equal(order.tx_rate, 7);
	dataplane_says(true);
	assert_int_equal(change_kept(session, &terms, false).rx_rate, 1000); // a later connection's too
	assert_int_equal(change_kept(session, &terms, false).tx_rate, 7);
}

static void a_refusal_changes_nothing(void **unused)
{
	ask((struct msg_session_change){ .what = CHANGE_RX_RATE | CHANGE_SESSION_TIMEOUT, .rx_rate = 1000, .session_timeout = 5 });
	dataplane_says(false);
	answered(CHANGE_FAILED);
	assert_int_equal(tunnel->kept.rx_rate, 0);
	assert_int_equal(session->timeout, 0);
	assert_int_equal(session->changed.what, 0);
	dataplane_says(true); // nobody has asked for that
	answered(CHANGE_NO_SESSION);
	assert_int_equal(tunnel->kept.rx_rate, 0);
}

static void times_of_a_session_are_main_s(void **unused)
{
	ask((struct msg_session_change){ .what = CHANGE_SESSION_TIMEOUT, .session_timeout = 3600 });
	answered(CHANGE_DONE);
	assert_int_equal(orders, 0);
	assert_int_equal(session->timeout, 3600);
	assert_true(evtimer_pending(&tunnel->timer, NULL));
	ask((struct msg_session_change){ .what = CHANGE_SESSION_TIMEOUT, .session_timeout = 0 });
	answered(CHANGE_DONE);
	assert_false(evtimer_pending(&tunnel->timer, NULL));
}

// Words of penstockctl limit.
static void words_of_operators(void **unused)
{
	static const char *const wrong[] = {
		"", "rx", "rx=", "rx=-1", "rx=1.5", "rx=1X", "rx=KB", "x=1", "RX=1", "rx=9T", "idle-timeout=3000000000", "tx= 1"
	};
	struct msg_session_change m = { 0 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (limit_take(&m, wrong[i]))
			fail_msg("%s is taken", wrong[i]);
	assert_int_equal(m.what, 0);
	assert_true(limit_take(&m, "rx=125000"));
	assert_true(limit_take(&m, "tx=2M"));
	assert_true(limit_take(&m, "session-timeout=3600"));
	assert_true(limit_take(&m, "idle-timeout=0"));
	assert_int_equal(m.what, CHANGE_RX_RATE | CHANGE_TX_RATE | CHANGE_SESSION_TIMEOUT | CHANGE_IDLE_TIMEOUT);
	assert_int_equal(m.rx_rate, 125000);
	assert_int_equal(m.tx_rate, 2000000);
	assert_int_equal(m.session_timeout, 3600);
	assert_int_equal(m.idle_timeout, 0);
	assert_false(limit_take(&m, "rx=1")); // twice
}

// It holds as a server's order does, and sec-mod hears nothing of it.
static void operators_orders(void **unused)
{
	struct msg_session_change m = { .what = CHANGE_RX_RATE, .rx_rate = 4000 };

	change_by_operator(session, &m, 7);
	hear_all();
	assert_int_equal(orders, 1);
	assert_int_equal(order.rx_rate, 4000);
	dataplane_says(true);
	assert_int_equal(answers, 0);
	assert_int_equal(tunnel->kept.rx_rate, 4000);
	m = (struct msg_session_change){ .what = CHANGE_SESSION_TIMEOUT, .session_timeout = 60 };
	change_by_operator(session, &m, 8);
	hear_all();
	assert_int_equal(answers + orders, 0);
	assert_int_equal(session->timeout, 60);
}

static void filters_are_groups(void **unused)
{
	ask((struct msg_session_change){ .what = CHANGE_FILTER, .filter = "nowhere" });
	answered(CHANGE_NO_FILTER);
	ask((struct msg_session_change){ .what = CHANGE_FILTER, .filter = "../narrow" });
	answered(CHANGE_NO_FILTER);
	ask((struct msg_session_change){ .what = CHANGE_FILTER, .filter = "narrow" });
	assert_int_equal(order.rules, RULE_PORTS);
	assert_int_equal(order.ports, 2);
	assert_int_equal(order.tx_rate, 5000);
	dataplane_says(true);
	answered(CHANGE_DONE);
	assert_ptr_not_equal(tunnel->kept.where, &terms);
	ask((struct msg_session_change){ .what = CHANGE_RX_RATE, .rx_rate = 9 }); // beside it
	assert_int_equal(order.rules, RULE_PORTS);
	dataplane_says(true);
	ask((struct msg_session_change){ .what = CHANGE_FILTER, .filter = "staff" }); // the session's own group
	assert_int_equal(order.rules, 0);
	assert_int_equal(order.rx_rate, 9);
	dataplane_says(true);
	assert_ptr_equal(tunnel->kept.where, &terms);
}

static void without_a_client_it_is_for_the_next(void **unused)
{
	session->tunnel = NULL;
	ask((struct msg_session_change){ .what = CHANGE_RX_RATE, .rx_rate = 1000 });
	answered(CHANGE_DONE);
	assert_int_equal(orders, 0);
	assert_int_equal(change_kept(session, &terms, true).rx_rate, 1000);
	ask((struct msg_session_change){ .end = 1 });
	answered(CHANGE_DONE);
	assert_int_equal(revoked, 1);
}

static void who_is_not_there_is_not_changed(void **unused)
{
	struct msg_session_change m = { .token = 7, .sid_len = SID_SIZE, .sid = { 99 }, .what = CHANGE_RX_RATE };

	change_session(&g, &m);
	hear_all();
	answered(CHANGE_NO_SESSION);
	assert_int_equal(changed.token, 7);
}

// ------------------------------------------------------------------------------------------------------------------- life

static void peer(struct child *c, struct chan *other, enum role role)
{
	int fds[2];

	memset(c, 0, sizeof(*c));
	assert_int_equal(chan_pair(fds), 0);
	c->g = &g;
	c->ready = true;
	chan_init(&c->link.chan, fds[0], ROLE_MAIN, role, CHAN_PLAIN, "peer");
	chan_init(other, fds[1], role, ROLE_MAIN, role == ROLE_DATAPLANE ? DM_READY : CHAN_PLAIN, "main");
	c->link.handlers = deaf;
	assert_int_equal(link_open(&c->link, g.base, 64), 0);
}

static int up(void **unused)
{
	struct msg_session_reply m = { .sid_len = SID_SIZE, .sid = { 1 }, .user = "anna", .group = "staff" };

	memset(&g, 0, sizeof(g));
	g.base = event_base_new();
	gateway_tables_init(&g);
	peer(&secmod, &as_secmod, ROLE_SECMOD);
	peer(&dataplane, &as_dataplane, ROLE_DATAPLANE);
	g.secmod = &secmod;
	g.dataplane = &dataplane;
	g.tunnels = tunnels;
	g.tunnels_max = 4;
	g.policy.vhost[0] = (struct policy_vhost){ .name = "", .config = config };
	g.policy.n_vhosts = 1;
	terms = (struct terms){ .references = 1, .tx_rate = 5000 };
	session = session_get(&g, &m);
	session->since_ms = clock_ms();
	tunnel = calloc(1, sizeof(*tunnel));
	*tunnel = (struct tunnel){ .g = &g, .number = 2, .phase = TUNNEL_UP, .session = session, .terms = &terms };
	tunnel->kept = change_kept(session, &terms, false);
	evtimer_assign(&tunnel->timer, g.base, NULL, NULL);
	tunnels[2] = session->tunnel = tunnel;
	return 0;
}

static int down(void **unused)
{
	change_free(tunnel->change);
	evtimer_del(&tunnel->timer);
	free(tunnel);
	session_free_all(&g);
	link_close(&secmod.link);
	link_close(&dataplane.link);
	chan_fini(&as_secmod);
	chan_fini(&as_dataplane);
	g.tunnels = NULL;
	gateway_tables_fini(&g);
	event_base_free(g.base);
	return 0;
}

static int begin(void **state)
{
	static const char narrow[] = "restrict-user-to-ports = \"tcp(443), udp(53)\"\n";
	char path[80];
	struct heard h;

	rig_set_up(state);
	snprintf(path, sizeof(path), "%s/groups", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file("groups/narrow", narrow, strlen(narrow));
	return load("test.conf", GOOD "config-per-group = groups\n", CONFIG_TEST, &h, &config);
}

static int end(void **state)
{
	char path[80];

	config_free(config);
	snprintf(path, sizeof(path), "%s/groups/narrow", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/groups", dir);
	rmdir(path);
	return rig_tear_down(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_dataplane_comes_first),
		TEST(a_refusal_changes_nothing),
		TEST(times_of_a_session_are_main_s),
		TEST(words_of_operators),
		TEST(operators_orders),
		TEST(filters_are_groups),
		TEST(without_a_client_it_is_for_the_next),
		TEST(who_is_not_there_is_not_changed),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
