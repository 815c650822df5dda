// What systemd is told, and what its environment says.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/main/notify.h"

static void half_of_its_patience(void **unused)
{
	static const struct {
		const char *usec, *pid;
		uint64_t ms;
	} table[] = {
		{ "10000000", NULL, 5000 }, { "10000000", "77", 5000 }, { "10000000", "78", 0 }, // somebody else's
		{ "1000", NULL, 100 },                                                           // not so often
		{ "0", NULL, 0 },           { NULL, NULL, 0 },          { "", NULL, 0 },
		{ "-5", NULL, 0 },          { "10s", NULL, 0 },         { "99999999999999999999", NULL, 0 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_int_equal(notify_watchdog_ms(table[i].usec, table[i].pid, 77), table[i].ms);
}

static void addresses(void **unused)
{
	char longest[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct sockaddr_un sun;
	unsigned len;

	assert_int_equal(notify_address("/run/systemd/notify", &sun, &len), 0);
	assert_string_equal(sun.sun_path, "/run/systemd/notify");
	assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 20);
	assert_int_equal(notify_address("@notify", &sun, &len), 0);
	assert_memory_equal(sun.sun_path, "\0notify", 7);
	assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 7);
	assert_int_equal(notify_address("", &sun, &len), -EINVAL);
	assert_int_equal(notify_address("@", &sun, &len), -EINVAL);
	assert_int_equal(notify_address("vsock:2:1234", &sun, &len), -EINVAL);
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	assert_int_equal(notify_address(longest, &sun, &len), -EINVAL);
}

struct listener {
	int fd;
	char path[64];
	struct event_base *base;
};

static void heard(const struct listener *l, const char *expected)
{
	char buf[512];
	ssize_t n = recv(l->fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	if (!expected) {
		assert_int_equal(n, -1);
		return;
	}
	assert_true(n > 0);
	buf[n] = 0;
	assert_int_equal(strncmp(buf, expected, strlen(expected)), 0);
}

static int listener_up(void **state)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(l->path, sizeof(l->path), "/tmp/penstock-notify-%d", (int)getpid());
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", l->path);
	unlink(l->path);
	l->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(l->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	l->base = event_base_new();
	setenv("NOTIFY_SOCKET", l->path, 1);
	*state = l;
	return 0;
}

static int listener_down(void **state)
{
	struct listener *l = *state;

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	notify_close();
	close(l->fd);
	unlink(l->path);
	event_base_free(l->base);
	free(l);
	return 0;
}

static void a_life(void **state)
{
	const struct listener *l = *state;

	assert_int_equal(notify_open(l->base), 0);
	notify_ready();
	heard(l, "READY=1");
	notify_status("%d sessions", 3);
	heard(l, "STATUS=3 sessions");
	notify_status("%d sessions", 3);
	heard(l, NULL);
	notify_status("it's %s", "A\nMAINPID=1");
	heard(l, "STATUS=it's A MAINPID=1");
	notify_reloading();
	heard(l, "RELOADING=1\nMONOTONIC_USEC=");
	notify_stopping(5000);
	heard(l, "STOPPING=1\nEXTEND_TIMEOUT_USEC=20000000");
	notify_stopping(0);
	heard(l, "STOPPING=1");
	heard(l, NULL);
}

static void the_watchdog_is_fed(void **state)
{
	const struct listener *l = *state;

	setenv("WATCHDOG_USEC", "200000", 1);
	assert_int_equal(notify_open(l->base), 0);
	heard(l, "WATCHDOG=1");
	heard(l, NULL);
	event_base_loop(l->base, EVLOOP_ONCE);
	heard(l, "WATCHDOG=1");
}

static void nobody_listens(void **state)
{
	const struct listener *l = *state;

	setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
	assert_int_equal(notify_open(l->base), -ENOENT);
	notify_ready();
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_open(l->base), 0);
	notify_ready();
	heard(l, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_of_its_patience),
		cmocka_unit_test(addresses),
		cmocka_unit_test_setup_teardown(a_life, listener_up, listener_down),
		cmocka_unit_test_setup_teardown(the_watchdog_is_fed, listener_up, listener_down),
		cmocka_unit_test_setup_teardown(nobody_listens, listener_up, listener_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
