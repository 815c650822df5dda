// A running penstock-secmod, with the test as its main. Its workers: secmod_rig_worker.h.
// The program is BUILD/penstock-secmod (environment, default "build"). Included by tests that link the secmod room.
#pragma once
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pki.h"
#include "proto/chan.h"
#include "proto/snapshot.h"

#define RIG_UNUSED __attribute__((unused))
#define RIG_PATIENCE 20000 // ms; a loaded machine with sanitizers

// The last message of each number, and how many there were.
struct rig_inbox {
	union msg_any last[MSG_NUMBERS];
	unsigned count[MSG_NUMBERS];
};

// handlers.h makes the table; every handler only keeps what came.
#define HANDLERS rig_to_main
#define ON_SECMOD_MAIN(...) __VA_ARGS__
#include "proto/handlers.h"
#define HANDLERS rig_to_worker
#define ON_SECMOD_WORKER(...) __VA_ARGS__
#include "proto/handlers.h"

#define RIG_KEEP(name, NAME)                                                        \
	static int on_##name(void *who, const struct msg_##name *m, const int *fds) \
	{                                                                           \
		struct rig_inbox *in = who;                                         \
                                                                                    \
		in->last[MSG_##NAME].name = *m;                                     \
		in->count[MSG_##NAME]++;                                            \
		return 0;                                                           \
	}
RIG_KEEP(sign_rep, SIGN_REP)
RIG_KEEP(cert_result, CERT_RESULT)
RIG_KEEP(resume_rep, RESUME_REP)
RIG_KEEP(auth_ask, AUTH_ASK)
RIG_KEEP(groups_list, GROUPS_LIST)
RIG_KEEP(auth_done, AUTH_DONE)
RIG_KEEP(auth_failed, AUTH_FAILED)
RIG_KEEP(cookie_seen, COOKIE_SEEN)
RIG_KEEP(cookie_shown, COOKIE_SHOWN)
RIG_KEEP(kdc_rep, KDC_REP)
RIG_KEEP(kdc_used, KDC_USED)
RIG_KEEP(secmod_ready, SECMOD_READY)
RIG_KEEP(session_grant, SESSION_GRANT)
RIG_KEEP(session_reply, SESSION_REPLY)
RIG_KEEP(auth_event, AUTH_EVENT)
RIG_KEEP(session_row, SESSION_ROW)
RIG_KEEP(session_rows_end, SESSION_ROWS_END)
RIG_KEEP(secmod_reloaded, SECMOD_RELOADED)
RIG_KEEP(session_gone, SESSION_GONE)
RIG_KEEP(session_change, SESSION_CHANGE)
RIG_KEEP(session_kept, SESSION_KEPT)
RIG_KEEP(sessions_told, SESSIONS_TOLD)
RIG_KEEP(sessions_restored, SESSIONS_RESTORED)
RIG_KEEP(session_synced, SESSION_SYNCED)
RIG_KEEP(auth_status_row, AUTH_STATUS_ROW)
RIG_KEEP(auth_status_end, AUTH_STATUS_END)
RIG_KEEP(secmod_behind, SECMOD_BEHIND)
RIG_KEEP(secmod_pong, SECMOD_PONG)

struct rig {
	pid_t pid;
	struct chan main;
	struct rig_inbox in;
	uint64_t conns;
};

static RIG_UNUSED const char *rig_build(void)
{
	const char *build = getenv("BUILD");

	return build != NULL && build[0] != '\0' ? build : "build";
}

// Pairs of key and value, NULL at the end.
static RIG_UNUSED int rig_snapshot(const char *const *pairs)
{
	struct snapshot_writer *w = snapshot_writer_new();
	int fd;

	PKI_NEED(w != NULL);
	PKI_NEED(snapshot_put(w, "isolate-workers", "1") == 0);
	for (; pairs[0] != NULL; pairs += 2)
		PKI_NEED(snapshot_put(w, pairs[0], pairs[1]) == 0);
	PKI_NEED(snapshot_finish(w, &fd) == 0);
	return fd;
}

static RIG_UNUSED void rig_exec(int channel, int conf)
{
	char program[512];

	snprintf(program, sizeof(program), "%s/penstock-secmod", rig_build());
	// both out of the way of their places first
	channel = fcntl(channel, F_DUPFD, 10);
	conf = fcntl(conf, F_DUPFD, 10);
	dup2(channel, CHILD_FD_MAIN);
	dup2(conf, CHILD_FD_CONF);
	close(0);
	close(1);
	close_range(5, ~0u, 0);
	execl(program, "penstock-secmod", (char *)NULL);
	_exit(127);
}

// Started, and its SECMOD_READY is in the inbox.
static RIG_UNUSED void rig_start(struct rig *r, const char *const *pairs)
{
	int fds[2], conf = rig_snapshot(pairs);

	memset(r, 0, sizeof(*r));
	PKI_NEED(chan_pair(fds) == 0);
	r->pid = fork();
	PKI_NEED(r->pid >= 0);
	if (r->pid == 0)
		rig_exec(fds[1], conf);
	close(fds[1]);
	close(conf);
	chan_init(&r->main, fds[0], ROLE_MAIN, ROLE_SECMOD, CHAN_PLAIN, "secmod");
	PKI_NEED(chan_await(&r->main, rig_to_main, &r->in, MSG_SECMOD_READY, RIG_PATIENCE) == 0);
}

// Main goes; the exit status of sec-mod.
static RIG_UNUSED int rig_stop(struct rig *r)
{
	int status = -1;

	chan_fini(&r->main);
	PKI_NEED(waitpid(r->pid, &status, 0) == r->pid);
	return status;
}

// The children of sec-mod that are there now, but for its first, the spawner. `first`: of these, or 0; may be NULL.
static RIG_UNUSED unsigned rig_helpers(const struct rig *r, pid_t *first)
{
	char path[64], list[4096], *at = list;
	unsigned n = 0;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", r->pid, r->pid);
	fd = open(path, O_RDONLY);
	PKI_NEED(fd >= 0);
	len = read(fd, list, sizeof(list) - 1);
	close(fd);
	PKI_NEED(len > 0);
	list[len] = '\0';
	if (first != NULL)
		*first = 0;
	for (pid_t pid = 0; (pid = (pid_t)strtol(at, &at, 10)) > 0; n++)
		if (n == 1 && first != NULL)
			*first = pid;
	return n - 1;
}

static RIG_UNUSED int rig_await(struct rig *r, enum msg_number number)
{
	return chan_await(&r->main, rig_to_main, &r->in, number, RIG_PATIENCE);
}

// What is there already, without waiting.
static RIG_UNUSED void rig_drain(struct rig *r)
{
	while (chan_serve(&r->main, rig_to_main, &r->in, 64) > 0)
		;
}
