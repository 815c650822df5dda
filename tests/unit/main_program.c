// The operator's programs: what becomes of each, in which order they run, and that none is waited for beyond its time.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>

#include "config_rig.h"
#include "control/main/gateway.h"
#include "control/main/hook_env.h"
#include "control/main/program.h"

static struct gateway gateway, *const g = &gateway;
static char ends[64]; // one letter for each that has ended: who it was, in small where it is done, else in capitals
static char said[4096];

struct run {
	char letter;
	enum program_end how;
	bool over;
};

static char **environment(void *who)
{
	char **env = calloc(2, sizeof(*env));

	env[0] = strdup("WORD=a word");
	return env;
}

static void on_ended(void *who, enum program_end how)
{
	struct run *r = who;
	const size_t n = strlen(ends);

	r->how = how;
	r->over = true;
	ends[n] = how == PROGRAM_DONE ? r->letter : (char)(r->letter - 'a' + 'A');
	ends[n + 1] = 0;
}

static void sink(enum log_level level, const char *line)
{
	size_t used = strlen(said);

	snprintf(said + used, sizeof(said) - used, "%s\n", line);
}

static int open_gateway(void **state)
{
	struct heard h;

	rig_set_up(state);
	assert_int_equal(load("test.conf", GOOD "script-timeout = 1\n", CONFIG_START, &h, &g->config), 0);
	log_init("test", LOG_LEVEL_INFO, LOG_FORM_PLAIN);
	log_set_sink(sink);
	g->base = event_base_new();
	ends[0] = said[0] = 0;
	return programs_open(g);
}

static int shut(void **state)
{
	programs_close(g);
	log_set_sink(NULL);
	event_base_free(g->base);
	config_free(g->config);
	return rig_tear_down(state);
}

// Main's SIGCHLD, as often as it takes.
static void serve_until(const bool *over)
{
	int status;
	pid_t pid;

	for (int i = 0; i < 5000 && !*over; i++) {
		event_base_loop(g->base, EVLOOP_NONBLOCK);
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			assert_true(programs_reap(g, pid, status));
		usleep(1000);
	}
	assert_true(*over);
}

static struct program *shell(struct run *r, char letter, const char *key, const char *other, const char *script)
{
	char *const argv[] = { "/bin/sh", "-c", (char *)script, NULL };
	struct program_order o = { .name = "script", .argv = argv, .env = environment, .ended = on_ended, .who = r };
	struct program *p;

	*r = (struct run){ .letter = letter };
	if (key)
		addr_parse(key, &o.key[0]);
	if (other)
		addr_parse(other, &o.key[1]);
	p = program_run(g, &o);
	assert_non_null(p);
	return p;
}

static void ends_as(const char *script, enum program_end how, const char *log)
{
	struct run r;

	said[0] = 0;
	shell(&r, 'a', NULL, NULL, script);
	serve_until(&r.over);
	assert_int_equal(r.how, how);
	if (!strstr(said, log))
		fail_msg("'%s' said: %s", script, said);
}

static void ways_to_end(void **unused)
{
	ends_as("exit 0", PROGRAM_DONE, "");
	ends_as("exit 3", PROGRAM_REFUSES, "exit status 3");
	ends_as("kill -SEGV $$", PROGRAM_REFUSES, "signal 11");
	ends_as("sleep 100 & wait", PROGRAM_LATE, "killed after 1 seconds");
	assert_false(programs_busy(g));
}

static void what_it_gets_and_says(void **unused)
{
	ends_as("echo \"$WORD\"; env | wc -l; pwd; ls /proc/self/fd | tr '\\n' ' '", PROGRAM_DONE, "script: a word\nscript: ");
	assert_non_null(strstr(said, "script: /\n"));
	assert_non_null(strstr(said, "script: 0 1 2 3 \n")); // 3 is the directory that ls reads
	ends_as("echo one >&2; printf two", PROGRAM_DONE, "script: one\nscript: two\n");
	ends_as("i=0; while [ $i -lt 107 ]; do echo; echo x; i=$((i + 1)); done", PROGRAM_DONE,
	        "script: 7 lines more are not logged\n");
	// who goes on behind its back is not waited for
	ends_as("sleep 0.5 & echo gone", PROGRAM_DONE, "script: gone\n");
}

static void missing(void **unused)
{
	char *const argv[] = { "/nowhere/at/all", NULL };
	struct run r = { .letter = 'a' };

	program_run(g, &(struct program_order){ .name = "script", .argv = argv, .env = environment, .ended = on_ended, .who = &r });
	assert_false(r.over); // not before the caller has its answer
	serve_until(&r.over);
	assert_int_equal(r.how, PROGRAM_MISSING);
	assert_non_null(strstr(said, "cannot be run: No such file or directory"));
}

// Those that have an address in common wait for each other, others do not.
static void order(void **unused)
{
	struct run a, b, c, d, e;

	shell(&a, 'a', "192.0.2.1", "fd00::1", "sleep 0.3");
	shell(&b, 'b', "192.0.2.1", NULL, "sleep 0.1");
	shell(&c, 'c', "192.0.2.2", "fd00::1", ":");
	shell(&d, 'd', "192.0.2.3", NULL, ":");
	shell(&e, 'e', "192.0.2.1", "fd00::1", ":"); // after b and c
	serve_until(&e.over);
	assert_string_equal(ends, "dacbe");
}

static void cancelled(void **unused)
{
	struct run a, b, c;
	struct program *first, *second;

	first = shell(&a, 'a', "192.0.2.1", NULL, "sleep 0.2");
	second = shell(&b, 'b', "192.0.2.1", NULL, ":");
	shell(&c, 'c', "192.0.2.1", NULL, ":");
	event_base_loop(g->base, EVLOOP_NONBLOCK);
	assert_false(program_cancel(first)); // it runs, and is heard of
	assert_true(program_cancel(second));
	serve_until(&c.over);
	assert_string_equal(ends, "ac");
	assert_false(b.over);
}

static void many(void **unused)
{
	struct run r[200];
	bool all = true;

	for (int i = 0; i < 200; i++)
		shell(&r[i], 'a', NULL, NULL, "sleep 0.05");
	event_base_loop(g->base, EVLOOP_NONBLOCK);
	ends[0] = 0;
	for (int i = 0; i < 200; i++) {
		serve_until(&r[i].over);
		all = all && r[i].how == PROGRAM_DONE;
		ends[0] = 0;
	}
	assert_true(all);
	assert_false(programs_busy(g));
}

// Nothing is left behind when main ends.
static void left_alone(void **unused)
{
	struct run a, b, c;
	int status;

	shell(&a, 'a', "192.0.2.1", NULL, "sleep 100 & wait");
	shell(&b, 'b', "192.0.2.1", NULL, ":");
	shell(&c, 'c', NULL, NULL, ":");
	event_base_loop(g->base, EVLOOP_NONBLOCK);
	programs_close(g);
	assert_true(a.over && b.over && c.over);
	assert_int_equal(a.how, PROGRAM_LATE);
	assert_int_equal(b.how, PROGRAM_MISSING);
	while (waitpid(-1, &status, 0) > 0)
		;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ways_to_end, open_gateway, shut),
		cmocka_unit_test_setup_teardown(what_it_gets_and_says, open_gateway, shut),
		cmocka_unit_test_setup_teardown(missing, open_gateway, shut),
		cmocka_unit_test_setup_teardown(order, open_gateway, shut),
		cmocka_unit_test_setup_teardown(cancelled, open_gateway, shut),
		cmocka_unit_test_setup_teardown(many, open_gateway, shut),
		cmocka_unit_test_setup_teardown(left_alone, open_gateway, shut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
