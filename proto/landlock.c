// sandbox_files(): an empty root directory, and Landlock. The kernel's header of Debian 12 knows its first versions only, so what
// came later is written here.
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"
#include "err.h"
#include "sandbox.h"

#define FS_TRUNCATE (UINT64_C(1) << 14)  // version 3
#define FS_IOCTL_DEV (UINT64_C(1) << 15) // version 5
#define NET_BIND_TCP (UINT64_C(1) << 0)  // version 4
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0) // version 6
#define SCOPE_SIGNAL (UINT64_C(1) << 1)

struct ruleset {
	uint64_t fs, net, scoped;
};

#define FS_FIRST ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) // all of version 1
#define FS_READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITES                                                                                                  \
	(FS_READS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | FS_TRUNCATE)
#define FS_OF_A_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

int sandbox_landlock(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (int)version;
}

// All that this version can take away. Who has no files has no business with others either: no TCP of its own, no signals to and no
// abstract sockets of those outside.
static struct ruleset handled(int version, enum confine_files files)
{
	struct ruleset r = { .fs = FS_FIRST };

	if (version >= 2)
		r.fs |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		r.fs |= FS_TRUNCATE;
	if (version >= 5)
		r.fs |= FS_IOCTL_DEV;
	if (files != FILES_NOTHING)
		return r;
	if (version >= 4)
		r.net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (version >= 6)
		r.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	return r;
}

static size_t size_of(int version)
{
	return version >= 6 ? sizeof(struct ruleset) : version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

static int allow(int ruleset, uint64_t access, const char *path)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };
	int fd = open(path, O_PATH | O_CLOEXEC), ret = 0;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_OF_A_FILE;
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int allow_all(int ruleset, const struct ruleset *r, enum confine_files files, const char *const *places, size_t n)
{
	int ret = 0;

	if (files == FILES_READ || files == FILES_PLACES) {
		ret = allow(ruleset, FS_READS & r->fs, "/");
		if (ret == 0)
			ret = allow(ruleset, FS_OF_A_FILE & r->fs, "/dev/null");
	}
	for (size_t i = 0; i < n && ret == 0 && files == FILES_PLACES; i++)
		ret = allow(ruleset, FS_WRITES & r->fs, places[i]);
	return ret;
}

static int restrict_files(enum confine_files files, const char *const *places, size_t n)
{
	const int version = sandbox_landlock();
	const struct ruleset r = handled(version, files);
	int fd, ret;

	if (version == 0) // which main says once for all
		return 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &r, size_of(version), 0);
	if (fd < 0)
		return -errno;
	ret = allow_all(fd, &r, files, places, n);
	if (ret == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

// A directory of /proc of a process that is no more is empty for ever, and needs no place on any disk. All threads of ours have the
// new root, Landlock knows this one only.
static int empty_root(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, NULL, NULL, NULL, 0UL);
	int status;

	if (pid == 0)
		_exit(chroot("/proc/self/fdinfo") < 0 || chdir("/") < 0);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EACCES;
}

int sandbox_files(enum sandbox_role role, const char *const *places, size_t n)
{
	const enum confine_files files = confinements[role].files;
	int ret;

	if (files == FILES_ANYWHERE || sandbox_sanitized() || confine_traceable())
		return 0;
	if (files == FILES_NOTHING && geteuid() == 0 && empty_root() < 0)
		log_notice("no empty root directory: /proc is not there, or the system keeps root from changing it");
	ret = restrict_files(files, places, n);
	return ret < 0 ? errno_log(-ret, "Landlock: %s", strerror(-ret)) : 0;
}
