// Names looked up in a thread: the loop goes on while the resolver thinks, and every lookup ends once, or not at all where it has
// been cancelled.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resolver_rig.h"
#include "secmod/lookup.h"

#define PATIENCE_MS 10000
#define MOST 64

static struct event_base *base;

struct answer {
	unsigned n;
	bool found;
	struct addr addr;
};

static void on_answer(void *who, const struct addr *found)
{
	struct answer *a = who;

	a->n++;
	a->found = found != NULL;
	if (found != NULL)
		a->addr = *found;
}

static void run(int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static void await(const struct answer *a)
{
	for (int ms = 0; ms < PATIENCE_MS && a->n == 0; ms += 5)
		run(5);
	assert_int_equal(a->n, 1);
}

static void await_asked(unsigned n)
{
	for (int ms = 0; ms < PATIENCE_MS && resolver_asked() < n; ms += 5)
		run(5);
	assert_int_equal(resolver_asked(), n);
}

static int start(void **state)
{
	base = event_base_new();
	resolver.asked = 0;
	resolver_set(NULL, false);
	lookup_start(base);
	return base != NULL ? 0 : -1;
}

static int stop(void **state)
{
	resolver_set(NULL, false);
	assert_int_equal(lookup_stop(), 0);
	event_base_free(base);
	return 0;
}

static void numbers_ask_nobody(void **state)
{
	struct addr a;

#define T(name, ret) assert_int_equal(lookup_numeric(name, &a), ret)
	T("192.0.2.1", 0);
	assert_true(addr_equal(&a, &(struct addr){ 4, 32, 0, { 192, 0, 2, 1 } }));
	T("127.1", 0);
	T("2001:db8::1", 0);
	assert_int_equal(a.family, 6);
	T("::ffff:192.0.2.1", 0);
	assert_int_equal(a.family, 4);
	T("localhost", -EHOSTUNREACH);
	T("", -EHOSTUNREACH);
#undef T
	assert_int_equal(resolver_asked(), 0);
}

static void names(void **state)
{
	static const struct {
		const char *says;
		uint8_t family;
	} rows[] = { { "192.0.2.1", 4 }, { "2001:db8::1", 6 }, { NULL, 0 }, { "192.0.2.2", 4 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct answer a = { 0 };
		struct addr right;

		resolver_set(rows[i].says, false);
		assert_non_null(lookup_name("a.example", on_answer, &a));
		await(&a);
		assert_int_equal(a.found, rows[i].family != 0);
		assert_int_equal(a.addr.family, rows[i].family);
		assert_int_equal(a.addr.port, 0);
		if (rows[i].says != NULL)
			assert_true(addr_parse(rows[i].says, &right) == 0 && addr_equal(&a.addr, &right));
	}
}

static void the_loop_does_not_wait(void **state)
{
	struct answer a = { 0 };

	resolver_set(NULL, true);
	assert_non_null(lookup_name("a.example", on_answer, &a));
	await_asked(1);
	run(20);
	assert_int_equal(a.n, 0);
	resolver_set("192.0.2.1", false);
	await(&a);
}

static void cancelled(void **state)
{
	struct answer a = { 0 }, b = { 0 }, c = { 0 };
	struct lookup *begun, *waiting;

	resolver_set("192.0.2.1", true);
	begun = lookup_name("a.example", on_answer, &a);
	waiting = lookup_name("b.example", on_answer, &b);
	assert_non_null(lookup_name("c.example", on_answer, &c));
	await_asked(1);
	lookup_cancel(begun);
	lookup_cancel(waiting);
	lookup_cancel(NULL);
	resolver_set("192.0.2.1", false);
	await(&c);
	assert_int_equal(a.n + b.n, 0);
}

static void as_many_as_may_wait(void **state)
{
	struct answer a[MOST] = { 0 }, more = { 0 };

	resolver_set("192.0.2.1", true);
	for (unsigned i = 0; i < MOST; i++)
		assert_non_null(lookup_name("a.example", on_answer, &a[i]));
	assert_null(lookup_name("a.example", on_answer, &more));
	resolver_set("192.0.2.1", false);
	for (unsigned i = 0; i < MOST; i++)
		await(&a[i]);
	assert_non_null(lookup_name("a.example", on_answer, &more));
	await(&more);
}

static void the_end(void **state)
{
	struct answer a[MOST] = { 0 }, more = { 0 };

	for (unsigned i = 0; i < MOST; i++)
		assert_non_null(lookup_name("a.example", on_answer, &a[i]));
	assert_int_equal(lookup_stop(), 0);
	for (unsigned i = 0; i < MOST; i++)
		assert_int_equal(a[i].n, 1);
	assert_null(lookup_name("a.example", on_answer, &more));
	assert_int_equal(lookup_stop(), 0);
	lookup_start(base);
	assert_non_null(lookup_name("a.example", on_answer, &more));
	await(&more);
}

// Who wants to end meanwhile is told so, and may still forget it. In a process of its own, which ends as sec-mod does.
static void the_end_while_the_resolver_thinks(void **state)
{
	struct answer a = { 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct lookup *l;

		resolver_set(NULL, true);
		l = lookup_name("a.example", on_answer, &a);
		while (resolver_asked() == 0)
			usleep(1000);
		status = lookup_stop();
		lookup_cancel(l);
		_exit(status == -ETIMEDOUT && a.n == 0 ? 0 : 1);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numbers_ask_nobody, start, stop),
		cmocka_unit_test_setup_teardown(names, start, stop),
		cmocka_unit_test_setup_teardown(the_loop_does_not_wait, start, stop),
		cmocka_unit_test_setup_teardown(cancelled, start, stop),
		cmocka_unit_test_setup_teardown(as_many_as_may_wait, start, stop),
		cmocka_unit_test_setup_teardown(the_end, start, stop),
		cmocka_unit_test_setup_teardown(the_end_while_the_resolver_thinks, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
