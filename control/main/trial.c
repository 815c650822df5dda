#include "control/main/trial.h"

#include <errno.h>
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
#include "proto/chan.h"

#define ANSWER_MS 60000 // PAM's modules and large keys on a slow machine
#define LOGGED_MAX 65536
#define LOGGED_LINES 64

struct tally {
	unsigned errors, warnings;
};

static void print_report(void *who, enum log_level level, const char *line)
{
	struct tally *t = who;
	bool error = level <= LOG_LEVEL_ERR;

	*(error ? &t->errors : &t->warnings) += 1;
	fprintf(stderr, "%s%s\n", error ? "error: " : "warning: ", line);
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
		ret = spawn(path, fds[1], snapshot_fd, log_fd, &pid);
		close(fds[1]);
		if (ret == 0)
			answer_wait(&chan, pid, ready, a);
		else
			chan_fini(&chan);
	}
	if (ret < 0)
		snprintf(a->text, sizeof(a->text), "%s cannot be started: %s", kind->name, strerror(-ret));
}

static bool say_of(const struct config *c, enum opt o, struct config_log *log, enum log_level level, const char *text)
{
	const char *name = config_name(o);
	char begin[LIMIT_TEXT];

	for (unsigned n = 0; n < config_count(c, o); n++) {
		snprintf(begin, sizeof(begin), "%s %s", name, config_nth(c, o, n));
		if (strncmp(text, begin, strlen(begin)) != 0 || !strchr(": ", text[strlen(begin)]))
			continue;
		config_say(log, level, config_line_nth(c, o, n), name, "%s", text + strlen(name) + 1);
		return true;
	}
	return false;
}

// A child names the option and its value; the line is ours to know.
static void say(const struct config *c, struct config_log *log, enum log_level level, const char *text)
{
	static const enum opt options[] = { OPT_AUTH,          OPT_ENABLE_AUTH,   OPT_ACCT,           OPT_CA_CERT,
		                            OPT_CRL,           OPT_CERT_USER_OID, OPT_CERT_GROUP_OID, OPT_KKDCP,
		                            OPT_SERVER_KEY,    OPT_SERVER_CERT,   OPT_PIN_FILE,       OPT_SRK_PIN_FILE,
		                            OPT_OCSP_RESPONSE, OPT_COA_LISTEN,    OPT_COA_CLIENTS };

	for (unsigned v = 0; v < config_vhosts(c); v++)
		for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
			if (say_of(config_vhost(c, v), options[i], log, level, text))
				return;
	config_say(log, level, 0, NULL, "%s", text);
}

// What children have logged, each line once: two of them, or two options, may have found the same.
static void say_logged(const struct config *c, struct config_log *log, int log_fd)
{
	char *all = calloc(1, LOGGED_MAX + 1), *line, *rest = NULL;
	ssize_t n = all ? pread(log_fd, all, LOGGED_MAX, 0) : -1;
	const char *said[LOGGED_LINES];
	unsigned n_said = 0, i;

	for (line = n > 0 ? strtok_r(all, "\n", &rest) : NULL; line && n_said < LOGGED_LINES; line = strtok_r(NULL, "\n", &rest)) {
		said[n_said] = logline_parse(line).text;
		for (i = 0; strcmp(said[i], said[n_said]) != 0; i++)
			;
		if (i < n_said)
			continue;
		say(c, log, LOG_LEVEL_WARN, said[n_said++]);
	}
	free(all);
}

// The nursery only after sec-mod: both look at the certificates.
static int children_try(const struct config *c, struct config_log *log)
{
	const struct config_word words[] = {
		{ "@log-level", "4" }, { "@log-form", "priority" }, { "@libexec", supervise_libexec() }, { "@trial", "1" },
		{ NULL, NULL },
	};
	struct answer a = { 0 };
	// no pipe: it might be full while we wait for an answer
	int log_fd = memfd_create("trial", MFD_CLOEXEC);
	int fd[VIEWS] = { -1, -1 }, ret;

	ret = config_snapshot(c, words, VIEW_PUBLIC, &fd[VIEW_PUBLIC]);
	if (ret == 0)
		ret = config_snapshot(c, words, VIEW_SECRET, &fd[VIEW_SECRET]);
	if (ret == 0)
		child_try(&child_secmod, MSG_SECMOD_READY, fd[VIEW_SECRET], log_fd, &a);
	if (ret == 0 && a.ok)
		child_try(&child_nursery, MSG_NURSERY_READY, fd[VIEW_PUBLIC], log_fd, &a);
	for (int v = 0; v < VIEWS; v++)
		if (fd[v] >= 0)
			close(fd[v]);
	if (log_fd >= 0) {
		say_logged(c, log, log_fd);
		close(log_fd);
	}
	if (ret < 0 || a.ok)
		return ret;
	say(c, log, LOG_LEVEL_ERR, a.text);
	return -EINVAL;
}

// ------------------------------------------------------------------------------------------------------------------ test

int trial_run(const char *file)
{
	struct tally t = { 0 };
	struct config_log log = { .report = print_report, .who = &t, .file = file };
	struct config *c = NULL;
	int ret = config_load(file, CONFIG_TEST, print_report, &t, &c);

	if (ret == 0)
		ret = config_check_supplements(c, &log);
	if (ret == 0)
		ret = children_try(c, &log);
	config_free(c);
	if (ret == 0)
		fprintf(stderr, "%s: the configuration is good (%u warning%s)\n", file, t.warnings, t.warnings == 1 ? "" : "s");
	else if (t.errors)
		fprintf(stderr, "%s: the configuration cannot be used (%u error%s, %u warning%s)\n", file, t.errors,
		        t.errors == 1 ? "" : "s", t.warnings, t.warnings == 1 ? "" : "s");
	else
		fprintf(stderr, "%s: %s\n", file, strerror(-ret));
	return ret == 0 ? 0 : 1;
}
