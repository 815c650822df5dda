#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"
#include "err.h"
#include "limits.h"
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

#define NONE 0
#define CAP(name) (UINT64_C(1) << CAP_##name)
#define ANY CONFINE_ANY
#define PROCESS(id, name, calls, files, descriptors, children, growth, memory, caps) \
	[SANDBOX_##id] = { (name), CALLS_##calls, FILES_##files, (descriptors), (children), (growth), (memory), (caps) },
const struct confinement confinements[SANDBOX_ROLES] = {
#include "confine.def"
};

bool sandbox_sanitized(void)
{
	return SANITIZED;
}

bool confine_traceable(void)
{
	return getenv(SANDBOX_TRACEABLE) != NULL;
}

// The kernel makes a process that changes its user dumpable as fs.suid_dumpable says, which may be: dumpable.
static int hide_memory(void)
{
	return prctl(PR_SET_DUMPABLE, confine_traceable(), 0, 0, 0) < 0 ? -errno : 0;
}

// Asked at first: a nursery's list has no call for it.
static bool log_is_file;

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

int sandbox_harden(void)
{
	struct rlimit none = { 0, 0 };
	int ret;

	if (!confine_traceable() && setrlimit(RLIMIT_CORE, &none) < 0)
		return errno_log(errno, "cannot switch core dumps off: %s", strerror(errno));
	log_is_file = is_file(STDOUT_FILENO) || is_file(STDERR_FILENO);
	ret = hide_memory();
	if (ret == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		ret = -errno;
	return ret < 0 ? errno_log(-ret, "prctl: %s", strerror(-ret)) : 0;
}

// ---------------------------------------------------------------------------------------------------------------- user

static int parse_id(const char *text, unsigned long *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	*out = strtoul(text, &end, 10);
	return *end || errno || *out >= UINT32_MAX ? -EINVAL : 0;
}

// A number without an entry in the password file has no group of its own: then the group must be named.
static int find_user(const char *user, uid_t *uid, gid_t *gid)
{
	unsigned long id;
	struct passwd *pw;

	if (parse_id(user, &id) == 0) {
		*uid = (uid_t)id;
		pw = getpwuid((uid_t)id);
		*gid = pw ? pw->pw_gid : (gid_t)id;
		return 0;
	}
	pw = getpwnam(user);
	if (!pw)
		return errno_log(ENOENT, "no such user: %s", user);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

static int find_group(const char *group, gid_t *gid)
{
	unsigned long id;
	struct group *gr;

	if (parse_id(group, &id) == 0) {
		*gid = (gid_t)id;
		return 0;
	}
	gr = getgrnam(group);
	if (!gr)
		return errno_log(ENOENT, "no such group: %s", group);
	*gid = gr->gr_gid;
	return 0;
}

// What whatever is executed could have. Only who may change it can have more than is left, so others need not.
static int bound_capabilities(uint64_t mask)
{
	for (int cap = 0; cap < 64; cap++) {
		const int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0) // the last one that this kernel knows
			return 0;
		if (has == 1 && (mask >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return errno == EPERM ? 0 : -errno;
	}
	return 0;
}

static int keep_capabilities(uint64_t mask)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	int i;

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(mask >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

int sandbox_keep_capabilities(enum sandbox_role role)
{
	int ret = bound_capabilities(confinements[role].capabilities);

	if (ret == 0)
		ret = keep_capabilities(confinements[role].capabilities);
	return ret < 0 ? errno_log(-ret, "cannot drop capabilities: %s", strerror(-ret)) : 0;
}

static int become(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (geteuid() != 0 && getuid() == uid && geteuid() == uid && getgid() == gid && getegid() == gid)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	if (r != uid || e != uid || s != uid || rg != gid || eg != gid || sg != gid || getgroups(0, NULL) != 0)
		return -EPERM;
	return 0;
}

int sandbox_drop_user(enum sandbox_role role, const char *user, const char *group, bool files)
{
	const bool stays = !user || !user[0];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int ret;

	ret = stays ? 0 : find_user(user, &uid, &gid);
	if (ret == 0 && !stays && group && group[0])
		ret = find_group(group, &gid);
	if (ret == 0 && files)
		ret = sandbox_files(role, NULL, 0);
	if (ret < 0)
		return ret;
	ret = bound_capabilities(0);
	if (ret == 0 && !stays)
		ret = become(uid, gid);
	if (ret == 0)
		ret = keep_capabilities(0);
	if (ret == 0)
		ret = hide_memory();
	if (ret < 0)
		return errno_log(-ret, "cannot become %s: %s", stays ? "unprivileged" : user, strerror(-ret));
	if (uid != 0 && setresuid(0, 0, 0) == 0)
		return errno_log(EPERM, "became %s, but could become root again", user);
	return 0;
}

// -------------------------------------------------------------------------------------------------------------- limits

static int limit(int what, uint64_t value)
{
	struct rlimit rl = { value, value };

	return value == CONFINE_ANY || setrlimit(what, &rl) == 0 ? 0 : -errno;
}

int sandbox_limit(enum sandbox_role role, bool boundless)
{
	const struct confinement *c = &confinements[role];
	int ret;

	ret = boundless || sandbox_sanitized() ? 0 : limit(RLIMIT_DATA, c->memory);
	if (ret == 0)
		ret = limit(RLIMIT_NOFILE, c->descriptors);
	if (ret == 0)
		ret = limit(RLIMIT_NPROC, c->children);
	if (ret == 0 && !confine_traceable())
		ret = limit(RLIMIT_CORE, 0);
	if (ret == 0 && !log_is_file)
		ret = limit(RLIMIT_FSIZE, c->growth);
	if (ret < 0)
		return errno_log(-ret, "cannot limit this process: %s", strerror(-ret));
	return 0;
}

static bool is_kept(int fd, const int *keep, int n_keep)
{
	int i;

	for (i = 0; i < n_keep; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

void sandbox_close_from(int first, const int *keep, int n_keep)
{
	int i, next;

	for (;;) {
		while (is_kept(first, keep, n_keep))
			first++;
		next = -1;
		for (i = 0; i < n_keep; i++)
			if (keep[i] > first && (next < 0 || keep[i] < next))
				next = keep[i];
		close_range((unsigned)first, next < 0 ? ~0u : (unsigned)next - 1, 0);
		if (next < 0)
			return;
		first = next;
	}
}
