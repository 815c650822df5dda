#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "render.h"
#include "text.h"

#define PAGER "less -FRSX" // leaves at once what fits on the screen

int ctl_ask(const struct ctl *ctl, const char *command, const char *argument, struct answer *a, const char **why)
{
	struct ask k;
	int ret;

	memset(a, 0, sizeof(*a));
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

int ctl_run(const struct ctl *ctl, const struct command *c, const char *argument)
{
	int ret = CTL_REFUSED;
	struct answer a;
	const char *why;

	if (ctl_ask(ctl, c->words, argument, &a, &why) < 0)
		complain(ctl->socket, why);
	else if (!a.ok)
		complain(c->words, a.message[0] ? a.message : "refused");
	else
		ret = print_answer(ctl, c, &a);
	answer_fini(&a);
	return ret;
}

static void list_one(FILE *out, const struct command *c)
{
	const char *argument = command_argument_name(c->argument);

	fprintf(out, "  %s%s%s%*s  %s\n", c->words, argument[0] ? " " : "", argument,
	        (int)(26 - strlen(c->words) - strlen(argument) - (argument[0] ? 1 : 0)), "", c->help);
}

void ctl_list_commands(FILE *out)
{
	size_t i;

	for (i = 0; i < commands_count; i++)
		list_one(out, &commands[i]);
}

// How far are the words good? Then say what may follow.
static void suggest(const struct words *w)
{
	struct piece next[16];
	size_t n, i;
	int good = w->count;

	while (good > 0 && command_next(w, good, "", next, 16) == 0)
		good--;
	n = command_next(w, good, "", next, 16);
	fprintf(stderr, "penstockctl: after \"");
	for (i = 0; (int)i < good; i++)
		fprintf(stderr, "%s%s", i ? " " : "penstockctl ", w->word[i]);
	fprintf(stderr, "%s\" comes one of:", good ? "" : "penstockctl");
	for (i = 0; i < n; i++)
		fprintf(stderr, " %.*s", (int)next[i].len, next[i].text);
	fputc('\n', stderr);
}

int ctl_run_words(const struct ctl *ctl, const struct words *w)
{
	const struct command *c;
	const char *argument;

	if (w->count == 1 && (strcmp(w->word[0], "help") == 0 || strcmp(w->word[0], "?") == 0)) {
		ctl_list_commands(stdout);
		return CTL_OK;
	}
	switch (command_find(w, &c, &argument)) {
	case COMMAND_FOUND:
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
