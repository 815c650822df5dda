// What workers spend CPU time on. A worker works for its client's packets; one that uses more time than they explain is ended. A
// bound for its whole life would end long sessions, and a share of the machine busy ones. Main process only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct gateway;

// Time that one worker may still use, as of the last look at it.
struct cputime {
	uint64_t used_us, packets; // since its start
	int64_t credit_us;
};

void cputime_init(struct cputime *t);
// Another look, so much later. false: it has overdrawn.
bool cputime_spend(struct cputime *t, uint64_t elapsed_ms, uint64_t used_us, uint64_t packets);

// Look at all workers from now on.
void cputime_open(struct gateway *g);
void cputime_close(struct gateway *g);
