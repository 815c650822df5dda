// Where the shell's lines are kept from one time to the next: ~/.penstockctl_history, or penstockctl/history below XDG_STATE_HOME.
// The caller's own file, for nobody else to read, of so many lines; where there is none the shell does without.
#pragma once
#include <histedit.h>

#define HISTORY_LINES 500

void history_read(History *h);
void history_write(History *h);
