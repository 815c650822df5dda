#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "ctl.h"
#include "doctor.h"
#include "events.h"
#include "help.h"
#include "render.h"
#include "text.h"
#include "topview.h"

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

// Other pagers than ours might show them as they are.
static bool has_colours(const struct ctl *ctl)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if ((no && no[0]) || !isatty(STDOUT_FILENO) || !term || strcmp(term, "dumb") == 0)
		return false;
	return !ctl->pager || (!getenv("PENSTOCKCTL_PAGER") && !getenv("OCCTL_PAGER") && !getenv("PAGER"));
}

static int print_answer(const struct ctl *ctl, const struct command *c, const struct answer *a)
{
	FILE *pager = open_pager(ctl), *out = pager ? pager : stdout;
	const struct look look = { .now = time(NULL), .colours = has_colours(ctl) };
	int ret = ctl->json ? render_json(out, c, a) : render_text(out, c, a, &look);

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

// Standard output may be the file.
static void put_captured(const struct ctl *ctl, const struct command *c, struct answer *a, const struct capture *capture,
                         const char *file)
{
	char said[LIMIT_TEXT + 1];

	snprintf(said, sizeof(said), "%s", a->message);
	snprintf(a->message, sizeof(a->message), "%lu packets: %.900s", capture->packets, said);
	if (ctl->json && strcmp(file, "-") != 0)
		render_json(stdout, c, a);
	else
		fprintf(stderr, "%s\n", a->message);
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
		put_captured(ctl, c, &a, &capture, file);
	ret = asked == 0 && closed == 0 && a.ok ? CTL_OK : CTL_REFUSED;
	answer_fini(&a);
	return ret;
}

// All words of the argument but `file` (NULL: there is none), which is ours; the number of packets is a limit like others.
static void join(const struct command *c, const struct words *w, int first, const char *file, char out[LIMIT_TEXT + 1])
{
	int used = 0;

	out[0] = '\0';
	for (int i = first; i < w->count && used < LIMIT_TEXT; i++)
		if (w->word[i] != file)
			used += snprintf(out + used, (size_t)(LIMIT_TEXT + 1 - used), "%s%s%s", used ? " " : "",
			                 c->argument == ARG_TRACE && i > first && strspn(w->word[i], "0123456789") ? "packets="
			                                                                                           : "",
			                 w->word[i]);
}

static int run(const struct ctl *ctl, const struct command *c, const struct words *w, const char *argument)
{
	char joined[LIMIT_TEXT + 1];
	const char *file;
	int first = 0;

	if (!argument || command_argument_words(c->argument) == 1)
		return ctl_run(ctl, c, argument);
	while (w->word[first] != argument)
		first++;
	file = c->argument == ARG_CAPTURE ? w->word[first + 1] : NULL;
	join(c, w, first, file, joined);
	return file ? run_capture(ctl, c, joined, file) : ctl_run(ctl, c, joined);
}

// What the gateway is not asked for. The shell does more of these itself.
static int run_local(const struct ctl *ctl, const struct command *c, const struct words *w, const char *argument)
{
	int ret = 0, first = argument ? 0 : w->count;

	while (argument && w->word[first] != argument)
		first++;
	if (strcmp(c->words, "top") == 0)
		return topview_run(ctl, c, &w->word[first], w->count - first);
	if (strcmp(c->words, "doctor") == 0)
		return doctor_run(ctl, argument);
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
			return run_local(ctl, c, w, argument);
		return run(ctl, c, w, argument);
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
