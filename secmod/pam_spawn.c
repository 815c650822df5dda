#include "secmod/pam_helper.h"
#include "secmod/spawn.h"

int pam_helper_spawn(int fd, pid_t *pid)
{
	return spawn_helper(SPAWN_PAM, fd, pid);
}
