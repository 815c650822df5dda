// Who may ask for what: by the command table, and by what the kernel says of who has come.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <grp.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/main/caller.h"

#define NOBODY 65534
#define READERS 37

static void readers_change_nothing(void **state)
{
	assert_true(caller_may_read("show status"));
	assert_true(caller_may_read("show sessions all"));
	assert_true(caller_may_read("show events"));
	assert_false(caller_may_read("stop now"));
	assert_false(caller_may_read("reload"));
	assert_false(caller_may_read("terminate user"));
	assert_false(caller_may_read("trace session"));
	assert_false(caller_may_read("capture session"));
	// nor what the table does not have, or has in other words
	assert_false(caller_may_read("show"));
	assert_false(caller_may_read("Show status"));
	assert_false(caller_may_read("show status "));
	assert_false(caller_may_read("show cookies all"));
	assert_false(caller_may_read(""));
}

// A process with this user and these groups comes to our door.
static void come(const struct sockaddr_un *door, socklen_t len, uid_t uid, gid_t gid, gid_t other)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	char byte;

	if (setgroups(other ? 1 : 0, &other) < 0 || setgid(gid) < 0 || setuid(uid) < 0 || connect(fd, (const void *)door, len) < 0)
		_exit(1);
	(void)!read(fd, &byte, 1); // until it has been looked at
	_exit(0);
}

static enum caller_right right_of(uid_t uid, gid_t gid, gid_t other, gid_t readers)
{
	struct sockaddr_un door = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t); // the kernel finds a name
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), client;
	enum caller_right right;
	struct ucred who;
	pid_t pid;

	assert_int_equal(bind(fd, (struct sockaddr *)&door, len), 0);
	len = sizeof(door);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&door, &len), 0);
	assert_int_equal(listen(fd, 1), 0);
	pid = fork();
	if (pid == 0)
		come(&door, len, uid, gid, other);
	client = accept(fd, NULL, NULL);
	assert_true(client >= 0);
	right = caller_right(client, readers, &who);
	assert_int_equal(who.uid, uid);
	assert_int_equal(who.pid, pid);
	close(client);
	close(fd);
	waitpid(pid, NULL, 0);
	return right;
}

static void the_kernel_says_who_comes(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(right_of(0, 0, 0, 0), CALLER_ADMIN);
	assert_int_equal(right_of(0, 0, 0, READERS), CALLER_ADMIN);
	assert_int_equal(right_of(NOBODY, NOBODY, 0, 0), CALLER_STRANGER);
	assert_int_equal(right_of(NOBODY, NOBODY, 0, READERS), CALLER_STRANGER);
	assert_int_equal(right_of(NOBODY, READERS, 0, READERS), CALLER_READER);
	assert_int_equal(right_of(NOBODY, NOBODY, READERS, READERS), CALLER_READER);
	assert_int_equal(right_of(NOBODY, READERS, READERS, READERS + 1), CALLER_STRANGER);
	// where there is no group for it, root's is none
	assert_int_equal(right_of(NOBODY, 0, 0, 0), CALLER_STRANGER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_change_nothing),
		cmocka_unit_test(the_kernel_says_who_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
