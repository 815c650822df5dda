// A client that reads, one that does not, and one that reads a little, over the kernel's own TCP; only the clock is ours.
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/worker/reader.h"

#define MANY 200 // rounds of 10 ms that the kernel may take for an ACK

static int ours, client;

static int set_up(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM, 0), small = 4096;

	client = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ours = accept(listener, NULL, NULL);
	assert_true(ours >= 0);
	close(listener);
	return 0;
}

static int tear_down(void **state)
{
	close(ours);
	close(client);
	return 0;
}

static void fill(void)
{
	static const char zeros[4096];

	while (send(ours, zeros, sizeof(zeros), MSG_DONTWAIT) > 0)
		;
}

static ssize_t drain(void)
{
	char buf[65536];
	ssize_t n, sum = 0;

	while ((n = recv(client, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		sum += n;
	return sum;
}

// Asked again and again at one moment, until the kernel has told its news.
static void settles(struct reader *r, uint64_t now_ms, bool (*as)(const struct reader *))
{
	for (int i = 0; i < MANY; i++) {
		assert_false(reader_is_frozen(r, ours, now_ms));
		if (as(r))
			return;
		if (r->look_ms)
			r->look_ms = now_ms;
		usleep(10000);
	}
	fail();
}

static bool is_shut(const struct reader *r)
{
	return r->shut_ms > 0;
}

static bool is_idle(const struct reader *r)
{
	return r->look_ms == 0;
}

static void one_that_reads(void **state)
{
	struct reader r = { 0 };

	assert_false(reader_is_frozen(&r, ours, 100000)); // nothing was sent, nobody asks
	assert_int_equal(send(ours, "ping", 4, 0), 4);
	reader_sent(&r, 1000);
	assert_int_equal(r.look_ms, 2000);
	settles(&r, 2000, is_idle);
	assert_int_equal(drain(), 4);
}

static void one_that_does_not(void **state)
{
	struct reader r = { 0 };

	fill();
	reader_sent(&r, 1000);
	assert_false(reader_is_frozen(&r, ours, 1999));
	settles(&r, 2000, is_shut);
	assert_int_equal(r.shut_ms, 2000);
	for (uint64_t now = 3000; now < 2000 + READER_FROZEN_MS; now += 1000)
		assert_false(reader_is_frozen(&r, ours, now));
	assert_true(reader_is_frozen(&r, ours, 2000 + READER_FROZEN_MS));
}

static void one_that_reads_a_little(void **state)
{
	struct reader r = { 0 };
	uint64_t acked;

	fill();
	reader_sent(&r, 1000);
	settles(&r, 2000, is_shut);
	acked = r.acked;
	assert_true(drain() > 0);
	for (int i = 0; i < MANY && r.acked == acked && r.shut_ms > 0; i++) { // it is full again, or not yet
		usleep(10000);
		r.look_ms = 10000;
		assert_false(reader_is_frozen(&r, ours, 10000));
	}
	assert_false(reader_is_frozen(&r, ours, 2000 + READER_FROZEN_MS));
	while (drain() > 0)
		usleep(10000);
	settles(&r, 30000, is_idle);
}

static void no_tcp(void **state)
{
	struct reader r = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	reader_sent(&r, 1000);
	assert_false(reader_is_frozen(&r, pair[0], 100000));
	assert_int_equal(r.look_ms, 0);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_that_reads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_does_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_reads_a_little, set_up, tear_down),
		cmocka_unit_test(no_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
