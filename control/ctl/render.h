// Answers for people (tables, `Key: value` lines) and for programs (JSON).
// Pure but for the stream that they write to.
#pragma once
#include <stdio.h>
#include <time.h>

#include "answer.h"
#include "commands.h"

// `now` is the time that ages are told from. 0 or -ENOMEM.
int render_text(FILE *out, const struct command *c, const struct answer *a, time_t now);
int render_json(FILE *out, const struct command *c, const struct answer *a);
