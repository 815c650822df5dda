// Becoming a daemon, and the pid file. Main process only, at its start and end.
#pragma once
// Fork; the starting process waits until daemon_ready(), then exits 0, or exits as we do. In the daemon: 0 and the descriptor for
// daemon_ready(); or -errno. It stays in its directory.
int daemon_start(int *ready_fd);
// These of 0 to 2, both included, lead nowhere from here on. 0 or -errno.
int standard_to_null(int first, int last);
// The start has succeeded: let the starting process go, and with it its stderr. -1: nobody waits.
void daemon_ready(int ready_fd);

// A copy that does not depend on the working directory. NULL, errno.
char *path_absolute(const char *path);
// Create and lock it and write a pid. A descriptor that keeps the lock; -errno (logged).
int pidfile_open(const char *path, int pid);
int pidfile_write(int fd, int pid); // another one; 0 or -errno
void pidfile_close(const char *path, int fd);
