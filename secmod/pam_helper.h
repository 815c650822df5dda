// The process of one PAM login: exec'd by method_pam.c from the same binary, holds no key, runs the foreign modules.
#pragma once

#define PAM_HELPER_OPTION "--pam-helper"

// Serves PAMWIRE_FD and returns the exit status.
int pam_helper_main(void);
