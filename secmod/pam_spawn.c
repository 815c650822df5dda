#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

#include "secmod/pam_helper.h"
#include "secmod/pamwire.h"

// Nothing of ours goes along: a fresh image, an empty environment, default signals, and all our descriptors close on exec.
int pam_helper_spawn(int fd, pid_t *pid)
{
	char *const argv[] = { "penstock-secmod", PAM_HELPER_OPTION, NULL };
	char *const envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int ret;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&files, fd, PAMWIRE_FD);
	for (int i = 0; i <= 2; i++)
		posix_spawn_file_actions_addopen(&files, i, "/dev/null", O_RDWR, 0);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	ret = -posix_spawn(pid, "/proc/self/exe", &files, &attr, argv, envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return ret;
}
