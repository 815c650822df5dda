// A channel in the loop: what a slow peer is owed, and what a frozen one loses. And the log lines that children write.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/main/link.h"
#include "control/main/logline.h"
#include "proto/log.h"

struct side {
	struct event_base *base;
	struct link link; // main's end
	struct chan peer; // penstockctl's
	unsigned heard, drained, ended;
	int why;
};

static int on_admin_req(void *who, const struct msg_admin_req *m, const int *fds)
{
	struct side *s = who;

	s->heard++;
	return strcmp(m->command, "break") == 0 ? -EPROTO : 0;
}

#define HANDLERS from_ctl
#define ON_CTL_MAIN(...) __VA_ARGS__
#include "proto/handlers.h"

static int on_admin_value(void *who, const struct msg_admin_value *m, const int *fds)
{
	assert_int_equal(m->record, *(unsigned *)who); // in order, none lost
	++*(unsigned *)who;
	return 0;
}

static int on_admin_packet(void *who, const struct msg_admin_packet *m, const int *fds)
{
	return 0;
}

static int on_admin_event(void *who, const struct msg_admin_event *m, const int *fds)
{
	return 0;
}

static int on_admin_end(void *who, const struct msg_admin_end *m, const int *fds)
{
	return 0;
}

#define HANDLERS from_main
#define ON_MAIN_CTL(...) __VA_ARGS__
#include "proto/handlers.h"

static void on_ended(void *who, int why)
{
	struct side *s = who;

	s->ended++;
	s->why = why;
	link_close(&s->link);
}

static void on_drained(void *who)
{
	((struct side *)who)->drained++;
}

static void open_side(struct side *s, unsigned queue)
{
	int fds[2];

	memset(s, 0, sizeof(*s));
	s->base = event_base_new();
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&s->peer, fds[1], ROLE_CTL, ROLE_MAIN, CHAN_PLAIN, "main");
	chan_init(&s->link.chan, fds[0], ROLE_MAIN, ROLE_CTL, CHAN_PLAIN, "ctl");
	s->link.handlers = from_ctl;
	s->link.who = s;
	s->link.ended = on_ended;
	s->link.drained = on_drained;
	assert_int_equal(link_open(&s->link, s->base, queue), 0);
}

static void close_side(struct side *s)
{
	link_close(&s->link);
	link_close(&s->link); // twice is once
	chan_fini(&s->peer);
	event_base_free(s->base);
}

static void turn(struct side *s)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(s->base, EVLOOP_NONBLOCK);
}

static int value(struct side *s, unsigned record)
{
	struct msg_admin_value m = { .record = record, .key = "key" };

	memset(m.text, 'x', LIMIT_TEXT);
	return link_send(&s->link, MSG_ADMIN_VALUE, &m, NULL);
}

static void a_slow_peer_gets_all_in_order(void **unused)
{
	struct side s;
	unsigned next = 0;

	open_side(&s, 5000);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(value(&s, i), 0);
	assert_true(s.link.queued > 1000);
	while (next < 5000) {
		assert_true(chan_serve(&s.peer, from_main, &next, 100) != 0);
		turn(&s);
	}
	assert_int_equal(s.drained, 1);
	assert_int_equal(s.ended, 0);
	close_side(&s);
}

static void the_queue_is_bounded(void **unused)
{
	struct side s;
	unsigned i = 0;

	open_side(&s, 10);
	while (value(&s, i) == 0)
		i++;
	assert_int_equal(s.link.queued, 10);
	assert_int_equal(s.ended, 0); // told from the loop, never from link_send()
	turn(&s);
	assert_int_equal(s.ended, 1);
	assert_int_equal(s.why, -ENOBUFS);
	assert_int_equal(value(&s, i), -EPIPE);
	close_side(&s);
}

static void last_words_are_heard(void **unused)
{
	struct side s;

	open_side(&s, 10);
	assert_int_equal(CHAN_SEND(&s.peer, ADMIN_REQ, &(struct msg_admin_req){ .command = "show status" }), 0);
	chan_fini(&s.peer);
	assert_int_equal(value(&s, 0), -EPIPE);
	turn(&s);
	assert_int_equal(s.heard, 1);
	assert_int_equal(s.ended, 1);
	assert_int_equal(s.why, 0);
	close_side(&s);
}

static void a_broken_rule_ends_it(void **unused)
{
	struct side s;

	open_side(&s, 10);
	CHAN_SEND(&s.peer, ADMIN_REQ, &(struct msg_admin_req){ .command = "break" });
	CHAN_SEND(&s.peer, ADMIN_REQ, &(struct msg_admin_req){ .command = "show status" });
	turn(&s);
	assert_int_equal(s.heard, 1); // nothing after it is looked at
	assert_int_equal(s.why, -EPROTO);
	close_side(&s);
}

static void the_deaf_hear_only_the_end(void **unused)
{
	struct side s;

	open_side(&s, 10);
	link_deafen(&s.link);
	CHAN_SEND(&s.peer, ADMIN_REQ, &(struct msg_admin_req){ .command = "break" });
	turn(&s);
	assert_int_equal(s.heard + s.ended, 0);
	chan_fini(&s.peer);
	turn(&s);
	assert_int_equal(s.ended, 1);
	close_side(&s);
}

static void our_own_mistake_costs_the_message_only(void **unused)
{
	struct side s;

	open_side(&s, 10);
	assert_int_equal(LINK_SEND(&s.link, ADMIN_VALUE, &(struct msg_admin_value){ .kind = VALUE_KIND_LAST + 1, .key = "k" }),
	                 -EINVAL);
	assert_int_equal(value(&s, 0), 0);
	turn(&s);
	assert_int_equal(s.ended, 0);
	close_side(&s);
}

static void L(const char *in, int level, const char *who, const char *text)
{
	char line[LOGLINE_MAX + 1];
	struct logline l;

	snprintf(line, sizeof(line), "%s", in);
	l = logline_parse(line);
	assert_int_equal(l.level, level);
	assert_string_equal(l.who ? l.who : "-", who);
	assert_string_equal(l.text, text);
}

static void log_lines(void **unused)
{
	L("<6>penstock-worker[12]: hello", 6, "penstock-worker[12]", "hello");
	L("<4>a: b: c", 4, "a", "b: c");
	L("==12==ERROR: AddressSanitizer", 3, "-", "==12==ERROR: AddressSanitizer");
	L("<0>a: the sky falls", 3, "a", "the sky falls"); // an emergency is not a worker's to declare
	L("<9>a: b", 3, "-", "<9>a: b");
	L("<6>no colon", 6, "-", "no colon");
	L("<6>a name that is longer than any name that we would give ourselves: text", 6, "-",
	  "a name that is longer than any name that we would give ourselves: text");
	L("<6>a: \033[2Jgone", 6, "a", "?[2Jgone");
	L("", 3, "-", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_peer_gets_all_in_order),
		cmocka_unit_test(the_queue_is_bounded),
		cmocka_unit_test(last_words_are_heard),
		cmocka_unit_test(a_broken_rule_ends_it),
		cmocka_unit_test(the_deaf_hear_only_the_end),
		cmocka_unit_test(our_own_mistake_costs_the_message_only),
		cmocka_unit_test(log_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
