#include "control/main/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/main/daemon.h"
#include "control/main/gateway.h"
#include "control/main/journal.h"
#include "control/main/notify.h"
#include "control/main/spawn.h"
#include "control/main/state.h"
#include "control/main/syslogger.h"
#include "control/main/takeover.h"
#include "control/main/vault.h"
#include "proto/err.h"
#include "proto/sandbox.h"
#include "proto/secret.h"

// In ticks and not in time: after a pause of the whole machine nobody is to blame.
#define TICK_MS 500
#define TICKS_SILENT 8
#define TICKS_TAKEOVER (TAKEOVER_SECONDS * 1000 / TICK_MS)
// One that hangs goes back by itself (takeover.h), and that takes its time, too.
#define TICKS_BECOMES (2 * TICKS_TAKEOVER)
#define SOON_MS 5000    // one that dies so soon has died of what it was given
#define STABLE_MS 30000 // and one that has lived so long has not
#define POINTS_OWN 4    // of a death that is its own fault; at so many in a row what is in the vault is no good
#define POINTS_MAX 12
#define POINTS_KILLED 1 // while it takes over: by the kernel, for its memory, or by somebody who does so again and again
#define BEGUN_MAX 3     // in a row: then nothing is
#define PAUSE_MS 50     // for each of them
#define ENDING_MS 6000  // of those that see their channels close, until they are killed
#define SOCKET_BUFFER (4 << 20)
#define PACKETS_A_TURN 256

#define NEWS_SPARE 64 // where there is no memory
#define TICKS_AGAIN 4 // from one time that main is asked for all of it to the next

struct news {
	STAILQ_ENTRY(news) list;
	struct keeper_news what;
	bool sent, spare, used;
};

struct keeper {
	struct keeper_page *page;
	int page_fd, fd; // fd: -1: main has closed it
	int signals, systemd;
	char **argv;
	bool to_root; // as main goes there: else paths of the command line may count from here, also for one that begins anew
	pid_t main;
	struct vault vault;
	struct keeper_history history;
	STAILQ_HEAD(, news) news;
	struct news spare[NEWS_SPARE];
	unsigned ticks_torn;
	uint64_t started_ms, tick_ms, fed_ms, feed_ms; // feed_ms 0: systemd wants nothing
	uint64_t beat;
	unsigned silence;
	bool killed;  // by us
	bool settled; // the log and descriptors are as main has them
	bool unkept;  // main is not understood: where it ends, so do we
	int status;   // with which the last one has ended
	bool over;
};

static const int passed_on[] = { SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 };

// ----------------------------------------------------------------------------------------------------------------- judge

enum keeper_next keeper_judge(struct keeper_history *h, const struct keeper_death *d)
{
	if (d->phase == KEEPER_FIRST || d->phase == KEEPER_LEAVING)
		return KEEPER_ENDS;
	if (d->lived_ms >= STABLE_MS)
		*h = (struct keeper_history){ 0 };
	else if (!d->by_others && (d->phase == KEEPER_AGAIN || d->lived_ms < SOON_MS))
		h->points += POINTS_OWN;
	else if (d->phase == KEEPER_AGAIN)
		h->points += POINTS_KILLED;
	if (h->points < POINTS_MAX)
		return KEEPER_TAKES_OVER;
	h->points = 0;
	return ++h->begun > BEGUN_MAX ? KEEPER_ENDS : KEEPER_BEGINS_ANEW;
}

// ------------------------------------------------------------------------------------------------------------------ news

static struct news *news_new(struct keeper *k)
{
	struct news *n = calloc(1, sizeof(*n));

	for (int i = 0; !n && i < NEWS_SPARE; i++)
		if (!k->spare[i].used) {
			n = &k->spare[i];
			*n = (struct news){ .spare = true, .used = true };
		}
	return n;
}

static void news_free(struct news *n)
{
	n->used = false;
	if (!n->spare)
		free(n);
}

static void news_add(struct keeper *k, pid_t pid, int status)
{
	struct news *n = news_new(k);

	if (!n) {
		log_err("no memory for the end of process %d", (int)pid);
		return;
	}
	n->what = (struct keeper_news){ pid, status };
	STAILQ_INSERT_TAIL(&k->news, n, list);
}

static struct news *news_next(const struct keeper *k)
{
	struct news *n;

	STAILQ_FOREACH(n, &k->news, list)
	if (!n->sent)
		return n;
	return NULL;
}

static void news_tell(struct keeper *k)
{
	struct news *n;

	while (k->fd >= 0 && (n = news_next(k))) {
		if (send(k->fd, &n->what, sizeof(n->what), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return;
		n->sent = true;
	}
}

static void news_heard(void *who, int pid)
{
	struct keeper *k = who;
	struct news *n;

	STAILQ_FOREACH(n, &k->news, list)
	if (n->what.pid == pid && n->sent)
		break;
	if (!n)
		return;
	STAILQ_REMOVE(&k->news, n, news, list);
	news_free(n);
}

static void news_again(struct keeper *k)
{
	struct news *n;

	STAILQ_FOREACH(n, &k->news, list)
	n->sent = false;
}

// --------------------------------------------------------------------------------------------------------------- systemd

static void systemd_tell(void *who, const char *text)
{
	struct keeper *k = who;

	if (k->systemd >= 0)
		send(k->systemd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void systemd_open(struct keeper *k)
{
	k->systemd = notify_socket();
	if (k->systemd >= 0)
		k->feed_ms = notify_watchdog_ms(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), (int)getpid());
}

// That main lives, or is being replaced, we see to ourselves.
static void systemd_calm(struct keeper *k, uint64_t now)
{
	if (!k->feed_ms || now - k->fed_ms < k->feed_ms)
		return;
	k->fed_ms = now;
	systemd_tell(k, "WATCHDOG=1");
}

// ------------------------------------------------------------------------------------------------------------------ main

static void signals_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++)
		sigaddset(set, passed_on[i]);
}

static int channel(int fds[2])
{
	const int size = SOCKET_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return 0;
}

// Sockets that systemd has opened for us are for whoever is main.
static void main_settle(bool sockets)
{
	char pid[16];

	setpgid(0, 0); // the terminal speaks to the keeper alone
	prctl(PR_SET_NAME, "penstockd");
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (sockets && getenv("LISTEN_PID"))
		setenv("LISTEN_PID", pid, 1);
	else if (!sockets)
		unsetenv("LISTEN_PID");
}

static void main_started(struct keeper *k, pid_t pid, int fd)
{
	k->main = pid;
	k->fd = fd;
	k->started_ms = clock_ms();
	k->silence = 0;
	k->killed = false;
	k->beat = k->page->beat;
	news_again(k);
	news_tell(k);
}

// In what will be main: from our memory to a program that knows where it comes in.
static void become_main(struct keeper *k, int program, int state_fd, const struct state_writer *w, int fd)
{
	char word[64];

	for (size_t i = 0; w && i < w->n_fds; i++)
		fcntl(w->fds[i], F_SETFD, 0);
	fcntl(fd, F_SETFD, 0);
	fcntl(k->page_fd, F_SETFD, 0);
	if (state_fd >= 0)
		fcntl(state_fd, F_SETFD, 0);
	main_settle(state_fd < 0);
	if (state_fd >= 0)
		snprintf(word, sizeof(word), "kept:%d:%d:%d", state_fd, fd, k->page_fd);
	else
		snprintf(word, sizeof(word), "anew:%d:%d", fd, k->page_fd);
	setenv(TAKEOVER_WORD, word, 1);
	execveat(program, "", k->argv, environ, AT_EMPTY_PATH);
	log_err("penstockd cannot be started: %s", strerror(errno));
	_exit(127);
}

static int main_start(struct keeper *k, int program, int state_fd, const struct state_writer *w)
{
	int fds[2], ret = channel(fds);
	pid_t pid;

	if (ret < 0)
		return ret;
	pid = fork();
	if (pid == 0)
		become_main(k, program, state_fd, w, fds[1]);
	ret = -errno;
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return ret;
	}
	main_started(k, pid, fds[0]);
	return 0;
}

static int program_of(const struct keeper *k)
{
	const struct vault_record *r = vault_find(&k->vault, VAULT_PROGRAM, 0);

	return r && r->n_fds == 1 ? r->fds[0] : -1;
}

static int take_over(struct keeper *k)
{
	struct state_writer w;
	int state_fd = -1, ret;

	state_writer_init(&w);
	vault_write(&k->vault, &w);
	ret = state_seal(&w, &state_fd);
	if (ret == 0) {
		ret = main_start(k, program_of(k), state_fd, &w);
		close(state_fd);
	}
	state_writer_fini(&w);
	return ret;
}

// ------------------------------------------------------------------------------------------------------------------ anew

// Whatever main has started, and what those have.
static void children_kill(void)
{
	char path[64], text[65536], *at = text, *end;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "re");
	if (!f)
		return;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	for (long pid; (pid = strtol(at, &end, 10)) > 0 && end != at; at = end)
		kill((pid_t)pid, SIGKILL);
}

// Nothing may run twice: those of before see their channels close, and who does not end by that is killed.
static void all_end(struct keeper *k)
{
	uint64_t began = clock_ms();
	struct news *n;

	vault_empty(&k->vault);
	while (waitpid(-1, NULL, WNOHANG) >= 0) {
		uint64_t now = clock_ms();

		if (now - began > ENDING_MS)
			children_kill();
		if (now - began < 2 * ENDING_MS) // then something hangs that nobody can kill
			systemd_calm(k, now);
		usleep(10000);
	}
	while ((n = STAILQ_FIRST(&k->news))) {
		STAILQ_REMOVE_HEAD(&k->news, list);
		news_free(n);
	}
}

static int begin_anew(struct keeper *k)
{
	int program = fcntl(program_of(k), F_DUPFD_CLOEXEC, 0), ret;

	if (program < 0)
		return -errno;
	log_err("penstockd dies of what it takes over: it begins anew, and clients come back by themselves");
	all_end(k);
	k->page->n_touched = 0;
	k->page->reloading = 0;
	ret = main_start(k, program, -1, NULL);
	close(program);
	return ret;
}

// ----------------------------------------------------------------------------------------------------------------- serve

static int packet_take(struct keeper *k)
{
	static uint8_t packet[VAULT_PACKET];
	char control[CMSG_SPACE(VAULT_FDS * sizeof(int))];
	struct iovec iov = { packet, sizeof(packet) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t len = recvmsg(k->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;
	int fds[VAULT_FDS], ret;
	unsigned n = 0;

	if (len <= 0)
		return len < 0 ? -errno : -EPIPE;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	if (!(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		ret = vault_take(&k->vault, packet, (size_t)len, fds, n);
	} else {
		ret = -EMFILE;
		for (unsigned i = 0; i < n; i++)
			close(fds[i]);
	}
	secret_wipe(packet, (size_t)len);
	return ret;
}

static void channel_close(struct keeper *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	vault_forget(&k->vault);
}

// True: there may be more.
static bool channel_serve(struct keeper *k)
{
	int ret = 0;

	for (int i = 0; i < PACKETS_A_TURN && ret == 0; i++)
		ret = packet_take(k);
	if (ret == -EAGAIN || ret == -EINTR)
		return false;
	if (ret == 0)
		return true;
	if (ret == -ENOMEM || ret == -EMFILE) {
		log_err("no room for what main leaves here: %s; until there is, everything ends with it", strerror(-ret));
		vault_tear(&k->vault);
		k->ticks_torn = 0;
		return true;
	}
	if (ret != -EPIPE && ret != -ECONNRESET)
		log_err("main is not understood: %s; it is not kept any more", strerror(-ret));
	k->unkept = k->unkept || (ret != -EPIPE && ret != -ECONNRESET);
	channel_close(k);
	return false;
}

// ----------------------------------------------------------------------------------------------------------------- death

static void why_of(const struct keeper *k, int status, char why[96])
{
	if (k->killed)
		snprintf(why, 96, "has not answered, and was killed");
	else
		spawn_end(status, why, 96);
}

static void main_died(struct keeper *k, int status)
{
	const struct keeper_death d = { (enum keeper_phase)k->page->phase, clock_ms() - k->started_ms,
		                        !k->killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL };
	enum keeper_next next;
	int ret = 0;

	while (k->fd >= 0 && channel_serve(k)) // what it said last counts
		;
	next = k->unkept || !k->vault.count ? KEEPER_ENDS : keeper_judge(&k->history, &d);
	channel_close(k);
	k->main = 0;
	k->status = status;
	if (next == KEEPER_ENDS) {
		k->over = true;
		return;
	}
	why_of(k, status, k->page->why);
	log_err("main %s%s", k->page->why, next == KEEPER_TAKES_OVER ? ": another takes over" : "");
	k->page->restarts++;
	k->page->died_ms = clock_ms();
	k->page->phase = next == KEEPER_TAKES_OVER ? KEEPER_AGAIN : KEEPER_FIRST;
	usleep(k->history.points * PAUSE_MS * 1000);
	ret = next == KEEPER_TAKES_OVER ? take_over(k) : begin_anew(k);
	if (ret == 0)
		return;
	log_err("main cannot be started again: %s", strerror(-ret));
	k->over = true;
}

static void reap(struct keeper *k)
{
	int status, main_status = 0;
	bool died = false;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != k->main) {
			news_add(k, pid, status);
			continue;
		}
		died = true;
		main_status = status;
	}
	news_tell(k);
	if (died)
		main_died(k, main_status);
}

static void signals_serve(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (!k->over && read(k->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(k);
		else if (k->main)
			kill(k->main, (int)info.ssi_signo);
	}
}

// ------------------------------------------------------------------------------------------------------------------ tick

static unsigned ticks_allowed(const struct keeper *k)
{
	switch (k->page->phase) {
	case KEEPER_AGAIN:
		return TICKS_TAKEOVER;
	case KEEPER_UP:
		return k->page->traceable ? 0 : TICKS_SILENT;
	case KEEPER_BECOMES:
		return k->page->traceable ? 0 : TICKS_BECOMES;
	default:
		return 0;
	}
}

static void feel(struct keeper *k)
{
	unsigned allowed = ticks_allowed(k);

	if (k->page->beat != k->beat) {
		k->beat = k->page->beat;
		k->silence = 0;
		return;
	}
	if (!allowed || k->fd < 0 || !k->main || k->killed || ++k->silence < allowed)
		return;
	log_err("main (pid %d) has not answered for %u seconds: it is killed", (int)k->main, allowed * TICK_MS / 1000);
	k->killed = true;
	kill(k->main, SIGKILL);
}

// As main has it, once that is up: its log, and nothing of the terminal.
static void settle(struct keeper *k)
{
	const struct keeper_page *p = k->page;

	if (k->settled || p->phase != KEEPER_UP)
		return;
	k->settled = true;
	if (p->to_syslog) {
		syslogger_open("penstock-keeper", p->facility);
		if (journal_has(STDERR_FILENO, getenv("JOURNAL_STREAM")))
			syslogger_journal();
	}
	if (p->detached)
		standard_to_null(0, p->to_syslog ? 2 : 1);
}

static void again_ask(struct keeper *k)
{
	static const struct keeper_news again;

	if (!k->vault.torn || k->fd < 0 || ++k->ticks_torn % TICKS_AGAIN)
		return;
	send(k->fd, &again, sizeof(again), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void tick(struct keeper *k)
{
	uint64_t now = clock_ms();

	systemd_calm(k, now);
	if (now - k->tick_ms < TICK_MS)
		return;
	k->tick_ms = now;
	settle(k);
	feel(k);
	again_ask(k);
}

// ------------------------------------------------------------------------------------------------------------------- run

static void turn(struct keeper *k)
{
	int wait = k->feed_ms && k->feed_ms < TICK_MS ? (int)k->feed_ms : TICK_MS;
	struct pollfd p[] = { { .fd = k->signals, .events = POLLIN },
		              { .fd = k->fd, .events = (short)(POLLIN | (news_next(k) ? POLLOUT : 0)) } };

	if (poll(p, 2, wait) < 0 && errno != EINTR) {
		log_err("poll: %s", strerror(errno));
		usleep(TICK_MS * 1000);
	}
	if (p[1].revents & POLLOUT)
		news_tell(k);
	if (p[1].revents & ~POLLOUT)
		channel_serve(k);
	if (p[0].revents)
		signals_serve(k);
	tick(k);
}

// As main has ended, so that whoever started us sees it.
static void end_as(int status)
{
	sigset_t none;

	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	sigemptyset(&none);
	signal(WTERMSIG(status), SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	raise(WTERMSIG(status));
	_exit(128 + WTERMSIG(status));
}

static void run(struct keeper *k)
{
	sigset_t set;

	prctl(PR_SET_NAME, "penstock-keeper");
	log_init("penstock-keeper", LOG_LEVEL_INFO, LOG_FORM_PLAIN);
	signals_set(&set);
	k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	// main's children come to us when it dies
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (sandbox_harden() < 0 || k->signals < 0 || (k->to_root && chdir("/") < 0) || vault_init(&k->vault) < 0) {
		log_err("the keeper does not start: %s", strerror(errno));
		kill(k->main, SIGKILL);
		_exit(1);
	}
	k->vault.tell = systemd_tell;
	k->vault.heard = news_heard;
	k->vault.who = k;
	systemd_open(k);
	k->tick_ms = clock_ms();
	while (!k->over)
		turn(k);
	vault_empty(&k->vault);
	end_as(k->status);
}

// ----------------------------------------------------------------------------------------------------------------- start

static int page_map(int fd, struct keeper_page **out)
{
	void *map = mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	*out = map;
	return 0;
}

static int page_new(struct keeper_link *l)
{
	int ret;

	l->page_fd = memfd_create("penstock-page", MFD_CLOEXEC);
	if (l->page_fd < 0)
		return -errno;
	ret = ftruncate(l->page_fd, sizeof(*l->page)) < 0 ? -errno : page_map(l->page_fd, &l->page);
	if (ret < 0)
		close(l->page_fd);
	else
		l->page->version = KEEPER_VERSION;
	return ret;
}

static int split(char **argv, bool to_root, int ready_fd, struct keeper_link *l)
{
	struct keeper k = { .argv = argv, .to_root = to_root, .page = l->page, .page_fd = l->page_fd, .systemd = -1 };
	int fds[2], ret = channel(fds);
	sigset_t set, none;
	pid_t pid;

	if (ret < 0)
		return ret;
	signals_set(&set);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &set, NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(fds[0]);
		l->fd = fds[1];
		main_settle(true);
		sigprocmask(SIG_SETMASK, &none, NULL);
		return 0;
	}
	close(fds[1]);
	if (ready_fd >= 0)
		close(ready_fd);
	STAILQ_INIT(&k.news);
	main_started(&k, pid, fds[0]);
	run(&k);
	return 0;
}

int keeper_start(char **argv, bool to_root, int ready_fd, struct keeper_link *out)
{
	struct keeper_link l = { -1, -1, NULL };
	int ret = page_new(&l);

	if (ret == 0)
		ret = split(argv, to_root, ready_fd, &l);
	if (ret < 0)
		return errno_log(-ret, "no keeper: %s", strerror(-ret));
	*out = l;
	return 0;
}

int keeper_attach(int fd, int page_fd, struct keeper_link *out)
{
	struct keeper_link l = { fd, page_fd, NULL };
	int ret = page_map(page_fd, &l.page);

	if (ret == 0 && l.page->version != KEEPER_VERSION) {
		l.page->phase = KEEPER_FIRST; // as in every version: what it has is of before, and nobody is to go on with it
		munmap(l.page, sizeof(*l.page));
		ret = -ENOTSUP;
	}
	if (ret < 0)
		return ret;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(page_fd, F_SETFD, FD_CLOEXEC);
	*out = l;
	return 0;
}

void keeper_detach(struct keeper_link *l)
{
	if (l->page)
		munmap(l->page, sizeof(*l->page));
	if (l->fd >= 0)
		close(l->fd);
	if (l->page_fd >= 0)
		close(l->page_fd);
	*l = (struct keeper_link){ -1, -1, NULL };
}
