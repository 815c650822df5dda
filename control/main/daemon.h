// Becoming a daemon, and the pid file. Main process only, at its start and end.
#pragma once
#include <stdbool.h>

// Fork; the starting process waits until daemon_ready(), then exits 0, or exits as we do. In the daemon: 0 and the descriptor for
// daemon_ready(); or -errno.
int daemon_start(bool keep_directory, int *ready_fd);
// The start has succeeded: let the starting process go, and with it its stderr. -1: nobody waits.
void daemon_ready(int ready_fd);

// A copy that does not depend on the working directory. NULL, errno.
char *path_absolute(const char *path);
// Create and lock it and write our pid. A descriptor that keeps the lock; -errno (logged).
int pidfile_open(const char *path);
void pidfile_close(const char *path, int fd);
