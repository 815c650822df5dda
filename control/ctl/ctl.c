#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "ctl.h"
#include "events.h"
#include "help.h"
#include "render.h"
#include "text.h"

#define PAGER "less -FRSX" // leaves at once what fits on the screen

int ctl_ask(const struct ctl *ctl, const char *command, const char *argument, struct answer *a, const char **why)
{
	struct ask k;
	int ret;

	*a = (struct answer){ .capture = a->capture, .events = a->events };
	ret = ask_open(&k, ctl->socket, why);
	if (ret == 0)
		ret = ask_command(&k, command, argument, a, why);
	ask_close(&k);
	return ret;
}

// A pager to write to, or NULL where the answer goes straight out.
static FILE *open_pager(const struct ctl *ctl)
{
	const char *pager = getenv("PENSTOCKCTL_PAGER");

	if (!ctl->pager || ctl->json || !isatty(STDOUT_FILENO))
		return NULL;
	pager = pager ? pager : getenv("OCCTL_PAGER");
	pager = pager ? pager : getenv("PAGER");
	if (!pager && access("/usr/bin/less", X_OK) == 0)
		pager = PAGER;
	return pager && pager[0] ? popen(pager, "w") : NULL;
}

static int print_answer(const struct ctl *ctl, const struct command *c, const struct answer *a)
{
	FILE *pager = open_pager(ctl), *out = pager ? pager : stdout;
	int ret = ctl->json ? render_json(out, c, a) : render_text(out, c, a, time(NULL));

	if (pager)
		pclose(pager);
	else if (fflush(out) == EOF)
		ret = ret < 0 ? ret : -errno;
	if (ret < 0)
		fprintf(stderr, "penstockctl: cannot print the answer: %s\n", strerror(-ret));
	return ret < 0 ? CTL_REFUSED : CTL_OK;
}

static void complain(const char *what, const char *why)
{
	fprintf(stderr, "penstockctl: ");
	text_put(stderr, what);
	fprintf(stderr, ": ");
	text_put(stderr, why);
	fputc('\n', stderr);
}

// Programs read an empty list, as occtl's have it, where there is no such user or connection.
static int refused(const struct ctl *ctl, const struct command *c, const struct answer *a)
{
	if (ctl->json && c->answer == ANSWER_RECORDS)
		fputs("[]\n", stdout);
	complain(c->words, a->message[0] ? a->message : "refused");
	return CTL_REFUSED;
}

int ctl_run(const struct ctl *ctl, const struct command *c, const char *argument)
{
	struct events events = { .out = stdout, .json = ctl->json };
	struct answer a = { .events = c->answer == ANSWER_EVENTS ? &events : NULL };
	int ret = CTL_REFUSED;
	const char *why;

	if (!argument && !ctl->json && c->answer == ANSWER_TABLE)
		argument = "brief";
	if (ctl_ask(ctl, c->words, argument, &a, &why) < 0)
		complain(ctl->socket, why);
	else if (!a.ok)
		ret = refused(ctl, c, &a);
	else if (a.events)
		ret = CTL_OK;
	else
		ret = print_answer(ctl, c, &a);
	answer_fini(&a);
	return ret;
}

// How far are the words good? Then say what may follow.
static void suggest(const struct words *w)
{
	struct piece next[24];
	size_t n, i;
	int good = w->count;

	while (good > 0 && command_next(w, good, "", next, 24) == 0)
		good--;
	n = command_next(w, good, "", next, 24);
	fprintf(stderr, "penstockctl: after \"");
	for (i = 0; (int)i < good; i++)
		fprintf(stderr, "%s%s", i ? " " : "penstockctl ", w->word[i]);
	fprintf(stderr, "%s\" comes one of:", good ? "" : "penstockctl");
	for (i = 0; i < n; i++)
		fprintf(stderr, " %.*s", (int)next[i].len, next[i].text);
	fputc('\n', stderr);
}

// Packets into a file: with this process's rights and nobody else's.
static int run_capture(const struct ctl *ctl, const struct command *c, const char *argument, const char *file)
{
	struct capture capture;
	struct answer a = { .capture = &capture };
	int ret = capture_open(&capture, file), asked, closed;
	const char *why;

	if (ret < 0) {
		complain(file, strerror(-ret));
		return CTL_REFUSED;
	}
	asked = ctl_ask(ctl, c->words, argument, &a, &why);
	closed = capture_close(&capture);
	if (capture.error || closed < 0)
		complain(file, strerror(capture.error ? capture.error : -closed));
	else if (asked < 0)
		complain(ctl->socket, why);
	else if (!a.ok)
		complain(c->words, a.message);
	else
		fprintf(stderr, "%lu packets: %s\n", capture.packets, a.message);
	ret = asked == 0 && closed == 0 && a.ok ? CTL_OK : CTL_REFUSED;
	answer_fini(&a);
	return ret;
}

// SESSION PACKETS, or SESSION FILE and limits: the file is ours, the rest main's.
static int run_watch(const struct ctl *ctl, const struct command *c, const struct words *w, const char *session)
{
	bool captures = c->argument == ARG_CAPTURE;
	char argument[LIMIT_TEXT + 1];
	int first = 0, used;

	while (w->word[first] != session)
		first++;
	used = snprintf(argument, sizeof(argument), "%s%s%s", session,
	                captures ? "" : " packets=", captures ? "" : w->word[first + 1]);
	for (int i = first + 2; i < w->count && used < LIMIT_TEXT; i++)
		used += snprintf(argument + used, sizeof(argument) - (size_t)used, " %s", w->word[i]);
	return captures ? run_capture(ctl, c, argument, w->word[first + 1]) : ctl_run(ctl, c, argument);
}

// What the gateway is not asked for. The shell does more of these itself.
static int run_local(const struct ctl *ctl, const struct command *c)
{
	int ret = 0;

	if (strcmp(c->words, "help") == 0)
		ret = ctl->json ? help_json(stdout) : help_text(stdout);
	else
		fprintf(stderr, "penstockctl: %s is for the shell\n", c->words);
	if (ret < 0)
		complain(c->words, strerror(-ret));
	return ret < 0 ? CTL_REFUSED : CTL_OK;
}

int ctl_run_words(const struct ctl *ctl, const struct words *w)
{
	const struct command *c;
	const char *argument;

	switch (command_find(w, &c, &argument)) {
	case COMMAND_FOUND:
		if (c->answer == ANSWER_LOCAL)
			return run_local(ctl, c);
		if (command_argument_words(c->argument) > 1)
			return run_watch(ctl, c, w, argument);
		return ctl_run(ctl, c, argument);
	case COMMAND_NO_ARGUMENT:
		fprintf(stderr, "penstockctl: usage: %s %s\n", c->words, command_argument_name(c->argument));
		return CTL_USAGE;
	case COMMAND_TOO_MANY:
		fprintf(stderr, "penstockctl: %s: too many words\n", c->words);
		return CTL_USAGE;
	default:
		suggest(w);
		return CTL_USAGE;
	}
}
