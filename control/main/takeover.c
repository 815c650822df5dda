#include "control/main/takeover.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "control/main/handover.h"
#include "proto/err.h"

#define ENVIRONMENT_MAX 256

// What going back takes, ready before anything can go wrong: it may happen in a signal handler.
static struct {
	int fd; // -1: there is no way back
	char **argv, *env[ENVIRONMENT_MAX + 2];
	char word[sizeof(TAKEOVER_WORD) + 32 + sizeof(((struct takeover *)0)->why)];
	size_t used; // of the word, without the reason
} back = { .fd = -1 };

static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGALRM };
static const int held[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2 };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

// --------------------------------------------------------------------------------------------------------------- signals

static void held_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < COUNT(held); i++)
		sigaddset(set, held[i]);
}

void takeover_signals_hold(void)
{
	sigset_t set;

	held_set(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

void takeover_signals_release(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

// ------------------------------------------------------------------------------------------------------------------ back

// Nothing here but system calls and copying: see signal-safety(7).
static void go_back(const char *why)
{
	size_t room = sizeof(back.word) - back.used - 1, len = strlen(why);

	if (back.fd < 0)
		return;
	len = len < room ? len : room;
	memcpy(back.word + back.used, why, len);
	back.word[back.used + len] = '\0';
	alarm(0);
	execveat(back.fd, "", back.argv, back.env, AT_EMPTY_PATH);
}

void takeover_go_back(const char *why)
{
	go_back(why);
}

static const char *name_of(int number)
{
	switch (number) {
	case SIGSEGV:
		return "it has crashed (SIGSEGV)";
	case SIGBUS:
		return "it has crashed (SIGBUS)";
	case SIGABRT:
		return "it has crashed (SIGABRT)";
	case SIGALRM:
		return "it has not come to its event loop in time";
	default:
		return "it has crashed";
	}
}

static void on_fatal(int number)
{
	go_back(name_of(number));
	_exit(1);
}

static void on_exit_meanwhile(void)
{
	go_back("it has ended");
}

static void fatal_watch(void)
{
	static char stack[65536]; // its own: the stack may be what has failed
	const stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_handler = on_fatal, .sa_flags = SA_ONSTACK | SA_NODEFER };

	sigaltstack(&ss, NULL);
	for (size_t i = 0; i < COUNT(fatal); i++)
		sigaction(fatal[i], &sa, NULL);
	atexit(on_exit_meanwhile);
	alarm(TAKEOVER_SECONDS);
}

static void fatal_leave(void)
{
	const stack_t none = { .ss_flags = SS_DISABLE };

	alarm(0);
	for (size_t i = 0; i < COUNT(fatal); i++)
		signal(fatal[i], SIG_DFL);
	sigaltstack(&none, NULL);
}

static void back_prepare(const struct takeover *t, char **argv)
{
	size_t n = 0;

	for (char **e = environ; *e && n < ENVIRONMENT_MAX; e++)
		back.env[n++] = *e;
	back.env[n] = back.word;
	back.argv = argv;
	back.used = (size_t)snprintf(back.word, sizeof(back.word), "%s=back:%d:", TAKEOVER_WORD, t->state_fd);
	back.fd = t->back_fd;
}

// ----------------------------------------------------------------------------------------------------------------- begin

static bool word_parse(const char *word, struct takeover *t)
{
	int used = 0;

	if (sscanf(word, "trial:%d%n", &t->state_fd, &used) == 1 && !word[used])
		t->kind = TAKEOVER_TRIAL;
	else if (sscanf(word, "go:%d:%d%n", &t->state_fd, &t->back_fd, &used) == 2 && !word[used])
		t->kind = TAKEOVER_GO;
	else if (sscanf(word, "back:%d:%n", &t->state_fd, &used) == 1 && used) {
		t->kind = TAKEOVER_BACK;
		snprintf(t->why, sizeof(t->why), "%s", word + used);
	} else if (sscanf(word, "kept:%d:%d:%d%n", &t->state_fd, &t->keeper_fd, &t->page_fd, &used) == 3 && !word[used])
		t->kind = TAKEOVER_KEPT;
	else if (sscanf(word, "anew:%d:%d%n", &t->keeper_fd, &t->page_fd, &used) == 2 && !word[used])
		t->kind = TAKEOVER_ANEW;
	return t->kind != TAKEOVER_NONE;
}

void takeover_begin(struct takeover *t, char **argv)
{
	const char *word = getenv(TAKEOVER_WORD);

	*t = (struct takeover){ .state_fd = -1, .back_fd = -1, .keeper_fd = -1, .page_fd = -1 };
	if (!word)
		return;
	if (!word_parse(word, t))
		log_warn("%s=%s says nothing", TAKEOVER_WORD, word);
	unsetenv(TAKEOVER_WORD); // no child of ours takes over
	if (t->kind == TAKEOVER_NONE)
		return;
	// exec by descriptor has named us after that
	prctl(PR_SET_NAME, "penstockd");
	takeover_signals_hold();
	if (t->kind != TAKEOVER_GO)
		return;
	back_prepare(t, argv);
	fatal_watch();
}

int takeover_restore(const struct takeover *t, struct handover *h)
{
	const uint8_t *buf;
	size_t len;
	int ret = state_map(t->state_fd, &buf, &len);

	if (ret < 0)
		return errno_log(-ret, "the state of the penstockd before us: %s", strerror(-ret));
	ret = handover_restore(h, buf, len);
	munmap((void *)buf, len);
	return ret;
}

void takeover_done(struct takeover *t, const struct handover *h)
{
	fatal_leave();
	back.fd = -1;
	for (size_t i = 0; i < h->reader.n_fds; i++)
		fcntl(h->reader.fds[i], F_SETFD, FD_CLOEXEC);
	close(t->state_fd);
	if (t->back_fd >= 0)
		close(t->back_fd);
}
