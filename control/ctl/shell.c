#include <errno.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "text.h"

#define CHOICES 64
#define LINE_MAX_BYTES 1024
#define HISTORY_LINES 500

struct shell {
	const struct ctl *ctl;
	EditLine *line;
	History *history;
	bool leave;
	int last;
};

// What may stand at the cursor. `owner` keeps the answer alive that the texts point into.
struct choices {
	struct piece at[CHOICES];
	char number[CHOICES][24];
	size_t count;
	struct answer owner;
};

static const char *prompt(EditLine *line)
{
	return "penstock> ";
}

// ------------------------------------------------------------------------------------------------------------ completion

// Where the gateway can be asked for an argument's possible values.
static const struct source {
	const char *command, *key;
} sources[] = {
	[ARG_USER] = { "show users", "Username" },      [ARG_ID] = { "show users", "ID" },
	[ARG_SESSION] = { "show sessions", "Session" }, [ARG_IP] = { "show ip bans", "IP" },
	[ARG_TRACE] = { "show users", "ID" },           [ARG_CAPTURE] = { "show users", "ID" },
};

static void add_choice(struct choices *ch, const struct cell *cell, const char *prefix)
{
	const char *text = cell->text;
	size_t i;

	if (ch->count == CHOICES)
		return;
	if (!text[0]) {
		snprintf(ch->number[ch->count], sizeof(ch->number[0]), "%llu", (unsigned long long)cell->number);
		text = ch->number[ch->count];
	}
	if (strncmp(text, prefix, strlen(prefix)) != 0)
		return;
	for (i = 0; i < ch->count; i++)
		if (strcmp(text, ch->at[i].text) == 0)
			return;
	ch->at[ch->count++] = (struct piece){ text, strlen(text) };
}

static void choose_argument(const struct shell *sh, const struct command *c, const char *prefix, struct choices *ch)
{
	const struct source *source = &sources[c->argument];
	const char *why;
	size_t i;

	if (ctl_ask(sh->ctl, source->command, NULL, &ch->owner, &why) < 0)
		return;
	for (i = 0; i < ch->owner.count; i++)
		if (strcmp(ch->owner.cells[i].key, source->key) == 0)
			add_choice(ch, &ch->owner.cells[i], prefix);
}

static void choose(const struct shell *sh, struct words *w, struct choices *ch)
{
	const char *prefix = "", *argument;
	const struct command *c;
	struct words before = *w;

	if (w->open_end && w->count > 0) {
		prefix = w->word[w->count - 1];
		before.count--;
	}
	if (command_find(&before, &c, &argument) == COMMAND_NO_ARGUMENT) {
		if (!argument)
			choose_argument(sh, c, prefix, ch);
		return;
	}
	ch->count = command_next(&before, before.count, prefix, ch->at, CHOICES);
}

static size_t common_prefix(const struct choices *ch)
{
	size_t i, n = ch->at[0].len;

	for (i = 1; i < ch->count; i++) {
		if (ch->at[i].len < n)
			n = ch->at[i].len;
		while (n > 0 && memcmp(ch->at[i].text, ch->at[0].text, n) != 0)
			n--;
	}
	return n;
}

static void list_choices(const struct choices *ch)
{
	char text[LINE_MAX_BYTES];
	size_t i;

	fputc('\n', stdout);
	for (i = 0; i < ch->count; i++) {
		snprintf(text, sizeof(text), "%.*s", (int)ch->at[i].len, ch->at[i].text);
		text_put(stdout, text);
		fputs(i + 1 < ch->count ? "  " : "\n", stdout);
	}
	fflush(stdout);
}

static unsigned char extend(struct shell *sh, const struct choices *ch, size_t typed)
{
	char rest[LINE_MAX_BYTES];
	size_t n;

	if (ch->count == 0)
		return CC_ERROR;
	n = common_prefix(ch);
	snprintf(rest, sizeof(rest), "%.*s%s", (int)(n - typed), ch->at[0].text + typed, ch->count == 1 ? " " : "");
	if (rest[0])
		return el_insertstr(sh->line, rest) == 0 ? CC_REFRESH : CC_ERROR;
	list_choices(ch);
	return CC_REDISPLAY;
}

static unsigned char complete(EditLine *line, int key)
{
	const LineInfo *info = el_line(line);
	char text[LINE_MAX_BYTES];
	struct choices ch = { .count = 0 };
	size_t n = (size_t)(info->cursor - info->buffer);
	unsigned char ret = CC_ERROR;
	struct shell *sh;
	struct words w;

	el_get(line, EL_CLIENTDATA, &sh);
	if (n >= sizeof(text))
		return CC_ERROR;
	memcpy(text, info->buffer, n);
	text[n] = '\0';
	if (words_split(text, &w) == 0) {
		choose(sh, &w, &ch);
		ret = extend(sh, &ch, w.open_end && w.count > 0 ? strlen(w.word[w.count - 1]) : 0);
	}
	answer_fini(&ch.owner);
	return ret;
}

// ---------------------------------------------------------------------------------------------------------------- lines

static void reset(struct shell *sh)
{
	if (!sh->line)
		return;
	el_reset(sh->line);
	el_resize(sh->line);
}

static void run_line(struct shell *sh, char *line)
{
	const struct command *c;
	const char *argument;
	struct words w;

	if (words_split(line, &w) < 0) {
		fprintf(stderr, "penstockctl: a quote is not closed, or there are too many words\n");
		sh->last = CTL_USAGE;
		return;
	}
	if (w.count == 0 || w.word[0][0] == '#')
		return;
	if (command_find(&w, &c, &argument) == COMMAND_FOUND && strcmp(c->words, "exit") == 0)
		sh->leave = true;
	else if (c && strcmp(c->words, "reset") == 0)
		reset(sh);
	else
		sh->last = ctl_run_words(sh->ctl, &w);
}

static void read_terminal(struct shell *sh)
{
	char line[LINE_MAX_BYTES];
	const char *typed;
	HistEvent event;
	int n;

	while (!sh->leave && (typed = el_gets(sh->line, &n)) && n > 0) {
		if (n >= (int)sizeof(line)) {
			fprintf(stderr, "penstockctl: this line is too long\n");
			continue;
		}
		if (typed[strspn(typed, " \t\r\n")])
			history(sh->history, &event, H_ENTER, typed);
		memcpy(line, typed, (size_t)n + 1);
		run_line(sh, line);
	}
	if (!sh->leave)
		fputc('\n', stdout);
}

static int open_terminal(struct shell *sh)
{
	HistEvent event;

	sh->history = history_init();
	sh->line = el_init("penstockctl", stdin, stdout, stderr);
	if (!sh->history || !sh->line)
		return -ENOMEM;
	history(sh->history, &event, H_SETSIZE, HISTORY_LINES);
	history(sh->history, &event, H_SETUNIQUE, 1);
	el_set(sh->line, EL_PROMPT, prompt);
	el_set(sh->line, EL_EDITOR, "emacs");
	el_set(sh->line, EL_SIGNAL, 1);
	el_set(sh->line, EL_HIST, history, sh->history);
	el_set(sh->line, EL_CLIENTDATA, sh);
	el_set(sh->line, EL_ADDFN, "complete", "complete a word", complete);
	el_set(sh->line, EL_BIND, "^I", "complete", NULL);
	el_source(sh->line, NULL); // the user's ~/.editrc
	return 0;
}

static void read_pipe(struct shell *sh)
{
	char *line = NULL;
	size_t room = 0;

	while (!sh->leave && getline(&line, &room, stdin) >= 0)
		run_line(sh, line);
	free(line);
}

int shell_run(const struct ctl *ctl)
{
	struct shell sh = { .ctl = ctl };

	if (!isatty(STDIN_FILENO)) {
		read_pipe(&sh);
		return sh.last;
	}
	if (open_terminal(&sh) == 0) {
		printf("penstockctl " PENSTOCK_VERSION ": help lists the commands, Tab completes, exit leaves\n");
		read_terminal(&sh);
	}
	if (sh.line)
		el_end(sh.line);
	if (sh.history)
		history_end(sh.history);
	return CTL_OK;
}
