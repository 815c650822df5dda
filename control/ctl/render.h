// Answers for people (tables, `Key: value` lines) and for programs (JSON).
// Pure but for the stream that they write to.
#pragma once
#include <stdio.h>
#include <time.h>

#include "answer.h"
#include "commands.h"

// `now` is the time that ages are told from; colours are for terminals. 0 or -ENOMEM.
struct look {
	time_t now;
	bool colours;
};
int render_text(FILE *out, const struct command *c, const struct answer *a, const struct look *look);
// One section of such an answer alone, as a table without its name.
int render_section(FILE *out, const struct command *c, const struct answer *a, const char *section, const struct look *look);
int render_json(FILE *out, const struct command *c, const struct answer *a);
