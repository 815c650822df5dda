// chan.c against everything that a hostile peer can put on a channel: whatever the table does not allow is refused before any
// handler, costs no memory to speak of, leaves no descriptor behind, and never ends the process.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "attack.h"
#include "probe.h"
#include "proto/chan.h"
#include "proto/log.h"
#include "sanitized.h"

static chan_handler handlers[MSG_NUMBERS];
static int handled, attacker = -1, victim = -1;
static long refused;

static int on_any(void *who, const void *m, const int *fds)
{
	handled++;
	return 0;
}

#define FOR_EACH_MESSAGE(n)               \
	for (n = 1; n < MSG_NUMBERS; n++) \
		if (msg_descs[n].name)

static int setup(void **state)
{
	int fds[2], n;

	log_init("test", LOG_LEVEL_ERR - 1, LOG_FORM_PLAIN);
	for (n = 0; n < MSG_NUMBERS; n++)
		handlers[n] = on_any;
	if (chan_pair(fds) < 0)
		return -1;
	attacker = fds[0];
	victim = fds[1];
	return probe_send(attacker, "x", 1, 1) == 0 && recv(victim, fds, 1, 0) == 1 ? 0 : -1; // opens /dev/null once
}

static int teardown(void **state)
{
	close(attacker);
	close(victim);
	return 0;
}

// Serve one packet on a fresh channel between these two.
static int serve_once(const struct attack *a, enum role self, enum role peer, uint32_t state)
{
	struct chan c;

	handled = 0;
	chan_init(&c, victim, self, peer, state, "victim");
	assert_int_equal(probe_send(attacker, a->packet.buf, a->packet.len, a->fds), 0);
	return chan_serve(&c, handlers, NULL, 1);
}

static void expect_refusal(const struct attack *a, enum role self, enum role peer, uint32_t state)
{
	int before = probe_count_fds(0), ret;

	ret = serve_once(a, self, peer, state);
	if (ret != -EPROTO || handled)
		fail_msg("%s: chan_serve says %d, handler called %d times", a->name, ret, handled);
	if (probe_count_fds(0) != before)
		fail_msg("%s: leaves a descriptor", a->name);
	refused++;
}

// ------------------------------------------------------------------------------------------------------------ well-formed

static void check_place(const struct attack *a, int number, enum role self, enum role peer, uint32_t state)
{
	if (!attack_is_allowed(number, peer, self, state)) {
		expect_refusal(a, self, peer, state);
		return;
	}
	assert_int_equal(serve_once(a, self, peer, state), 1);
	assert_int_equal(handled, 1);
}

static void every_message_in_every_place_and_state(void **unused)
{
	static struct attack a;
	enum role self, peer;
	int n, bit;

	FOR_EACH_MESSAGE(n)
	{
		attack_well_formed(&a, n, 1);
		snprintf(a.name, sizeof(a.name), "%s", msg_descs[n].name);
		for (bit = 0; bit < 18; bit++) {
			for (peer = ROLE_MAIN; peer <= ROLE_METRICS; peer++)
				check_place(&a, n, (enum role)msg_descs[n].to, peer, 1u << bit);
			for (self = ROLE_MAIN; self <= ROLE_METRICS; self++)
				check_place(&a, n, self, (enum role)msg_descs[n].from, 1u << bit);
		}
	}
}

static void as_often_as_the_table_says(void **unused)
{
	const struct msg_desc *d;
	static struct attack a;
	struct chan c;
	int n, i, most;

	FOR_EACH_MESSAGE(n)
	{
		d = &msg_descs[n];
		most = d->times ? d->times : d->per_second;
		if (most == 0)
			continue;
		attack_well_formed(&a, n, 0);
		chan_init(&c, victim, (enum role)d->to, (enum role)d->from, d->states, "victim");
		handled = 0;
		for (i = 0; i < 2 * most + 1; i++) {
			assert_int_equal(probe_send(attacker, a.packet.buf, a.packet.len, a.fds), 0);
			if (chan_serve(&c, handlers, NULL, 1) != 1)
				break;
		}
		if (d->times)
			assert_int_equal(handled, most);
		else
			assert_in_range(handled, most, 2 * most); // the clock's second may end in between
	}
}

static void a_message_without_a_handler_is_refused(void **unused)
{
	static struct attack a;
	int n;

	FOR_EACH_MESSAGE(n)
	{
		handlers[n] = NULL;
		attack_well_formed(&a, n, 0);
		expect_refusal(&a, (enum role)msg_descs[n].to, (enum role)msg_descs[n].from, msg_descs[n].states);
		handlers[n] = on_any;
	}
}

// --------------------------------------------------------------------------------------------------------------- malformed

struct place {
	enum role self, peer;
	uint32_t state;
};

static void attack_place(void *arg, const struct attack *a)
{
	const struct place *p = arg;

	expect_refusal(a, p->self, p->peer, p->state);
}

static void for_each_place(void (*f)(int number, struct place *p))
{
	int n;

	FOR_EACH_MESSAGE(n)
	{
		struct place p = { (enum role)msg_descs[n].to, (enum role)msg_descs[n].from, msg_descs[n].states };

		f(n, &p);
	}
}

static void by_fds(int n, struct place *p)
{
	attacks_by_fds(n, attack_place, p);
}
static void by_length(int n, struct place *p)
{
	attacks_by_length(n, 1, attack_place, p);
}
static void by_field(int n, struct place *p)
{
	attacks_by_field(n, attack_place, p);
}
static void by_no_head(int n, struct place *p)
{
	attacks_without_head(attack_place, p);
}

static void wrong_descriptors(void **unused)
{
	for_each_place(by_fds);
}
static void wrong_lengths(void **unused)
{
	for_each_place(by_length);
}
static void wrong_fields(void **unused)
{
	for_each_place(by_field);
}
static void no_message_at_all(void **unused)
{
	for_each_place(by_no_head);
}

static void an_empty_packet_is_a_goodbye(void **unused)
{
	static const struct attack plain, loaded = { .fds = PROBE_FDS_MAX };
	int before = probe_count_fds(0);

	assert_int_equal(serve_once(&plain, ROLE_SECMOD, ROLE_WORKER, SW_HELLO), 0);
	assert_int_equal(serve_once(&loaded, ROLE_SECMOD, ROLE_WORKER, SW_HELLO), 0);
	assert_int_equal(handled, 0);
	assert_int_equal(probe_count_fds(0), before);
}

// The table in use, after all of that: bytes that were refused have left nothing behind.
static void memory_stayed_small(void **unused)
{
	if (!SANITIZED)
		assert_in_range(probe_status_kib(getpid(), "VmHWM:"), 1, 64 * 1024);
	print_message("%ld packets refused\n", refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_in_every_place_and_state),
		cmocka_unit_test(as_often_as_the_table_says),
		cmocka_unit_test(a_message_without_a_handler_is_refused),
		cmocka_unit_test(wrong_descriptors),
		cmocka_unit_test(wrong_lengths),
		cmocka_unit_test(wrong_fields),
		cmocka_unit_test(no_message_at_all),
		cmocka_unit_test(an_empty_packet_is_a_goodbye),
		cmocka_unit_test(memory_stayed_small),
	};
	struct rlimit memory = { 256u << 20, 256u << 20 };

	if (!SANITIZED)
		setrlimit(RLIMIT_AS, &memory);
	alarm(300); // a hang is a failure
	return cmocka_run_group_tests(tests, setup, teardown);
}
