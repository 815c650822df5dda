// Who listens to events hears all of them in order, or how many were missed.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "control/main/admin.h"
#include "control/main/events.h"

struct listener {
	struct admin_client a;
	struct chan peer; // penstockctl's end
	uint64_t heard, lost, order;
	bool ended, ok;
};

static int on_admin_value(void *who, const struct msg_admin_value *m, const int *fds)
{
	return -EPROTO;
}

static int on_admin_packet(void *who, const struct msg_admin_packet *m, const int *fds)
{
	return -EPROTO;
}

static int on_admin_event(void *who, const struct msg_admin_event *m, const int *fds)
{
	struct listener *l = who;
	uint64_t number;

	if (m->kind == EVENT_LOST) {
		l->lost += m->lost;
		return 0;
	}
	assert_int_equal(m->kind, EVENT_UNBAN);
	memcpy(&number, m->client.ip, sizeof(number));
	assert_true(number >= l->order);
	l->order = number;
	l->heard++;
	return 0;
}

static int on_admin_end(void *who, const struct msg_admin_end *m, const int *fds)
{
	struct listener *l = who;

	l->ended = true;
	l->ok = m->ok;
	return 0;
}

#define HANDLERS from_main
#define ON_MAIN_CTL(...) __VA_ARGS__
#include "proto/handlers.h"

static struct gateway g;
static struct admin admin;

static void on_ended(void *who, int why)
{
	fail_msg("the channel of a listener has ended: %s", strerror(-why));
}

static void on_drained(void *who)
{
	events_drained(who);
}

static void never(evutil_socket_t fd, short what, void *arg)
{
	fail_msg("a list goes on");
}

static void listen_with(struct listener *l, const char *argument)
{
	int fds[2];

	*l = (struct listener){ .a = { .g = &g } };
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&l->peer, fds[1], ROLE_CTL, ROLE_MAIN, CHAN_PLAIN, "main");
	chan_init(&l->a.link.chan, fds[0], ROLE_MAIN, ROLE_CTL, CHAN_PLAIN, "ctl");
	l->a.link.who = &l->a;
	l->a.link.ended = on_ended;
	l->a.link.drained = on_drained;
	assert_int_equal(link_open(&l->a.link, g.base, 1000), 0);
	evtimer_assign(&l->a.more, g.base, never, NULL);
	snprintf(l->a.argument, sizeof(l->a.argument), "%s", argument);
	l->a.report.to = &l->a.link;
	TAILQ_INSERT_TAIL(&admin.clients, &l->a, all);
	events_listen(&l->a);
}

static void hang_up(struct listener *l)
{
	TAILQ_REMOVE(&admin.clients, &l->a, all);
	link_close(&l->a.link);
	chan_fini(&l->peer);
}

static void hear(struct listener *l)
{
	do
		event_base_loop(g.base, EVLOOP_NONBLOCK);
	while (chan_serve(&l->peer, from_main, l, 1000) > 0);
}

static void happen(uint64_t from, uint64_t to)
{
	struct addr a = { .family = 6, .prefix = 64 };

	for (; from < to; from++) {
		memcpy(a.ip, &from, sizeof(from));
		events_unban(&g, &a);
		if (from % 100 == 0)
			event_base_loop(g.base, EVLOOP_NONBLOCK);
	}
}

static void all_of_them(void **unused)
{
	struct listener one, other;

	happen(0, 10); // nobody hears it
	listen_with(&one, "");
	listen_with(&other, "");
	happen(10, 110);
	hear(&one);
	hear(&other);
	assert_int_equal(one.heard, 100);
	assert_int_equal(other.heard, 100);
	hang_up(&other);
	happen(110, 111);
	hear(&one);
	assert_int_equal(one.heard + one.lost, 101);
	assert_int_equal(one.lost, 0);
	hang_up(&one);
}

static void as_many_as_wanted(void **unused)
{
	struct listener l;

	listen_with(&l, "3");
	happen(0, 2);
	hear(&l);
	assert_false(l.ended);
	happen(2, 10);
	hear(&l);
	assert_true(l.ended && l.ok);
	assert_int_equal(l.heard, 3);
	hang_up(&l);
}

static void a_slow_reader_is_told_what_it_has_missed(void **unused)
{
	struct listener slow, quick;

	listen_with(&slow, "");
	listen_with(&quick, "");
	for (int i = 0; i < 100; i++) {
		happen(100 * i, 100 * i + 100);
		hear(&quick);
	}
	assert_int_equal(quick.heard, 10000);
	assert_int_equal(quick.lost, 0);
	assert_true(slow.a.link.queued <= 256);
	hear(&slow);
	assert_in_range(slow.heard, 256, 9999);
	assert_int_equal(slow.heard + slow.lost, 10000);
	happen(10000, 10001); // and from then on everything again
	hear(&slow);
	assert_int_equal(slow.heard + slow.lost, 10001);
	assert_int_equal(slow.order, 10000);
	hang_up(&slow);
	hang_up(&quick);
}

static void R(const char *argument)
{
	struct listener l;

	listen_with(&l, argument);
	hear(&l);
	assert_true(l.ended);
	assert_false(l.ok);
	hang_up(&l);
}

static void refused(void **unused)
{
	struct listener all[ADMIN_CLIENTS_MAX];
	unsigned n;

	R("0");
	R("-1");
	R("x");
	R("1 2");
	R("99999999999");
	for (n = 0; n < ADMIN_CLIENTS_MAX; n++) {
		listen_with(&all[n], "");
		hear(&all[n]);
		if (all[n].ended)
			break;
	}
	assert_int_equal(n, ADMIN_CLIENTS_MAX / 2); // the others are for questions
	for (unsigned i = 0; i <= n; i++)
		hang_up(&all[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_them),
		cmocka_unit_test(as_many_as_wanted),
		cmocka_unit_test(a_slow_reader_is_told_what_it_has_missed),
		cmocka_unit_test(refused),
	};
	int ret;

	TAILQ_INIT(&admin.clients);
	g.admin = &admin;
	g.base = event_base_new();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(g.base);
	return ret;
}
