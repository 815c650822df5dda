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
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "sandbox.h"

int sandbox_harden(void)
{
	struct rlimit none = { 0, 0 };
	bool traceable = getenv(SANDBOX_TRACEABLE) != NULL;

	if (!traceable && setrlimit(RLIMIT_CORE, &none) < 0)
		return errno_log(errno, "cannot switch core dumps off: %s", strerror(errno));
	if ((!traceable && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return errno_log(errno, "prctl: %s", strerror(errno));
	return 0;
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

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	memset(none, 0, sizeof(none));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || syscall(SYS_capset, &head, none) < 0)
		return errno_log(errno, "cannot drop capabilities: %s", strerror(errno));
	return 0;
}

int sandbox_keep_capabilities(uint64_t mask)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	int i;

	if (syscall(SYS_capget, &head, data) < 0)
		return errno_log(errno, "cannot read capabilities: %s", strerror(errno));
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(mask >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || syscall(SYS_capset, &head, data) < 0)
		return errno_log(errno, "cannot drop capabilities: %s", strerror(errno));
	return 0;
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

int sandbox_drop_user(const char *user, const char *group)
{
	uid_t uid;
	gid_t gid;
	int ret;

	ret = find_user(user, &uid, &gid);
	if (ret == 0 && group && group[0])
		ret = find_group(group, &gid);
	if (ret < 0)
		return ret;
	ret = become(uid, gid);
	if (ret < 0)
		return errno_log(-ret, "cannot become %s: %s", user, strerror(-ret));
	ret = drop_capabilities();
	if (ret < 0)
		return ret;
	if (uid != 0 && setresuid(0, 0, 0) == 0)
		return errno_log(EPERM, "became %s, but could become root again", user);
	return 0;
}

// -------------------------------------------------------------------------------------------------------------- limits

static int limit(int what, rlim_t value)
{
	struct rlimit rl = { value, value };

	return setrlimit(what, &rl) < 0 ? -errno : 0;
}

int sandbox_limit(size_t data_bytes, unsigned files)
{
	int ret;

	ret = data_bytes > 0 ? limit(RLIMIT_DATA, data_bytes) : 0;
	if (ret == 0)
		ret = limit(RLIMIT_NOFILE, files);
	if (ret == 0)
		ret = limit(RLIMIT_NPROC, 0);
	if (ret == 0)
		ret = limit(RLIMIT_CORE, 0);
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
