#include <errno.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "complete.h"
#include "ctl.h"
#include "history.h"
#include "text.h"

#define LINE_MAX_BYTES 1024

struct shell {
	const struct ctl *ctl;
	EditLine *line;
	History *history;
	bool leave;
	int last;
};

static const char *prompt(EditLine *line)
{
	return "penstock> ";
}

// ------------------------------------------------------------------------------------------------------------ completion

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

static unsigned char extend(struct shell *sh, const struct choices *ch)
{
	char rest[LINE_MAX_BYTES];
	size_t n = choices_common(ch);
	bool whole;

	if (ch->count == 0)
		return CC_ERROR;
	whole = ch->count == 1 && ch->at[0].text[ch->at[0].len - 1] != '='; // what has a value goes on
	snprintf(rest, sizeof(rest), "%.*s%s", (int)(n - ch->typed), ch->at[0].text + ch->typed, whole ? " " : "");
	if (rest[0])
		return el_insertstr(sh->line, rest) == 0 ? CC_REFRESH : CC_ERROR;
	list_choices(ch);
	return CC_REDISPLAY;
}

// The words up to the cursor. false: a quote is open, or there are too many.
static bool words_to_cursor(EditLine *line, char text[LINE_MAX_BYTES], struct words *w)
{
	const LineInfo *info = el_line(line);
	size_t n = (size_t)(info->cursor - info->buffer);

	if (n >= LINE_MAX_BYTES)
		return false;
	memcpy(text, info->buffer, n);
	text[n] = '\0';
	return words_split(text, w) == 0;
}

static unsigned char complete(EditLine *line, int key)
{
	char text[LINE_MAX_BYTES];
	struct choices ch;
	struct shell *sh;
	struct words w;
	unsigned char ret;

	el_get(line, EL_CLIENTDATA, &sh);
	if (!words_to_cursor(line, text, &w))
		return CC_ERROR;
	choices_find(&ch, sh->ctl, &w);
	ret = extend(sh, &ch);
	choices_fini(&ch);
	return ret;
}

// "?" says what may come next. Within quotes it is itself.
static unsigned char explain(EditLine *line, int key)
{
	char text[LINE_MAX_BYTES];
	struct choices ch;
	struct shell *sh;
	struct words w;

	el_get(line, EL_CLIENTDATA, &sh);
	if (!words_to_cursor(line, text, &w))
		return el_insertstr(line, "?") == 0 ? CC_REFRESH : CC_ERROR;
	choices_find(&ch, sh->ctl, &w);
	fputs("?\n", stdout);
	choices_explain(stdout, &ch, &w);
	fflush(stdout);
	choices_fini(&ch);
	return CC_REDISPLAY;
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
		if (typed[strspn(typed, " \t\r\n")]) {
			history(sh->history, &event, H_ENTER, typed);
			history_write(sh->history); // now: a terminal may go without a word
		}
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
	history_read(sh->history);
	el_set(sh->line, EL_PROMPT, prompt);
	el_set(sh->line, EL_EDITOR, "emacs");
	el_set(sh->line, EL_SIGNAL, 1);
	el_set(sh->line, EL_HIST, history, sh->history);
	el_set(sh->line, EL_CLIENTDATA, sh);
	el_set(sh->line, EL_ADDFN, "complete", "complete a word", complete);
	el_set(sh->line, EL_BIND, "^I", "complete", NULL);
	el_set(sh->line, EL_ADDFN, "explain", "say what may come next", explain);
	el_set(sh->line, EL_BIND, "?", "explain", NULL);
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
		printf("penstockctl " PENSTOCK_VERSION
		       ": help lists the commands, ? says what may come next, Tab completes, exit leaves\n");
		read_terminal(&sh);
	}
	if (sh.line)
		el_end(sh.line);
	if (sh.history)
		history_end(sh.history);
	return CTL_OK;
}
