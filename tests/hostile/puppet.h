// In the place of a gateway's nursery: this very test under the name of penstock-worker. It hands each worker's descriptors to the
// test, which then is that worker:  TCP client ── penstockd ── puppet ── the test
#pragma once
#include <libgen.h>
#include <sys/prctl.h>
#include <sys/un.h>

#include "proto/log.h"
#include "victim.h"

static struct {
	struct chan main;
	int test;   // a socket to the test: connections out, ends of workers in
	pid_t idle; // a process that does nothing: what workers are as main sees them
	pid_t next; // what the next one is instead; 0: nothing
} puppet;

#define NEXT_PID (1ULL << 63) // not the end of a worker, but such a process
#define CRASHED (1ULL << 62)  // the end of a worker, by SIGSEGV

// What the test has said so far.
static void puppet_heed(void)
{
	uint64_t gone;

	while (recv(puppet.test, &gone, sizeof(gone), MSG_DONTWAIT) == sizeof(gone)) {
		if (gone & NEXT_PID)
			puppet.next = (pid_t)(gone & ~NEXT_PID);
		else
			CHAN_SEND(&puppet.main, CONN_EXITED,
			          &(struct msg_conn_exited){ .conn = gone & ~CRASHED, .signal = gone & CRASHED ? SIGSEGV : 0 });
	}
}

// The test says who is next before it connects: that word is there, even where main's is read first.
static int puppet_on_start(void *who, const void *m, const int *fds)
{
	const struct msg_conn_start *start = m;
	struct chan pass;
	struct msg_conn_forked forked = { .conn = start->conn, .pid = (uint32_t)puppet.idle };

	puppet_heed();
	if (puppet.next)
		forked.pid = (uint32_t)puppet.next;
	puppet.next = 0;
	chan_init(&pass, puppet.test, ROLE_MAIN, ROLE_NURSERY, CHAN_PLAIN, "test");
	chan_send(&pass, MSG_CONN_START, start, fds);
	return CHAN_SEND(&puppet.main, CONN_FORKED, &forked);
}

static int puppet_on_kill(void *who, const void *m, const int *fds)
{
	struct msg_conn_exited gone = { .conn = ((const struct msg_conn_kill *)m)->conn, .signal = SIGKILL };

	return CHAN_SEND(&puppet.main, CONN_EXITED, &gone);
}

static int puppet_on_drain(void *who, const void *m, const int *fds)
{
	_exit(0);
}

static int puppet_on_ping(void *who, const void *m, const int *fds)
{
	struct msg_nursery_pong pong = { .number = ((const struct msg_nursery_ping *)m)->number };

	CHAN_SEND(&puppet.main, NURSERY_PONG, &pong);
	return 0;
}

static const chan_handler puppet_handlers[MSG_NUMBERS] = {
	[MSG_CONN_START] = puppet_on_start,
	[MSG_CONN_KILL] = puppet_on_kill,
	[MSG_NURSERY_DRAIN] = puppet_on_drain,
	[MSG_NURSERY_PING] = puppet_on_ping,
};

static int puppet_connect(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char copy[256];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(to.sun_path, sizeof(to.sun_path), "%.80s/puppet", dirname(copy));
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -1 : fd;
}

static pid_t puppet_idle(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_range(3, ~0u, 0);
		for (;;)
			pause();
	}
	return pid;
}

static PROBE_UNUSED int puppet_main(const char *path)
{
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
	int ret;

	log_init("puppet", LOG_LEVEL_ERR, LOG_FORM_PLAIN);
	signal(SIGPIPE, SIG_IGN);
	puppet.idle = puppet_idle();
	puppet.test = puppet_connect(path);
	chan_init(&puppet.main, CHILD_FD_MAIN, ROLE_NURSERY, ROLE_MAIN, CHAN_PLAIN, "main");
	CHAN_SEND(&puppet.main, NURSERY_READY, &(struct msg_nursery_ready){ .ok = puppet.test >= 0 });
	p[0].fd = CHILD_FD_MAIN;
	p[1].fd = puppet.test;
	for (;;) {
		poll(p, 2, -1);
		ret = chan_serve(&puppet.main, puppet_handlers, NULL, 100);
		if (ret <= 0 && ret != -EAGAIN)
			return 0;
		puppet_heed();
		if (p[1].revents & POLLHUP)
			return 0;
	}
}
