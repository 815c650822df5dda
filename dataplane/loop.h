// A poll core's loop: receive, classify, in, route, out, transmit; mailbox; quiescent report; rest when there is nothing to do.
#pragma once
#include "lcore.h"

// Runs on the core's EAL thread until lc->stop; arg is its struct lcore. 0, or -errno where it could not start.
int loop_run(void *arg);
// One round; how many packets it received. Exported for the bench and the tests.
unsigned loop_round(struct lcore *lc);
