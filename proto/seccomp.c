#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"
#include "err.h"
#include "sandbox.h"
#include "seccomp.h"

#define WORKER SANDBOX_BIT(SANDBOX_WORKER)
#define NURSERY SANDBOX_BIT(SANDBOX_NURSERY)
#define DATAPLANE SANDBOX_BIT(SANDBOX_DATAPLANE)
#define METRICS SANDBOX_BIT(SANDBOX_METRICS)
#define SECMOD SANDBOX_BIT(SANDBOX_SECMOD)
#define OIDC SANDBOX_BIT(SANDBOX_OIDC)
#define GSSAPI SANDBOX_BIT(SANDBOX_GSSAPI)
#define NAMES SANDBOX_BIT(SANDBOX_NAMES)
#define EVERY (WORKER | NURSERY | DATAPLANE | METRICS | SECMOD | OIDC | NAMES | GSSAPI)
// A filter is inherited: what is barred for the spawner is barred for what it starts.
#define FOREIGN (SANDBOX_BIT(SANDBOX_SPAWNER) | SANDBOX_BIT(SANDBOX_TOKEN) | SANDBOX_BIT(SANDBOX_PAM))

#define IS(n, is_value)                                                       \
	{                                                                     \
		.arg = (n), .mask = UINT64_MAX, .value = (uint64_t)(is_value) \
	}
#define BITS(n, of, are)                                                     \
	{                                                                    \
		.arg = (n), .mask = (uint64_t)(of), .value = (uint64_t)(are) \
	}
#define CALL(call, who, ...) { SCMP_SYS(call), #call, (who), 0, { __VA_ARGS__ } },
#define REFUSE(call, who, error, ...) { SCMP_SYS(call), #call, (who), (error), { __VA_ARGS__ } },
#define BAR(call, who, ...) { SCMP_SYS(call), #call, (who), SECCOMP_KILLS, { __VA_ARGS__ } },
const struct seccomp_rule seccomp_rules[] = {
#include "seccomp.def"
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
const size_t seccomp_n_rules = COUNT(seccomp_rules);

static struct scmp_arg_cmp comparison(const struct seccomp_condition *c)
{
	if (c->mask == UINT64_MAX)
		return (struct scmp_arg_cmp){ .arg = c->arg, .op = SCMP_CMP_EQ, .datum_a = c->value };
	return (struct scmp_arg_cmp){ .arg = c->arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = c->mask, .datum_b = c->value };
}

static int add_rule(scmp_filter_ctx ctx, const struct seccomp_rule *r)
{
	uint32_t action = r->refusal == SECCOMP_KILLS ? SCMP_ACT_KILL_PROCESS
	                  : r->refusal                ? SCMP_ACT_ERRNO((uint32_t)r->refusal)
	                                              : SCMP_ACT_ALLOW;
	struct scmp_arg_cmp when[SECCOMP_CONDITIONS];
	unsigned n = 0;

	while (n < SECCOMP_CONDITIONS && r->when[n].mask) {
		when[n] = comparison(&r->when[n]);
		n++;
	}
	return seccomp_rule_add_array(ctx, action, r->nr, n, when);
}

static int build_filter(scmp_filter_ctx ctx, enum sandbox_role role)
{
	size_t i;
	int ret;

	// A call through another architecture's door (x32, i386) would have other numbers.
	ret = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	// A tree instead of a list: the kernel tries each of its calls on a filter that is loaded, which every worker does.
	if (ret == 0)
		ret = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (i = 0; i < seccomp_n_rules && ret == 0; i++)
		if (seccomp_rules[i].roles & SANDBOX_BIT(role))
			ret = add_rule(ctx, &seccomp_rules[i]);
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
} programs[SANDBOX_ROLES]; // by role

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
	scmp_filter_ctx ctx = seccomp_init(confinements[role].calls == CALLS_LISTED ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ALLOW);
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

int sandbox_seccomp_prepare(enum sandbox_role role)
{
	int ret = sandbox_sanitized() ? 0 : build_program(&programs[role], role);

	if (ret < 0)
		return errno_log(-ret, "seccomp: %s", strerror(-ret));
	return 0;
}

int sandbox_seccomp(enum sandbox_role role)
{
	int ret;

	if (sandbox_sanitized()) {
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
