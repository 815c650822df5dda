// Accounting records on their way to a server that this test plays: in order, on disk while it is silent, and later with their
// delay.
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "secmod/ledger.h"

#define SECRET "between-us"

static struct event_base *base;
static struct ledger *ledger;
static struct radius_config config;
static int server;
static char dir[] = "/tmp/penstock-ledger-XXXXXX", made[sizeof(dir)];
static bool silent;
static bool deaf;    // it takes records, but its answers are lost
static bool ordered; // a test counts what comes, and whether in order
static unsigned came[20];
static char heard[256]; // names of the records that have come
static uint32_t delay;  // of the last one

static void reply(const uint8_t *request, const struct sockaddr *to, socklen_t to_len)
{
	uint8_t answer[RADIUS_HEADER] = { RADIUS_ACCOUNTING_RESPONSE, request[1], 0, RADIUS_HEADER };
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	memcpy(answer + 4, request + 4, RADIUS_AUTHENTICATOR);
	assert_true(EVP_DigestInit(md, EVP_md5()) && EVP_DigestUpdate(md, answer, sizeof(answer)) &&
	            EVP_DigestUpdate(md, SECRET, strlen(SECRET)) && EVP_DigestFinal(md, answer + 4, NULL));
	EVP_MD_CTX_free(md);
	sendto(server, answer, sizeof(answer), 0, to, to_len);
}

static void note(const struct radius_attribute *a)
{
	unsigned s, n;
	char text[16];

	snprintf(text, sizeof(text), "%.*s", a->len, (const char *)a->value);
	assert_int_equal(sscanf(text, "s%u.%u", &s, &n), 2);
	if (n > came[s] + 1)
		fail_msg("%s after %u", text, came[s]);
	if (n == came[s] + 1) // else it is told again
		came[s] = n;
}

static bool all_came(void)
{
	for (unsigned s = 0; s < 20; s++)
		if (came[s] != 15)
			return false;
	return true;
}

// One packet, if there is any. What is repeated because nobody answers is not news.
static bool server_turn(void)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	struct radius_attribute a;
	uint8_t bytes[RADIUS_MAX];
	struct radius_walk w;
	ssize_t n = recvfrom(server, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
	size_t len = (size_t)n;

	if (n < 0)
		return false;
	assert_null(radius_check(bytes, &len));
	assert_null(radius_check_request(bytes, len, SECRET));
	radius_walk_begin(&w, bytes, len);
	while (!silent && radius_walk_next(&w, &a)) {
		if (a.type == RADIUS_ACCT_SESSION_ID && ordered)
			note(&a);
		else if (a.type == RADIUS_ACCT_SESSION_ID)
			snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "%s%.*s", heard[0] ? " " : "", a.len,
			         (const char *)a.value);
		if (a.type == RADIUS_ACCT_DELAY_TIME)
			delay = radius_number(&a);
	}
	if (!silent && !deaf)
		reply(bytes, (struct sockaddr *)&from, from_len);
	return true;
}

static void run(unsigned ms)
{
	const struct timeval step = { .tv_usec = 5000 };

	for (unsigned i = 0; i < ms / 5; i++) {
		event_base_loopexit(base, &step);
		event_base_dispatch(base);
		while (server_turn())
			;
	}
}

static void await(const char *all)
{
	for (unsigned i = 0; i < 1000 && strcmp(heard, all) != 0; i++)
		run(10);
	assert_string_equal(heard, all);
	heard[0] = '\0';
}

static void add(enum spool_kind kind, uint64_t session, const char *name)
{
	struct radius_attributes a = { 0 };

	radius_add_text(&a, RADIUS_ACCT_SESSION_ID, name);
	ledger_add(ledger, kind, session, &a);
}

static void open_ledger(void)
{
	struct radius_servers *s = radius_servers_get(&config, false);

	assert_int_equal(ledgers_start(base), 0);
	ledger = ledger_get("/etc/radcli/test.conf", dir);
	assert_non_null(s);
	assert_non_null(ledger);
	ledger_serve(ledger, s);
}

// As a reload does it: servers are asked again at once.
static void do_not_wait(void)
{
	ledger_serve(ledger, radius_servers_get(&config, false));
}

static void keeps_sessions_in_order(void **unused)
{
	open_ledger();
	run(100); // its directory is looked at first
	add(SPOOL_START, 0, "on");
	add(SPOOL_START, 1, "a1");
	add(SPOOL_INTERIM, 1, "a2");
	add(SPOOL_START, 2, "b1");
	await("on a1 b1 a2"); // nothing overtakes what is about all; the others wait for their own session only
	add(SPOOL_STOP, 1, "a3");
	add(SPOOL_STOP, 0, "off");
	add(SPOOL_START, 3, "c1");
	await("a3 off c1");
	assert_int_equal(ledger_state(ledger).delivered, 7);
}

static void keeps_what_nobody_takes(void **unused)
{
	silent = true;
	add(SPOOL_INTERIM, 2, "b2");
	run(400);
	add(SPOOL_STOP, 2, "b3");
	run(1200); // longer than a second of the clock on the wall
	assert_true(ledger_state(ledger).bytes > 0);
	assert_int_equal(ledger_state(ledger).waiting, 0); // nothing is in memory alone
	ledgers_finish(base, 200);
	silent = false;
	open_ledger(); // as after a restart
	await("b2 b3");
	assert_true(delay >= 1 && delay < 60);
	run(100);
	assert_int_equal(ledger_state(ledger).bytes, 0);
	add(SPOOL_STOP, 3, "c2"); // from hand to mouth again
	await("c2");
	assert_int_equal(delay, 0);
}

// Files may be no larger than that.
static void disk_has_room_for(rlim_t bytes)
{
	const struct rlimit rl = { bytes, RLIM_INFINITY };

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
}

static void a_full_disk_holds_nobody_up(void **unused)
{
	signal(SIGXFSZ, SIG_IGN); // write() says it
	disk_has_room_for(10);
	silent = true;
	add(SPOOL_START, 4, "e1");
	run(400);
	add(SPOOL_INTERIM, 4, "e2");
	add(SPOOL_STOP, 4, "e3");
	run(200);
	assert_int_equal(ledger_state(ledger).waiting, 3);
	assert_int_equal(ledger_state(ledger).dropped, 0);
	silent = false;
	do_not_wait();
	await("e1 e2 e3");
	disk_has_room_for(RLIM_INFINITY);
}

#define SESSIONS 20
#define EACH 15

// A server that comes and goes, and whose answers are lost now and then: each session's records come all, and none before the one
// before.
static void a_flapping_server_gets_all_in_order(void **unused)
{
	char name[16];

	memset(came, 0, sizeof(came));
	ordered = true;
	for (unsigned n = 1; n <= EACH; n++) {
		silent = n % 6 >= 3;
		deaf = n % 6 == 2;
		for (unsigned s = 0; s < SESSIONS; s++) {
			snprintf(name, sizeof(name), "s%u.%u", s, n);
			add(n == 1 ? SPOOL_START : n == EACH ? SPOOL_STOP : SPOOL_INTERIM, 200 + s, name);
		}
		run(150);
		do_not_wait();
	}
	silent = deaf = false;
	for (unsigned i = 0; i < 300 && !all_came(); i++) {
		run(100);
		do_not_wait();
	}
	assert_true(all_came());
	assert_true(ordered);
	ordered = false;
	run(300);
	heard[0] = '\0';
	assert_int_equal(ledger_state(ledger).bytes, 0);
}

// It has no time to wait for an answer.
static void the_end_leaves_nothing_behind(void **unused)
{
	silent = true;
	for (unsigned i = 0; i < 100; i++)
		add(SPOOL_START, 100 + i, "x");
	ledgers_finish(base, 100);
	run(5); // what was sent is not answered
	silent = false;
	open_ledger();
	for (unsigned i = 0; i < 1000 && strlen(heard) < 2 * 100 - 1; i++)
		run(10);
	run(100);
	assert_int_equal(strlen(heard), 2 * 100 - 1);
	assert_int_equal(ledger_state(ledger).delivered, 100);
	heard[0] = '\0';
}

static void without_a_disk_memory_has_to_do(void **unused)
{
	ledgers_finish(base, 100);
	dir[0] = '\0';
	open_ledger();
	silent = true;
	add(SPOOL_START, 1, "d1");
	add(SPOOL_STOP, 1, "d2");
	run(400);
	assert_int_equal(ledger_state(ledger).waiting, 2);
	silent = false;
	do_not_wait();
	await("d1 d2");
	ledgers_finish(base, 100);
}

static int up(void **unused)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	base = event_base_new();
	radius_client_start(base);
	server = socket(AF_INET, SOCK_DGRAM, 0);
	if (!mkdtemp(dir) || bind(server, (struct sockaddr *)&sa, len) < 0 || getsockname(server, (struct sockaddr *)&sa, &len) < 0)
		return -1;
	strcpy(made, dir);
	config = (struct radius_config){ .purpose = RADIUS_ACCT, .n_servers = 1, .wait_ms = 100, .dead_ms = 200 };
	strcpy(config.server[0].name, "127.0.0.1");
	strcpy(config.server[0].secret, SECRET);
	addr_from_sockaddr((struct sockaddr *)&sa, &config.server[0].addr);
	return 0;
}

static int down(void **unused)
{
	char command[64];

	close(server);
	event_base_free(base);
	snprintf(command, sizeof(command), "rm -rf '%s'", made);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_sessions_in_order),
		cmocka_unit_test(keeps_what_nobody_takes),
		cmocka_unit_test(a_flapping_server_gets_all_in_order),
		cmocka_unit_test(a_full_disk_holds_nobody_up),
		cmocka_unit_test(the_end_leaves_nothing_behind),
		cmocka_unit_test(without_a_disk_memory_has_to_do),
	};

	return cmocka_run_group_tests(tests, up, down);
}
