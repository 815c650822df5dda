#include "complete.h"

#include <string.h>

#include "text.h"

#define WIDTH 18

// Where the gateway can be asked for an argument's possible values, by what the table calls it.
static const struct source {
	const char *name, *command, *key;
} sources[] = {
	{ "NAME", "show users", "Username" },
	{ "N", "show users", "ID" },
	{ "SESSION", "show sessions", "Session" },
	{ "ADDRESS", "show ip bans", "IP" },
};

static const struct source *source_of(const struct command *c)
{
	const char *name = command_argument_name(c->argument);
	size_t len = strcspn(name, " ");

	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
		if (strlen(sources[i].name) == len && strncmp(sources[i].name, name, len) == 0)
			return &sources[i];
	return NULL;
}

static bool is_there(const struct choices *ch, const char *text)
{
	for (size_t i = 0; i < ch->count; i++)
		if (strcmp(text, ch->at[i].text) == 0)
			return true;
	return false;
}

static void add_choice(struct choices *ch, const struct cell *cell, const char *prefix)
{
	const char *text = cell->text;

	if (ch->count == CHOICES)
		return;
	if (!text[0]) {
		snprintf(ch->number[ch->count], sizeof(ch->number[0]), "%llu", (unsigned long long)cell->number);
		text = ch->number[ch->count];
	}
	if (strncmp(text, prefix, strlen(prefix)) == 0 && !is_there(ch, text))
		ch->at[ch->count++] = (struct piece){ text, strlen(text) };
}

static void choose_argument(struct choices *ch, const struct ctl *ctl, const char *prefix)
{
	const struct source *source = source_of(ch->command);
	const char *why;

	if (!source || ctl_ask(ctl, source->command, "brief", &ch->owner, &why) < 0)
		return;
	for (size_t i = 0; i < ch->owner.count; i++)
		if (strcmp(ch->owner.cells[i].key, source->key) == 0)
			add_choice(ch, &ch->owner.cells[i], prefix);
}

// "packets=" of "[packets=N]": what may be left out, and is named.
static void choose_options(struct choices *ch, const char *prefix)
{
	const char *p = command_argument_name(ch->command->argument);
	size_t len;

	for (; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
		len = *p == '[' ? strcspn(p, "= ") : 0;
		if (len == 0 || p[len] != '=' || p[1] < 'a' || p[1] > 'z' || ch->count == CHOICES)
			continue;
		if (strncmp(p + 1, prefix, strlen(prefix)) == 0)
			ch->at[ch->count++] = (struct piece){ p + 1, len };
	}
}

// Are there words of its argument that may still come?
static bool takes_more(const struct command *c, const struct words *before, const char *argument)
{
	int first = 0;

	while (argument && before->word[first] != argument)
		first++;
	return command_argument_words(c->argument) > (argument ? before->count - first : 0);
}

void choices_find(struct choices *ch, const struct ctl *ctl, const struct words *w)
{
	const char *prefix = "", *argument;
	struct words before = *w;
	enum command_fault fault;

	memset(ch, 0, sizeof(*ch));
	if (w->open_end && w->count > 0) {
		prefix = w->word[w->count - 1];
		before.count--;
	}
	ch->typed = strlen(prefix);
	fault = command_find(&before, &ch->command, &argument);
	if (fault == COMMAND_NO_ARGUMENT && !argument) {
		choose_argument(ch, ctl, prefix);
		return;
	}
	if ((fault == COMMAND_FOUND || fault == COMMAND_NO_ARGUMENT) && takes_more(ch->command, &before, argument)) {
		choose_options(ch, prefix);
		return;
	}
	ch->command = NULL;
	ch->count = command_next(&before, before.count, prefix, ch->at, CHOICES);
}

void choices_fini(struct choices *ch)
{
	answer_fini(&ch->owner);
}

size_t choices_common(const struct choices *ch)
{
	size_t i, n = ch->count ? ch->at[0].len : 0;

	for (i = 1; i < ch->count; i++) {
		if (ch->at[i].len < n)
			n = ch->at[i].len;
		while (n > 0 && memcmp(ch->at[i].text, ch->at[0].text, n) != 0)
			n--;
	}
	return n;
}

static void put_choice(FILE *out, const struct piece *at, size_t width)
{
	char text[LIMIT_TEXT + 1];

	snprintf(text, sizeof(text), "%.*s", (int)at->len, at->text);
	text_put(out, text);
	if (width > text_width(text))
		text_pad(out, width - text_width(text));
}

// What the command does that the words before and this one are; "..." where more have to follow.
static const char *help_of(const struct words *w, const struct piece *at)
{
	const struct command *c;
	const char *argument;
	char word[64];
	struct words with = *w;

	snprintf(word, sizeof(word), "%.*s", (int)at->len, at->text);
	with.count -= w->open_end && w->count > 0;
	if (with.count == WORDS_MAX)
		return "";
	with.word[with.count++] = word;
	return command_find(&with, &c, &argument) == COMMAND_FOUND || c ? c->help : "...";
}

void choices_explain(FILE *out, const struct choices *ch, const struct words *w)
{
	if (ch->command)
		fprintf(out, "  %-*s  %s\n", WIDTH, command_argument_name(ch->command->argument), ch->command->help);
	for (size_t i = 0; i < ch->count; i++) {
		fputs(ch->command ? "    " : "  ", out);
		put_choice(out, &ch->at[i], ch->command ? 0 : WIDTH);
		fprintf(out, "%s%s\n", ch->command ? "" : "  ", ch->command ? "" : help_of(w, &ch->at[i]));
	}
	if (!ch->command && ch->count == 0)
		fputs("  nothing more\n", out);
}

int choices_print(const struct ctl *ctl, char *line)
{
	struct choices ch;
	struct words w;

	if (words_split(line, &w) < 0)
		return CTL_USAGE;
	choices_find(&ch, ctl, &w);
	for (size_t i = 0; i < ch.count; i++) {
		put_choice(stdout, &ch.at[i], 0);
		fputc('\n', stdout);
	}
	choices_fini(&ch);
	return CTL_OK;
}
