// What may stand next on a line: words of the command table, or names that the gateway is asked for. For the shell and for the
// completion of other shells (penstockctl --complete).
#pragma once
#include "ctl.h"

#define CHOICES 256

struct choices {
	struct piece at[CHOICES];
	size_t count;
	size_t typed;                  // bytes that are there already
	const struct command *command; // whose argument is wanted; NULL: words are
	char number[CHOICES][24];
	struct answer owner; // what the texts point into
};

// For the last word of `w`, or the one that would follow. The texts live as long as `w` and the choices.
void choices_find(struct choices *ch, const struct ctl *ctl, const struct words *w);
void choices_fini(struct choices *ch);
// How many bytes all of them begin with.
size_t choices_common(const struct choices *ch);
// "users       connected clients": one a line, each with what it does where it ends a command.
void choices_explain(FILE *out, const struct choices *ch, const struct words *w);
// --complete: one a line and nothing else. enum ctl_exit.
int choices_print(const struct ctl *ctl, char *line);
