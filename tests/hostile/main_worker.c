// The running penstockd, with its real sec-mod and dataplane, against hostile workers (gateway.h): every message in every state,
// malformed in every way, and lies.
//
// Each attack costs the offender its channel and its session; the same penstockd then logs another worker in, whose client pings.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "door.h"
#include "gateway.h"

static long attacks;

// ----------------------------------------------------------------------------------------------------------------- states

// Main is made to sleep while the worker shows its cookie and attacks, so that both are there when it wakes: sec-mod's answer
// cannot come in between.
static void gateway_sleeps(bool on)
{
	kill(main_part.pid, on ? SIGSTOP : SIGCONT);
	if (on)
		assert_true(probe_stops(main_part.pid));
}

static void reach_opening(struct worker *w)
{
	worker_open(w);
	assert_true(login_all(&w->login, "alice"));
	gateway_sleeps(true);
	worker_show_cookie(w);
}

static const struct place {
	const char *name;
	uint32_t state;
	void (*reach)(struct worker *);
} places[] = {
	{ "MW_PROXY", MW_PROXY, worker_open_proxied },
	{ "MW_FRESH", MW_FRESH, worker_open },
	{ "MW_OPENING", MW_OPENING, reach_opening },
	{ "MW_UP", MW_UP, worker_connect },
};
#define PLACES (sizeof(places) / sizeof(places[0]))
static const uint32_t states[PLACES] = { MW_PROXY, MW_FRESH, MW_OPENING, MW_UP };
static const uint32_t *const fresh = &states[1];

static void attack_from(void *arg, const struct attack *a)
{
	const struct place *p = &places[(const uint32_t *)arg - states];
	struct worker w;

	p->reach(&w);
	measure_attack();
	assert_int_equal(probe_send(w.main.fd, a->packet.buf, a->packet.len, a->fds), 0);
	if (p->state == MW_OPENING)
		gateway_sleeps(false);
	if (!victim_drops(w.main.fd))
		fail_msg("%s in %s: the offender keeps its channel", a->name, p->name);
	measure_ended();
	worker_close(&w);
	if (!gateway_lives())
		fail_msg("%s in %s: penstockd died", a->name, p->name);
	if (!victim_fds_settle(&main_part))
		fail_msg("%s in %s: %d descriptors, not %d", a->name, p->name, probe_count_fds(main_part.pid), main_part.fds);
	honest_session_works();
	attacks++;
}

static void out_of_place_in_every_state(void **state)
{
	char name[64];

	for (size_t i = 0; i < PLACES; i++) {
		snprintf(name, sizeof(name), "to main: what is not allowed in %s", places[i].name);
		measure_begin(name);
		attacks_out_of_place(ROLE_WORKER, ROLE_MAIN, places[i].state, attack_from, (void *)&states[i]);
		measure_end();
	}
}

static void without_head(void **state)
{
	measure_begin("to main: what is no message");
	attacks_without_head(attack_from, (void *)fresh);
	measure_end();
}

static void malformed(void **state)
{
	door_malformed(&(struct door){ "to main", ROLE_MAIN, states, PLACES, attack_from });
}

// ------------------------------------------------------------------------------------------- what the table cannot forbid

static void a_cookie_of_nobody(void **state)
{
	struct worker w;
	int i;

	for (i = 0; i < 10; i++) {
		worker_open(&w);
		memset(w.login.cookie.cookie, i, COOKIE_SIZE);
		worker_show_cookie(&w);
		assert_int_equal(chan_await(&w.main, from_main, &w, MSG_AUTH_COOKIE_DENIED, 10000), 0);
		assert_int_equal(w.denied, 401);
		assert_true(w.lane < 0);
		worker_close(&w);
		honest_session_works();
	}
}

// It opens its channel to sec-mod before main has heard whose it is: nothing of that is read before.
static void asking_before_the_header(void **state)
{
	struct victim busy = main_part;
	struct worker w;

	worker_open_proxied(&w);
	assert_int_equal(login_ask_signature(&w.login), 0);
	assert_int_equal(poll(&(struct pollfd){ .fd = w.login.chan.fd, .events = POLLIN }, 1, 300), 0);
	busy.fds += 2; // its channel, and sec-mod's end of the other
	assert_true(victim_fds_settle(&busy));
	worker_names_client(&w);
	assert_int_equal(login_await(&w.login, MSG_SIGN_REP), 0);
	busy.fds--;
	assert_true(victim_fds_settle(&busy));
	worker_names_client(&w); // twice
	assert_true(victim_drops(w.main.fd));
	worker_close(&w);
	honest_session_works();
	assert_true(victim_fds_settle(&main_part));
}

static void ask_profile(struct worker *w)
{
	assert_int_equal(CHAN_SEND(&w->main, PROFILE_ASK, &(struct msg_profile_ask){}), 0);
}

// Whose it is sec-mod alone says: nobody's before a login, and his who has then logged in. Nothing of it stays with main.
static void a_profile_of_nobody(void **state)
{
	struct victim busy = main_part;
	struct worker w;

	busy.fds++; // a worker's channel
	for (int login = 0; login <= 2; login++) {
		worker_open(&w);
		if (login == 2)
			assert_true(login_all(&w.login, "alice"));
		ask_profile(&w);
		if (login < 2)
			assert_int_equal(poll(&(struct pollfd){ .fd = w.main.fd, .events = POLLIN }, 1, 300), 0);
		if (login == 1)
			assert_true(login_all(&w.login, "alice"));
		if (login > 0) {
			assert_int_equal(chan_await(&w.main, from_main, &w, MSG_PROFILE_REP, 10000), 0);
			assert_string_equal(w.profile, "<of alice/>");
		}
		assert_true(victim_fds_settle(&busy));
		if (login < 2) {
			ask_profile(&w); // once a connection
			assert_true(victim_drops(w.main.fd));
		}
		worker_close(&w);
		assert_true(victim_fds_settle(&main_part));
		honest_session_works();
	}
	assert_true(victim_fds_settle(&main_part));
}

static void leaving_in_every_state(void **state)
{
	struct worker w;

	worker_open_proxied(&w);
	worker_close(&w);
	worker_open(&w);
	worker_close(&w);
	reach_opening(&w);
	worker_close(&w);
	gateway_sleeps(false);
	honest_session_works();
	worker_connect(&w);
	worker_close(&w);
	honest_session_works();
	assert_true(victim_fds_settle(&main_part));
}

static void it_is_still_the_same(void **state)
{
	assert_true(gateway_lives());
	bystander_stop();
	print_message("%ld attacks; peak of main's memory %ld KiB\n", attacks, probe_status_kib(main_part.pid, "VmHWM:"));
	assert_int_equal(gateway_stop(), 0);
}

// ----------------------------------------------------------------------------------------------------------------- set-up

static int setup(void **state)
{
	return gateway_setup("main_worker", "max-ban-score = 0\n", 500) < 0 || gateway_measure() < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_of_place_in_every_state),
		cmocka_unit_test(without_head),
		cmocka_unit_test(malformed),
		cmocka_unit_test(a_cookie_of_nobody),
		cmocka_unit_test(asking_before_the_header),
		cmocka_unit_test(a_profile_of_nobody),
		cmocka_unit_test(leaving_in_every_state),
		cmocka_unit_test(it_is_still_the_same),
	};

	if (strstr(argv[0], "/penstock-worker"))
		return puppet_main(argv[0]);
	if (geteuid() != 0) {
		fprintf(stderr, "main_worker: needs root, for a network namespace of its own\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, gateway_teardown);
}
