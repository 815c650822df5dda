#include "control/main/daemon.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/main/syslogger.h"
#include "proto/err.h"

static void wait_for_daemon(int fd, pid_t daemon)
{
	int status;
	char word;

	if (read(fd, &word, 1) == 1)
		_exit(0);
	// it has ended before it was ready, and has said why
	if (waitpid(daemon, &status, 0) == daemon && WIFEXITED(status) && WEXITSTATUS(status))
		_exit(WEXITSTATUS(status));
	_exit(1);
}

int standard_to_null(int first, int last)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	for (int fd = first; fd <= last; fd++)
		dup2(null, fd);
	if (null > last)
		close(null);
	return 0;
}

int daemon_start(int *ready_fd)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		close(fds[1]);
		wait_for_daemon(fds[0], pid);
	}
	close(fds[0]);
	setsid();
	*ready_fd = fds[1];
	return standard_to_null(0, 1);
}

void daemon_ready(int ready_fd)
{
	static const char word = 1;

	if (ready_fd < 0)
		return;
	if (write(ready_fd, &word, 1) != 1)
		log_warn("the starting process is gone already");
	close(ready_fd);
	if (syslogger_echo(false))
		standard_to_null(2, 2);
}

char *path_absolute(const char *path)
{
	char *here, *whole = NULL;

	if (path[0] == '/')
		return strdup(path);
	here = getcwd(NULL, 0);
	if (here && asprintf(&whole, "%s/%s", here, path) < 0)
		whole = NULL;
	free(here);
	return whole;
}

int pidfile_write(int fd, int pid)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", pid);

	if (ftruncate(fd, 0) < 0)
		return -errno;
	errno = ENOSPC;
	return pwrite(fd, text, (size_t)len, 0) == len ? 0 : -errno;
}

int pidfile_open(const char *path, int pid)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	int ret;

	if (fd < 0)
		return errno_log(errno, "%s: %s", path, strerror(errno));
	ret = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : pidfile_write(fd, pid);
	if (ret == 0)
		return fd;
	close(fd);
	return errno_log(-ret, "%s: %s", path, ret == -EWOULDBLOCK ? "another gateway holds it" : strerror(-ret));
}

void pidfile_close(const char *path, int fd)
{
	if (fd < 0)
		return;
	unlink(path);
	close(fd);
}
