// penstockctl's own bearings: how it was called, and running one command.
// Filled by main.c, used by the shell; nothing here outlives the process.
#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "ask.h"
#include "commands.h"

// Where main listens unless its configuration says otherwise (occtl-socket-file).
#define CTL_SOCKET "/run/penstockctl.socket"
// Where ocserv's own configurations put it: taken where there is nothing at the first.
#define CTL_SOCKET_OCCTL "/run/occtl.socket"

enum ctl_exit { CTL_OK = 0, CTL_REFUSED = 1, CTL_USAGE = 2 };

struct ctl {
	const char *socket;
	bool json, pager;
};

// Ask, and print the answer to standard output. enum ctl_exit.
int ctl_run(const struct ctl *ctl, const struct command *c, const char *argument);
// Find the command and run it; says on standard error what is wrong with the words.
int ctl_run_words(const struct ctl *ctl, const struct words *w);
// One question on a connection of its own. 0 or -errno; the caller ends `a` in any case.
int ctl_ask(const struct ctl *ctl, const char *command, const char *argument, struct answer *a, const char **why);
// Read commands until the end of input. enum ctl_exit of the last one where standard input is no terminal.
int shell_run(const struct ctl *ctl);
