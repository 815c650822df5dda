#include "control/main/supervise.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/main/admin.h"
#include "control/main/config.h"
#include "control/main/conn.h"
#include "control/main/events.h"
#include "control/main/handover.h"
#include "control/main/inner.h"
#include "control/main/listen.h"
#include "control/main/logline.h"
#include "control/main/metrics.h"
#include "control/main/peers.h"
#include "control/main/program.h"
#include "control/main/pulse.h"
#include "control/main/recover.h"
#include "control/main/refill.h"
#include "control/main/reload.h"
#include "control/main/renew.h"
#include "control/main/session.h"
#include "control/main/spawn.h"
#include "control/main/syslogger.h"
#include "control/main/upgrade.h"
#include "proto/err.h"
#include "proto/snapshot.h"

#define START_SECONDS 60  // the dataplane may have to wait for huge pages
#define LINGER_SECONDS 2  // from the end of its channel to SIGKILL
#define RETIRE_SECONDS 10 // what it still has to write or to tell RADIUS servers
#define STABLE_MS 30000   // a child that lived so long has not failed at its start
#define FAILURES_MAX 8
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 5000
#define CHILD_QUEUE 65536 // messages: a reconnect of everybody while a child is busy

const struct child_kind child_secmod = { .name = "sec-mod",
	                                 .binary = "penstock-secmod",
	                                 .role = ROLE_SECMOD,
	                                 .part = PART_SECMOD,
	                                 .view = VIEW_SECRET,
	                                 .handlers = &from_secmod_handlers,
	                                 .queue = CHILD_QUEUE };
const struct child_kind child_dataplane = { .name = "dataplane",
	                                    .binary = "penstock-dataplane",
	                                    .role = ROLE_DATAPLANE,
	                                    .part = PART_DATAPLANE,
	                                    .handlers = &from_dataplane_handlers,
	                                    .queue = CHILD_QUEUE };
const struct child_kind child_nursery = { .name = "nursery",
	                                  .binary = "penstock-worker",
	                                  .role = ROLE_NURSERY,
	                                  .view = VIEW_NURSERY,
	                                  .part = PART_NURSERY,
	                                  .handlers = &from_nursery_handlers,
	                                  .queue = CHILD_QUEUE };
const struct child_kind child_metrics = { .name = "metrics",
	                                  .binary = "penstock-metrics",
	                                  .role = ROLE_METRICS,
	                                  .part = PART_METRICS,
	                                  .handlers = &from_metrics_handlers,
	                                  .queue = CHILD_QUEUE };

static struct respawn *respawn_of(struct gateway *g, const struct child_kind *kind)
{
	return &g->respawn[kind->part];
}

static struct child **slot_of(struct gateway *g, const struct child_kind *kind)
{
	struct child **const slots[PARTS] = {
		[PART_SECMOD] = &g->secmod,
		[PART_DATAPLANE] = &g->dataplane,
		[PART_NURSERY] = &g->nursery,
		[PART_METRICS] = &g->reporter,
	};

	return slots[kind->part];
}

static void timer_set(struct event *timer, uint64_t ms)
{
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	evtimer_add(timer, &tv);
}

// ----------------------------------------------------------------------------------------------------------------- start

const char *supervise_libexec(void)
{
	static char dir[4096];
	char probe[4200];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	char *slash;

	if (n > 0) {
		dir[n] = 0;
		slash = strrchr(dir, '/');
		if (slash)
			*slash = 0;
		snprintf(probe, sizeof(probe), "%s/%s", dir, child_nursery.binary);
		if (access(probe, X_OK) == 0)
			return dir;
	}
	return PENSTOCK_LIBEXECDIR;
}

void child_kill(struct child *c)
{
	if (c->pid)
		kill(c->pid, SIGKILL);
}

// No client can be served without it.
static void pause_without(struct gateway *g, const struct child_kind *kind)
{
	if (kind == &child_metrics)
		return;
	if (g->accepting)
		g->figures.pauses[PAUSE_PARTS]++;
	listen_pause(g);
}

void child_retire(struct child *c)
{
	respawn_of(c->g, c->kind)->failures = 0;
	c->leaving = true;
	c->ready = false;
	link_close(&c->link);
	pause_without(c->g, c->kind);
	timer_set(&c->timer, RETIRE_SECONDS * 1000);
}

// Its process is reaped later; then supervise_reap() does the rest.
static void on_ended(void *who, int why)
{
	struct child *c = who;

	link_close(&c->link);
	c->ready = false;
	if (*slot_of(c->g, c->kind) == c)
		pause_without(c->g, c->kind);
	if (c == c->g->reporter)
		metrics_lost(c->g);
	if (why < 0)
		child_kill(c);
	else
		timer_set(&c->timer, LINGER_SECONDS * 1000);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	if (c->link.chan.fd >= 0 && !c->refused)
		log_err("%s (pid %d) is not ready after %d seconds", c->kind->name, (int)c->pid, START_SECONDS);
	child_kill(c);
}

static int child_exec(struct child *c, int main_fd, int snapshot_fd)
{
	struct spawn_fds fds = { .main = main_fd, .conf = snapshot_fd, .log = -1 };
	int sockets[CHILD_SOCKETS_MAX], ret;
	char path[4200];

	snprintf(path, sizeof(path), "%s/%s", supervise_libexec(), c->kind->binary);
	if (c->g->to_syslog) {
		c->log = logpipe_new(c->g->base, c->kind->name, &fds.log);
		if (!c->log)
			return -errno;
	}
	fds.sockets = sockets;
	if (c->kind == &child_dataplane)
		fds.n_sockets = listen_sockets(c->g, sockets, CHILD_SOCKETS_MAX);
	ret = spawn(path, &fds, &c->pid);
	if (fds.log >= 0)
		close(fds.log);
	return ret;
}

static void end_forget(struct child *c)
{
	if (!c->end)
		return;
	close(event_get_fd(c->end));
	event_free(c->end);
	c->end = NULL;
}

static void child_free(struct child *c)
{
	TAILQ_REMOVE(&c->g->children, c, all);
	deposit_leave(c->g, &c->mark);
	end_forget(c);
	link_close(&c->link);
	evtimer_del(&c->timer);
	logpipe_free(c->log);
	free(c);
}

// One that answers HTTP ends with its channel, and another is started.
static void deposit_child(struct child *c)
{
	if (c->kind != &child_metrics)
		deposit_enter(c->g, &c->mark, VAULT_CHILD, (uint64_t)c->pid, c);
}

static void child_enter(struct gateway *g, struct child *c, const struct child_kind *kind)
{
	c->g = g;
	c->kind = kind;
	c->link.handlers = *kind->handlers;
	c->link.who = c;
	c->link.ended = on_ended;
	evtimer_assign(&c->timer, g->base, on_timer, c);
	TAILQ_INSERT_TAIL(&g->children, c, all);
}

static struct child *child_start(struct gateway *g, const struct child_kind *kind, const struct pictures *p)
{
	struct child *c = calloc(1, sizeof(*c));
	int fds[2], ret;

	if (!c) {
		log_err("%s: out of memory", kind->name);
		return NULL;
	}
	c->since_ms = clock_ms();
	snprintf(c->version, sizeof(c->version), "%s", g->self->version);
	c->link.chan.fd = -1;
	child_enter(g, c, kind);
	ret = chan_pair(fds);
	if (ret < 0)
		goto fail;
	chan_init(&c->link.chan, fds[0], ROLE_MAIN, kind->role, CHAN_PLAIN, "%s", kind->name);
	ret = link_open(&c->link, g->base, kind->queue);
	if (ret == 0)
		ret = child_exec(c, fds[1], p->fd[kind->view]);
	close(fds[1]);
	if (ret < 0)
		goto fail;
	timer_set(&c->timer, START_SECONDS * 1000);
	deposit_child(c);
	g->figures.starts[kind->part]++;
	log_debug("%s started (pid %d)", kind->name, (int)c->pid);
	return c;
fail:
	log_err("%s: cannot be started: %s", kind->name, strerror(-ret));
	child_free(c);
	return NULL;
}

// ------------------------------------------------------------------------------------------------------------------ step

static void respawn_later(struct gateway *g, const struct child_kind *kind, bool lived)
{
	struct respawn *r = respawn_of(g, kind);
	uint64_t pause = PAUSE_FIRST_MS;

	if (lived)
		r->failures = 0;
	if (g->phase == GATEWAY_STARTING) {
		gateway_stop(g, 1, "start failed");
		return;
	}
	if (++r->failures > FAILURES_MAX) {
		log_err("%s does not stay alive: giving up", kind->name);
		if (kind == &child_metrics)
			return;
		gateway_stop(g, 1, "a part of it is missing");
		return;
	}
	for (unsigned i = 1; i < r->failures && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	pause = pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
	if (r->failures > 1)
		events_gateway(g, LOG_LEVEL_WARN, "%s has died %u times in a row: the next one in %llu ms%s", kind->name,
		               r->failures, (unsigned long long)pause,
		               r->failures == FAILURES_MAX && kind != &child_metrics ? ", and it is the last" : "");
	timer_set(&r->timer, r->failures == 1 ? 0 : pause);
}

// It is ready as soon as it runs: nobody waits for it.
static void metrics_begin(struct child *c)
{
	evtimer_del(&c->timer);
	c->ready = true;
	metrics_started(c);
}

// True: it is ready. Else it has been started, or its time has not come yet.
static bool have(struct gateway *g, const struct child_kind *kind)
{
	struct child **slot = slot_of(g, kind);

	if (!*slot && !evtimer_pending(&respawn_of(g, kind)->timer, NULL)) {
		*slot = child_start(g, kind, &g->pictures);
		if (!*slot)
			respawn_later(g, kind, false);
		else if (kind == &child_metrics)
			metrics_begin(*slot);
	}
	return *slot && (*slot)->ready;
}

const struct child_kind *supervise_failing(const struct gateway *g, unsigned *times)
{
	static const struct child_kind *const kinds[] = { &child_secmod, &child_dataplane, &child_nursery, &child_metrics };
	struct gateway *any = (struct gateway *)g;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const struct child *c = *slot_of(any, kinds[i]);

		*times = respawn_of(any, kinds[i])->failures;
		if (*times > 1 && !(c && c->ready && clock_ms() - c->since_ms > STABLE_MS))
			return kinds[i];
	}
	return NULL;
}

void supervise_step(struct gateway *g)
{
	if (g->phase == GATEWAY_STOPPING)
		return;
	if (!have(g, &child_secmod) || !have(g, &child_dataplane) || !have(g, &child_nursery))
		return;
	if (g->phase == GATEWAY_STARTING)
		gateway_up(g);
	door_settle(g);
	reload_resume(g);
	upgrade_resume(g);
	if (g->metrics)
		have(g, &child_metrics);
}

static void on_respawn(evutil_socket_t fd, short what, void *arg)
{
	supervise_step(arg);
}

void supervise_go_on(struct gateway *g)
{
	// workers outlive their nursery, and somebody has to wait for them
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (size_t i = 0; i < sizeof(g->respawn) / sizeof(*g->respawn); i++)
		evtimer_assign(&g->respawn[i].timer, g->base, on_respawn, g);
	refill_init(g);
	pulse_open(g);
}

void supervise_open(struct gateway *g)
{
	supervise_go_on(g);
	supervise_step(g);
}

void child_ready(struct child *c, bool ok, const char *text)
{
	struct gateway *g = c->g;

	c->refused = !ok;
	if (c->next) {
		if (g->reload)
			reload_nursery_ready(g, ok, text);
		return;
	}
	if (!ok) {
		log_err("%s: %s", c->kind->name, text);
		// it ends by itself
		timer_set(&c->timer, LINGER_SECONDS * 1000);
		return;
	}
	evtimer_del(&c->timer);
	c->ready = true;
	deposit_changed(g, &c->mark);
	deposit_whole(g);
	log_info("%s is ready (pid %d)%s%s", c->kind->name, (int)c->pid, text[0] ? ": " : "", text);
	supervise_step(g);
}

// --------------------------------------------------------------------------------------------------------------- nursery

struct child *supervise_next(struct gateway *g, const struct child_kind *kind, const struct pictures *p)
{
	struct child *c = child_start(g, kind, p);

	if (c)
		c->next = true;
	return c;
}

void supervise_switch_nursery(struct gateway *g, struct child *next)
{
	struct child *old = g->nursery;

	evtimer_del(&next->timer);
	next->next = false;
	next->ready = true;
	g->nursery = next;
	supervise_changed(g);
	if (!old)
		return;
	old->leaving = true;
	LINK_SEND(&old->link, NURSERY_DRAIN, &(struct msg_nursery_drain){ .now = 0 });
}

// ----------------------------------------------------------------------------------------------------------------- death

// One that has refused to start has said why, and one that was told to leave leaves.
static void log_death(const struct child *c, int status)
{
	bool told = status < 0 || WIFSIGNALED(status) ? status < 0 || WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0;
	bool expected = (c->leaving && told) || (c->refused && status >= 0 && !WIFSIGNALED(status));
	char text[64];

	if (status < 0)
		snprintf(text, sizeof(text), "has ended");
	else
		spawn_end(status, text, sizeof(text));
	if (expected)
		log_debug("%s (pid %d) %s", c->kind->name, (int)c->pid, text);
	else
		events_process(c->g, c->kind->name, (int)c->pid, text);
}

static void lose(struct gateway *g, const struct child *c)
{
	if (c->kind == &child_metrics) {
		metrics_lost(g);
	} else if (c->kind == &child_secmod) {
		// logins in progress went with it; the next one knows the sessions (keep.h), and tunnels that are up need none
		conn_end_logins(g, NULL, END_ERROR);
		g->logins_wait = false;
		admin_peer_lost(g, MSG_SESSION_ROWS_END, "sec-mod has died; try again");
		admin_peer_lost(g, MSG_SESSION_SYNCED, "sec-mod has died; try again");
		admin_peer_lost(g, MSG_AUTH_STATUS_END, "sec-mod has died; try again");
	} else if (c->kind == &child_dataplane) {
		refill_lose(g);
		inner_down(g);
		admin_dataplane_lost(g, "the dataplane has died; try again");
	}
}

static void child_died(struct child *c, int status)
{
	struct gateway *g = c->g;
	const struct child_kind *kind = c->kind;
	struct child **slot = slot_of(g, kind);
	bool current = *slot == c, lived = c->ready && clock_ms() - c->since_ms > STABLE_MS;
	char why[64];

	// its last words (what is wrong with a certificate, a worker's end) may still lie in its channel
	link_read_rest(&c->link);
	log_death(c, status);
	c->ready = false;
	recover_told(c);
	c->pid = 0;
	if (current) {
		*slot = NULL;
		pause_without(g, kind);
	}
	if (kind == &child_nursery)
		conn_lose_nursery(g, c);
	if (current)
		lose(g, c);
	if (c->next && kind == &child_secmod)
		renew_tried(c, false, "it has died");
	else if (c->next && g->reload)
		reload_nursery_ready(g, false, "the new nursery died");
	snprintf(why, sizeof(why), "%s died meanwhile", kind->name);
	if (current && kind != &child_metrics)
		reload_peer_lost(g, why);
	child_free(c);
	if (!current || g->phase == GATEWAY_STOPPING)
		return;
	respawn_later(g, kind, lived);
	supervise_step(g);
}

void supervise_reap(struct gateway *g)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		supervise_ended(g, pid, status);
}

void supervise_ended(struct gateway *g, pid_t pid, int status)
{
	struct child *c;

	if (upgrade_reaped(g, pid, status))
		return;
	TAILQ_FOREACH(c, &g->children, all)
	if (c->pid == pid)
		break;
	if (c)
		child_died(c, status);
	else if (!programs_reap(g, pid, status))
		conn_reaped(g, pid, status);
}

static pid_t parent_of(pid_t pid)
{
	char path[32], text[512], *end;
	int fd, parent;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	end = strrchr(text, ')'); // its name may have any character
	return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : -1;
}

bool supervise_is_ours(const struct gateway *g, pid_t pid)
{
	pid_t parent = pid > 0 ? parent_of(pid) : -1;

	// main is the keeper's child, too, and is no part of its own
	return parent > 0 && pid != getpid() && (parent == getpid() || (g->deposit && parent == getppid()));
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	child_died(arg, -1);
}

void supervise_unkept(struct gateway *g)
{
	struct child *c;
	int fd;

	TAILQ_FOREACH(c, &g->children, all)
	{
		if (supervise_is_ours(g, c->pid))
			continue;
		fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
		c->end = fd < 0 ? NULL : event_new(g->base, fd, EV_READ, on_end, c);
		if (!c->end || event_add(c->end, NULL) < 0)
			log_err("%s (pid %d) cannot be watched: %s", c->kind->name, (int)c->pid, strerror(errno));
	}
}

void supervise_changed(struct gateway *g)
{
	struct child *c;

	TAILQ_FOREACH(c, &g->children, all)
	deposit_changed(g, &c->mark);
}

// ------------------------------------------------------------------------------------------------------------------ stop

#define STOP_POLL_MS 20
#define STOP_PROGRAMS_MS 20000 // so long after the stop began what still waits of disconnect scripts is given up
static const uint64_t stop_limits_ms[] = { 2000, 5000, 2000 }; // workers; children; after SIGKILL

// In order: 0 workers say goodbye, 1 children end when their channels close, 2 they are killed.
// The dataplane has told what each session's last connection carried, unless it is gone.
static bool all_counted(const struct gateway *g)
{
	return g->tunnels_free_count == g->tunnels_max;
}

static bool stop_step_done(const struct gateway *g)
{
	return g->stop_step == 0 ? g->conns_count == 0 && all_counted(g) : TAILQ_EMPTY(&g->children);
}

// The scripts of clients that have gone still need the inner interface, and so the dataplane.
static bool programs_hold(const struct gateway *g, uint64_t now)
{
	return g->stop_step == 0 && programs_busy(g) && now < g->stop_deadline_ms - stop_limits_ms[0] + STOP_PROGRAMS_MS;
}

static void stop_step_enter(struct gateway *g, int step)
{
	struct child *c;

	g->stop_step = step;
	g->stop_deadline_ms = clock_ms() + stop_limits_ms[step];
	if (step == 0)
		conn_end_all(g, END_SHUTDOWN);
	if (step == 1)
		conn_kill_orphans(g);
	TAILQ_FOREACH(c, &g->children, all)
	{
		c->leaving = true;
		if (step == 1 && c->kind == &child_nursery)
			LINK_SEND(&c->link, NURSERY_DRAIN, &(struct msg_nursery_drain){ .now = 1 });
		if (step == 1)
			link_close(&c->link);
		if (step == 2) {
			log_warn("%s (pid %d) does not end: killed", c->kind->name, (int)c->pid);
			child_kill(c);
		}
	}
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct gateway *g = arg;
	bool late = clock_ms() >= g->stop_deadline_ms;

	if (programs_hold(g, clock_ms())) {
		timer_set(&g->stop_timer, STOP_POLL_MS);
		return;
	}
	if (TAILQ_EMPTY(&g->children) || (g->stop_step == 2 && late)) {
		event_base_loopbreak(g->base);
		return;
	}
	if (stop_step_done(g) || late)
		stop_step_enter(g, g->stop_step + 1);
	timer_set(&g->stop_timer, STOP_POLL_MS);
}

void supervise_hurry(struct gateway *g)
{
	if (g->stop_step < 2)
		stop_step_enter(g, 2);
}

void supervise_stop(struct gateway *g)
{
	pulse_close(g);
	evtimer_assign(&g->stop_timer, g->base, on_stop, g);
	stop_step_enter(g, 0);
	timer_set(&g->stop_timer, 0);
}

// -------------------------------------------------------------------------------------------------------------- handover

static const struct state_field fields[] = {
	LINK_FIELDS(struct child),           STATE_NUMBER(struct child, pid),      STATE_NUMBER(struct child, ready),
	STATE_NUMBER(struct child, leaving), STATE_NUMBER(struct child, since_ms), STATE_NUMBER(struct child, pings),
	STATE_TEXT(struct child, version),
};

STATE_COVERS(struct child, 1968);

struct rest {
	uint8_t role;
	bool current; // not a nursery that drains
	uint64_t due_ms;
	int log_fd;
	char log_rest[LOGLINE_MAX + 1];
};

static const struct state_field rest_fields[] = {
	STATE_NUMBER(struct rest, role), STATE_NUMBER(struct rest, current), STATE_NUMBER(struct rest, due_ms),
	STATE_FD(struct rest, log_fd),   STATE_TEXT(struct rest, log_rest),
};

bool supervise_is_quiet(const struct gateway *g)
{
	const struct child *c;

	TAILQ_FOREACH(c, &g->children, all)
	if (c->next || (c->kind != &child_metrics && !link_is_quiet(&c->link)))
		return false;
	return true;
}

void child_save(const struct child *c, struct state_writer *w)
{
	struct rest rest = { c->kind->role, *slot_of(c->g, c->kind) == c, handover_due(&c->timer), -1, "" };

	if (c->log) {
		rest.log_fd = logpipe_fd(c->log);
		snprintf(rest.log_rest, sizeof(rest.log_rest), "%s", logpipe_rest(c->log));
	}
	state_write(w, "child", STATE_PARTS(STATE_PART("", fields, c), STATE_PART("", rest_fields, &rest)));
}

void supervise_save(const struct gateway *g, struct state_writer *w)
{
	const struct child *c;

	TAILQ_FOREACH(c, &g->children, all)
	if (c->kind != &child_metrics)
		child_save(c, w);
}

static const struct child_kind *kind_of(unsigned role)
{
	static const struct child_kind *const kinds[] = { &child_secmod, &child_dataplane, &child_nursery };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i]->role == role)
			return kinds[i];
	return NULL;
}

static int child_attach(struct gateway *g, struct child *c, const struct rest *rest)
{
	struct child **slot = slot_of(g, c->kind);

	handover_arm(&c->timer, rest->due_ms);
	if (rest->current) {
		if (*slot)
			return errno_log(EBADMSG, "state: child: two are the %s in force", c->kind->name);
		*slot = c;
	}
	if (rest->log_fd >= 0) {
		c->log = logpipe_again(g->base, c->kind->name, rest->log_fd, rest->log_rest);
		if (!c->log)
			return -ENOMEM;
	}
	return link_open_again(&c->link, g->base, c->kind->queue, c->kind->role);
}

int supervise_restore(struct handover *h, const struct state_record *rec)
{
	struct child *c = calloc(1, sizeof(*c));
	struct rest rest = { 0 };
	const struct child_kind *kind;
	int ret = -ENOMEM;

	if (!c)
		return ret;
	ret = state_read(rec, STATE_PARTS(STATE_PART("", fields, c), STATE_PART("", rest_fields, &rest)));
	kind = kind_of(rest.role);
	if (ret == 0 && (!kind || c->pid <= 0))
		ret = errno_log(EBADMSG, "state: child: %u is none", rest.role);
	if (ret < 0) {
		free(c);
		return ret;
	}
	child_enter(h->g, c, kind);
	deposit_child(c);
	return child_attach(h->g, c, &rest);
}
