#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "sandbox.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

// What a process needs to move bytes between descriptors that it has, to wait, to allocate and to die.
static const int common_calls[] = {
	// bytes
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(shutdown), SCMP_SYS(close),
	SCMP_SYS(fstat),
	// waiting; the clock calls are for machines whose vDSO falls back to them
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep), SCMP_SYS(restart_syscall), SCMP_SYS(futex), SCMP_SYS(sched_yield),
	// memory (mmap, mprotect and mremap have conditions)
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(getrandom),
	// itself
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),
	SCMP_SYS(setitimer), SCMP_SYS(exit), SCMP_SYS(exit_group)
};

// What DPDK's threads use once ports and threads exist; its drivers read a NIC's configuration space when its link changes.
static const int dataplane_calls[] = { SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl),
	                               SCMP_SYS(pread64) };

// A server that accepts at a socket it has been given.
static const int metrics_calls[] = { SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(accept4) };

static const int setsockopt_tcp[] = { TCP_NODELAY, TCP_MAXSEG,   TCP_CORK,         TCP_KEEPIDLE,     TCP_KEEPINTVL,
	                              TCP_KEEPCNT, TCP_QUICKACK, TCP_USER_TIMEOUT, TCP_NOTSENT_LOWAT };
static const int setsockopt_socket[] = { SO_SNDBUF, SO_RCVBUF, SO_SNDTIMEO, SO_RCVTIMEO, SO_KEEPALIVE, SO_LINGER, SO_PRIORITY };
static const int setsockopt_ip[] = { IP_TOS }, setsockopt_ipv6[] = { IPV6_TCLASS };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int allow_calls(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	size_t i;
	int ret;

	for (i = 0; i < n; i++) {
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
		if (ret < 0)
			return ret;
	}
	return 0;
}

// No page ever becomes executable, and no file is mapped.
static int allow_memory(scmp_filter_ctx ctx)
{
	int kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_SHARED, ret;

	ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
	                       SCMP_A3(SCMP_CMP_MASKED_EQ, (uint64_t)kind, MAP_PRIVATE | MAP_ANONYMOUS));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mremap), 0);
	return ret;
}

static struct scmp_arg_cmp equals(unsigned argument, unsigned value)
{
	return (struct scmp_arg_cmp){ .arg = argument, .op = SCMP_CMP_EQ, .datum_a = value };
}

static int allow_options(scmp_filter_ctx ctx, int level, const int *options, size_t n)
{
	size_t i;
	int ret;

	for (i = 0; i < n; i++) {
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2, equals(1, (unsigned)level),
		                       equals(2, (unsigned)options[i]));
		if (ret < 0)
			return ret;
	}
	return 0;
}

// TCP_ULP and the like would open the kernel wider than a worker needs: only what a TLS server sets. Reading is harmless.
static int allow_sockets(scmp_filter_ctx ctx)
{
	static const int readable[] = { SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6 };
	size_t i;
	int ret;

	ret = allow_options(ctx, IPPROTO_TCP, setsockopt_tcp, COUNT(setsockopt_tcp));
	if (ret == 0)
		ret = allow_options(ctx, SOL_SOCKET, setsockopt_socket, COUNT(setsockopt_socket));
	if (ret == 0)
		ret = allow_options(ctx, IPPROTO_IP, setsockopt_ip, COUNT(setsockopt_ip));
	if (ret == 0)
		ret = allow_options(ctx, IPPROTO_IPV6, setsockopt_ipv6, COUNT(setsockopt_ipv6));
	for (i = 0; i < COUNT(readable) && ret == 0; i++)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), 1, equals(1, (unsigned)readable[i]));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, equals(1, F_GETFL));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, equals(1, F_SETFL));
	return ret;
}

static int build_filter(scmp_filter_ctx ctx, enum sandbox_role role)
{
	int ret;

	// A call through another architecture's door (x32, i386) would have other numbers.
	ret = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	// A tree instead of a list: the kernel tries each of its calls on a filter that is loaded, which every worker does.
	if (ret == 0)
		ret = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (ret == 0)
		ret = allow_calls(ctx, common_calls, COUNT(common_calls));
	if (ret == 0)
		ret = allow_memory(ctx);
	if (ret == 0)
		ret = allow_sockets(ctx);
	if (ret == 0 && role == SANDBOX_DATAPLANE)
		ret = allow_calls(ctx, dataplane_calls, COUNT(dataplane_calls));
	if (ret == 0 && role == SANDBOX_METRICS)
		ret = allow_calls(ctx, metrics_calls, COUNT(metrics_calls));
	if (ret == 0 && role == SANDBOX_METRICS)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, equals(1, F_DUPFD_CLOEXEC));
	if (ret == 0 && role == SANDBOX_METRICS) // how libevent's buffers know what is there to read
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, equals(1, FIONREAD));
	if (ret == 0 && role == SANDBOX_DATAPLANE) // a TAP's carrier is that of the NIC beside it
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, equals(1, TUNSETCARRIER));
	if (ret == 0 && role == SANDBOX_DATAPLANE) // the statistics of its sockets
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), 1, equals(1, (unsigned)SOL_XDP));
	return ret;
}

// --------------------------------------------------------------------------------------------------------------- program

// abort() must die by SIGABRT, or whoever reaps us would take a failed assertion for an attack. These instructions stand before
// libseccomp's, because the process id is known only where the program is loaded.
#define ABORT_PID 5 // the instruction that holds it
#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define ELSE_SKIP(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, n)
static const struct sock_filter allow_abort[] = {
	LOAD(arch),
	ELSE_SKIP(0, 7), // the architecture is put in as well
	LOAD(nr),
	ELSE_SKIP(SCMP_SYS(tgkill), 5),
	LOAD(args[0]),
	ELSE_SKIP(0, 3),
	LOAD(args[2]),
	ELSE_SKIP(SIGABRT, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "args[] are read by their lower half");

#define PROGRAM_MAX 1024
static struct program {
	unsigned len; // 0: not built yet
	struct sock_filter code[PROGRAM_MAX];
} programs[SANDBOX_METRICS + 1]; // by role

static int read_filter(scmp_filter_ctx ctx, struct program *p)
{
	size_t head = COUNT(allow_abort), room = sizeof(p->code) - sizeof(allow_abort);
	int fd = memfd_create("seccomp", MFD_CLOEXEC), ret;
	ssize_t n;

	if (fd < 0)
		return -errno;
	ret = seccomp_export_bpf(ctx, fd);
	if (ret < 0)
		goto out;
	n = pread(fd, p->code + head, room, 0);
	ret = n < 0 ? -errno : n == 0 || (size_t)n == room ? -E2BIG : 0;
	if (ret < 0)
		goto out;
	memcpy(p->code, allow_abort, sizeof(allow_abort));
	p->code[1].k = seccomp_arch_native();
	p->len = (unsigned)(head + (size_t)n / sizeof(p->code[0]));
out:
	close(fd);
	return ret;
}

static int build_once(struct program *p, enum sandbox_role role)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int ret;

	if (!ctx)
		return -ENOMEM;
	ret = build_filter(ctx, role);
	if (ret == 0)
		ret = read_filter(ctx, p);
	seccomp_release(ctx);
	return ret;
}

// What libseccomp has no memory for it leaves out without a word: a filter counts that comes out the same twice.
static int build_program(struct program *p, enum sandbox_role role)
{
	static struct program first, second;
	int ret;

	if (p->len > 0)
		return 0;
	ret = build_once(&first, role);
	if (ret == 0)
		ret = build_once(&second, role);
	if (ret < 0)
		return ret;
	if (first.len != second.len || memcmp(first.code, second.code, first.len * sizeof(first.code[0])) != 0)
		return -ENOMEM;
	*p = first;
	return 0;
}

static int load_program(struct program *p)
{
	struct sock_fprog prog = { .len = (unsigned short)p->len, .filter = p->code };
	long ret;

	p->code[ABORT_PID].k = (uint32_t)getpid();
	ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog);
	if (ret > 0) // a thread that has a filter of its own
		return -EBUSY;
	return ret < 0 ? -errno : 0;
}

bool sandbox_sanitized(void)
{
	return SANITIZED;
}

int sandbox_seccomp_prepare(enum sandbox_role role)
{
	int ret = SANITIZED ? 0 : build_program(&programs[role], role);

	if (ret < 0)
		return errno_log(-ret, "seccomp: %s", strerror(-ret));
	return 0;
}

int sandbox_seccomp(enum sandbox_role role)
{
	int ret;

	if (SANITIZED) {
		log_debug("no seccomp: this is a sanitizer build");
		return 0;
	}
	ret = sandbox_seccomp_prepare(role);
	if (ret < 0)
		return ret;
	ret = load_program(&programs[role]);
	if (ret < 0)
		return errno_log(-ret, "seccomp: %s", strerror(-ret));
	return 0;
}
