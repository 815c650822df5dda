// fork and exec of one of our programs, or one of the operator's, with nothing inherited but what it needs.
#pragma once
#include <sys/types.h>

struct spawn_fds {
	int main, conf; // CHILD_FD_MAIN, CHILD_FD_CONF
	int log;        // descriptor 2; -1: our own
	const int *sockets;
	unsigned n_sockets; // CHILD_FD_SOCKETS on
};

// 0 or -errno; *pid on success.
int spawn(const char *path, const struct spawn_fds *fds, pid_t *pid);

// How a process has ended, by its status: "died of signal 11 (Segmentation fault)", "exited with 1".
void spawn_end(int status, char *text, size_t size);

// A program of the operator's, in a process group of its own, in / and with this environment alone; out_fd becomes descriptors 1
// and
// 2. No memory is copied for it, however much main has. 0 or -errno (execve's as well); *pid on success.
int spawn_program(const char *path, char *const argv[], char *const env[], int out_fd, pid_t *pid);
