// Another main goes on, and asks its children what they have: whatever a dataplane does then, the recovery comes to its end. This
// test plays the children.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway_rig.h"
#include "control/main/handover.h"
#include "control/main/recover.h"
#include "control/main/refill.h"
#include "control/main/session.h"
#include "control/main/supervise.h"

#define TUNNELS 8
#define STRAY 5 // the number of a tunnel that no record knows

static struct handover handover;

// A process that does nothing, and the other end of its channel.
struct played {
	struct child *child;
	struct chan chan;
	pid_t pid;
};

static struct played secmod, dataplane;

// The one who is connected.
static struct {
	struct session *session;
	struct conn conn;
	struct chan worker;
	struct tunnel tunnel;
	struct terms terms;
	pid_t pid;
	bool told_to_go;
} anna;

static unsigned asked, added, deleted;

// ---------------------------------------------------------------------------------------------------------------- children

static int keep_asked(void *who, const void *m, const int *fds)
{
	asked++;
	return 0;
}

static int keep_add(void *who, const void *m, const int *fds)
{
	assert_int_equal(((const struct msg_tunnel_add *)m)->tunnel, anna.tunnel.number);
	added++;
	return 0;
}

static int keep_del(void *who, const void *m, const int *fds)
{
	assert_int_equal(((const struct msg_tunnel_del *)m)->tunnel, STRAY);
	deleted++;
	return 0;
}

static int keep_terminate(void *who, const void *m, const int *fds)
{
	anna.told_to_go = true;
	return 0;
}

static const chan_handler of_main[MSG_NUMBERS] = { [MSG_SESSIONS_ASK] = keep_asked,
	                                           [MSG_TUNNELS_ASK] = keep_asked,
	                                           [MSG_TUNNEL_ADD] = keep_add,
	                                           [MSG_TUNNEL_DEL] = keep_del,
	                                           [MSG_TERMINATE] = keep_terminate };

static void hear_all(void)
{
	for (int i = 0; i < 20; i++) {
		event_base_loop(g.base, EVLOOP_NONBLOCK);
		while (secmod.child && chan_serve(&secmod.chan, of_main, NULL, 8) > 0)
			;
		while (dataplane.child && chan_serve(&dataplane.chan, of_main, NULL, 8) > 0)
			;
		while (chan_serve(&anna.worker, of_main, NULL, 8) > 0)
			;
	}
}

static pid_t a_process(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static struct child *play(struct played *p, const struct child_kind *kind, uint32_t state)
{
	struct child *c = calloc(1, sizeof(*c));

	c->g = &g;
	c->kind = kind;
	c->ready = true;
	c->pid = p->pid = a_process();
	rig_peer(&c->link, &p->chan, kind->role, ANY, state, 64);
	evtimer_assign(&c->timer, g.base, NULL, NULL);
	TAILQ_INSERT_TAIL(&g.children, c, all);
	return p->child = c;
}

// Main hears of it as it does of every child's end.
static void dies(struct played *p)
{
	int status;

	kill(p->pid, SIGKILL);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	p->child = NULL;
	supervise_ended(&g, p->pid, status);
	chan_fini(&p->chan);
}

static void dataplane_has(uint32_t tunnel, uint8_t app_id)
{
	struct msg_tunnel_held m = { .tunnel = tunnel };

	memset(m.app_id, app_id, APP_ID_SIZE);
	recover_tunnel(&g, &m);
}

static void has_said_all(const struct played *p)
{
	recover_told(p->child);
	hear_all();
}

static bool last_counters(uint32_t tunnel)
{
	return recover_counted(&g, &(struct msg_tunnel_counters){ .tunnel = tunnel, .last = 1 });
}

// ------------------------------------------------------------------------------------------------------------------ timer

static int timer_find(const struct event_base *base, const struct event *e, void *out)
{
	struct timeval due, least = { .tv_sec = 5 }, now;

	if (!event_pending(e, EV_TIMEOUT, &due))
		return 0;
	event_base_gettimeofday_cached((struct event_base *)base, &now);
	evutil_timersub(&due, &now, &due);
	if (evutil_timercmp(&due, &least, <))
		return 0;
	*(struct event **)out = (struct event *)e;
	return 1;
}

// The only one that is so far away.
static void patience_ends(void)
{
	struct event *timer = NULL;

	event_base_foreach_event(g.base, timer_find, &timer);
	assert_non_null(timer);
	event_active(timer, EV_TIMEOUT, 0);
	hear_all();
}

static bool was_killed(const struct played *p)
{
	siginfo_t info = { 0 };

	assert_int_equal(kill(p->pid, SIGTERM), 0); // else it would be waited for in vain
	assert_int_equal(waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOWAIT), 0);
	return info.si_status == SIGKILL;
}

// ------------------------------------------------------------------------------------------------------------------- facts

static void begin_with_a_stray(void)
{
	assert_int_equal(recover_begin(&g, &handover), 0);
	hear_all();
	assert_int_equal(asked, 2);
	dataplane_has(anna.tunnel.number, 1);
	dataplane_has(STRAY, 9);
	hear_all();
	assert_int_equal(deleted, 1);
}

static void its_last_counters_are_waited_for(void **unused)
{
	begin_with_a_stray();
	has_said_all(&dataplane);
	has_said_all(&secmod);
	assert_non_null(g.recovery);
	assert_true(last_counters(STRAY));
	assert_null(g.recovery);
	assert_false(anna.told_to_go);
}

static void it_dies_before_they_come(void **unused)
{
	begin_with_a_stray();
	has_said_all(&dataplane);
	has_said_all(&secmod);
	dies(&dataplane);
	assert_null(g.recovery);
	assert_int_equal(anna.tunnel.where, WHERE_NOWHERE); // and waits for the next one
}

static void it_never_sends_them(void **unused)
{
	begin_with_a_stray();
	has_said_all(&dataplane);
	has_said_all(&secmod);
	patience_ends();
	assert_true(was_killed(&dataplane));
	assert_false(was_killed(&secmod)); // which has answered
	dies(&dataplane);
	assert_null(g.recovery);
}

// Numbers of the next one's tunnels may be the same.
static void its_strays_die_with_it(void **unused)
{
	for (int answers = 0; answers < 2; answers++) {
		begin_with_a_stray();
		if (answers)
			has_said_all(&dataplane);
		dies(&dataplane);
		assert_non_null(g.recovery);
		assert_false(last_counters(STRAY));
		has_said_all(&secmod);
		assert_null(g.recovery);
		asked = deleted = 0;
		g.dataplane = play(&dataplane, &child_dataplane, DM_READY);
	}
}

static void the_next_one_gets_what_none_had(void **unused)
{
	dies(&dataplane); // with the main before: its records are as they were
	anna.tunnel.where = WHERE_DATAPLANE;
	anna.tunnel.now.bytes_in = 5000;
	assert_int_equal(recover_begin(&g, &handover), 0);
	has_said_all(&secmod);
	assert_null(g.recovery);
	assert_false(anna.told_to_go);
	g.dataplane = play(&dataplane, &child_dataplane, DM_READY);
	assert_int_equal(refill_room(&g, TUNNELS), 0);
	refill_begin(&g);
	hear_all();
	assert_int_equal(added, 1);
	tunnel_replied(&g, &(struct msg_tunnel_reply){ .tunnel = anna.tunnel.number, .ok = 1 });
	tunnel_counted(&g, &(struct msg_tunnel_counters){ .tunnel = anna.tunnel.number, .bytes_in = 10 });
	assert_int_equal(anna.tunnel.now.bytes_in, 5010);
}

// -------------------------------------------------------------------------------------------------------------------- life

static void anna_is_connected(void)
{
	struct msg_session_reply m = { .sid_len = SID_SIZE, .user = "anna" };
	struct tunnel *t = &anna.tunnel;

	memset(&anna, 0, sizeof(anna));
	anna.session = session_get(&g, &m);
	anna.session->tunnels = 1;
	anna.conn.g = &g;
	anna.conn.tunnel = t;
	anna.conn.pid = (uint32_t)(anna.pid = a_process());
	rig_peer(&anna.conn.link, &anna.worker, ROLE_WORKER, MW_UP, WM_UP, 64);
	evtimer_assign(&anna.conn.timer, g.base, NULL, NULL);
	TAILQ_INSERT_TAIL(&g.conns, &anna.conn, all);
	g.conns_count++;
	anna.terms.references = 1000;
	*t = (struct tunnel){ .g = &g, .number = 2, .phase = TUNNEL_UP, .session = anna.session, .conn = &anna.conn, .mtu = 1400 };
	t->where = WHERE_DATAPLANE;
	t->terms = terms_get(&anna.terms);
	t->lane_fd = -1;
	t->info = calloc(1, sizeof(*t->info));
	t->kept = change_kept(t->session, &anna.terms, false);
	memset(t->app_id, 1, APP_ID_SIZE);
	TAILQ_INIT(&t->iroutes);
	evtimer_assign(&t->timer, g.base, NULL, NULL);
	evtimer_assign(&t->report, g.base, NULL, NULL);
	g.tunnels[t->number] = anna.session->tunnel = t;
	g.sessions_active++;
}

static int up(void **unused)
{
	// it starts no children: this test does
	g = (struct gateway){ .base = event_base_new(), .config = config, .phase = GATEWAY_STOPPING };
	handover = (struct handover){ .g = &g };
	asked = added = deleted = 0;
	assert_int_equal(gateway_tables_init(&g), 0);
	assert_int_equal(tunnel_table_open(&g, TUNNELS), 0);
	refill_init(&g);
	g.secmod = play(&secmod, &child_secmod, CHAN_PLAIN);
	g.dataplane = play(&dataplane, &child_dataplane, DM_READY);
	anna_is_connected();
	return 0;
}

static int down(void **unused)
{
	if (dataplane.child)
		dies(&dataplane);
	dies(&secmod);
	kill(anna.pid, SIGKILL);
	waitpid(anna.pid, NULL, 0);
	evtimer_del(&g.refill.step);
	evtimer_del(&anna.conn.timer);
	link_close(&anna.conn.link);
	chan_fini(&anna.worker);
	if (anna.tunnel.lane_fd >= 0)
		close(anna.tunnel.lane_fd);
	free(anna.tunnel.info);
	session_free_all(&g);
	g.tunnels[anna.tunnel.number] = NULL;
	tunnel_table_close(&g);
	gateway_tables_fini(&g);
	event_base_free(g.base);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(its_last_counters_are_waited_for), TEST(it_dies_before_they_come),        TEST(it_never_sends_them),
		TEST(its_strays_die_with_it),           TEST(the_next_one_gets_what_none_had),
	};

	return cmocka_run_group_tests(tests, rig_begin, rig_end);
}
