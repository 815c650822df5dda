// A program of the build, started as main would start it: its channel at descriptor 3, its snapshot at 4. The tests play main.
// It is found in the build tree of this test, or where PENSTOCK_BIN says.
#pragma once
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "probe.h"
#include "proto/chan.h"
#include "proto/snapshot.h"

struct victim {
	const char *program;
	pid_t pid;
	struct chan chan; // main's end
	int fds;          // open in it when it was idle
};

static PROBE_UNUSED const char *victim_path(const char *program)
{
	static char path[4096];
	const char *given = getenv("PENSTOCK_BIN");
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	int up;

	if (given) {
		snprintf(path, sizeof(path), "%s/%s", given, program);
		return path;
	}
	path[n > 0 ? n : 0] = 0;
	for (up = 0; up < 2 && strrchr(path, '/'); up++) // BUILD/hostile/NAME
		*strrchr(path, '/') = 0;
	snprintf(path + strlen(path), 64, "/%s", program);
	return path;
}

static PROBE_UNUSED void victim_exec(const char *path, int chan_fd, int conf_fd)
{
	// Not straight to 3 and 4: either may be the other's number.
	int high_chan = fcntl(chan_fd, F_DUPFD, 16), high_conf = fcntl(conf_fd, F_DUPFD, 16);

	dup2(high_chan, CHILD_FD_MAIN);
	dup2(high_conf, CHILD_FD_CONF);
	close_range(CHILD_FD_CONF + 1, ~0u, 0);
	execle(path, path, NULL, (char *[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL });
	fprintf(stderr, "cannot run %s: %s\n", path, strerror(errno));
	_exit(127);
}

static PROBE_UNUSED int victim_start(struct victim *v, const char *program, enum role role, struct snapshot_writer *w)
{
	int fds[2], conf, ret;

	*v = (struct victim){ .program = program, .pid = -1 };
	ret = snapshot_finish(w, &conf);
	if (ret == 0)
		ret = chan_pair(fds);
	if (ret < 0)
		return ret;
	v->pid = fork();
	if (v->pid == 0)
		victim_exec(victim_path(program), fds[1], conf);
	close(fds[1]);
	close(conf);
	chan_init(&v->chan, fds[0], ROLE_MAIN, role, CHAN_PLAIN, "%s", program);
	return v->pid < 0 ? -errno : 0;
}

// The very process that we started.
static PROBE_UNUSED bool victim_lives(const struct victim *v)
{
	int status;

	return waitpid(v->pid, &status, WNOHANG) == 0;
}

// Close its channel, as main does when it ends; its exit status, or -1 if it had to be killed after 10 s.
static PROBE_UNUSED int victim_stop(struct victim *v)
{
	int status = -1, i;

	chan_fini(&v->chan);
	for (i = 0; i < 1000; i++) {
		if (waitpid(v->pid, &status, WNOHANG) == v->pid)
			return status;
		usleep(10000);
	}
	kill(v->pid, SIGKILL);
	waitpid(v->pid, &status, 0);
	return -1;
}

// Wait until it has as many descriptors as before; whether it has.
static PROBE_UNUSED bool victim_fds_settle(const struct victim *v)
{
	int i;

	for (i = 0; i < 2000; i++) {
		if (probe_count_fds(v->pid) == v->fds)
			return true;
		usleep(1000);
	}
	return false;
}

// Has the other end closed this channel, within a second? What it said before is thrown away.
static PROBE_UNUSED bool victim_drops(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static uint8_t buf[LIMIT_MESSAGE];
	ssize_t n;

	for (;;) {
		if (poll(&p, 1, 1000) == 0)
			return false;
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		if (n < 0 && errno != EAGAIN)
			return false;
	}
}
