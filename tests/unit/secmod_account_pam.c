// PAM sessions whose processes cannot be started: those end that wait, each once, and no other is touched.
#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "secmod/account.h"
#include "secmod/pam_helper.h"

#define AT_ONCE 32 // processes that run, by account_pam.c
#define MORE 4     // sessions that wait for their turn

static struct vhost vhost;
static const struct settings settings = { .refs = 1, .n_vhosts = 1, .vhosts = &vhost };
static struct event_base *base;
static struct accounts *as;
static bool no_more;
static pid_t first;
static unsigned started, denied;

// In the place of pam_spawn.c: a process that says nothing until somebody ends it.
int pam_helper_spawn(int fd, pid_t *pid)
{
	if (no_more)
		return -EAGAIN;
	*pid = fork();
	if (*pid == 0) {
		alarm(30); // should this test die
		pause();
		_exit(0);
	}
	first = started++ == 0 ? *pid : first;
	return 0;
}

// As sec-mod does: the cookie is void.
static void deny(void *who, const uint8_t sid[SID_SIZE])
{
	denied++;
	account_gone(as, sid, END_TERMINATED);
}

static void up(uint8_t n)
{
	struct record r = { .sid = { n }, .user = "anna", .acct_id = "0123456789abcdef" };
	struct msg_session_up m = { .sid_len = SID_SIZE, .sid = { n }, .id = n };

	account_up(as, &r, &settings, &m);
}

static void closed(uint8_t n)
{
	account_closed(as, &(struct msg_session_close){ .sid_len = SID_SIZE, .sid = { n }, .up = 1, .reason = END_TEMPORARY });
}

static unsigned accounts_left(void)
{
	const struct account *a = NULL;
	unsigned n = 0;

	while ((a = account_next(as, a)) != NULL)
		n++;
	return n;
}

static void those_that_wait_end_within_each_other(void **unused)
{
	for (uint8_t n = 1; n <= AT_ONCE + MORE; n++)
		up(n);
	assert_int_equal(started, AT_ONCE);
	// their connections are over, their cookies are not: the denial is their end
	for (uint8_t n = AT_ONCE + 1; n <= AT_ONCE + MORE; n++)
		closed(n);
	no_more = true;
	kill(first, SIGKILL);
	while (denied == 0)
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	assert_int_equal(denied, 1 + MORE); // and the one whose process died
	assert_int_equal(accounts_left(), AT_ONCE);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(those_that_wait_end_within_each_other) };
	char text[LIMIT_TEXT + 1];
	int ret;

	base = event_base_new();
	as = accounts_new(deny, NULL);
	if (accounting_pam.start(base) < 0 ||
	    (vhost.acct = acct_load(&accounting_pam, &(struct authspec){ 0 }, NULL, text)) == NULL)
		return 1;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	accounts_free(as);
	accounting_pam.stop(base);
	acct_put(vhost.acct);
	event_base_free(base);
	return ret;
}
