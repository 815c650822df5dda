#include "control/main/upgrade.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/main/admin.h"
#include "control/main/events.h"
#include "control/main/deposit.h"
#include "control/main/handover.h"
#include "control/main/keeper.h"
#include "control/main/listen.h"
#include "control/main/notify.h"
#include "control/main/program.h"
#include "control/main/reload.h"
#include "control/main/renew.h"
#include "control/main/session.h"
#include "control/main/supervise.h"
#include "control/main/takeover.h"
#include "control/main/utmp.h"
#include "proto/err.h"

#define ENVIRONMENT_MAX 256
#define QUIET_POLL_MS 2
#define QUIET_MS 2000 // then nobody more is let in
#define QUIET_MAX_MS 20000

struct upgrade {
	int program_fd;
	pid_t trial;        // 0: it has passed
	struct event words; // what it says on stderr
	struct event timer; // it hangs; then: is it quiet now?
	uint64_t since_ms;  // it has passed
	bool holds;         // nobody more is let in
	char said[1024];
	size_t said_len;
};

static void timer_set(struct upgrade *u, uint64_t ms)
{
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	evtimer_add(&u->timer, &tv);
}

static void upgrade_free(struct gateway *g)
{
	struct upgrade *u = g->upgrade;

	g->upgrade = NULL;
	if (evtimer_initialized(&u->timer))
		evtimer_del(&u->timer);
	if (event_initialized(&u->words)) {
		event_del(&u->words);
		close(event_get_fd(&u->words));
	}
	if (u->trial)
		kill(u->trial, SIGKILL); // reaped as a stranger
	close(u->program_fd);
	free(u);
	listen_resume(g);
}

static void refuse(struct gateway *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void refuse(struct gateway *g, const char *fmt, ...)
{
	char why[LIMIT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	events_gateway(g, LOG_LEVEL_ERR, "upgrade refused: %s; everything stays as it is", why);
	if (g->upgrade)
		upgrade_free(g);
	admin_upgraded(g, false, why);
}

// ----------------------------------------------------------------------------------------------------------------- state

static int state_take(struct gateway *g, struct state_writer *w, int *fd)
{
	const struct keeper_link *link = deposit_link(g);
	struct handover_process self = *g->self;
	int ret;

	self.left_ms = clock_ms();
	self.keeper_fd = link ? link->fd : -1;
	self.page_fd = link ? link->page_fd : -1;
	state_writer_init(w);
	ret = handover_save(g, &self, w);
	return ret < 0 ? ret : state_seal(w, fd);
}

static void fds_keep(const struct state_writer *w, bool over_exec)
{
	for (size_t i = 0; i < w->n_fds; i++)
		fcntl(w->fds[i], F_SETFD, over_exec ? 0 : FD_CLOEXEC);
}

// Does not return but on failure: -errno.
static int become(const struct gateway *g, const char *word)
{
	char *env[ENVIRONMENT_MAX + 2];
	size_t n = 0;

	for (char **e = environ; *e && n < ENVIRONMENT_MAX; e++)
		env[n++] = *e;
	env[n++] = (char *)word;
	env[n] = NULL;
	execveat(g->upgrade->program_fd, "", g->argv, env, AT_EMPTY_PATH);
	return -errno;
}

// ----------------------------------------------------------------------------------------------------------------- trial

static void on_words(evutil_socket_t fd, short what, void *arg)
{
	struct upgrade *u = ((struct gateway *)arg)->upgrade;
	size_t room = sizeof(u->said) - 1 - u->said_len;
	char rest[512];
	ssize_t n = room ? read(fd, u->said + u->said_len, room) : read(fd, rest, sizeof(rest));

	if (n > 0 && room)
		u->said_len += (size_t)n;
	else if (n == 0)
		event_del(&u->words);
}

static void on_hang(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;

	refuse(g, "%s does not say within %d seconds whether it could take over", g->self->program, TAKEOVER_SECONDS);
}

static void become_trial(struct gateway *g, const struct state_writer *w, int state_fd, int words)
{
	char word[64];
	int ret;

	// if we end meanwhile nobody waits for it
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(words, STDERR_FILENO);
	fds_keep(w, true);
	fcntl(state_fd, F_SETFD, 0);
	snprintf(word, sizeof(word), "%s=trial:%d", TAKEOVER_WORD, state_fd);
	ret = become(g, word);
	dprintf(STDERR_FILENO, "%s\n", strerror(-ret));
	_exit(127);
}

static int trial_start(struct gateway *g)
{
	struct upgrade *u = g->upgrade;
	struct state_writer w;
	int state_fd = -1, words[2], ret;

	if (pipe2(words, O_CLOEXEC) < 0)
		return -errno;
	// when it has ended, somebody of its own may still hold the other end
	fcntl(words[0], F_SETFL, O_NONBLOCK);
	event_assign(&u->words, g->base, words[0], EV_READ | EV_PERSIST, on_words, g);
	event_add(&u->words, NULL);
	ret = state_take(g, &w, &state_fd);
	if (ret == 0) {
		u->trial = fork();
		ret = u->trial < 0 ? -errno : 0;
	}
	if (ret == 0 && u->trial == 0)
		become_trial(g, &w, state_fd, words[1]);
	u->trial = ret == 0 ? u->trial : 0;
	close(words[1]);
	if (state_fd >= 0)
		close(state_fd);
	state_writer_fini(&w);
	evtimer_assign(&u->timer, g->base, on_hang, g);
	timer_set(u, TAKEOVER_SECONDS * 1000);
	return ret;
}

// The last line that it has said, without who says it.
static const char *reason(struct upgrade *u)
{
	char *line, *colon;

	while (u->said_len > 0 && u->said[u->said_len - 1] == '\n')
		u->said_len--;
	u->said[u->said_len] = '\0';
	line = strrchr(u->said, '\n');
	line = line ? line + 1 : u->said;
	colon = strncmp(line, "penstockd[", 10) == 0 ? strstr(line, "]: ") : NULL;
	for (char *p = line; *p; p++)
		if (*p > 0 && *p < ' ')
			*p = ' ';
	return colon ? colon + 3 : line;
}

static void trial_over(struct gateway *g, int status)
{
	struct upgrade *u = g->upgrade;

	u->trial = 0;
	if (event_pending(&u->words, EV_READ, NULL))
		on_words(event_get_fd(&u->words), EV_READ, g);
	if (WIFSIGNALED(status))
		refuse(g, "%s crashes (signal %d) when it is to take over", g->self->program, WTERMSIG(status));
	else if (WEXITSTATUS(status) != TAKEOVER_ABLE)
		refuse(g, "%s cannot take over: %s", g->self->program, u->said_len ? reason(u) : "it does not say why");
}

// -------------------------------------------------------------------------------------------------------------- exchange

static bool is_quiet(struct gateway *g)
{
	const struct conn *c;

	if (!supervise_is_quiet(g) || programs_busy(g) || utmp_busy(g))
		return false;
	TAILQ_FOREACH(c, &g->conns, all)
	if (!conn_is_quiet(c))
		return false;
	for (uint32_t i = 0; i < g->tunnels_max; i++)
		if (g->tunnels[i] && !tunnel_is_quiet(g->tunnels[i]))
			return false;
	return true;
}

// NULL: it may begin, or go on.
static const char *why_not_now(const struct gateway *g)
{
	const struct child *all[] = { g->secmod, g->dataplane, g->nursery };

	if (g->recovery)
		return "the main process is being replaced";
	if (g->reload)
		return "a reload is going on";
	if (g->door.draining)
		return "the gateway is about to stop";
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!all[i] || !all[i]->ready || all[i]->link.chan.fd < 0)
			return "the gateway is not whole";
		else if (all[i]->stuck)
			return "a part of it does not answer";
	return g->phase == GATEWAY_UP ? NULL : "the gateway is not up";
}

// Only where it fails does it return.
static int exchange(struct gateway *g)
{
	int state_fd = -1, back_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), ret;
	struct state_writer w;
	char word[64];

	if (back_fd < 0)
		return -errno;
	ret = state_take(g, &w, &state_fd);
	if (ret == 0) {
		snprintf(word, sizeof(word), "%s=go:%d:%d", TAKEOVER_WORD, state_fd, back_fd);
		notify_alive();
		takeover_signals_hold();
		fds_keep(&w, true);
		fcntl(state_fd, F_SETFD, 0);
		fcntl(back_fd, F_SETFD, 0);
		deposit_becoming(g, true);
		ret = become(g, word);
		deposit_becoming(g, false);
		fds_keep(&w, false);
		takeover_signals_release();
	}
	if (state_fd >= 0)
		close(state_fd);
	close(back_fd);
	state_writer_fini(&w);
	return ret;
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;
	struct upgrade *u = g->upgrade;
	const char *why = why_not_now(g);
	int ret;

	if (why) {
		refuse(g, "not now: %s", why);
		return;
	}
	// to tell others to go may take words of its own
	if (is_quiet(g) && admin_only(g, MSG_ADMIN_END, "penstockd is being replaced; ask again") && is_quiet(g)) {
		ret = exchange(g);
		refuse(g, "%s: %s", g->self->program, strerror(-ret));
	} else if (clock_ms() >= u->since_ms + QUIET_MAX_MS) {
		refuse(g, "not now: for %d seconds there was always somebody between his login and his tunnel",
		       QUIET_MAX_MS / 1000);
	} else {
		if (clock_ms() >= u->since_ms + QUIET_MS && !u->holds) {
			u->holds = true;
			listen_pause(g);
		}
		timer_set(u, QUIET_POLL_MS);
	}
}

bool upgrade_reaped(struct gateway *g, pid_t pid, int status)
{
	struct upgrade *u = g->upgrade;

	if (!u || u->trial != pid)
		return false;
	trial_over(g, status);
	if (!g->upgrade)
		return true;
	log_notice("upgrade: %s can take over", g->self->program);
	evtimer_del(&u->timer);
	evtimer_assign(&u->timer, g->base, on_poll, g);
	u->since_ms = clock_ms();
	timer_set(u, 0);
	return true;
}

void upgrade_signal(struct gateway *g)
{
	const char *why = why_not_now(g);

	if (!why || g->upgrade || g->phase != GATEWAY_UP || g->door.draining) {
		log_notice("SIGUSR1: upgrade");
		upgrade_start(g);
		return;
	}
	log_notice("SIGUSR1: upgrade, but not yet: %s", why);
	g->upgrade_due = true;
}

void upgrade_resume(struct gateway *g)
{
	if (!g->upgrade_due || g->upgrade || why_not_now(g))
		return;
	g->upgrade_due = false;
	upgrade_start(g);
}

void upgrade_start(struct gateway *g)
{
	const char *why = g->upgrade ? "another upgrade is going on" : why_not_now(g);
	int fd = -1, ret;

	if (why) {
		if (g->upgrade) // whoever waits, waits for that one
			log_warn("upgrade: %s", why);
		else
			refuse(g, "not now: %s", why);
		return;
	}
	fd = open(g->self->program, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		refuse(g, "%s: %s", g->self->program, strerror(errno));
		return;
	}
	g->upgrade = calloc(1, sizeof(*g->upgrade));
	if (!g->upgrade) {
		close(fd);
		refuse(g, "out of memory");
		return;
	}
	g->upgrade->program_fd = fd;
	log_notice("upgrade: %s is tried", g->self->program);
	ret = trial_start(g);
	if (ret < 0)
		refuse(g, "%s: %s", g->self->program, strerror(-ret));
}

bool upgrade_holds(const struct gateway *g)
{
	return g->upgrade && g->upgrade->holds;
}

void upgrade_give_up(struct gateway *g)
{
	if (g->upgrade)
		refuse(g, "the gateway stops");
}

// --------------------------------------------------------------------------------------------------------------- arrived

void upgrade_arrived(struct gateway *g, const struct takeover *t, struct handover *h)
{
	char text[LIMIT_TEXT];

	if (t->kind == TAKEOVER_BACK) {
		snprintf(text, sizeof(text), "the new penstockd has failed: %s; penstockd %s goes on", t->why, PENSTOCK_VERSION);
		events_gateway(g, LOG_LEVEL_ERR, "upgrade: %s", text);
		admin_upgraded(g, false, text);
		return;
	}
	events_gateway(g, LOG_LEVEL_NOTICE, "penstockd %s has taken over from %s in %llu ms: %zu sessions, %zu connections",
	               PENSTOCK_VERSION, h->process.version, (unsigned long long)(clock_ms() - h->process.left_ms),
	               g->sessions_count, g->conns_count);
	reload_again(g, h->config_again);
	h->config_again = NULL;
}

void upgrade_settled(struct gateway *g, bool ok, const char *text)
{
	char why[LIMIT_TEXT];

	if (ok) {
		snprintf(why, sizeof(why), "penstockd %s has taken over", PENSTOCK_VERSION);
	} else {
		snprintf(why, sizeof(why), "penstockd %s has taken over, but new workers stay those of before: %.512s",
		         PENSTOCK_VERSION, text);
		log_err("upgrade: %s", why);
	}
	admin_upgraded(g, ok, why);
	if (ok)
		renew_begin(g);
}
