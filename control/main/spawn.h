// fork and exec of one of our programs with nothing inherited but what it needs.
#pragma once
#include <sys/types.h>

// fds become CHILD_FD_MAIN, CHILD_FD_CONF and descriptor 2 (log_fd -1: our own). 0 or -errno; *pid on success.
int spawn(const char *path, int main_fd, int conf_fd, int log_fd, pid_t *pid);
