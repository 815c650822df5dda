// The servers of one purpose, against servers that this test plays: what counts as an answer, when it is asked again, who is asked
// next, and how many may wait. Waiting is 200 ms here, and two more tries.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "radius_rig.h"
#include "secmod/lookup.h"
#include "secmod/radius_client.h"

#define WAIT_MS 200
#define RETRIES 2
#define DEAD_MS 1000
#define PATIENCE_MS 10000

static struct event_base *base;
static struct radius_rig rig[2];
static struct radius_servers *servers;

// One request and what has become of it.
struct asked {
	struct radius_exchange *exchange;
	unsigned ended;
	int code, server; // code 0: nobody has answered
};

static int build(void *who, struct radius_packet *out, uint8_t id, const char *secret)
{
	const struct radius_attributes none = { 0 };

	return radius_build_access(out, id, &none, "secret", secret);
}

static void on_done(void *who, const uint8_t *bytes, size_t len, int server)
{
	struct asked *a = who;

	a->exchange = NULL;
	a->ended++;
	a->code = bytes != NULL ? bytes[0] : 0;
	a->server = server;
}

static const struct radius_kind kind = { build, on_done };

static void configure(struct radius_config *c, unsigned n)
{
	memset(c, 0, sizeof(*c));
	c->n_servers = n;
	c->wait_ms = WAIT_MS;
	c->retries = RETRIES;
	c->dead_ms = DEAD_MS;
	for (unsigned i = 0; i < n; i++) {
		struct radius_config_server *s = &c->server[i];

		strcpy(s->name, i == 0 ? "first" : "second");
		strcpy(s->secret, RADIUS_RIG_SECRET);
		s->addr = (struct addr){ 4, 32, rig[i].port, { 127, 0, 0, 1 } };
	}
}

static int start_with(unsigned n)
{
	struct radius_config c;

	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(radius_rig_open(&rig[i], "127.0.0.1", 0), 0);
	configure(&c, n);
	servers = radius_servers_get(&c, true);
	return servers != NULL ? 0 : -1;
}

static int start_one(void **state)
{
	return start_with(1);
}
static int start_two(void **state)
{
	return start_with(2);
}

struct rows {
	unsigned n;
	struct health row[2];
};

static void on_row(void *who, const struct health *row)
{
	struct rows *r = who;

	if (r->n < 2)
		r->row[r->n] = *row;
	r->n++;
}

static unsigned count_servers(void)
{
	struct rows r = { 0 };

	radius_servers_report(on_row, &r);
	return r.n;
}

static struct health health(unsigned n)
{
	struct rows r = { 0 };

	radius_servers_report(on_row, &r);
	assert_true(r.n > n);
	return r.row[n];
}

static void expect_state(unsigned n, const char *state)
{
	assert_string_equal(health(n).state, state);
}

static int stop(void **state)
{
	radius_servers_put(servers);
	for (unsigned i = 0; i < 2; i++)
		if (rig[i].fd >= 0)
			close(rig[i].fd);
	assert_int_equal(count_servers(), 0);
	return 0;
}

static void ask(struct asked *a)
{
	memset(a, 0, sizeof(*a));
	assert_int_equal(radius_exchange_start(servers, &kind, a, -1, &a->exchange), 0);
}

// What there is to be done, for so long.
static void run(int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static void run_until_end(const struct asked *a)
{
	for (int ms = 0; ms < PATIENCE_MS && a->ended == 0; ms += 5)
		run(5);
	assert_int_equal(a->ended, 1);
}

static void await_request(struct radius_rig *r)
{
	for (int ms = 0; ms < PATIENCE_MS; ms += 5) {
		if (radius_rig_receive(r, 0))
			return;
		run(5);
	}
	fail_msg("no request within %d ms", PATIENCE_MS);
}

static void say(struct radius_rig *r, uint8_t code)
{
	radius_rig_answer(r, &(struct radius_rig_answer){ .code = code });
}

static void answers(void **state)
{
	static const uint8_t codes[] = { RADIUS_ACCESS_ACCEPT, RADIUS_ACCESS_REJECT, RADIUS_ACCESS_CHALLENGE };
	struct asked a;

	for (size_t i = 0; i < sizeof(codes); i++) {
		ask(&a);
		assert_int_equal(health(0).outstanding, 1);
		await_request(&rig[0]);
		say(&rig[0], codes[i]);
		run_until_end(&a);
		assert_int_equal(a.code, codes[i]);
		assert_int_equal(a.server, 0);
	}
	assert_int_equal(health(0).times.count, 3);
	assert_int_equal(health(0).asked, 3);
	assert_int_equal(health(0).outstanding, 0);
	expect_state(0, "up");
	assert_true(health(0).times.most_us > 0 && health(0).times.most_us <= health(0).times.total_us);
}

// A lie is no answer: the request goes on waiting, and the truth is still heard.
static void lies(void **state)
{
	static const struct radius_rig_answer rows[] = {
		{ .code = RADIUS_ACCESS_ACCEPT, .unsigned_ = true },
		{ .code = RADIUS_ACCESS_ACCEPT, .wrong_signature = true },
		{ .code = RADIUS_ACCESS_ACCEPT, .secret = "guessed" },
		{ .code = RADIUS_ACCESS_REQUEST },
		{ .code = RADIUS_ACCOUNTING_RESPONSE },
		{ .code = 0 },
	};
	uint8_t bytes[4096];
	struct asked a;
	size_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ask(&a);
		await_request(&rig[0]);
		radius_rig_answer(&rig[0], &rows[i]);
		run(20);
		assert_int_equal(a.ended, 0);
		assert_int_equal(health(0).failures, i + 1);
		say(&rig[0], RADIUS_ACCESS_REJECT);
		run_until_end(&a);
		assert_int_equal(a.code, RADIUS_ACCESS_REJECT);
	}
	// cut short, or not RADIUS at all
	ask(&a);
	await_request(&rig[0]);
	len = radius_rig_build(rig[0].request, &(struct radius_rig_answer){ .code = RADIUS_ACCESS_ACCEPT }, bytes);
	radius_rig_send(&rig[0], bytes, len - 1);
	radius_rig_send(&rig[0], bytes, 3);
	radius_rig_send(&rig[0], bytes, 0);
	run(20);
	assert_int_equal(a.ended, 0);
	radius_exchange_cancel(a.exchange);
	expect_state(0, "up");
}

// From the same machine, another port; from the same port, another machine.
static void answers_from_elsewhere(void **state)
{
	struct radius_rig elsewhere[2];
	struct asked a;

	assert_int_equal(radius_rig_open(&elsewhere[0], "127.0.0.1", 0), 0);
	assert_int_equal(radius_rig_open(&elsewhere[1], "127.0.0.2", rig[0].port), 0);
	ask(&a);
	await_request(&rig[0]);
	for (unsigned i = 0; i < 2; i++) {
		elsewhere[i].from = rig[0].from;
		memcpy(elsewhere[i].request, rig[0].request, rig[0].len);
		say(&elsewhere[i], RADIUS_ACCESS_ACCEPT);
		close(elsewhere[i].fd);
	}
	run(20);
	assert_int_equal(a.ended, 0);
	radius_exchange_cancel(a.exchange);
}

static void late_and_repeated_answers(void **state)
{
	struct asked a, b;

	ask(&a);
	await_request(&rig[0]);
	say(&rig[0], RADIUS_ACCESS_ACCEPT);
	say(&rig[0], RADIUS_ACCESS_ACCEPT);
	run_until_end(&a);
	run(20);
	assert_int_equal(a.ended, 1);
	expect_state(0, "up; late answers: 1");

	ask(&b); // cancelled, and then answered
	await_request(&rig[0]);
	radius_exchange_cancel(b.exchange);
	say(&rig[0], RADIUS_ACCESS_ACCEPT);
	run(20);
	assert_int_equal(b.ended, 0);
	expect_state(0, "up; late answers: 2");

	// the answer to another request, under the identifier of this one
	ask(&a);
	await_request(&rig[0]);
	ask(&b);
	rig[0].request[1]++;
	say(&rig[0], RADIUS_ACCESS_ACCEPT);
	run(20);
	assert_int_equal(a.ended + b.ended, 0);
	radius_exchange_cancel(a.exchange);
	radius_exchange_cancel(b.exchange);
}

static void the_very_same_again(void **state)
{
	uint8_t first[4096];
	size_t len;
	struct asked a;

	ask(&a);
	await_request(&rig[0]);
	memcpy(first, rig[0].request, rig[0].len);
	len = rig[0].len;
	await_request(&rig[0]);
	assert_int_equal(rig[0].len, len);
	assert_memory_equal(rig[0].request, first, len);
	say(&rig[0], RADIUS_ACCESS_ACCEPT);
	run_until_end(&a);
	assert_int_equal(a.code, RADIUS_ACCESS_ACCEPT);
	assert_true(health(0).timeouts >= 1);
	expect_state(0, "up");
}

static unsigned requests_at(struct radius_rig *r)
{
	unsigned n = 0;

	while (radius_rig_receive(r, 0))
		n++;
	return n;
}

static void the_next_is_asked(void **state)
{
	struct asked a;

	ask(&a);
	await_request(&rig[1]);
	assert_int_equal(requests_at(&rig[0]), RETRIES + 1);
	say(&rig[1], RADIUS_ACCESS_ACCEPT);
	run_until_end(&a);
	assert_int_equal(a.server, 1);
	expect_state(0, "down, asked again in 1 s");
	assert_true(radius_servers_any_well(servers));

	ask(&a); // the first one is not asked again so soon
	await_request(&rig[1]);
	assert_int_equal(requests_at(&rig[0]), 0);
	say(&rig[1], RADIUS_ACCESS_REJECT);
	run_until_end(&a);

	run(DEAD_MS + 50);
	struct asked tries[2];

	ask(&tries[0]); // one request finds out, the others do not wait for that
	ask(&tries[1]);
	await_request(&rig[0]);
	assert_int_equal(requests_at(&rig[0]), 0);
	assert_int_equal(requests_at(&rig[1]), 1);
	say(&rig[0], RADIUS_ACCESS_ACCEPT);
	run_until_end(&tries[0]);
	assert_int_equal(tries[0].server, 0);
	expect_state(0, "up");
	radius_exchange_cancel(tries[1].exchange);
}

// State belongs to the server that has said it.
static void only_this_server(void **state)
{
	struct asked a = { 0 };

	assert_int_equal(radius_exchange_start(servers, &kind, &a, 1, &a.exchange), 0);
	run_until_end(&a);
	assert_int_equal(a.code, 0);
	assert_int_equal(requests_at(&rig[0]), 0);
	assert_int_equal(requests_at(&rig[1]), RETRIES + 1);
}

static void nobody_answers(void **state)
{
	struct asked a;

	ask(&a);
	run_until_end(&a);
	assert_int_equal(a.code, 0);
	assert_int_equal(a.server, -1);
	assert_false(radius_servers_any_well(servers));
	requests_at(&rig[0]);
	requests_at(&rig[1]);

	ask(&a); // both are known to be dead: it is tried all the same, and the last one as often as may be
	run_until_end(&a);
	assert_int_equal(requests_at(&rig[0]) + requests_at(&rig[1]), 1 + RETRIES + 1);
}

// A port that nobody listens on says so at once.
static void nobody_listens(void **state)
{
	struct asked a;

	close(rig[0].fd);
	rig[0].fd = -1;
	ask(&a);
	await_request(&rig[1]);
	say(&rig[1], RADIUS_ACCESS_ACCEPT);
	run_until_end(&a);
	assert_int_equal(a.server, 1);
}

// The only one there is: whoever asks it while it starts is answered in the end.
static void one_that_is_starting(void **state)
{
	struct asked a;

	close(rig[0].fd);
	ask(&a);
	run(20);
	assert_int_equal(a.ended, 0);
	assert_int_equal(radius_rig_open(&rig[0], "127.0.0.1", rig[0].port), 0);
	await_request(&rig[0]);
	say(&rig[0], RADIUS_ACCESS_ACCEPT);
	run_until_end(&a);
	assert_int_equal(a.code, RADIUS_ACCESS_ACCEPT);
}

static void as_many_as_may_wait(void **state)
{
	enum { MOST = 16 * 256 };
	struct asked *all = calloc(MOST, sizeof(*all)), one_more;

	for (unsigned i = 0; i < MOST; i++)
		ask(&all[i]);
	assert_int_equal(health(0).outstanding, MOST);
	assert_int_equal(radius_exchange_start(servers, &kind, &one_more, -1, &one_more.exchange), -EAGAIN);
	radius_exchange_cancel(all[7].exchange); // a place that comes free is used
	ask(&all[7]);
	for (unsigned i = 0; i < MOST; i++)
		radius_exchange_cancel(all[i].exchange);
	assert_int_equal(health(0).outstanding, 0);
	free(all);
}

// A reload with the same servers changes nothing for those who wait, and forgets nothing.
static void the_same_after_a_reload(void **state)
{
	struct radius_config c;
	struct radius_servers *again, *other;
	struct asked a;

	ask(&a);
	await_request(&rig[0]);
	configure(&c, 1);
	again = radius_servers_get(&c, true);
	assert_ptr_equal(again, servers);
	radius_servers_put(servers);
	say(&rig[0], RADIUS_ACCESS_ACCEPT);
	run_until_end(&a);
	assert_int_equal(a.code, RADIUS_ACCESS_ACCEPT);

	strcpy(c.server[0].secret, "another");
	other = radius_servers_get(&c, true);
	assert_ptr_not_equal(other, servers);
	assert_int_equal(count_servers(), 2);

	ask(&a); // the old ones stay until the last answer
	radius_servers_put(servers);
	await_request(&rig[0]);
	say(&rig[0], RADIUS_ACCESS_ACCEPT);
	run_until_end(&a);
	assert_int_equal(a.code, RADIUS_ACCESS_ACCEPT);
	assert_int_equal(count_servers(), 1);
	servers = other;
}

// Other words for 127.0.0.1 that no resolver is asked for.
#define NAME "127.1"

static void start_with_name(const char *name, struct addr at)
{
	struct radius_config c;

	assert_int_equal(radius_rig_open(&rig[0], "127.0.0.1", 0), 0);
	rig[1].fd = -1;
	configure(&c, 1);
	strcpy(c.server[0].name, name);
	c.server[0].addr = at;
	c.server[0].addr.port = rig[0].port;
	servers = radius_servers_get(&c, true);
	assert_non_null(servers);
}

// The same server in a configuration that is another.
static void start_another_with_name(const char *name)
{
	struct radius_config c;

	configure(&c, 1);
	strcpy(c.server[0].name, name);
	c.server[0].addr = (struct addr){ .port = rig[0].port };
	servers = radius_servers_get(&c, true);
	assert_non_null(servers);
}

static void expect_answer(void)
{
	struct asked a;

	ask(&a);
	await_request(&rig[0]);
	say(&rig[0], RADIUS_ACCESS_ACCEPT);
	run_until_end(&a);
	assert_int_equal(a.code, RADIUS_ACCESS_ACCEPT);
}

static void a_name_that_is_found_later(void **state)
{
	start_with_name(NAME, (struct addr){ 0 });
	for (int ms = 0; ms < PATIENCE_MS && !radius_servers_any_well(servers); ms += 5)
		run(5);
	expect_state(0, "up");
	expect_answer();
}

// As after a reload: a new set knows what the old one has found, and CoA too.
static void a_name_that_is_known(void **state)
{
	struct radius_servers *first;
	struct addr at;

	start_with_name(NAME, (struct addr){ 4, 32, 0, { 127, 0, 0, 1 } });
	first = servers;
	assert_true(radius_servers_find(NAME, &at));
	assert_int_equal(at.port, rig[0].port);
	assert_false(radius_servers_find("another", &at));
	start_another_with_name(NAME);
	assert_true(servers != first);
	assert_true(radius_servers_any_well(servers));
	expect_answer();
	radius_servers_put(first);
}

static void a_name_that_has_moved(void **state)
{
	struct asked a;

	start_with_name(NAME, (struct addr){ 4, 32, 0, { 127, 0, 0, 9 } });
	ask(&a);
	run_until_end(&a);
	assert_int_equal(a.code, 0);
	for (int ms = 0; ms < PATIENCE_MS && !radius_servers_any_well(servers); ms += 5)
		run(5);
	expect_answer();
}

static void a_name_that_nobody_has(void **state)
{
	struct asked a;

	start_with_name("a..b", (struct addr){ 0 });
	run(50);
	expect_state(0, "its address is not known");
	assert_int_equal(radius_exchange_start(servers, &kind, &a, -1, &a.exchange), -EHOSTUNREACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers, start_one, stop),
		cmocka_unit_test_setup_teardown(lies, start_one, stop),
		cmocka_unit_test_setup_teardown(answers_from_elsewhere, start_one, stop),
		cmocka_unit_test_setup_teardown(late_and_repeated_answers, start_one, stop),
		cmocka_unit_test_setup_teardown(the_very_same_again, start_one, stop),
		cmocka_unit_test_setup_teardown(the_next_is_asked, start_two, stop),
		cmocka_unit_test_setup_teardown(only_this_server, start_two, stop),
		cmocka_unit_test_setup_teardown(nobody_answers, start_two, stop),
		cmocka_unit_test_setup_teardown(nobody_listens, start_two, stop),
		cmocka_unit_test_setup_teardown(one_that_is_starting, start_one, stop),
		cmocka_unit_test_setup_teardown(as_many_as_may_wait, start_one, stop),
		cmocka_unit_test_setup_teardown(the_same_after_a_reload, start_one, stop),
		cmocka_unit_test_teardown(a_name_that_is_found_later, stop),
		cmocka_unit_test_teardown(a_name_that_is_known, stop),
		cmocka_unit_test_teardown(a_name_that_has_moved, stop),
		cmocka_unit_test_teardown(a_name_that_nobody_has, stop),
	};
	int failed;

	base = event_base_new();
	lookup_start(base);
	radius_client_start(base);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	failed += radius_client_stop() < 0;
	failed += lookup_stop() < 0;
	event_base_free(base);
	return failed;
}
