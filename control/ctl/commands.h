// The command table (proto/commands.def) and how typed words find their way through it.
// Pure, no I/O: used by the command line and by the shell alike.
#pragma once
#include <stddef.h>

#include "words.h"

enum command_argument {
	ARG_NONE,
	ARG_USER,
	ARG_ID,
	ARG_SESSION,
	ARG_IP,
	ARG_TRACE,
	ARG_CAPTURE,
	ARG_EVENTS,
	ARG_FILE,
	ARG_TOP,
	ARG_LIMIT_USER,
	ARG_LIMIT_SESSION
};
enum command_right { RIGHT_READ, RIGHT_ADMIN };
enum command_answer { ANSWER_TABLE, ANSWER_RECORDS, ANSWER_STATUS, ANSWER_EVENTS, ANSWER_DONE, ANSWER_LOCAL };

enum column_kind { COLUMN_CELL, COLUMN_AGE, COLUMN_NONZERO };

struct column {
	const char *title; // NULL ends a list of columns
	const char *keys;  // parted by |
	enum column_kind kind;
};

struct command {
	const char *words;
	const char *alias_of; // words of the command that it stands for; NULL: it stands for itself
	enum command_argument argument;
	enum command_right right;
	enum command_answer answer;
	const char *help, *empty;
	const struct column *columns;
};

extern const struct command commands[];
extern const size_t commands_count;

enum command_fault {
	COMMAND_FOUND,
	COMMAND_UNKNOWN,    // no command begins like this
	COMMAND_INCOMPLETE, // more words are wanted
	COMMAND_NO_ARGUMENT,
	COMMAND_TOO_MANY, // words are left over
};

// Which command do these words call? Words may be shortened as far as they stay clear. *argument is the first word of its argument;
// NULL where it takes none. An alias finds what it stands for.
enum command_fault command_find(const struct words *w, const struct command **found, const char **argument);

// The next words that may stand after the first `count` of `w` and begin with `prefix`: each once, in table order, no aliases.
// Returns how many of at most `room` were written; the strings are pieces of the table: `len` bytes each.
struct piece {
	const char *text;
	size_t len;
};
size_t command_next(const struct words *w, int count, const char *prefix, struct piece *out, size_t room);

// How many words its argument has at most.
int command_argument_words(enum command_argument argument);
// Its words as people read them: "NAME", "N", "SESSION", "ADDRESS" and the like; those in square brackets may be left out. Or "".
const char *command_argument_name(enum command_argument argument);
