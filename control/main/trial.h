// `penstockd -t`: everything that is wrong with a configuration. Main reads the file, and those of users and groups; what stands in
// keys, certificates and password files is read by the processes that would hold it, which are started for that and ended again.
#pragma once

#include "control/main/config.h"

// Every mistake, at once. 0; -EINVAL: there are some; another -errno: the file could not be read, or nobody could be asked.
int trial_check(const char *file, config_report *report, void *who);
// Every problem on stderr, then a summary. The exit status: 0 or 1.
int trial_run(const char *file);
