// Channels between two honest ends: descriptors, limits, waiting, closing. Hostile ends: tests/hostile/proto_ladder.c.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/chan.h"
#include "proto/log.h"

// sec-mod's end of main's channel, and what its handlers saw.
static struct chan main_end, secmod_end;
static int opened, listed, kept_fd, verdict, forget_fd, close_self;

static int on_worker_open(void *who, const void *m, const int *fds)
{
	const struct msg_worker_open *open = m;

	assert_ptr_equal(who, &opened);
	assert_int_equal(open->conn, 7);
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	opened++;
	if (!forget_fd)
		kept_fd = chan_take_fd(fds, 0);
	return verdict;
}

static int on_session_list(void *who, const void *m, const int *fds)
{
	listed++;
	if (close_self)
		chan_fini(&secmod_end);
	return verdict;
}

static const chan_handler handlers[MSG_NUMBERS] = { [MSG_WORKER_OPEN] = on_worker_open, [MSG_SESSION_LIST] = on_session_list };

static int count_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int setup(void **state)
{
	int fds[2];

	log_init("test", LOG_LEVEL_ERR - 1, LOG_FORM_PLAIN);
	opened = listed = verdict = forget_fd = close_self = 0;
	kept_fd = -1;
	if (chan_pair(fds) < 0)
		return -1;
	chan_init(&main_end, fds[0], ROLE_MAIN, ROLE_SECMOD, CHAN_PLAIN, "sec-mod");
	chan_init(&secmod_end, fds[1], ROLE_SECMOD, ROLE_MAIN, CHAN_PLAIN, "main");
	return 0;
}

static int teardown(void **state)
{
	chan_fini(&main_end);
	chan_fini(&secmod_end);
	if (kept_fd >= 0)
		close(kept_fd);
	return 0;
}

static int send_open(int fd)
{
	struct msg_worker_open m = { .conn = 7, .client = { 4, 32, 1, { 192, 0, 2, 1 } }, .local = { 4, 32, 2, { 192, 0, 2, 2 } } };

	return chan_send(&main_end, MSG_WORKER_OPEN, &m, &fd);
}

static int send_list(void)
{
	return CHAN_SEND(&main_end, SESSION_LIST, &(struct msg_session_list){ .token = 1 });
}

static int serve(int most)
{
	return chan_serve(&secmod_end, handlers, &opened, most);
}

static void serves_what_is_there(void **state)
{
	assert_int_equal(serve(10), -EAGAIN);
	assert_int_equal(send_list(), 0);
	assert_int_equal(send_list(), 0);
	assert_int_equal(send_list(), 0);
	assert_int_equal(serve(2), 2);
	assert_int_equal(serve(10), 1);
	assert_int_equal(serve(10), -EAGAIN);
	assert_int_equal(listed, 3);
}

static void a_taken_descriptor_stays(void **state)
{
	int before = count_fds();

	assert_int_equal(send_open(0), 0);
	assert_int_equal(serve(1), 1);
	assert_int_equal(count_fds(), before + 1);
	assert_true(fcntl(kept_fd, F_GETFD) >= 0);
}

static void a_forgotten_descriptor_does_not_leak(void **state)
{
	int before = count_fds();

	forget_fd = 1;
	assert_int_equal(send_open(0), 0);
	assert_int_equal(serve(1), 1);
	verdict = -EPROTO;
	assert_int_equal(send_open(0), 0);
	assert_int_equal(serve(1), -EPROTO);
	assert_int_equal(opened, 2);
	assert_int_equal(count_fds(), before);
}

static void only_our_own_messages_are_sent(void **state)
{
	struct msg_terminate t = { .reason = END_BY_ADMIN };
	struct msg_session_gone gone = { .sid_len = SID_SIZE };
	struct msg_worker_open open = { .conn = 7 };

	assert_int_equal(chan_send(&main_end, MSG_TERMINATE, &t, NULL), -EINVAL);       // main's, but not to sec-mod
	assert_int_equal(chan_send(&main_end, MSG_SESSION_GONE, &gone, NULL), -EINVAL); // the other way round
	assert_int_equal(chan_send(&main_end, MSG_WORKER_OPEN, &open, NULL), -EINVAL);  // needs a descriptor
	assert_int_equal(chan_send(&main_end, (enum msg_number)0, &t, NULL), -EINVAL);
	assert_int_equal(serve(1), -EAGAIN);
}

static void a_handler_may_close_its_channel(void **state)
{
	close_self = 1;
	send_list();
	send_list();
	assert_int_equal(serve(1), 0);
	assert_int_equal(serve(10), 0);
	assert_int_equal(listed, 1);
	assert_int_equal(send_list(), -EPIPE);
}

static void closing_is_seen_after_the_last_word(void **state)
{
	send_list();
	chan_fini(&main_end);
	assert_int_equal(serve(1), 1);
	assert_int_equal(serve(1), 0);
	assert_int_equal(send_list(), -EPIPE);
}

static void closing_with_words_unread_loses_nothing(void **state)
{
	struct msg_session_gone gone = { .sid_len = SID_SIZE };

	send_list();
	assert_int_equal(CHAN_SEND(&secmod_end, SESSION_GONE, &gone), 0);
	chan_fini(&main_end); // never read it: the kernel makes that ECONNRESET
	assert_int_equal(serve(10), 0);
	assert_int_equal(listed, 1);
}

static void a_full_channel_says_so(void **state)
{
	int ret, n = 0;

	while ((ret = send_list()) == 0 && n < 100000)
		n++;
	assert_int_equal(ret, -EAGAIN);
	assert_true(n > 0);
	while ((ret = serve(1000)) > 0)
		;
	assert_int_equal(ret, -EAGAIN);
	assert_int_equal(listed, n);
	assert_int_equal(send_list(), 0);
}

static void waiting_for_an_answer(void **state)
{
	send_list();
	send_open(0);
	send_list();
	assert_int_equal(chan_await(&secmod_end, handlers, &opened, MSG_WORKER_OPEN, 1000), 0);
	assert_int_equal(listed, 1); // what came before was served, what comes after waits
	assert_int_equal(chan_await(&secmod_end, handlers, &opened, MSG_WORKER_OPEN, 20), -ETIMEDOUT);
	assert_int_equal(listed, 2);
	verdict = -EPROTO;
	send_list();
	assert_int_equal(chan_await(&secmod_end, handlers, &opened, MSG_WORKER_OPEN, 1000), -EPROTO);
	chan_fini(&main_end);
	assert_int_equal(chan_await(&secmod_end, handlers, &opened, MSG_WORKER_OPEN, 1000), -EPIPE);
}

static enum msg_number lost;

static void on_lost(void *who, enum msg_number number, const union msg_any *msg)
{
	assert_int_equal(msg->worker_open.conn, 7);
	lost = number;
}

static void our_own_limit_is_not_the_peers_fault(void **state)
{
	struct rlimit old, tight = { .rlim_cur = (rlim_t)secmod_end.fd + 1 };
	int before = count_fds();

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight.rlim_max = old.rlim_max;
	send_open(0);
	send_list();
	while (dup(0) >= 0 && count_fds() < secmod_end.fd + 1) // fill the holes below
		;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	secmod_end.lost = on_lost;
	assert_int_equal(serve(10), 2);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(lost, MSG_WORKER_OPEN); // so that it can be refused
	assert_int_equal(opened, 0);
	assert_int_equal(listed, 1);
	assert_true(count_fds() >= before);
}

// ------------------------------------------------------------------------------------------------- the worker's way to main

static int infos;
static int on_any(void *who, const void *m, const int *fds)
{
	infos++;
	return 0;
}

static const chan_handler from_worker[MSG_NUMBERS] = {
	[MSG_AUTH_COOKIE_REQ] = on_any, [MSG_SESSION_INFO] = on_any, [MSG_SESSION_END] = on_any
};

static void once_means_once(void **state)
{
	struct msg_session_end end = { .reason = END_BY_USER };
	struct chan worker, ours;
	int fds[2];

	infos = 0;
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&worker, fds[0], ROLE_WORKER, ROLE_MAIN, WM_UP, "main");
	chan_init(&ours, fds[1], ROLE_MAIN, ROLE_WORKER, MW_UP, "worker %d", 1);
	assert_int_equal(CHAN_SEND(&worker, SESSION_END, &end), 0);
	assert_int_equal(chan_serve(&ours, from_worker, NULL, 10), 1);
	assert_int_equal(CHAN_SEND(&worker, SESSION_END, &end), 0);
	assert_int_equal(chan_serve(&ours, from_worker, NULL, 10), -EPROTO);
	assert_int_equal(infos, 1);
	chan_fini(&worker);
	chan_fini(&ours);
}

static void a_flood_ends_a_worker(void **state)
{
	struct msg_session_info info = { .dtls_cipher = "none" };
	int fds[2], i, ret, refused = 0;
	struct chan worker, ours;

	infos = 0;
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&worker, fds[0], ROLE_WORKER, ROLE_MAIN, WM_UP, "main");
	chan_init(&ours, fds[1], ROLE_MAIN, ROLE_WORKER, MW_UP, "worker %d", 1);
	for (i = 0; i < 21 && !refused; i++) { // 10 a second, and a second may end in between
		assert_int_equal(CHAN_SEND(&worker, SESSION_INFO, &info), 0);
		ret = chan_serve(&ours, from_worker, NULL, 1);
		refused = ret == -EPROTO;
	}
	assert_true(refused);
	assert_in_range(infos, 10, 20);
	chan_fini(&worker);
	chan_fini(&ours);
}

static void states_open_and_close_doors(void **state)
{
	struct msg_session_end end = { .reason = END_BY_USER };
	struct chan ours;
	uint8_t buf[64];
	int len;

	infos = 0;
	len = msg_encode(MSG_SESSION_END, &end, buf, sizeof(buf));
	chan_init(&ours, -1, ROLE_MAIN, ROLE_WORKER, MW_FRESH, "worker");
	assert_int_equal(chan_serve_packet(&ours, from_worker, NULL, buf, (size_t)len, NULL, 0), -EPROTO);
	chan_enter(&ours, MW_UP);
	assert_int_equal(chan_serve_packet(&ours, from_worker, NULL, buf, (size_t)len, NULL, 0), 1);
	assert_int_equal(infos, 1);
}

int main(void)
{
#define PAIR(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		PAIR(serves_what_is_there),
		PAIR(a_taken_descriptor_stays),
		PAIR(a_forgotten_descriptor_does_not_leak),
		PAIR(only_our_own_messages_are_sent),
		PAIR(a_handler_may_close_its_channel),
		PAIR(closing_is_seen_after_the_last_word),
		PAIR(closing_with_words_unread_loses_nothing),
		PAIR(a_full_channel_says_so),
		PAIR(waiting_for_an_answer),
		PAIR(our_own_limit_is_not_the_peers_fault),
		cmocka_unit_test(once_means_once),
		cmocka_unit_test(a_flood_ends_a_worker),
		cmocka_unit_test(states_open_and_close_doors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
