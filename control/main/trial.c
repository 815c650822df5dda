#include "control/main/trial.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/main/config.h"
#include "control/main/config_inside.h"
#include "control/main/logline.h"
#include "control/main/spawn.h"
#include "control/main/supervise.h"
#include "proto/netns.h"
#include "proto/chan.h"

#define ANSWER_MS 60000 // PAM's modules and large keys on a slow machine
#define LOGGED_MAX 65536
#define LOGGED_LINES 64

struct tally {
	unsigned errors, warnings;
};

static void print_report(void *who, const struct config_remark *r)
{
	struct tally *t = who;
	bool error = r->level <= LOG_LEVEL_ERR;

	*(error ? &t->errors : &t->warnings) += 1;
	fprintf(stderr, "%s%s\n", error ? "error: " : "warning: ", r->whole);
}

// -------------------------------------------------------------------------------------------------------------- children

struct answer {
	bool ok;
	char text[LIMIT_TEXT + 1];
};

static int on_secmod_ready(void *who, const void *msg, const int *fds)
{
	const struct msg_secmod_ready *m = msg;
	struct answer *a = who;

	a->ok = m->ok;
	strcpy(a->text, m->text);
	return 0;
}

static int on_nursery_ready(void *who, const void *msg, const int *fds)
{
	const struct msg_nursery_ready *m = msg;
	struct answer *a = who;

	a->ok = m->ok;
	strcpy(a->text, m->text);
	return 0;
}

static const chan_handler handlers[MSG_NUMBERS] = { [MSG_SECMOD_READY] = on_secmod_ready, [MSG_NURSERY_READY] = on_nursery_ready };

static void answer_wait(struct chan *chan, pid_t pid, enum msg_number ready, struct answer *a)
{
	int ret = chan_await(chan, handlers, a, ready, ANSWER_MS), status;

	chan_fini(chan);
	if (ret == -ETIMEDOUT)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ret == -ETIMEDOUT)
		snprintf(a->text, sizeof(a->text), "%s is not ready after %d seconds", chan->name, ANSWER_MS / 1000);
	else if (ret < 0)
		snprintf(a->text, sizeof(a->text), "%s ended without a word", chan->name);
}

// Would it be ready?
static void child_try(const struct child_kind *kind, enum msg_number ready, int snapshot_fd, int log_fd, struct answer *a)
{
	char path[4200];
	struct chan chan;
	int fds[2], ret;
	pid_t pid;

	a->ok = false;
	snprintf(path, sizeof(path), "%s/%s", supervise_libexec(), kind->binary);
	ret = chan_pair(fds);
	if (ret == 0) {
		chan_init(&chan, fds[0], ROLE_MAIN, kind->role, CHAN_PLAIN, "%s", kind->name);
		ret = spawn(path, &(struct spawn_fds){ .main = fds[1], .conf = snapshot_fd, .log = log_fd }, &pid);
		close(fds[1]);
		if (ret == 0)
			answer_wait(&chan, pid, ready, a);
		else
			chan_fini(&chan);
	}
	if (ret < 0)
		snprintf(a->text, sizeof(a->text), "%s cannot be started: %s", kind->name, strerror(-ret));
}

#define WRONG_LINES 256

struct heard {
	config_report *report;
	void *who;
	unsigned wrong[WRONG_LINES], n_wrong;
};

// What one load has found, for two processes may find the same.
struct finding {
	const struct config *c;
	struct config_log *log;
	bool broken; // the file had errors already: what has no line may only be what comes of them
	const char *said[LOGGED_LINES];
	unsigned n_said;
};

// Whoever asked hears of it; and the lines that are wrong are kept, since a child finds the same in them again.
static void on_remark(void *who, const struct config_remark *r)
{
	struct heard *h = who;

	if (r->level <= LOG_LEVEL_ERR && r->line && h->n_wrong < WRONG_LINES)
		h->wrong[h->n_wrong++] = r->line;
	h->report(h->who, r);
}

static bool is_wrong_already(const struct heard *h, unsigned line)
{
	for (unsigned i = 0; i < h->n_wrong; i++)
		if (h->wrong[i] == line)
			return true;
	return false;
}

static bool say_of(const struct config *c, enum opt o, struct config_log *log, enum log_level level, const char *text)
{
	const char *name = config_name(o);
	char begin[LIMIT_TEXT];

	for (unsigned n = 0; n < config_count(c, o); n++) {
		snprintf(begin, sizeof(begin), "%s %s", name, config_nth(c, o, n));
		if (strncmp(text, begin, strlen(begin)) != 0 || !strchr(": ", text[strlen(begin)]))
			continue;
		if (!is_wrong_already(log->who, config_line_nth(c, o, n)))
			config_say(log, level, config_line_nth(c, o, n), name, "%s", text + strlen(name) + 1);
		return true;
	}
	return false;
}

// A child names the option and its value; the line is ours to know.
static void say(const struct finding *f, enum log_level level, const char *text)
{
	for (unsigned v = 0; v < config_vhosts(f->c); v++)
		for (int o = 0; o < OPT_COUNT; o++)
			if (config_own(config_vhost(f->c, v), (enum opt)o) &&
			    say_of(config_vhost(f->c, v), (enum opt)o, f->log, level, text))
				return;
	if (!f->broken)
		config_say(f->log, level, 0, NULL, "%s", text);
}

// Each once. `text` outlives the finding.
static void tell(struct finding *f, enum log_level level, const char *text)
{
	for (unsigned i = 0; i < f->n_said; i++)
		if (strcmp(f->said[i], text) == 0)
			return;
	if (f->n_said == LOGGED_LINES)
		return;
	f->said[f->n_said++] = text;
	say(f, level, text);
}

static void tell_logged(struct finding *f, char *all)
{
	char *line, *rest = NULL;
	struct logline l;

	for (line = strtok_r(all, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		l = logline_parse(line);
		tell(f, l.level <= LOG_LEVEL_ERR ? LOG_LEVEL_ERR : LOG_LEVEL_WARN, l.text);
	}
}

static int pictures_make(const struct config *c, int fd[VIEWS])
{
	const struct config_word words[] = {
		{ "@log-level", "4" }, { "@log-form", "priority" }, { "@libexec", supervise_libexec() }, { "@trial", "1" },
		{ NULL, NULL },
	};
	int ret = config_snapshot(c, words, VIEW_NURSERY, &fd[VIEW_NURSERY]);

	return ret < 0 ? ret : config_snapshot(c, words, VIEW_SECRET, &fd[VIEW_SECRET]);
}

// The nursery only after sec-mod: both look at the certificates.
static int children_try(const struct config *c, struct config_log *log)
{
	struct finding f = { .c = c, .log = log, .broken = log->errors > 0 };
	char *logged = calloc(1, LOGGED_MAX + 1);
	struct answer a = { 0 };
	// no pipe: it might be full while we wait for an answer
	int log_fd = memfd_create("trial", MFD_CLOEXEC);
	int fd[VIEWS] = { -1, -1, -1 }, ret = logged ? pictures_make(c, fd) : -ENOMEM;

	if (ret == 0)
		child_try(&child_secmod, MSG_SECMOD_READY, fd[VIEW_SECRET], log_fd, &a);
	if (ret == 0 && a.ok)
		child_try(&child_nursery, MSG_NURSERY_READY, fd[VIEW_NURSERY], log_fd, &a);
	if (log_fd >= 0 && logged && pread(log_fd, logged, LOGGED_MAX, 0) > 0)
		tell_logged(&f, logged);
	if (ret == 0 && !a.ok)
		tell(&f, LOG_LEVEL_ERR, a.text);
	for (int v = 0; v < VIEWS; v++)
		if (fd[v] >= 0)
			close(fd[v]);
	if (log_fd >= 0)
		close(log_fd);
	free(logged);
	return ret < 0 || a.ok ? ret : -EINVAL;
}

// A start looks these names up, and does not begin without an address.
static void netns_try(const struct config *c, struct config_log *log)
{
	const char *name = config_str(c, OPT_LISTEN_NETNS);
	int back, ret = name ? netns_enter(name, &back) : 0;

	if (name && ret == 0)
		netns_leave(back);
	if (ret == -ENOENT)
		config_say(log, LOG_LEVEL_ERR, config_line_nth(c, OPT_LISTEN_NETNS, 0), "listen-netns",
		           "%s: there is no such network namespace", name);
}

static void hosts_try(const struct config *c, struct config_log *log)
{
	static const enum opt options[] = { OPT_LISTEN_HOST, OPT_UDP_LISTEN_HOST };
	struct addrinfo *list;
	const char *host;
	int ret;

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		for (unsigned n = 0; (host = config_nth(c, options[i], n)); n++) {
			ret = getaddrinfo(host, NULL, NULL, &list);
			if (ret == 0)
				freeaddrinfo(list);
			else
				config_say(log, LOG_LEVEL_ERR, config_line_nth(c, options[i], n), config_name(options[i]), "%s: %s",
				           host, gai_strerror(ret));
		}
}

// ------------------------------------------------------------------------------------------------------------------ test

int trial_check(const char *file, config_report *report, void *who)
{
	struct heard heard = { .report = report, .who = who };
	struct config_log log = { .report = on_remark, .who = &heard, .file = file };
	struct config *c = NULL;
	int ret = config_try(file, on_remark, &heard, &c), found;

	if (!c)
		return ret;
	log.errors = ret < 0;
	netns_try(c, &log);
	hosts_try(c, &log);
	config_check_supplements(c, &log);
	found = children_try(c, &log);
	config_free(c);
	if (found < 0 && found != -EINVAL)
		return found;
	return log.errors ? -EINVAL : 0;
}

int trial_run(const char *file)
{
	struct tally t = { 0 };
	int ret = trial_check(file, print_report, &t);

	if (ret == 0)
		fprintf(stderr, "%s: the configuration is good (%u warning%s)\n", file, t.warnings, t.warnings == 1 ? "" : "s");
	else if (t.errors)
		fprintf(stderr, "%s: the configuration cannot be used (%u error%s, %u warning%s)\n", file, t.errors,
		        t.errors == 1 ? "" : "s", t.warnings, t.warnings == 1 ? "" : "s");
	else
		fprintf(stderr, "%s: %s\n", file, strerror(-ret));
	return ret == 0 ? 0 : 1;
}
