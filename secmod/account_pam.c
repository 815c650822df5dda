// `acct = pam`: pam_open_session and pam_close_session, each in a process of its own (pam_helper.c) that ends at once: foreign
// modules may block or crash, and thousands of sessions must not be thousands of processes. What a module keeps in the memory of
// the process that has opened is not there when the session is closed.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/text.h"
#include "secmod/account.h"
#include "secmod/pam_helper.h"
#include "secmod/pamwire.h"
#include "secmod/secmod.h"

#define RUNNING_MAX 32
#define WAITING_MAX 65536
#define SECONDS_MAX 30 // of one open or close
#define STOP_MS 2000

#define DEFAULT_SERVICE "ocserv"

struct pam_accounting {
	char service[PAMWIRE_SERVICE + 1];
};

struct job {
	TAILQ_ENTRY(job) next;
	uint8_t sid[SID_SIZE];
	struct pamwire_start start;
	pid_t pid; // 0: waits for its turn
	int fd;
	struct event *timeout;
};
TAILQ_HEAD(job_list, job);

static struct {
	struct event_base *base;
	struct event *child;
	struct job_list running, waiting; // by age
	unsigned n_running, n_waiting;
} pam;

// ------------------------------------------------------------------------------------------------------------------- jobs

static void job_free(struct job *j)
{
	if (j->timeout)
		event_free(j->timeout);
	if (j->fd >= 0)
		close(j->fd);
	free(j);
}

static void on_timeout(evutil_socket_t fd, short what, void *who)
{
	const struct job *j = who;

	kill(-j->pid, SIGKILL);
	kill(j->pid, SIGKILL);
}

static int launch(struct job *j)
{
	const struct timeval limit = { .tv_sec = SECONDS_MAX };
	struct pamwire w = { .kind = PAMWIRE_START, .start = j->start };
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	j->fd = fds[0];
	j->timeout = evtimer_new(pam.base, on_timeout, j);
	ret = !j->timeout || evtimer_add(j->timeout, &limit) < 0 ? -ENOMEM : evutil_make_socket_nonblocking(j->fd) < 0 ? -EIO : 0;
	if (ret == 0)
		ret = pamwire_send(j->fd, &w);
	if (ret == 0)
		ret = pam_helper_spawn(fds[1], &j->pid);
	close(fds[1]);
	return ret;
}

static const char *word(const struct job *j)
{
	return j->start.session == PAMWIRE_OPEN ? "opened" : "closed";
}

static void failed(const struct job *j, const char *why)
{
	log_err("accounting: the PAM session of '%s' cannot be %s: %s", j->start.user, word(j), why);
	if (j->start.session == PAMWIRE_OPEN)
		account_deny(j->sid);
}

// The one before of the same session has not ended.
static bool has_to_wait(const struct job *j)
{
	const struct job *r;

	TAILQ_FOREACH(r, &pam.running, next)
	if (memcmp(r->sid, j->sid, SID_SIZE) == 0)
		return true;
	return false;
}

static struct job *first_ready(void)
{
	struct job *j;

	TAILQ_FOREACH(j, &pam.waiting, next)
	if (!has_to_wait(j))
		return j;
	return NULL;
}

// One that fails can be the end of its session, which then has another job for us: that joins the queue, and is not begun within.
static void start_waiting(void)
{
	static bool at_it;
	struct job *j;
	int ret;

	if (at_it)
		return;
	at_it = true;
	while (pam.n_running < RUNNING_MAX && (j = first_ready()) != NULL) {
		TAILQ_REMOVE(&pam.waiting, j, next);
		pam.n_waiting--;
		ret = launch(j);
		if (ret < 0) {
			failed(j, strerror(-ret));
			job_free(j);
			continue;
		}
		TAILQ_INSERT_TAIL(&pam.running, j, next);
		pam.n_running++;
	}
	at_it = false;
}

static void reap(struct job *j)
{
	struct pamwire w;
	int status;

	kill(-j->pid, SIGKILL); // what its modules have started; nobody else has its number while it is a zombie
	if (waitpid(j->pid, &status, 0) != j->pid)
		return;
	TAILQ_REMOVE(&pam.running, j, next);
	pam.n_running--;
	if (pamwire_receive(j->fd, &w, pamwire_from_helper) != 1 || w.kind != PAMWIRE_RESULT)
		failed(j, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "its process ended without a word");
	else if (w.result.outcome != AUTH_OK)
		failed(j, w.result.reason);
	job_free(j);
}

static void on_child(evutil_socket_t sig, short what, void *who)
{
	struct job *j, *next;

	for (j = TAILQ_FIRST(&pam.running); j; j = next) {
		siginfo_t info = { 0 };

		next = TAILQ_NEXT(j, next);
		if (waitid(P_PID, (id_t)j->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == j->pid)
			reap(j);
	}
	start_waiting();
}

static void job_add(const struct account *a, enum pamwire_session session)
{
	const struct pam_accounting *c = a->acct->config;
	struct job *j = pam.n_waiting < WAITING_MAX ? calloc(1, sizeof(*j)) : NULL;

	if (!j) {
		log_err("accounting: the PAM session of '%s': too many wait", a->user);
		if (session == PAMWIRE_OPEN)
			account_deny(a->sid);
		return;
	}
	j->fd = -1;
	memcpy(j->sid, a->sid, SID_SIZE);
	strcpy(j->start.service, c->service);
	strcpy(j->start.user, a->user);
	addr_text(&a->client, j->start.rhost);
	snprintf(j->start.tty, sizeof(j->start.tty), "penstock%u", a->id);
	j->start.seconds = SECONDS_MAX;
	j->start.session = (uint8_t)session;
	TAILQ_INSERT_TAIL(&pam.waiting, j, next);
	pam.n_waiting++;
	start_waiting();
}

static void begin(struct account *a)
{
	job_add(a, PAMWIRE_OPEN);
}

static void end(struct account *a)
{
	job_add(a, PAMWIRE_CLOSE);
}

// ------------------------------------------------------------------------------------------------------------------- life

static int start(struct event_base *base)
{
	TAILQ_INIT(&pam.running);
	TAILQ_INIT(&pam.waiting);
	pam.child = evsignal_new(base, SIGCHLD, on_child, NULL);
	if (!pam.child || event_add(pam.child, NULL) < 0)
		return -ENOMEM;
	pam.base = base;
	return 0;
}

// Sessions that end with the gateway are closed, as far as there is time.
static void stop(struct event_base *base)
{
	const struct timeval step = { .tv_usec = 20000 };
	int64_t deadline = monotonic_ms() + STOP_MS;
	struct job *j;

	if (!pam.base)
		return;
	while (pam.n_running + pam.n_waiting > 0 && monotonic_ms() < deadline) {
		event_base_loopexit(base, &step);
		if (event_base_dispatch(base) != 0)
			break;
	}
	if (pam.n_running + pam.n_waiting > 0)
		log_err("accounting: %u PAM sessions are not closed", pam.n_running + pam.n_waiting);
	while ((j = TAILQ_FIRST(&pam.running))) {
		TAILQ_REMOVE(&pam.running, j, next);
		kill(-j->pid, SIGKILL);
		kill(j->pid, SIGKILL);
		job_free(j);
	}
	while ((j = TAILQ_FIRST(&pam.waiting))) {
		TAILQ_REMOVE(&pam.waiting, j, next);
		job_free(j);
	}
	event_free(pam.child);
	pam.base = NULL;
}

static int load(const struct authspec *spec, const struct snapshot *snap, void **config, char text[LIMIT_TEXT + 1])
{
	struct pam_accounting *c = calloc(1, sizeof(*c));

	if (!c)
		return text_refuse(text, "no memory");
	strcpy(c->service, DEFAULT_SERVICE);
	for (unsigned i = 0; i < spec->n_options; i++) {
		const char *key = spec->option[i].key, *value = spec->option[i].value;

		if (strcmp(key, "service") != 0 || strlen(value) > PAMWIRE_SERVICE || strchr(value, '/')) {
			free(c);
			return text_refuse(text, "option %s=%s is not supported (supported: service=NAME)", key, value);
		}
		strcpy(c->service, value);
	}
	*config = c;
	return 0;
}

const struct accounting accounting_pam = {
	.name = "pam",
	.start = start,
	.stop = stop,
	.load = load,
	.unload = free,
	.begin = begin,
	.end = end,
};
