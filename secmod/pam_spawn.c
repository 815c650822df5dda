#include <stddef.h>

#include "secmod/pam_helper.h"
#include "secmod/spawn.h"

int pam_helper_spawn(int fd, pid_t *pid)
{
	char *const argv[] = { "penstock-secmod", PAM_HELPER_OPTION, NULL };
	char *const envp[] = { SPAWN_PATH, NULL };

	return spawn_clean("/proc/self/exe", argv, envp, fd, pid);
}
