// One question to the gateway over its admin socket. Blocking, single thread.
#pragma once
#include "answer.h"
#include "proto/chan.h"

struct ask {
	struct chan chan;
	const char *path;
};

// Connect. 0 or -errno, and *why is a sentence for people.
int ask_open(struct ask *k, const char *path, const char **why);
// Send a command and collect its answer (a->ok says whether the gateway did it). The caller ends `a` with answer_fini() in any
// case. 0 or -errno, and *why as above.
// `a` is empty but for where packets go, and then all this may take an hour.
int ask_command(struct ask *k, const char *command, const char *argument, struct answer *a, const char **why);
void ask_close(struct ask *k);
