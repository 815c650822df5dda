// Does each child still answer? One that is silent is asked, and one that stays silent is reported (in the log, in `show status`,
// and to whoever waits for what it knows) and killed, so that another takes its place. Main process only.
#pragma once
#include "control/main/supervise.h"

void pulse_open(struct gateway *g);
void pulse_close(struct gateway *g);
// The first one in force that does not answer; NULL: all do.
const struct child *pulse_missing(const struct gateway *g);
