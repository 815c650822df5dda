// Every system call there is, tried in every role: a child for each that may not be made, which has to die of it. The table that
// allows some (proto/seccomp.def) is evaluated here once more, by other code than the one that makes filters of it.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/confine.h"
#include "proto/log.h"
#include "proto/sandbox.h"
#include "proto/seccomp.h"

#define NUMBERS 600 // the last of Linux 6.18 is below 470; 512 to 547 are x32's
#define X32 0x40000000L
#define ARGUMENTS 6
// No descriptor, no process, no address of ours and no flag: what is made with it by mistake comes to nothing.
#define HARMLESS 0x7ffffffeUL
#define SECONDS 5 // a call that waits is none that was killed

#define FORBIDDEN (-SIGSYS)
#define MADE 7 // the exit status of a child whose call came back

// ----------------------------------------------------------------------------------------------------------- what is said

static bool meets(const struct seccomp_rule *r, const unsigned long *arg)
{
	for (int i = 0; i < SECCOMP_CONDITIONS && r->when[i].mask != 0; i++)
		if ((arg[r->when[i].arg] & r->when[i].mask) != r->when[i].value)
			return false;
	return true;
}

static const struct seccomp_rule *rule_for(enum sandbox_role role, long nr, const unsigned long *arg)
{
	for (size_t i = 0; i < seccomp_n_rules; i++) {
		const struct seccomp_rule *r = &seccomp_rules[i];

		if (r->nr == nr && (r->roles & SANDBOX_BIT(role)) != 0 && meets(r, arg))
			return r;
	}
	return NULL;
}

static bool kills(enum sandbox_role role, const struct seccomp_rule *rule)
{
	return rule == NULL ? confinements[role].calls == CALLS_LISTED : rule->refusal == SECCOMP_KILLS;
}

static bool is_conditional(enum sandbox_role role, long nr)
{
	for (size_t i = 0; i < seccomp_n_rules; i++)
		if (seccomp_rules[i].nr == nr && (seccomp_rules[i].roles & SANDBOX_BIT(role)) != 0)
			return seccomp_rules[i].when[0].mask != 0;
	return false;
}

// ----------------------------------------------------------------------------------------------------------- what happens

static int exit_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// In a child of this role. FORBIDDEN, another signal, or how the child ended by itself; its call's errno goes to *error.
static int attempt(enum sandbox_role role, long nr, const unsigned long *arg, int *error)
{
	static volatile int *said;
	pid_t pid;
	int ret;

	if (said == NULL)
		said = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*said = 0;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };

		for (size_t i = 0; i < sizeof(crashes) / sizeof(*crashes); i++)
			signal(crashes[i], SIG_DFL); // cmocka would go on from there with the next test
		alarm(SECONDS);
		if (sandbox_harden() < 0 || sandbox_seccomp(role) < 0)
			_exit(99);
		if (syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]) < 0)
			*said = errno;
		_exit(MADE);
	}
	ret = exit_of(pid);
	assert_int_not_equal(ret, 99);
	if (error != NULL)
		*error = *said;
	return ret;
}

static void harmless(unsigned long arg[ARGUMENTS])
{
	for (int i = 0; i < ARGUMENTS; i++)
		arg[i] = HARMLESS;
}

static void expect_outcome(enum sandbox_role role, long nr, const unsigned long *arg)
{
	const struct seccomp_rule *rule = rule_for(role, nr, arg);
	int error, ret = attempt(role, nr, arg, &error);

	if (kills(role, rule) && ret != FORBIDDEN)
		fail_msg("%s: call %ld (%#lx, %#lx, %#lx, %#lx) is made (%d)", confinements[role].name, nr, arg[0], arg[1], arg[2],
		         arg[3], ret);
	if (!kills(role, rule) && ret == FORBIDDEN)
		fail_msg("%s: call %ld (%#lx, %#lx, %#lx, %#lx) may be made, and kills", confinements[role].name, nr, arg[0],
		         arg[1], arg[2], arg[3]);
	if (rule != NULL && rule->refusal > 0 && (ret != MADE || error != rule->refusal))
		fail_msg("%s: %s should fail with errno %d, but %d (exit %d)", confinements[role].name, rule->name, rule->refusal,
		         error, ret);
}

// Linux 6.11 and later ask no filter about these two: they are jumps of the kernel's own probes, and end for anybody else in SIGILL
// (uretprobe) or ENXIO (uprobe).
#define URETPROBE 335
#define UPROBE 336
static bool is_of_probes(enum sandbox_role role, long nr, const unsigned long *arg)
{
	int error, ret;

	if (nr != URETPROBE && nr != UPROBE)
		return false;
	ret = attempt(role, nr, arg, &error);
	return nr == URETPROBE ? ret == -SIGILL : ret == MADE && error == ENXIO;
}

// Helpers of foreign modules may make nearly every call: of these, only what kills is tried.
static void every_number(void **state)
{
	unsigned long arg[ARGUMENTS];

	harmless(arg);
	for (int role = 0; role < SANDBOX_ROLES; role++)
		for (long nr = 0; nr < NUMBERS; nr++)
			if ((confinements[role].calls == CALLS_LISTED || kills(role, rule_for(role, nr, arg))) &&
			    !is_of_probes(role, nr, arg))
				expect_outcome(role, nr, arg);
}

// The doors of x32, whose numbers these are (all filters begin in the same way: one is tried whole), and numbers that never were
// any.
static void no_other_door(void **state)
{
	static const long odd[] = { X32 | SYS_read, 1000, 4096, 0xffff, 0x7fffffff, 0x80000000, 0xc0000000 };
	unsigned long arg[ARGUMENTS];

	harmless(arg);
	for (long nr = 0; nr < NUMBERS; nr++)
		if (attempt(SANDBOX_WORKER, X32 | nr, arg, NULL) != FORBIDDEN)
			fail_msg("call %ld of x32 is made", nr);
	for (int role = 0; role < SANDBOX_ROLES; role++)
		for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
			if (confinements[role].calls == CALLS_LISTED && attempt(role, odd[i], arg, NULL) != FORBIDDEN)
				fail_msg("%s: call %#lx is made", confinements[role].name, odd[i]);
	for (int role = 0; role < SANDBOX_ROLES; role++)
		if (confinements[role].calls == CALLS_BARRED && attempt(role, X32 | SYS_getpid, arg, NULL) != FORBIDDEN)
			fail_msg("%s: calls of x32 are made", confinements[role].name);
}

#ifdef __x86_64__
#define I386_GETPID 20
#define I386_OPEN 5

// By the door of 32-bit programs, where the numbers mean something else.
static int attempt_i386(int role, long nr)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		if (role >= 0 && (sandbox_harden() < 0 || sandbox_seccomp(role) < 0))
			_exit(99);
		__asm__ volatile("int $0x80" : "+a"(nr) : "b"(0), "c"(0), "d"(0) : "memory");
		_exit(MADE);
	}
	return exit_of(pid);
}

static void not_by_the_door_of_i386(void **state)
{
	if (attempt_i386(-1, I386_GETPID) != MADE)
		skip(); // this kernel has none
	for (int role = 0; role < SANDBOX_ROLES; role++)
		if (confinements[role].calls != CALLS_FREE)
			for (int nr = I386_OPEN; nr <= I386_GETPID; nr += I386_GETPID - I386_OPEN)
				assert_int_equal(attempt_i386(role, nr), FORBIDDEN);
}
#endif

// -------------------------------------------------------------------------------------------------------------- conditions

// A value that this condition holds for, beside which nothing else is set.
static void satisfy(const struct seccomp_rule *r, unsigned long *arg)
{
	for (int i = 0; i < SECCOMP_CONDITIONS && r->when[i].mask != 0; i++)
		arg[r->when[i].arg] = (HARMLESS & ~r->when[i].mask) | r->when[i].value;
}

// Each bit of its arguments the other way round; some of these are what another row allows, which the table says.
static void try_neighbours(enum sandbox_role role, const struct seccomp_rule *r)
{
	unsigned long arg[ARGUMENTS];

	harmless(arg);
	satisfy(r, arg);
	expect_outcome(role, r->nr, arg);
	for (int i = 0; i < SECCOMP_CONDITIONS && r->when[i].mask != 0; i++)
		for (unsigned bit = 0; bit < 64; bit += bit < 32 ? 1 : 7) {
			arg[r->when[i].arg] ^= 1UL << bit;
			if (rule_for(role, r->nr, arg) == NULL)
				expect_outcome(role, r->nr, arg);
			arg[r->when[i].arg] ^= 1UL << bit;
		}
}

static void conditions(void **state)
{
	for (int role = 0; role < SANDBOX_ROLES; role++)
		for (size_t i = 0; i < seccomp_n_rules; i++)
			if (confinements[role].calls == CALLS_LISTED && seccomp_rules[i].nr >= 0 &&
			    (seccomp_rules[i].roles & SANDBOX_BIT(role)) != 0 && is_conditional(role, seccomp_rules[i].nr))
				try_neighbours(role, &seccomp_rules[i]);
}

// ------------------------------------------------------------------------------------------------------------------ policy

// What the table may not say, whoever edits it.
#define FOREIGN (SANDBOX_BIT(SANDBOX_SPAWNER) | SANDBOX_BIT(SANDBOX_TOKEN) | SANDBOX_BIT(SANDBOX_PAM))
#define ALL_ROLES (SANDBOX_BIT(SANDBOX_MAIN) - 1)
#define BUT(role) (ALL_ROLES & ~SANDBOX_BIT(SANDBOX_##role))
static const struct {
	const char *name;
	long nr;
	unsigned roles;
} never[] = {
#define T(name, roles)                   \
	{                                \
#name, SYS_##name, roles \
	}
	// other programs, other processes
	T(execve, ALL_ROLES),
	T(execveat, ALL_ROLES),
	T(fork, ALL_ROLES),
	T(vfork, ALL_ROLES),
	T(clone3, ALL_ROLES),
	T(clone, BUT(NURSERY) & BUT(SECMOD) & BUT(OIDC) & BUT(NAMES)),
	T(ptrace, ALL_ROLES),
	T(process_vm_readv, ALL_ROLES),
	T(process_vm_writev, ALL_ROLES),
	T(pidfd_open, ALL_ROLES),
	T(pidfd_getfd, ALL_ROLES),
	T(pidfd_send_signal, ALL_ROLES),
	T(kill, BUT(NURSERY) & BUT(SECMOD)),
	T(tkill, ALL_ROLES),
	T(rt_sigqueueinfo, ALL_ROLES),
	T(kcmp, ALL_ROLES),
	// files
	T(open, ALL_ROLES),
	T(openat, BUT(SECMOD) & BUT(OIDC) & BUT(NAMES) & BUT(GSSAPI)),
	T(openat2, ALL_ROLES),
	T(creat, ALL_ROLES),
	T(open_by_handle_at, ALL_ROLES),
	T(unlink, BUT(SECMOD) & BUT(GSSAPI)),
	T(unlinkat, BUT(SECMOD) & BUT(GSSAPI)),
	T(rename, BUT(SECMOD) & BUT(GSSAPI)),
	T(renameat2, ALL_ROLES),
	T(link, ALL_ROLES),
	T(symlink, ALL_ROLES),
	T(mknod, ALL_ROLES),
	T(chmod, BUT(SECMOD)),
	T(fchmodat, ALL_ROLES),
	T(chown, ALL_ROLES),
	T(truncate, ALL_ROLES),
	T(ftruncate, BUT(SECMOD) & BUT(GSSAPI)),
	T(mkdir, BUT(SECMOD)),
	T(getdents64, BUT(SECMOD) & BUT(OIDC) & BUT(NAMES) & BUT(GSSAPI)),
	T(memfd_create, BUT(SECMOD)),
	// sockets that it was not given
	T(socket, BUT(SECMOD) & BUT(OIDC) & BUT(NAMES) & BUT(GSSAPI)),
	T(socketpair, BUT(SECMOD) & BUT(OIDC) & BUT(NAMES) & BUT(GSSAPI)),
	T(bind, BUT(SECMOD) & BUT(OIDC) & BUT(NAMES) & BUT(GSSAPI)),
	T(connect, BUT(SECMOD) & BUT(OIDC) & BUT(NAMES) & BUT(GSSAPI)),
	T(listen, ALL_ROLES),
	T(accept, ALL_ROLES),
	T(accept4, BUT(METRICS)),
	T(dup, BUT(SECMOD)),
	T(dup2, BUT(SECMOD)),
	T(dup3, ALL_ROLES),
	// what would give it back what it has lost
	T(setuid, ALL_ROLES),
	T(setgid, ALL_ROLES),
	T(setresuid, ALL_ROLES),
	T(setresgid, ALL_ROLES),
	T(setgroups, ALL_ROLES),
	T(capset, ALL_ROLES),
	T(prctl, ALL_ROLES),
	T(arch_prctl, ALL_ROLES),
	T(unshare, ALL_ROLES),
	T(setns, ALL_ROLES),
	T(chroot, ALL_ROLES),
	T(pivot_root, ALL_ROLES),
	T(mount, ALL_ROLES),
	T(umount2, ALL_ROLES),
	T(seccomp, BUT(NURSERY)),
	T(prlimit64, BUT(NURSERY) & BUT(SECMOD) & BUT(OIDC) & BUT(NAMES) & BUT(GSSAPI)),
	T(setrlimit, ALL_ROLES),
	T(personality, ALL_ROLES),
	// the kernel's wide doors
	T(bpf, ALL_ROLES),
	T(io_uring_setup, ALL_ROLES),
	T(io_uring_enter, ALL_ROLES),
	T(userfaultfd, ALL_ROLES),
	T(perf_event_open, ALL_ROLES),
	T(keyctl, ALL_ROLES),
	T(add_key, ALL_ROLES),
	T(init_module, ALL_ROLES),
	T(finit_module, ALL_ROLES),
	T(kexec_load, ALL_ROLES),
	T(iopl, ALL_ROLES),
	T(ioperm, ALL_ROLES),
	T(modify_ldt, ALL_ROLES),
	T(reboot, ALL_ROLES),
	T(swapon, ALL_ROLES),
	T(acct, ALL_ROLES),
	T(quotactl, ALL_ROLES),
	T(shmget, ALL_ROLES),
	T(shmat, ALL_ROLES),
	T(pkey_mprotect, ALL_ROLES),
	T(remap_file_pages, ALL_ROLES),
	T(splice, ALL_ROLES),
	T(vmsplice, ALL_ROLES),
	T(settimeofday, ALL_ROLES),
	T(clock_settime, ALL_ROLES),
	T(sethostname, ALL_ROLES),
	T(syslog, ALL_ROLES),
#undef T
};

static void the_table_has_none_of(void **state)
{
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
		for (size_t k = 0; k < seccomp_n_rules; k++)
			if (seccomp_rules[k].nr == never[i].nr && (seccomp_rules[k].roles & never[i].roles) != 0 &&
			    seccomp_rules[k].refusal == 0)
				fail_msg("the table allows %s to roles %#x", never[i].name,
				         seccomp_rules[k].roles & never[i].roles);
	for (int role = 0; role < SANDBOX_MAIN; role++)
		if (confinements[role].calls != ((FOREIGN & SANDBOX_BIT(role)) != 0 ? CALLS_BARRED : CALLS_LISTED))
			fail_msg("%s has another kind of filter", confinements[role].name);
}

#define THREAD                                                                                                                   \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID | \
	 CLONE_CHILD_CLEARTID)

// What roles may make of some calls, in words of what it would be good for.
static const struct {
	const char *what;
	enum sandbox_role role;
	long nr;
	unsigned long arg[ARGUMENTS];
	bool allowed;
} cases[] = {
	{ "memory", SANDBOX_WORKER, SYS_mmap, { 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 }, true },
	{ "code", SANDBOX_WORKER, SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 }, false },
	{ "a file's code", SANDBOX_DATAPLANE, SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0, 0 }, false },
	{ "shared memory", SANDBOX_METRICS, SYS_mmap, { 0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0 }, false },
	{ "a worker", SANDBOX_NURSERY, SYS_clone, { CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0, 0, 0, 0 }, true },
	{ "a thread", SANDBOX_NURSERY, SYS_clone, { CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD }, false },
	{ "a namespace", SANDBOX_NURSERY, SYS_clone, { CLONE_NEWUSER | SIGCHLD }, false },
	{ "a child with our memory", SANDBOX_NURSERY, SYS_clone, { CLONE_VM | CLONE_VFORK | SIGCHLD }, false },
	{ "a close that others wait in", SANDBOX_WORKER, SYS_setsockopt, { 0, SOL_SOCKET, SO_LINGER, 0, 0 }, false },
	{ "a log that takes nothing", SANDBOX_WORKER, SYS_fcntl, { 2, F_SETFL, O_DIRECT }, false },
	{ "a log that blocks", SANDBOX_WORKER, SYS_fcntl, { 2, F_SETFL, 0 }, false },
	{ "the same", SANDBOX_DATAPLANE, SYS_fcntl, { 2, F_SETFL, 0 }, false },
	{ "the end of a worker", SANDBOX_NURSERY, SYS_kill, { HARMLESS, SIGKILL }, true },
	{ "a stop of others", SANDBOX_NURSERY, SYS_kill, { HARMLESS, SIGSTOP }, false },
	{ "others' limits", SANDBOX_NURSERY, SYS_prlimit64, { HARMLESS, RLIMIT_NOFILE, 0, 0 }, false },
	{ "a thread", SANDBOX_SECMOD, SYS_clone, { THREAD, HARMLESS, HARMLESS, HARMLESS, HARMLESS }, true },
	{ "a process", SANDBOX_SECMOD, SYS_clone, { SIGCHLD }, false },
	{ "a child with our memory", SANDBOX_SECMOD, SYS_clone, { CLONE_VM | CLONE_VFORK | SIGCHLD }, false },
	{ "a thread in a namespace", SANDBOX_SECMOD, SYS_clone, { THREAD | CLONE_NEWNET }, false },
	{ "code that was written", SANDBOX_SECMOD, SYS_mmap, { 0, 4096, PROT_EXEC | PROT_WRITE, MAP_PRIVATE, 0, 0 }, false },
	{ "code without a file", SANDBOX_SECMOD, SYS_mmap, { 0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 }, false },
	{ "a library", SANDBOX_SECMOD, SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, HARMLESS, 0 }, true },
	{ "code out of memory", SANDBOX_SECMOD, SYS_mprotect, { 0, 4096, PROT_READ | PROT_EXEC }, false },
	{ "a raw socket", SANDBOX_SECMOD, SYS_socket, { AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP }, false },
	{ "a socket for frames", SANDBOX_SECMOD, SYS_socket, { AF_PACKET, SOCK_DGRAM, 0 }, false },
	{ "netlink's other doors", SANDBOX_SECMOD, SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER }, false },
	{ "a RADIUS server", SANDBOX_SECMOD, SYS_socket, { AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0 }, true },
	{ "limits of its own, read", SANDBOX_SECMOD, SYS_prlimit64, { 0, RLIMIT_NOFILE, 0, HARMLESS }, true },
	{ "limits of its own, raised", SANDBOX_SECMOD, SYS_prlimit64, { 0, RLIMIT_NOFILE, HARMLESS, 0 }, false },
	{ "the bus of root's daemons, refused", SANDBOX_SECMOD, SYS_socket, { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 }, true },
	{ "who knows names", SANDBOX_NAMES, SYS_socket, { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0 }, true },
	{ "a new file", SANDBOX_NAMES, SYS_openat, { AT_FDCWD, 0, O_WRONLY | O_CREAT, 0600 }, false },
	{ "a file to read", SANDBOX_OIDC, SYS_openat, { AT_FDCWD, 0, O_RDONLY | O_CLOEXEC }, true },
	{ "a file to write", SANDBOX_OIDC, SYS_openat, { AT_FDCWD, 0, O_WRONLY }, false },
	{ "a new file", SANDBOX_OIDC, SYS_openat, { AT_FDCWD, 0, O_RDONLY | O_CREAT, 0600 }, false },
	{ "a file without a name", SANDBOX_OIDC, SYS_openat, { AT_FDCWD, 0, O_TMPFILE | O_RDWR, 0600 }, false },
	{ "a file to write", SANDBOX_GSSAPI, SYS_openat, { AT_FDCWD, 0, O_WRONLY }, true },
	{ "a thread", SANDBOX_GSSAPI, SYS_clone, { THREAD, HARMLESS, HARMLESS, HARMLESS, HARMLESS }, false },
	{ "another program", SANDBOX_GSSAPI, SYS_execve, { 0, 0, 0 }, false },
	{ "another program", SANDBOX_PAM, SYS_execve, { 0, 0, 0 }, true },
	{ "a program out of a memfd", SANDBOX_PAM, SYS_execveat, { HARMLESS, 0, 0, 0, AT_EMPTY_PATH }, false },
	{ "a process", SANDBOX_PAM, SYS_clone, { SIGCHLD }, true },
	{ "a namespace where it is root again", SANDBOX_PAM, SYS_clone, { CLONE_NEWUSER | SIGCHLD }, false },
	{ "the same, for itself", SANDBOX_TOKEN, SYS_unshare, { CLONE_NEWUSER | CLONE_NEWNS }, false },
	{ "another user", SANDBOX_PAM, SYS_setresuid, { 65534, 65534, 65534 }, true },
	{ "sec-mod's memory", SANDBOX_PAM, SYS_ptrace, { 0, HARMLESS }, false },
	{ "a module of the kernel", SANDBOX_TOKEN, SYS_finit_module, { HARMLESS }, false },
	{ "no filter in its place", SANDBOX_NURSERY, SYS_seccomp, { 0, 0, 0 }, false },
};

static void some_in_words(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const int ret = attempt(cases[i].role, cases[i].nr, cases[i].arg, NULL);

		if ((ret != FORBIDDEN) != cases[i].allowed)
			fail_msg("%s: %s (%d)", confinements[cases[i].role].name, cases[i].what, ret);
	}
}

// ----------------------------------------------------------------------------------------------------------- over a worker

// A worker is forked from a nursery that is confined already: of the nursery's calls it has none.
static int worker_of_nursery(long nr, const unsigned long *arg)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int status;

		if (sandbox_harden() < 0 || sandbox_seccomp_prepare(SANDBOX_WORKER) < 0 || sandbox_seccomp(SANDBOX_NURSERY) < 0)
			_exit(99);
		pid = fork();
		if (pid == 0) {
			if (sandbox_limit(SANDBOX_WORKER, false) < 0 || sandbox_seccomp(SANDBOX_WORKER) < 0)
				_exit(99);
			syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
			_exit(MADE);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			_exit(98);
		_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	}
	return exit_of(pid);
}

static void a_worker_has_the_less_of_both(void **state)
{
	static const long lost[] = { SYS_clone,   SYS_wait4,     SYS_kill,   SYS_close_range,
		                     SYS_seccomp, SYS_prlimit64, SYS_openat, SYS_set_robust_list };
	unsigned long arg[ARGUMENTS] = { HARMLESS, SIGKILL };

	assert_int_equal(worker_of_nursery(SYS_getpid, arg), MADE);
	for (size_t i = 0; i < sizeof(lost) / sizeof(*lost); i++)
		assert_int_equal(worker_of_nursery(lost[i], arg), 128 + SIGSYS);
	arg[0] = 0;
	arg[1] = RLIMIT_NOFILE;
	assert_int_equal(worker_of_nursery(SYS_prlimit64, arg), 128 + SIGSYS);
}

// ------------------------------------------------------------------------------------------------------------------- files

static char place[] = "/tmp/penstock-sandbox-XXXXXX"; // on a disk of our own (stay_alone)

static int open_file(const char *path, int flags)
{
	const int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : close(fd);
}

static int read_file(const char *path)
{
	return open_file(path, O_RDONLY);
}

static int write_file(const char *path)
{
	return open_file(path, O_WRONLY);
}

static int make_file(const char *path)
{
	return open_file(path, O_RDWR | O_CREAT | O_EXCL);
}

static int make_link(const char *path)
{
	return symlink("/etc/passwd", path) < 0 ? -errno : 0;
}

static int make_device(const char *path)
{
	return mknod(path, S_IFCHR | 0600, 0x103) < 0 ? -errno : 0;
}

static int list(const char *path)
{
	return open_file(path, O_RDONLY | O_DIRECTORY);
}

static int execute(const char *path)
{
	char *const argv[] = { "true", NULL };

	execv(path, argv);
	return -errno;
}

static int replace(const char *path)
{
	const int ret = make_file("new");

	return ret < 0 ? ret : rename("new", path) < 0 ? -errno : unlink(path) < 0 ? -errno : 0;
}

static int move_out(const char *path)
{
	const int ret = make_file("new");

	return ret < 0 ? ret : rename("new", path) < 0 ? -errno : 0;
}

// In a directory that is its place, if its role has such.
static const struct {
	enum sandbox_role role;
	bool unprivileged; // who cannot change its root directory
	int (*act)(const char *);
	const char *path;
	int ret;
} deeds[] = {
	{ SANDBOX_NURSERY, false, read_file, "/etc/passwd", -ESRCH },
	{ SANDBOX_NURSERY, false, list, "/", -ESRCH },
	{ SANDBOX_NURSERY, false, make_file, "/x", -ESRCH },
	{ SANDBOX_NURSERY, false, list, "/proc/self", -ESRCH },
	{ SANDBOX_NURSERY, false, list, "../../../..", -ESRCH },
	{ SANDBOX_DATAPLANE, false, read_file, "/etc/passwd", -ESRCH },
	{ SANDBOX_METRICS, false, read_file, "/etc/passwd", -ESRCH },
	{ SANDBOX_METRICS, true, read_file, "/etc/passwd", -EACCES },
	{ SANDBOX_METRICS, true, list, "/", -EACCES },
	{ SANDBOX_OIDC, false, read_file, "/etc/passwd", 0 },
	{ SANDBOX_OIDC, false, make_file, "file", -EACCES },
	{ SANDBOX_OIDC, false, write_file, "there", -EACCES },
	{ SANDBOX_OIDC, false, write_file, "/dev/null", 0 },
	{ SANDBOX_OIDC, false, execute, "/bin/true", -EACCES },
	{ SANDBOX_SECMOD, false, read_file, "/etc/passwd", 0 },
	{ SANDBOX_SECMOD, false, write_file, "/etc/passwd", -EACCES },
	{ SANDBOX_SECMOD, false, make_file, "/etc/penstock-sandbox", -EACCES },
	{ SANDBOX_SECMOD, false, make_file, "../penstock-sandbox", -EACCES },
	{ SANDBOX_SECMOD, false, write_file, "there", 0 },
	{ SANDBOX_SECMOD, false, replace, "there", 0 },
	{ SANDBOX_SECMOD, false, move_out, "../penstock-sandbox", -EACCES },
	{ SANDBOX_SECMOD, false, make_link, "link", -EACCES },
	{ SANDBOX_SECMOD, false, make_device, "device", -EACCES },
	{ SANDBOX_SECMOD, false, execute, "/bin/true", -EACCES },
	{ SANDBOX_SECMOD, false, write_file, "/proc/sys/kernel/core_pattern", -EACCES },
	{ SANDBOX_GSSAPI, false, make_file, "file", 0 },
	{ SANDBOX_GSSAPI, false, make_file, "/etc/penstock-sandbox", -EACCES },
	{ SANDBOX_PAM, false, make_file, "file", 0 },
};

static int deed(size_t i)
{
	const char *const places[] = { place };
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (deeds[i].unprivileged && setresuid(65534, 65534, 65534) < 0)
			_exit(99);
		if (sandbox_harden() < 0 || sandbox_files(deeds[i].role, places, 1) < 0)
			_exit(99);
		_exit(-deeds[i].act(deeds[i].path));
	}
	return -exit_of(pid);
}

static void files(void **state)
{
	if (sandbox_landlock() < 2)
		skip(); // the first says another thing of what is moved
	assert_non_null(mkdtemp(place));
	assert_int_equal(chmod(place, 0755), 0);
	for (size_t i = 0; i < sizeof(deeds) / sizeof(*deeds); i++) {
		int ret;

		assert_int_equal(chdir(place), 0);
		unlink("new");
		unlink("file");
		assert_int_equal(open_file("there", O_RDWR | O_CREAT), 0);
		ret = deed(i);
		if (ret != deeds[i].ret)
			fail_msg("%s: deed %zu at %s: %d, not %d", confinements[deeds[i].role].name, i, deeds[i].path, ret,
			         deeds[i].ret);
	}
	assert_int_equal(chdir("/"), 0);
}

// ------------------------------------------------------------------------------------------------------ one worker to another

// As the worker `pid` with no filter at all: what can be had of the memory, the descriptors and the files of the other?
static int looks_into(pid_t pid)
{
	char word[sizeof(long)], path[64];
	struct iovec here = { word, sizeof(word) }, there = { (void *)(uintptr_t)place, sizeof(word) };
	int pidfd, got = 0;

	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	got |= syscall(SYS_pidfd_getfd, pidfd, 2, 0) >= 0 ? 1 : 0;
	got |= process_vm_readv(pid, &here, 1, &there, 1, 0) > 0 ? 2 : 0;
	for (int i = 0; i < 4; i++) {
		static const char *const names[] = { "mem", "environ", "maps", "fd/2" };

		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, names[i]);
		got |= open(path, O_RDONLY) >= 0 ? 4 << i : 0;
	}
	got |= ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0 ? 64 : 0;
	return got;
}

#define EVERYTHING 127
#define WORKERS "65534"

// A process that is ready as a worker is (or, `bare`, as any of this user), and what another of its user gets of it.
static int look_into(bool bare)
{
	int ready[2], got;
	pid_t victim, attacker;
	char c;

	assert_int_equal(pipe(ready), 0);
	victim = fork();
	if (victim == 0) {
		if (!bare && (sandbox_harden() < 0 || sandbox_drop_user(SANDBOX_NURSERY, WORKERS, WORKERS, true) < 0))
			_exit(99);
		if (bare && (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ||
		             prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0))
			_exit(99);
		if (write(ready[1], "x", 1) != 1)
			_exit(99);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	attacker = fork();
	if (attacker == 0) {
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(255);
		_exit(looks_into(victim));
	}
	got = exit_of(attacker);
	kill(victim, SIGKILL);
	exit_of(victim);
	close(ready[0]);
	close(ready[1]);
	return got;
}

static void a_process_like_others_can_be_looked_into(void **state)
{
	assert_int_equal(look_into(true), EVERYTHING);
}

static void a_worker_not(void **state)
{
	assert_int_equal(look_into(false), 0);
}

static void no_file_grows(void **state)
{
	const int log = open("/dev/null", O_WRONLY), file = memfd_create("file", 0);
	pid_t pid = fork();

	if (pid == 0) {
		if (dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0 || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
			_exit(99);
		if (sandbox_harden() < 0 || sandbox_limit(SANDBOX_METRICS, false) < 0)
			_exit(99);
		_exit(write(file, "x", 1) >= 0 || errno != EFBIG);
	}
	assert_int_equal(exit_of(pid), 0);
}

// Nobody who has given up his user gets root's powers back, not by another program either.
static void no_other_users(void **state)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_harden() < 0 || sandbox_drop_user(SANDBOX_OIDC, WORKERS, WORKERS, false) < 0)
			_exit(99);
		for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
			if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
				_exit(1);
		_exit(setuid(0) == 0 || setgid(0) == 0 || chroot("/") == 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ||
		      prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1);
	}
	assert_int_equal(exit_of(pid), 0);
}

// Were a filter to fail here, what is made by mistake would hit nobody: kill() sees our children only, mount() is our own.
static int stay_alone(void **state)
{
	pid_t pid;

	log_init("test", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	if (sandbox_sanitized())
		return 0;
	for (int role = 0; role < SANDBOX_ROLES; role++)
		if (confinements[role].calls != CALLS_FREE && sandbox_seccomp_prepare(role) < 0)
			return -1;
	if (geteuid() != 0 || unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) < 0)
		return -1;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	pid = fork(); // who has called unshare(CLONE_NEWPID) is not in it itself, and its first child is who reaps the rest
	if (pid < 0)
		return -1;
	if (pid > 0)
		_exit(exit_of(pid));
	return mount("proc", "/proc", "proc", 0, NULL) < 0 ? -1 : mount("none", "/tmp", "tmpfs", 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number),
		cmocka_unit_test(no_other_door),
		cmocka_unit_test(conditions),
		cmocka_unit_test(the_table_has_none_of),
		cmocka_unit_test(some_in_words),
		cmocka_unit_test(a_worker_has_the_less_of_both),
		cmocka_unit_test(files),
		cmocka_unit_test(a_process_like_others_can_be_looked_into),
		cmocka_unit_test(a_worker_not),
		cmocka_unit_test(no_other_users),
		cmocka_unit_test(no_file_grows),
#ifdef __x86_64__
		cmocka_unit_test(not_by_the_door_of_i386),
#endif
	};

	if (sandbox_sanitized()) {
		printf("a build for sanitizers has no filters\n");
		return 77;
	}
	if (stay_alone(NULL) < 0) {
		printf("only root can make the namespaces that this is tried in\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
