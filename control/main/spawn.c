#include "control/main/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/sandbox.h"
#include "proto/snapshot.h"

// The sanitizers' options have to reach the children of a sanitized build, and the software of tokens is told by its own where they
// are.
static const char *const kept[] = { "TZ",           SANDBOX_TRACEABLE, "SOFTHSM2_CONF", "TPM2OPENSSL_TCTI",
	                            "ASAN_OPTIONS", "UBSAN_OPTIONS",   "LSAN_OPTIONS",  "TSAN_OPTIONS" };

#define KEPT (sizeof(kept) / sizeof(*kept))

static void child_environment(char *env[KEPT + 4], char text[KEPT][512])
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	// glibc keeps some of what is freed for the next malloc(): in an idle worker that holds ten pages
	static char malloc_frees[] = "GLIBC_TUNABLES=glibc.malloc.tcache_count=0";
	// before the nursery forks, or each worker would look up anew what it is the first to call
	static char bind_now[] = "LD_BIND_NOW=1";
	int n = 0;

	env[n++] = path;
	env[n++] = malloc_frees;
	env[n++] = bind_now;
	for (size_t i = 0; i < KEPT; i++) {
		const char *value = getenv(kept[i]);

		if (!value || snprintf(text[i], 512, "%s=%s", kept[i], value) >= 512)
			continue;
		env[n++] = text[i];
	}
	env[n] = NULL;
}

static void signals_reset(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		sigaction(s, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

// Moves a descriptor above all fixed places, so that no dup2 below overwrites one that is still needed.
static int lift(int fd)
{
	return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FD_SOCKETS + CHILD_SOCKETS_MAX);
}

static bool place(int fd, int at)
{
	return fd >= 0 && dup2(fd, at) == at;
}

static void become(const char *path, const struct spawn_fds *fds)
{
	char *argv[] = { (char *)path, NULL }, *env[KEPT + 4], text[KEPT][512];
	int main_fd = lift(fds->main), conf_fd = lift(fds->conf), log_fd = lift(fds->log), sockets[CHILD_SOCKETS_MAX];
	int null = lift(open("/dev/null", O_RDWR | O_CLOEXEC));

	for (unsigned i = 0; i < fds->n_sockets; i++)
		sockets[i] = lift(fds->sockets[i]);
	signals_reset();
	setpgid(0, 0); // the terminal speaks to main alone
	if (log_fd >= 0)
		dup2(log_fd, 2);
	if (!place(null, 0) || !place(null, 1) || !place(main_fd, CHILD_FD_MAIN) || !place(conf_fd, CHILD_FD_CONF))
		_exit(126);
	for (unsigned i = 0; i < fds->n_sockets; i++)
		if (!place(sockets[i], CHILD_FD_SOCKETS + (int)i))
			_exit(126);
	close_range(CHILD_FD_SOCKETS + fds->n_sockets, ~0U, 0);
	child_environment(env, text);
	if (chdir("/") == 0)
		execve(path, argv, env);
	dprintf(2, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

int spawn(const char *path, const struct spawn_fds *fds, pid_t *pid)
{
	pid_t child;

	if (fds->n_sockets > CHILD_SOCKETS_MAX)
		return -E2BIG;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		become(path, fds);
	*pid = child;
	return 0;
}

// stdin is empty; both ways out are the log's.
static int actions_of(posix_spawn_file_actions_t *a, int out_fd)
{
	int ret = posix_spawn_file_actions_addopen(a, 0, "/dev/null", O_RDONLY, 0);

	if (ret == 0)
		ret = posix_spawn_file_actions_adddup2(a, out_fd, 1);
	if (ret == 0)
		ret = posix_spawn_file_actions_adddup2(a, out_fd, 2);
	if (ret == 0)
		ret = posix_spawn_file_actions_addclosefrom_np(a, 3);
	return ret == 0 ? posix_spawn_file_actions_addchdir_np(a, "/") : ret;
}

static int attributes_of(posix_spawnattr_t *a)
{
	sigset_t all, none;
	int ret = posix_spawnattr_setflags(a, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);

	sigfillset(&all);
	sigemptyset(&none);
	if (ret == 0)
		ret = posix_spawnattr_setsigdefault(a, &all);
	return ret == 0 ? posix_spawnattr_setsigmask(a, &none) : ret;
}

int spawn_program(const char *path, char *const argv[], char *const env[], int out_fd, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int ret;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	ret = actions_of(&actions, out_fd);
	if (ret == 0)
		ret = attributes_of(&attributes);
	if (ret == 0)
		ret = posix_spawn(pid, path, &actions, &attributes, argv, env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -ret;
}

void spawn_end(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "died of signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(text, size, "exited with %d", WEXITSTATUS(status));
}
