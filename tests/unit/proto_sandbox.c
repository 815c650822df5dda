// The sandbox, from inside: each row is a child that tries one thing and either lives or dies of SIGSYS.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/chan.h"
#include "proto/limits.h"
#include "proto/log.h"
#include "proto/sandbox.h"
#include "sanitized.h"

// Run f in a child of this role; its exit code, or minus the signal that ended it.
static int run_in(int role, int (*f)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		log_init("test", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
		if (sandbox_harden() < 0 || (role >= 0 && sandbox_seccomp((enum sandbox_role)role) < 0))
			_exit(99);
		_exit(f());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// ------------------------------------------------------------------------------------------------------------- forbidden

static char page[4096] __attribute__((aligned(4096)));

static int try_open(void)
{
	return (int)syscall(SYS_open, "/etc/passwd", O_RDONLY) < 0;
}
static int try_openat(void)
{
	return open("/etc/passwd", O_RDONLY) < 0;
}
static int try_stat(void)
{
	return (int)syscall(SYS_stat, "/etc/passwd", page);
}
static int try_newfstatat(void)
{
	return (int)syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", page, 0);
}
static int try_unlink(void)
{
	return unlink("/nonexistent/file");
}
static int try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0;
}
static int try_socketpair(void)
{
	return chan_pair((int[2]){ 0 });
}
static int try_bind(void)
{
	return bind(0, NULL, 0);
}
static int try_connect(void)
{
	return connect(0, NULL, 0);
}
static int try_accept(void)
{
	return accept4(0, NULL, NULL, 0);
}
static int try_execve(void)
{
	return execve("/bin/true", (char *[]){ "true", NULL }, NULL);
}
static int try_execveat(void)
{
	return (int)syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0);
}
static int try_fork(void)
{
	return fork() < 0;
}
static int try_vfork(void)
{
	return (int)syscall(SYS_vfork) < 0;
}
static int try_clone3(void)
{
	return (int)syscall(SYS_clone3, page, 0) < 0;
}
static int try_ptrace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
static int try_process_vm(void)
{
	return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}
static int try_kill_parent(void)
{
	return kill(getppid(), 0);
}
static int try_tgkill_parent(void)
{
	return (int)syscall(SYS_tgkill, 1, 1, SIGABRT);
}
static int try_tgkill_other_signal(void)
{
	return (int)syscall(SYS_tgkill, getpid(), getpid(), SIGCONT);
}
static int try_mmap_exec(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}
static int try_mmap_shared(void)
{
	return mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}
static int try_mmap_file(void)
{
	return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 0) == MAP_FAILED;
}
static int try_mprotect_exec(void)
{
	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static int try_pkey_mprotect(void)
{
	return (int)syscall(SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_EXEC, -1);
}
static int try_shm(void)
{
	return (int)syscall(SYS_shmget, 0, 4096, 0600);
}
static int try_memfd(void)
{
	return memfd_create("x", 0) < 0;
}
static int try_dup(void)
{
	return dup(0) < 0;
}
static int try_dup2(void)
{
	return dup2(0, 9) < 0;
}
static int try_fcntl_dup(void)
{
	return fcntl(0, F_DUPFD, 3) < 0;
}
static int try_fcntl_owner(void)
{
	return fcntl(0, F_SETOWN, getpid());
}
static int try_ioctl(void)
{
	return ioctl(0, FIONREAD, page);
}
static int try_ulp(void)
{
	return setsockopt(0, IPPROTO_TCP, TCP_ULP, "tls", 3);
}
static int try_bpf_socket(void)
{
	return setsockopt(0, SOL_SOCKET, SO_ATTACH_FILTER, page, 16);
}
static int try_setuid(void)
{
	return setuid(0);
}
static int try_prctl(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
static int try_seccomp(void)
{
	return (int)syscall(SYS_seccomp, 0, 0, NULL);
}
static int try_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}
static int try_userfaultfd(void)
{
	return (int)syscall(SYS_userfaultfd, 0) < 0;
}
static int try_io_uring(void)
{
	return (int)syscall(SYS_io_uring_setup, 1, page) < 0;
}
static int try_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, page, 16) < 0;
}
static int try_prlimit(void)
{
	return setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 100, 100 });
}
static int try_pidfd_getfd(void)
{
	return (int)syscall(SYS_pidfd_getfd, 0, 0, 0) < 0;
}
static int try_x32_getpid(void)
{
	return (int)syscall(0x40000000 | SYS_getpid) < 0;
}
static int try_i386_getpid(void)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(20) : "memory"); // getpid of i386, which is writev here
	return ret < 0;
}
static int try_epoll(void)
{
	return epoll_wait(0, (struct epoll_event *)(void *)page, 1, 0) < 0;
}

static int try_pread(void)
{
	return pread(0, page, 1, 0) < 0;
}

static const struct {
	const char *name;
	int (*f)(void);
} forbidden[] = {
#define T(name)                   \
	{                         \
#name, try_##name \
	}
	T(open),        T(openat),      T(stat),        T(newfstatat),    T(unlink),
	T(socket),      T(socketpair),  T(bind),        T(connect),       T(accept),
	T(execve),      T(execveat),    T(fork),        T(vfork),         T(clone3),
	T(ptrace),      T(process_vm),  T(kill_parent), T(tgkill_parent), T(tgkill_other_signal),
	T(mmap_exec),   T(mmap_shared), T(mmap_file),   T(mprotect_exec), T(pkey_mprotect),
	T(shm),         T(memfd),       T(dup),         T(dup2),          T(fcntl_dup),
	T(fcntl_owner), T(ioctl),       T(ulp),         T(bpf_socket),    T(setuid),
	T(prctl),       T(seccomp),     T(unshare),     T(userfaultfd),   T(io_uring),
	T(bpf),         T(prlimit),     T(pidfd_getfd), T(x32_getpid),    T(i386_getpid),
#undef T
};

static void a_worker_dies_of(void **state)
{
	size_t i;

	if (SANITIZED)
		skip();
	for (i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (run_in(SANDBOX_WORKER, forbidden[i].f) != -SIGSYS)
			fail_msg("a worker may %s", forbidden[i].name);
	assert_int_equal(run_in(SANDBOX_WORKER, try_epoll), -SIGSYS);
	assert_int_equal(run_in(SANDBOX_WORKER, try_pread), -SIGSYS);
}

static void a_dataplane_dies_of(void **state)
{
	static int (*const some[])(void) = { try_open,   try_openat,    try_socket,      try_execve, try_fork,  try_clone3,
		                             try_ptrace, try_mmap_exec, try_kill_parent, try_setuid, try_prctl, try_bpf };
	size_t i;

	if (SANITIZED)
		skip();
	for (i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		assert_int_equal(run_in(SANDBOX_DATAPLANE, some[i]), -SIGSYS);
	assert_int_not_equal(run_in(SANDBOX_DATAPLANE, try_epoll), -SIGSYS);
	assert_int_not_equal(run_in(SANDBOX_DATAPLANE, try_pread), -SIGSYS);
}

// --------------------------------------------------------------------------------------------------------------- allowed

static int inherited[2]; // a channel from before

// Everything a worker's life needs, in one go: any forbidden call in it would kill it.
static int live(void)
{
	struct chan c;
	struct stat st;
	struct pollfd p = { .fd = inherited[0], .events = POLLIN };
	struct timespec ts = { 0, 1000 };
	char *big, *small, byte;
	int on = 1;
	size_t i;

	chan_init(&c, inherited[0], ROLE_WORKER, ROLE_MAIN, WM_UP, "main");
	if (CHAN_SEND(&c, SESSION_END, &(struct msg_session_end){ 0 }) != 0)
		return 1;
	log_err("the sandbox lets me log");
	small = malloc(100);
	big = malloc(1 << 20);
	for (i = 0; i < 1000; i++)
		free(malloc(i * 97));
	big = realloc(big, 8 << 20);
	if (!big || !small)
		return 2;
	free(big);
	free(small);
	poll(&p, 1, 0);
	nanosleep(&ts, NULL);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (time(NULL) == 0 || getrandom(&byte, 1, 0) != 1)
		return 3;
	setsockopt(inherited[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(inherited[0], SOL_SOCKET, SO_PRIORITY, &on, sizeof(on));
	setsockopt(inherited[0], IPPROTO_IP, IP_TOS, &on, sizeof(on));
	setsockopt(inherited[0], IPPROTO_IPV6, IPV6_TCLASS, &on, sizeof(on));
	getsockopt(inherited[0], SOL_SOCKET, SO_ERROR, &on, &(socklen_t){ sizeof(on) });
	fcntl(inherited[0], F_GETFL);
	syscall(SYS_fstat, 0, &st);
	signal(SIGPIPE, SIG_IGN);
	shutdown(inherited[0], SHUT_WR);
	chan_fini(&c);
	exit(42);
}

static void a_worker_can_live(void **state)
{
	int role;

	for (role = SANDBOX_WORKER; role <= SANDBOX_DATAPLANE; role++) {
		assert_int_equal(chan_pair(inherited), 0);
		assert_int_equal(run_in(role, live), 42);
		close(inherited[0]);
		close(inherited[1]);
	}
}

static int fail_assertion(void)
{
	abort();
}

static void an_assertion_is_no_attack(void **state)
{
	assert_int_equal(run_in(SANDBOX_WORKER, fail_assertion), -SIGABRT);
}

// Built before the fork, as the nursery does: the child's own process id still has to be in it.
static void a_prepared_filter_is_the_same(void **state)
{
	assert_int_equal(sandbox_seccomp_prepare(SANDBOX_WORKER), 0);
	assert_int_equal(run_in(SANDBOX_WORKER, fail_assertion), -SIGABRT);
	assert_int_equal(chan_pair(inherited), 0);
	assert_int_equal(run_in(SANDBOX_WORKER, live), 42);
	close(inherited[0]);
	close(inherited[1]);
	if (!SANITIZED) {
		assert_int_equal(run_in(SANDBOX_WORKER, try_openat), -SIGSYS);
		assert_int_equal(run_in(SANDBOX_WORKER, try_tgkill_parent), -SIGSYS);
	}
}

// ---------------------------------------------------------------------------------------------------------- user, limits

static int become_nobody(void)
{
	log_init("test", LOG_LEVEL_ERR - 1, LOG_FORM_PLAIN);
	if (sandbox_drop_user(SANDBOX_METRICS, "nobody", "nogroup", false) < 0 || getuid() != 65534 || getgid() != 65534 ||
	    getgroups(0, NULL) != 0)
		return 1;
	if (setuid(0) == 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	if (open("/etc/shadow", O_RDONLY) >= 0)
		return 3;
	if (sandbox_drop_user(SANDBOX_METRICS, "65534", "65534", false) < 0) // becoming oneself is no error
		return 4;
	return sandbox_drop_user(SANDBOX_METRICS, "root", "root", false) == -EPERM ? 0 : 5;
}

static int root_without_powers(void)
{
	if (sandbox_drop_user(SANDBOX_METRICS, "root", "root", false) < 0)
		return 1;
	return setuid(65534) == 0 || chroot("/") == 0; // both need a capability
}

static int nobody_knows_them(void)
{
	log_init("test", LOG_LEVEL_ERR - 1, LOG_FORM_PLAIN);
	return sandbox_drop_user(SANDBOX_METRICS, "no such user", "", false) != -ENOENT ||
	       sandbox_drop_user(SANDBOX_METRICS, "root", "no such group", false) != -ENOENT || getuid() != 0;
}

static void users(void **state)
{
	if (getuid() != 0)
		skip();
	assert_int_equal(run_in(-1, become_nobody), 0);
	assert_int_equal(run_in(-1, root_without_powers), 0);
	assert_int_equal(run_in(-1, nobody_knows_them), 0);
}

static int hit_limits(void)
{
	void *volatile much; // or the compiler proves that nobody needs it
	struct rlimit rl;

	if (sandbox_limit(SANDBOX_WORKER, false) < 0)
		return 1;
	much = SANITIZED ? NULL : malloc(LIMIT_WORKER_MEMORY);
	if (much)
		return 2;
	if (fcntl(0, F_DUPFD, 16) >= 0 || getrlimit(RLIMIT_NPROC, &rl) < 0 || rl.rlim_max != 0)
		return 3;
	if (getrlimit(RLIMIT_CORE, &rl) < 0 || rl.rlim_max != 0)
		return 4;
	return 0;
}

static void limits(void **state)
{
	assert_int_equal(run_in(-1, hit_limits), 0);
}

static int close_most(void)
{
	static const int keep[] = { 30, 12, 13, 40 };
	int fd;

	for (fd = 10; fd < 50; fd++)
		dup2(0, fd);
	sandbox_close_from(11, keep, 4);
	for (fd = 11; fd < 60; fd++)
		if ((fcntl(fd, F_GETFD) >= 0) != (fd == 12 || fd == 13 || fd == 30 || fd == 40))
			return fd;
	if (fcntl(10, F_GETFD) < 0)
		return 10;
	sandbox_close_from(11, NULL, 0);
	return fcntl(40, F_GETFD) >= 0;
}

static void closing_the_rest(void **state)
{
	assert_int_equal(run_in(-1, close_most), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_can_live),
		cmocka_unit_test(a_worker_dies_of),
		cmocka_unit_test(a_dataplane_dies_of),
		cmocka_unit_test(an_assertion_is_no_attack),
		cmocka_unit_test(a_prepared_filter_is_the_same),
		cmocka_unit_test(users),
		cmocka_unit_test(limits),
		cmocka_unit_test(closing_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
