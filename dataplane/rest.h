// What a core does between its rounds when they bring little or nothing.
#pragma once
#include "lcore.h"

struct rest {
	unsigned empty;    // rounds in a row that brought nothing
	uint64_t since;    // TSC: when a window of a millisecond or more began
	uint32_t packets;  // in that window
	long nap_ns;       // what the window before it advises
	bool slept;        // long, before this round
	bool timed_out;    // that sleep ended by itself
	uint64_t received; // frames until then
};

// After a round that brought `moved` packets: pause, nap, sleep, or nothing of it.
void rest(struct lcore *lc, struct rest *r, unsigned moved);
// How long to nap between rounds that bring less than a burst; 0: there is no stream. Exported for its test.
long rest_stream(struct rest *r, uint64_t now, uint64_t hz, unsigned moved);
