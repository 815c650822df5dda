// Commands out of a file, one a line, for scripts: strict where the shell forgives.
#pragma once
#include "ctl.h"

// "-" is standard input. It ends with the first command that fails, or goes on to the end (keep_going); what failed is said with
// the file's name and line. enum ctl_exit: the first failure's, CTL_OK without one.
int batch_run(const struct ctl *ctl, const char *path, bool keep_going);
