#include "control/main/program.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/main/config.h"
#include "control/main/gateway.h"
#include "control/main/hook_env.h"
#include "control/main/hook_path.h"
#include "control/main/spawn.h"
#include "proto/err.h"

#define RUNNING_MAX 32   // a storm of logins is not to become one of shells
#define OUTPUT_LINES 100 // of one run; more are dropped
#define OUTPUT_LINE 400  // bytes; longer ones are cut into several

// Its place in the row of those that have this key in common.
struct turn {
	struct hlink last; // in the table while nobody comes after it
	struct addr key;   // family 0: it has none
	struct program *program;
	struct turn *next; // NULL: it is the last
};

struct program {
	TAILQ_ENTRY(program) list; // waiting or running, unless something comes before it
	struct programs *all;
	char *name, **argv;
	struct turn turn[PROGRAM_KEYS];
	unsigned before; // so many have to end first
	bool unwanted;
	char **(*env)(void *who);
	void (*ended)(void *who, enum program_end how);
	void *who;

	pid_t pid; // 0: not running
	bool late;
	int out; // what it writes
	struct event readable, timer;
	unsigned lines;
	size_t used;
	char line[OUTPUT_LINE + 1];
};

TAILQ_HEAD(program_list, program);

struct programs {
	struct gateway *g;
	struct program_list waiting, running;
	struct htab last; // turns by key
	unsigned n_running, n_all;
	struct event pump;
};

// ----------------------------------------------------------------------------------------------------------------- order

static uint64_t hash_of(const struct addr *key)
{
	uint8_t wire[ADDR_WIRE];

	addr_pack(key, wire);
	return htab_hash(wire, sizeof(wire));
}

static struct turn *last_with(struct programs *all, const struct addr *key)
{
	for (struct hlink *l = htab_first(&all->last, hash_of(key)); l; l = htab_next(l)) {
		struct turn *t = HTAB_OF(l, struct turn, last);

		if (addr_equal(&t->key, key) && t->key.prefix == key->prefix)
			return t;
	}
	return NULL;
}

static void turn_take(struct turn *t)
{
	struct programs *all = t->program->all;
	struct turn *before = last_with(all, &t->key);

	if (before) {
		htab_remove(&all->last, &before->last);
		before->next = t;
		t->program->before++;
	}
	htab_insert(&all->last, &t->last, hash_of(&t->key));
}

static void pump_soon(struct programs *all)
{
	const struct timeval now = { 0 };

	evtimer_add(&all->pump, &now);
}

static void ready(struct program *p)
{
	TAILQ_INSERT_TAIL(&p->all->waiting, p, list);
	pump_soon(p->all);
}

static void turn_over(struct turn *t)
{
	struct programs *all = t->program->all;

	if (!t->next)
		htab_remove(&all->last, &t->last);
	else if (--t->next->program->before == 0)
		ready(t->next->program);
}

static void turns_over(struct program *p)
{
	for (int k = 0; k < PROGRAM_KEYS; k++)
		if (p->turn[k].key.family)
			turn_over(&p->turn[k]);
}

static void program_free(struct program *p)
{
	p->all->n_all--;
	for (char **word = p->argv; word && *word; word++)
		free(*word);
	free(p->argv);
	free(p->name);
	free(p);
}

// ---------------------------------------------------------------------------------------------------------------- output

static void line_end(struct program *p)
{
	p->line[p->used] = 0;
	if (p->used && p->lines++ < OUTPUT_LINES)
		log_info("%s: %s", p->name, p->line);
	p->used = 0;
}

static void output_take(struct program *p, const char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] == '\n' || p->used == OUTPUT_LINE)
			line_end(p);
		if (buf[i] != '\n' && buf[i])
			p->line[p->used++] = buf[i];
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		output_take(p, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		event_del(&p->readable);
}

// Who still holds the other end, beside the program that has ended, is not waited for.
static void output_end(struct program *p)
{
	char buf[4096];
	ssize_t n;

	for (int i = 0; i < 64 && (n = read(p->out, buf, sizeof(buf))) > 0; i++)
		output_take(p, buf, (size_t)n);
	line_end(p);
	if (p->lines > OUTPUT_LINES)
		log_info("%s: %u lines more are not logged", p->name, p->lines - OUTPUT_LINES);
	event_del(&p->readable);
	close(p->out);
}

// --------------------------------------------------------------------------------------------------------------- running

static void kill_group(const struct program *p)
{
	if (kill(-p->pid, SIGKILL) < 0)
		kill(p->pid, SIGKILL);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	p->late = true;
	kill_group(p);
}

static int start(struct program *p)
{
	const struct timeval limit = { .tv_sec = (time_t)config_num(p->all->g->config, OPT_SCRIPT_TIMEOUT) };
	char **env = p->env(p->who);
	int fds[2], ret = env ? 0 : -ENOMEM;
	char path[PATH_MAX];

	if (ret == 0 && pipe2(fds, O_CLOEXEC) < 0)
		ret = -errno;
	if (ret < 0)
		goto free_env;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	event_assign(&p->readable, p->all->g->base, fds[0], EV_READ | EV_PERSIST, on_readable, p);
	evtimer_assign(&p->timer, p->all->g->base, on_timer, p);
	// before it runs: nobody would see its end, or make one
	if (event_add(&p->readable, NULL) < 0 || evtimer_add(&p->timer, &limit) < 0)
		ret = -ENOMEM;
	if (ret == 0)
		ret = spawn_program(hook_path_find(p->argv[0], path), p->argv, env, fds[1], &p->pid);
	close(fds[1]);
	if (ret == 0) {
		p->out = fds[0];
		goto free_env;
	}
	event_del(&p->readable);
	evtimer_del(&p->timer);
	close(fds[0]);
free_env:
	hook_env_free(env);
	return ret;
}

static void over(struct program *p, enum program_end how)
{
	void (*ended)(void *who, enum program_end how) = p->ended;
	void *who = p->who;
	bool unwanted = p->unwanted;

	turns_over(p);
	program_free(p);
	if (!unwanted)
		ended(who, how);
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct programs *all = arg;
	struct program *p;
	int ret;

	while (all->n_running < RUNNING_MAX && (p = TAILQ_FIRST(&all->waiting))) {
		TAILQ_REMOVE(&all->waiting, p, list);
		ret = p->unwanted ? -ECANCELED : start(p);
		if (ret == 0) {
			TAILQ_INSERT_TAIL(&all->running, p, list);
			all->n_running++;
			continue;
		}
		if (!p->unwanted)
			log_err("%s: %s: cannot be run: %s", p->name, p->argv[0], strerror(-ret));
		over(p, PROGRAM_MISSING);
	}
}

static enum program_end end_of(const struct program *p, int status)
{
	if (p->late) {
		log_err("%s: %s: killed after %llu seconds (script-timeout)", p->name, p->argv[0],
		        (unsigned long long)config_num(p->all->g->config, OPT_SCRIPT_TIMEOUT));
		return PROGRAM_LATE;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return PROGRAM_DONE;
	if (WIFEXITED(status))
		log_notice("%s: %s: exit status %d", p->name, p->argv[0], WEXITSTATUS(status));
	else
		log_warn("%s: %s: ended by signal %d (%s)", p->name, p->argv[0], WTERMSIG(status), strsignal(WTERMSIG(status)));
	return PROGRAM_REFUSES;
}

bool programs_reap(struct gateway *g, pid_t pid, int status)
{
	struct programs *all = g->programs;
	struct program *p;

	if (!all)
		return false;
	TAILQ_FOREACH(p, &all->running, list)
	if (p->pid == pid)
		break;
	if (!p)
		return false;
	TAILQ_REMOVE(&all->running, p, list);
	all->n_running--;
	evtimer_del(&p->timer);
	output_end(p);
	over(p, end_of(p, status));
	pump_soon(all);
	return true;
}

// ------------------------------------------------------------------------------------------------------------------- all

static char **words_copy(char *const *argv)
{
	size_t n = 0;
	char **copy;

	while (argv[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++)
		copy[i] = strdup(argv[i]);
	return copy;
}

static bool is_whole(const struct program *p, char *const *argv)
{
	bool whole = p->name && p->argv;

	for (size_t i = 0; whole && argv[i]; i++)
		whole = p->argv[i];
	return whole;
}

struct program *program_run(struct gateway *g, const struct program_order *o)
{
	struct program *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->all = g->programs;
	p->all->n_all++;
	p->name = strdup(o->name);
	p->argv = words_copy(o->argv);
	if (!is_whole(p, o->argv)) {
		program_free(p);
		return NULL;
	}
	p->env = o->env;
	p->ended = o->ended;
	p->who = o->who;
	for (int k = 0; k < PROGRAM_KEYS; k++) {
		p->turn[k].program = p;
		p->turn[k].key = o->key[k];
		if (p->turn[k].key.family)
			turn_take(&p->turn[k]);
	}
	if (p->before == 0)
		ready(p);
	return p;
}

bool program_cancel(struct program *p)
{
	if (p->pid)
		return false;
	p->unwanted = true;
	return true;
}

bool programs_busy(const struct gateway *g)
{
	return g->programs && g->programs->n_all > 0;
}

int programs_open(struct gateway *g)
{
	struct programs *all = calloc(1, sizeof(*all));

	if (!all || htab_init(&all->last) < 0) {
		free(all);
		return -ENOMEM;
	}
	all->g = g;
	TAILQ_INIT(&all->waiting);
	TAILQ_INIT(&all->running);
	evtimer_assign(&all->pump, g->base, on_pump, all);
	g->programs = all;
	return 0;
}

void programs_close(struct gateway *g)
{
	struct programs *all = g->programs;
	struct program *p;

	if (!all)
		return;
	if (all->n_all)
		log_err("%u programs are not waited for any more, %u of them have not begun", all->n_all,
		        all->n_all - all->n_running);
	while ((p = TAILQ_FIRST(&all->running))) {
		TAILQ_REMOVE(&all->running, p, list);
		kill_group(p);
		evtimer_del(&p->timer);
		output_end(p);
		over(p, PROGRAM_LATE);
	}
	// the end of each makes those ready that come after it
	while ((p = TAILQ_FIRST(&all->waiting))) {
		TAILQ_REMOVE(&all->waiting, p, list);
		over(p, PROGRAM_MISSING);
	}
	evtimer_del(&all->pump);
	htab_fini(&all->last);
	free(all);
	g->programs = NULL;
}
