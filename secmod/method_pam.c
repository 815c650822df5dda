// auth = pam[service=ocserv]: every login has a process of its own (pam_helper.c), because a module may block, abort, exit or
// crash.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/secret.h"
#include "proto/text.h"
#include "secmod/method.h"
#include "secmod/names.h"
#include "secmod/pam_helper.h"
#include "secmod/pamwire.h"
#include "secmod/secmod.h"

// A helper takes 2 to 3 MB; users sit at their prompts meanwhile.
#define HELPERS_MAX 256
#define WAITING_MAX 4096
// When all places are taken, a user who has not answered for so long loses his to those who wait.
#define PATIENCE_MS 15000
// What a helper may still do after its result (pam_end).
#define AFTERMATH_SECONDS 5

#define DEFAULT_SERVICE "ocserv"

struct pam_config {
	char service[PAMWIRE_SERVICE + 1];
	uint32_t gid_min;
};

struct helper {
	struct attempt *attempt; // NULL: it has had its result, or was cancelled
	pid_t pid;               // 0: waits for its turn
	int fd;                  // -1: closed
	struct event *readable, *aftermath;
	TAILQ_ENTRY(helper) next;
};

TAILQ_HEAD(helper_list, helper);

// The helpers outlive any configuration. Both lists by age.
static struct {
	struct event_base *base;
	struct event *child;
	struct helper_list running, waiting;
	unsigned n_running, n_waiting;
} pam;

static void start_waiting(void);

// --------------------------------------------------------------------------------------------------------- configuration

static int parse_gid(const char *text, uint32_t *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || n > INT32_MAX)
		return -EINVAL;
	*out = n;
	return 0;
}

static bool set_option(struct pam_config *c, const char *key, const char *value)
{
	if (strcmp(key, "gid-min") == 0)
		return parse_gid(value, &c->gid_min) == 0;
	if (strcmp(key, "service") != 0 || strlen(value) > PAMWIRE_SERVICE || strchr(value, '/') != NULL)
		return false;
	strcpy(c->service, value);
	return true;
}

static int pam_load(const struct authspec *spec, void **config, char text[LIMIT_TEXT + 1])
{
	struct pam_config c = { .service = DEFAULT_SERVICE }, *out;

	for (unsigned i = 0; i < spec->n_options; i++) {
		if (set_option(&c, spec->option[i].key, spec->option[i].value))
			continue;
		return text_refuse(text, "option %s=%s is not supported (supported: service=NAME, gid-min=NUMBER)",
		                   spec->option[i].key, spec->option[i].value);
	}
	out = malloc(sizeof(*out));
	if (out == NULL) {
		text_format(text, "no memory");
		return -ENOMEM;
	}
	*out = c;
	*config = out;
	return 0;
}

static void pam_unload(void *config)
{
	free(config);
}

static void take_group(void *who, const char *name)
{
	grouplist_add(who, name, strlen(name));
}

static void pam_groups(void *config, struct grouplist *out)
{
	const struct pam_config *c = config;
	int ret = names_groups(c->gid_min, take_group, out);

	if (ret < 0)
		log_warn("the system's groups cannot be listed: %s", strerror(-ret));
}

// --------------------------------------------------------------------------------------------------------------- helpers

static void hang_up(struct helper *h)
{
	if (h->readable != NULL)
		event_free(h->readable);
	if (h->fd >= 0)
		close(h->fd);
	h->readable = NULL;
	h->fd = -1;
}

static void helper_free(struct helper *h)
{
	hang_up(h);
	if (h->aftermath != NULL)
		event_free(h->aftermath);
	free(h);
}

// It leads a session of its own: what its modules have started goes with it.
static void helper_kill(const struct helper *h)
{
	kill(-h->pid, SIGKILL);
	kill(h->pid, SIGKILL);
}

static void on_aftermath_over(evutil_socket_t fd, short what, void *who)
{
	helper_kill(who);
}

static void fail(struct helper *h, const char *reason)
{
	struct attempt *a = h->attempt;

	h->attempt = NULL;
	if (a != NULL)
		attempt_end(a, AUTH_ERROR, NULL, NULL, reason);
}

static void take_result(struct helper *h, const struct pamwire_result *r)
{
	const struct timeval in = { .tv_sec = AFTERMATH_SECONDS };
	struct attempt *a = h->attempt;

	h->attempt = NULL;
	hang_up(h);
	evtimer_add(h->aftermath, &in);
	if (a != NULL && r->outcome == AUTH_BAD)
		attempt_explain(a, r->say);
	if (a != NULL)
		attempt_end(a, r->outcome, r->user[0] != '\0' ? r->user : NULL, r->group, r->reason);
}

static void on_helper_readable(evutil_socket_t fd, short what, void *who)
{
	struct helper *h = who;
	struct pamwire w;
	int ret = pamwire_receive(h->fd, &w, pamwire_from_helper);

	if (ret == -EAGAIN)
		return;
	if (ret == 1 && w.kind == PAMWIRE_RESULT) {
		take_result(h, &w.result);
		return;
	}
	if (ret == 1 && h->attempt != NULL && !attempt_is_waiting(h->attempt)) {
		attempt_ask(h->attempt, w.ask.prompt, w.ask.echo);
		return;
	}
	// it closed, or spoke nonsense, or out of turn; why it died is known when it is reaped
	hang_up(h);
	helper_kill(h);
}

static void describe_end(int status, char out[PAMWIRE_REASON + 1])
{
	if (WIFSIGNALED(status))
		snprintf(out, PAMWIRE_REASON + 1, "the PAM helper was killed by signal %d (%s)", WTERMSIG(status),
		         strsignal(WTERMSIG(status)));
	else
		snprintf(out, PAMWIRE_REASON + 1, "the PAM helper exited with status %d", WEXITSTATUS(status));
}

static void reap(struct helper *h)
{
	char reason[PAMWIRE_REASON + 1];
	int status;

	// its last words may still lie in the socket
	while (h->fd >= 0 && h->attempt != NULL && !attempt_is_waiting(h->attempt)) {
		const int fd = h->fd;

		on_helper_readable(fd, EV_READ, h);
		if (h->fd == fd)
			break;
	}
	// while the zombie holds its number, its group cannot be anybody else's
	kill(-h->pid, SIGKILL);
	if (waitpid(h->pid, &status, 0) != h->pid)
		return;
	TAILQ_REMOVE(&pam.running, h, next);
	pam.n_running--;
	describe_end(status, reason);
	fail(h, reason);
	helper_free(h);
}

static void on_child(evutil_socket_t sig, short what, void *who)
{
	struct helper *h, *next;

	for (h = TAILQ_FIRST(&pam.running); h != NULL; h = next) {
		siginfo_t info = { 0 };

		next = TAILQ_NEXT(h, next);
		if (waitid(P_PID, h->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == h->pid)
			reap(h);
	}
	start_waiting();
}

static int pam_method_start(struct event_base *base)
{
	if (pam.base != NULL)
		return 0;
	TAILQ_INIT(&pam.running);
	TAILQ_INIT(&pam.waiting);
	pam.child = evsignal_new(base, SIGCHLD, on_child, NULL);
	if (pam.child == NULL || event_add(pam.child, NULL) < 0)
		return -ENOMEM;
	pam.base = base;
	return 0;
}

// Their attempts are over, they were killed: nobody has to wait for them.
static int pam_method_stop(void)
{
	struct helper *h;

	if (pam.base == NULL)
		return 0;
	while ((h = TAILQ_FIRST(&pam.running)) != NULL) {
		helper_kill(h);
		TAILQ_REMOVE(&pam.running, h, next);
		helper_free(h);
	}
	event_free(pam.child);
	pam.base = NULL;
	return 0;
}

// ----------------------------------------------------------------------------------------------------------------- start

static int send_start(const struct helper *h)
{
	const struct attempt *a = h->attempt;
	const struct pam_config *c = a->config;
	struct pamwire w;

	memset(&w, 0, sizeof(w));
	w.kind = PAMWIRE_START;
	strcpy(w.start.service, c->service);
	strcpy(w.start.user, a->user);
	strcpy(w.start.group, a->group);
	addr_text(&a->conn->client, w.start.rhost);
	w.start.gid_min = c->gid_min;
	w.start.seconds = a->settings->auth_timeout_ms / 1000;
	return pamwire_send(h->fd, &w);
}

static int launch(struct helper *h)
{
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	h->fd = fds[0];
	h->aftermath = evtimer_new(pam.base, on_aftermath_over, h);
	h->readable = event_new(pam.base, h->fd, EV_READ | EV_PERSIST, on_helper_readable, h);
	ret = h->aftermath == NULL || h->readable == NULL || event_add(h->readable, NULL) < 0 ? -ENOMEM : 0;
	if (ret == 0)
		ret = evutil_make_socket_nonblocking(h->fd) < 0 ? -EIO : 0;
	if (ret == 0)
		ret = send_start(h);
	if (ret == 0)
		ret = pam_helper_spawn(fds[1], &h->pid);
	close(fds[1]);
	return ret;
}

static void start_one(struct helper *h)
{
	int ret = launch(h);

	if (ret < 0) {
		fail(h, strerror(-ret));
		helper_free(h);
		return;
	}
	TAILQ_INSERT_TAIL(&pam.running, h, next);
	pam.n_running++;
}

static void start_waiting(void)
{
	struct helper *h;

	while (pam.n_running < HELPERS_MAX && (h = TAILQ_FIRST(&pam.waiting)) != NULL) {
		TAILQ_REMOVE(&pam.waiting, h, next);
		pam.n_waiting--;
		start_one(h);
	}
}

static void make_room(void)
{
	const int64_t before = monotonic_ms() - PATIENCE_MS;
	struct helper *h;

	TAILQ_FOREACH(h, &pam.running, next)
	{
		if (h->attempt == NULL || !attempt_is_waiting(h->attempt) || h->attempt->asked_ms > before)
			continue;
		log_notice("all %d PAM helpers are busy: a login that does not answer gives up its place", HELPERS_MAX);
		attempt_expire(h->attempt);
		return;
	}
}

// --------------------------------------------------------------------------------------------------------------- attempt

static void pam_begin(struct attempt *a)
{
	struct helper *h = calloc(1, sizeof(*h));

	if (h == NULL || pam.n_waiting >= WAITING_MAX) {
		free(h);
		attempt_end(a, AUTH_ERROR, NULL, NULL, "too many logins wait for a PAM helper");
		return;
	}
	h->fd = -1;
	h->attempt = a;
	a->work = h;
	if (pam.n_running < HELPERS_MAX) {
		start_one(h);
		return;
	}
	TAILQ_INSERT_TAIL(&pam.waiting, h, next);
	pam.n_waiting++;
	make_room();
}

static void pam_answer(struct attempt *a, const char *password)
{
	struct helper *h = a->work;
	struct pamwire w;
	int ret;

	memset(&w, 0, sizeof(w));
	w.kind = PAMWIRE_ANSWER;
	strcpy(w.answer.password, password);
	ret = h->fd >= 0 ? pamwire_send(h->fd, &w) : 0;
	secret_wipe(&w, sizeof(w));
	// -EPIPE: it died while the user was typing; it will be reaped
	if (ret < 0 && ret != -EPIPE && ret != -ECONNRESET) {
		helper_kill(h);
		log_warn("PAM helper %d takes no answer: %s", h->pid, strerror(-ret));
	}
}

static void pam_cancel(struct attempt *a)
{
	struct helper *h = a->work;

	a->work = NULL;
	if (h == NULL)
		return;
	h->attempt = NULL;
	if (h->pid > 0) {
		hang_up(h);
		helper_kill(h);
		return;
	}
	TAILQ_REMOVE(&pam.waiting, h, next);
	pam.n_waiting--;
	helper_free(h);
}

static void pam_health(health_row row, void *who)
{
	const struct health running = { HEALTH_POOL, "helpers", "pam", "processes, one a login", .outstanding = pam.n_running };
	const struct health waiting = { HEALTH_POOL,        "queue", "pam", "wait for a helper", .outstanding = pam.n_waiting,
		                        .room = WAITING_MAX };

	row(who, &running);
	row(who, &waiting);
}

const struct method method_pam = {
	.name = "pam",
	.kind = AUTH_PASSWORD,
	.start = pam_method_start,
	.stop = pam_method_stop,
	.load = pam_load,
	.unload = pam_unload,
	.groups = pam_groups,
	.health = pam_health,
	.begin = pam_begin,
	.answer = pam_answer,
	.cancel = pam_cancel,
};
