// `penstockd -t`: everything that is wrong with a configuration. Main reads the file; what stands in keys, certificates and
// password files is read by the processes that would hold it, which are started for that and ended again.
#pragma once

// Every problem on stderr, then a summary. The exit status: 0 or 1.
int trial_run(const char *file);
