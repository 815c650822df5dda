#include <stdbool.h>
#include <string.h>

#include "commands.h"

const struct command commands[] = {
#define COL(title, keys) { title, keys, COLUMN_CELL },
#define AGE(title, keys) { title, keys, COLUMN_AGE },
#define NONZERO(section, key) { section, key, COLUMN_NONZERO },
#define COMMAND(typed, arg, who, form, says, none, ...) \
	{ .words = typed,                               \
	  .argument = ARG_##arg,                        \
	  .right = RIGHT_##who,                         \
	  .answer = ANSWER_##form,                      \
	  .help = says,                                 \
	  .empty = none,                                \
	  .columns = (const struct column[]){ __VA_ARGS__{ NULL, NULL, COLUMN_CELL } } },
#define ALIAS(typed, of) { .words = typed, .alias_of = of },
#include "proto/commands.def"
#undef ALIAS
#undef COMMAND
#undef NONZERO
#undef AGE
#undef COL
};
const size_t commands_count = sizeof(commands) / sizeof(commands[0]);

const char *command_argument_name(enum command_argument argument)
{
	static const char *const names[] = {
		[ARG_NONE] = "",
		[ARG_USER] = "NAME",
		[ARG_ID] = "N",
		[ARG_SESSION] = "SESSION",
		[ARG_IP] = "ADDRESS",
		[ARG_TRACE] = "SESSION [PACKETS] [seconds=N]",
		[ARG_LIMIT_USER] = "NAME LIMIT=N [LIMIT=N] [LIMIT=N] [LIMIT=N]",
		[ARG_LIMIT_SESSION] = "SESSION LIMIT=N [LIMIT=N] [LIMIT=N] [LIMIT=N]",
		[ARG_EVENTS] = "[N]",
		[ARG_FILE] = "[FILE]",
		[ARG_TOP] = "[seconds=N] [count=N] [by=ORDER]",
		[ARG_CAPTURE] = "SESSION FILE [packets=N] [bytes=N] [seconds=N]",
	};

	return names[argument];
}

// What stands in square brackets may be left out.
static int argument_words(enum command_argument argument, bool wanted)
{
	const char *p = command_argument_name(argument);
	int n = 0;

	for (; *p; p += strcspn(p, " "), p += strspn(p, " "))
		n += !wanted || *p != '[';
	return n;
}

int command_argument_words(enum command_argument argument)
{
	return argument_words(argument, false);
}

// The i-th word of a command; len 0 where it has no more.
static struct piece word_at(const struct command *c, int i)
{
	const char *p = c->words;

	for (; i > 0; i--) {
		p += strcspn(p, " ");
		p += strspn(p, " ");
	}
	return (struct piece){ p, strcspn(p, " ") };
}

static bool begins(struct piece word, const char *typed)
{
	size_t n = strlen(typed);

	return n > 0 && n <= word.len && memcmp(word.text, typed, n) == 0;
}

static bool is(struct piece word, const char *typed)
{
	return strlen(typed) == word.len && begins(word, typed);
}

static bool same(struct piece a, struct piece b)
{
	return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

// Narrow the commands down by the typed word i: a full word wins over those that it begins.
static size_t narrow(bool *fits, int i, const char *typed)
{
	bool exact = false;
	size_t c, left = 0;

	for (c = 0; c < commands_count; c++)
		exact = exact || (fits[c] && is(word_at(&commands[c], i), typed));
	for (c = 0; c < commands_count; c++) {
		fits[c] = fits[c] && (exact ? is(word_at(&commands[c], i), typed) : begins(word_at(&commands[c], i), typed));
		left += fits[c];
	}
	return left;
}

// Do the commands that fit differ in word i? ("s" is show and stop.)
static bool ambiguous(const bool *fits, int i)
{
	const struct command *first = NULL;
	size_t c;

	for (c = 0; c < commands_count; c++) {
		if (!fits[c])
			continue;
		if (first && !same(word_at(first, i), word_at(&commands[c], i)))
			return true;
		first = &commands[c];
	}
	return false;
}

// The one command that has ended after `count` words, if any.
static const struct command *ended(const bool *fits, int count)
{
	size_t c;

	for (c = 0; c < commands_count; c++)
		if (fits[c] && word_at(&commands[c], count).len == 0)
			return &commands[c];
	return NULL;
}

// Does a longer command go on with this word? ("show sessions all")
static bool goes_on(const bool *fits, int i, const char *typed)
{
	size_t c;

	for (c = 0; c < commands_count; c++)
		if (fits[c] && begins(word_at(&commands[c], i), typed))
			return true;
	return false;
}

static const struct command *meant(const struct command *c)
{
	for (size_t i = 0; c && c->alias_of; i++)
		if (strcmp(commands[i].words, c->alias_of) == 0)
			return &commands[i];
	return c;
}

static enum command_fault take_argument(const struct command *c, const struct words *w, int used, const char **argument)
{
	int most = command_argument_words(c->argument), given = w->count - used;

	if (given > 0 && most > 0)
		*argument = w->word[used];
	if (given < argument_words(c->argument, true))
		return COMMAND_NO_ARGUMENT;
	return given <= most ? COMMAND_FOUND : COMMAND_TOO_MANY;
}

enum command_fault command_find(const struct words *w, const struct command **found, const char **argument)
{
	bool fits[sizeof(commands) / sizeof(commands[0])];
	int i;

	*found = NULL;
	*argument = NULL;
	memset(fits, true, sizeof(fits));
	for (i = 0; i < w->count; i++) {
		if (narrow(fits, i, w->word[i]) == 0 || ambiguous(fits, i))
			return COMMAND_UNKNOWN;
		*found = meant(ended(fits, i + 1));
		if (*found && !(i + 1 < w->count && goes_on(fits, i + 1, w->word[i + 1])))
			return take_argument(*found, w, i + 1, argument);
	}
	return COMMAND_INCOMPLETE;
}

static bool listed(const struct piece *out, size_t n, struct piece word)
{
	while (n > 0)
		if (same(out[--n], word))
			return true;
	return false;
}

size_t command_next(const struct words *w, int count, const char *prefix, struct piece *out, size_t room)
{
	bool fits[sizeof(commands) / sizeof(commands[0])];
	struct piece word;
	size_t c, n = 0;
	int i;

	memset(fits, true, sizeof(fits));
	for (i = 0; i < count; i++)
		narrow(fits, i, w->word[i]);
	for (c = 0; c < commands_count && n < room; c++) {
		word = word_at(&commands[c], count);
		if (!fits[c] || commands[c].alias_of || word.len == 0 || listed(out, n, word) || (*prefix && !begins(word, prefix)))
			continue;
		out[n++] = word;
	}
	return n;
}
