// penstock-worker: the nursery. Loads once what is public and the same for all connections, then forks a worker for each.
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "dtls.h"
#include "memory.h"
#include "proto/chan.h"
#include "proto/err.h"
#include "proto/sandbox.h"
#include "proto/snapshot.h"
#include "signer.h"
#include "tls_ctx.h"

#define SERVE_MOST 16   // connections a turn, then the dead are buried
#define STOPPED_MS 3000 // a worker that was stopped for so long is told of
#define STOPPED_LOOK_MS 500
#define MAIN_PATIENCE_MS 5000

struct child {
	struct child *next;
	uint64_t conn;
	pid_t pid;
	uint64_t stopped_ms; // when it was stopped; 0: it runs, or has been told of
};

struct nursery {
	struct chan main;
	struct gear gear;
	struct child *children;
	int signals;      // SIGCHLD by signalfd
	unsigned stopped; // so many have stopped_ms
	bool isolate, limit, draining;
	bool in_child; // this is a fork, with `start` to serve
	struct client_start start;
};

// ------------------------------------------------------------------------------------------------------------- children

static struct child **find_child(struct nursery *n, uint64_t conn, pid_t pid)
{
	struct child **p = &n->children;

	while (*p && (*p)->conn != conn && (*p)->pid != pid)
		p = &(*p)->next;
	return p;
}

static void bury(struct nursery *n, pid_t pid, int status)
{
	struct child **p = find_child(n, 0, pid), *child = *p;
	struct msg_conn_exited m = { 0 };

	if (!child)
		return;
	m.conn = child->conn;
	if (WIFSIGNALED(status))
		m.signal = (uint8_t)WTERMSIG(status);
	else
		m.code = (uint8_t)WEXITSTATUS(status);
	n->stopped -= child->stopped_ms != 0;
	*p = child->next;
	free(child);
	CHAN_SEND(&n->main, CONN_EXITED, &m);
}

static void mark_stopped(struct nursery *n, pid_t pid, bool stopped)
{
	struct child *child = *find_child(n, 0, pid);

	if (!child || (child->stopped_ms != 0) == stopped)
		return;
	child->stopped_ms = stopped ? clock_ms() : 0;
	n->stopped += stopped ? 1 : -1u;
}

static void tell_stopped(struct nursery *n)
{
	uint64_t now = clock_ms();

	for (struct child *c = n->children; c && n->stopped; c = c->next) {
		if (!c->stopped_ms || now - c->stopped_ms < STOPPED_MS)
			continue;
		CHAN_SEND(&n->main, CONN_STOPPED, &(struct msg_conn_stopped){ .conn = c->conn });
		c->stopped_ms = 0;
		n->stopped--;
	}
}

static void bury_all(struct nursery *n)
{
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	while (read(n->signals, &info, sizeof(info)) == sizeof(info))
		;
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
		if (WIFSTOPPED(status) || WIFCONTINUED(status))
			mark_stopped(n, pid, WIFSTOPPED(status));
		else
			bury(n, pid, status);
	}
}

static void kill_all(const struct nursery *n)
{
	const struct child *c;

	for (c = n->children; c; c = c->next)
		kill(c->pid, SIGKILL);
}

// ---------------------------------------------------------------------------------------------------------------- main

#define HANDLERS from_main
#define ON_MAIN_NURSERY(...) __VA_ARGS__
#include "proto/handlers.h"

// A connection that gets no worker is told to main as one whose worker has ended at once.
static int lose(struct nursery *n, uint64_t conn, const char *why)
{
	struct msg_conn_exited m = { .conn = conn, .code = 1 };

	log_err("no worker for connection %llu: %s", (unsigned long long)conn, why);
	return CHAN_SEND(&n->main, CONN_EXITED, &m);
}

static int on_conn_start(void *who, const struct msg_conn_start *m, const int *fds)
{
	struct nursery *n = who;
	struct msg_conn_forked forked = { .conn = m->conn };
	struct child *child;
	pid_t pid;

	if (n->draining)
		return lose(n, m->conn, "the nursery is closing");
	child = calloc(1, sizeof(*child));
	pid = child ? fork() : -1;
	if (pid < 0) {
		free(child);
		return lose(n, m->conn, strerror(errno));
	}
	if (pid == 0) {
		n->in_child = true;
		n->start = (struct client_start){
			m->conn, m->client, m->local, m->proxied, chan_take_fd(fds, 0), chan_take_fd(fds, 1), chan_take_fd(fds, 2)
		};
		return -ECANCELED; // out of the nursery's loop
	}
	child->conn = m->conn;
	child->pid = pid;
	child->next = n->children;
	n->children = child;
	forked.pid = (uint32_t)pid;
	return CHAN_SEND(&n->main, CONN_FORKED, &forked);
}

static int on_conn_kill(void *who, const struct msg_conn_kill *m, const int *fds)
{
	struct child *child = *find_child(who, m->conn, -1);

	if (child)
		kill(child->pid, SIGKILL);
	return 0;
}

// Main reads: that many at once may be more than the channel holds.
static void tell(struct nursery *n, enum msg_number number, const void *msg)
{
	struct pollfd p = { .fd = n->main.fd, .events = POLLOUT };

	while (chan_send(&n->main, number, msg, NULL) == -EAGAIN && poll(&p, 1, MAIN_PATIENCE_MS) > 0)
		;
}

// Another main, which has the connections of the one before, but not its last moment.
static int on_workers_ask(void *who, const struct msg_workers_ask *m, const int *fds)
{
	struct msg_workers_told told = { 0 };
	struct nursery *n = who;

	for (const struct child *c = n->children; c; c = c->next, told.count++)
		tell(n, MSG_CONN_FORKED, &(struct msg_conn_forked){ .conn = c->conn, .pid = (uint32_t)c->pid });
	tell(n, MSG_WORKERS_TOLD, &told);
	return 0;
}

static int on_nursery_drain(void *who, const struct msg_nursery_drain *m, const int *fds)
{
	struct nursery *n = who;

	n->draining = true;
	if (m->now)
		kill_all(n);
	return 0;
}

static int on_nursery_ping(void *who, const struct msg_nursery_ping *m, const int *fds)
{
	struct nursery *n = who;

	CHAN_SEND(&n->main, NURSERY_PONG, &(struct msg_nursery_pong){ .number = m->number });
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- worker

static int confine(const struct nursery *n)
{
	const int keep[] = { n->start.socket, n->start.main, n->start.secmod };
	int ret;

	sandbox_close_from(STDERR_FILENO + 1, keep, 3);
	ret = sandbox_limit(SANDBOX_WORKER, !n->limit);
	if (ret == 0 && n->isolate)
		ret = sandbox_seccomp(SANDBOX_WORKER);
	return ret;
}

static int run_worker(struct nursery *n)
{
	sigset_t none;

	client_named(n->start.conn, &n->start.client);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (confine(n) < 0)
		return EXIT_FAILURE;
	return client_run(&n->gear, &n->start);
}

// -------------------------------------------------------------------------------------------------------------- start-up

static int load_gear(struct nursery *n, const struct snapshot *conf, char text[LIMIT_TEXT + 1])
{
	int ret;

	snprintf(text, LIMIT_TEXT + 1, "OpenSSL does not start");
	// Ours alone decides: a system-wide openssl.cnf could bring providers and rules of its own.
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 || signer_init() < 0)
		return -ENOTSUP;
	n->gear.dtls = dtls_ctx_new();
	if (!n->gear.dtls)
		return -ENOMEM;
	n->gear.auth_timeout = (uint32_t)snapshot_number(conf, "auth-timeout");
	ret = vhosts_load(&n->gear.vhosts, conf, text);
	return ret < 0 ? ret : tls_warm_up(&n->gear.vhosts, n->gear.dtls, text);
}

static int drop_user(const struct nursery *n, const struct snapshot *conf, char text[LIMIT_TEXT + 1])
{
	const char *user = snapshot_get(conf, "run-as-user"), *group = snapshot_get(conf, "run-as-group");

	snprintf(text, LIMIT_TEXT + 1, "cannot become user %s", user ? user : "");
	tzset(); // or gmtime_r() would open files, in a worker
	return sandbox_drop_user(SANDBOX_NURSERY, user, group, n->isolate);
}

static int prepare_forks(struct nursery *n, char text[LIMIT_TEXT + 1])
{
	sigset_t set;
	int ret;

	snprintf(text, LIMIT_TEXT + 1, "the system refuses a seccomp filter or a signalfd");
	// Both before memory_settle(): what libseccomp frees is scattered over a hundred kilobytes.
	ret = n->isolate ? sandbox_seccomp_prepare(SANDBOX_WORKER) : 0;
	if (ret == 0 && n->isolate)
		ret = sandbox_seccomp_prepare(SANDBOX_NURSERY);
	if (ret < 0)
		return ret;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	n->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return n->signals < 0 ? -errno : 0;
}

static int start(struct nursery *n)
{
	struct msg_nursery_ready ready = { .ok = 1 };
	struct snapshot *conf;
	int ret;

	ret = snapshot_open(CHILD_FD_CONF, &conf);
	if (ret < 0)
		return errno_log(-ret, "no configuration: %s", strerror(-ret));
	close(CHILD_FD_CONF);
	log_init("penstock-worker", (enum log_level)snapshot_number(conf, "@log-level"),
	         snapshot_get(conf, "@log-form") && strcmp(snapshot_get(conf, "@log-form"), "priority") == 0 ? LOG_FORM_PRIORITY
	                                                                                                     : LOG_FORM_PLAIN);
	n->isolate = snapshot_bool(conf, "isolate-workers");
	n->limit = snapshot_bool(conf, "limit-worker-memory");
	if (!n->isolate)
		log_notice("isolate-workers is off: nursery and workers run without seccomp");
	ret = load_gear(n, conf, ready.text);
	if (ret == 0 && !snapshot_bool(conf, "@trial")) // which anybody may ask for
		ret = drop_user(n, conf, ready.text);
	if (ret == 0)
		ret = prepare_forks(n, ready.text);
	snapshot_free(conf);
	memory_settle();
	if (ret == 0 && n->isolate) // its workers inherit it, so that isolate-workers is about both
		ret = sandbox_seccomp(SANDBOX_NURSERY);
	if (ret == 0)
		ready.text[0] = 0;
	else
		ready.ok = 0;
	CHAN_SEND(&n->main, NURSERY_READY, &ready);
	return ret;
}

static void tend(struct nursery *n)
{
	struct pollfd p[] = { { .fd = n->main.fd, .events = POLLIN }, { .fd = n->signals, .events = POLLIN } };
	int ret;

	while (!n->draining || n->children) {
		if (poll(p, 2, n->stopped ? STOPPED_LOOK_MS : -1) < 0 && errno != EINTR)
			return;
		if (p[1].revents)
			bury_all(n);
		if (n->stopped)
			tell_stopped(n);
		if (!p[0].revents)
			continue;
		ret = chan_serve(&n->main, from_main, n, SERVE_MOST);
		if (n->in_child || (ret <= 0 && ret != -EAGAIN))
			return;
	}
}

int main(void)
{
	static struct nursery n;

	log_init("penstock-worker", LOG_LEVEL_INFO, LOG_FORM_PLAIN);
	memory_init();
	signal(SIGPIPE, SIG_IGN);
	if (sandbox_harden() < 0)
		return EXIT_FAILURE;
	chan_init(&n.main, CHILD_FD_MAIN, ROLE_NURSERY, ROLE_MAIN, CHAN_PLAIN, "main");
	if (start(&n) < 0)
		return EXIT_FAILURE;
	tend(&n);
	if (n.in_child)
		_exit(run_worker(&n)); // without atexit: tidying what is shared would make it ours
	return EXIT_SUCCESS;
}
