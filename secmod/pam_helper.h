// The process of one PAM login, or of the beginning or end of one session: exec'd by method_pam.c or account_pam.c from the same
// binary, holds no key, runs the foreign modules.
#pragma once
#include <sys/types.h>

#define PAM_HELPER_OPTION "--pam-helper"

// Serves PAMWIRE_FD and returns the exit status.
int pam_helper_main(void);

// Start one, whose socket is fd (it stays the caller's). 0 or -errno. (pam_spawn.c)
int pam_helper_spawn(int fd, pid_t *pid);
