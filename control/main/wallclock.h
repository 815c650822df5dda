// The wall clock, which somebody may set. Nothing of main's that lasts so and so long goes by it (clock_ms() does that), only what
// has a date: accounts that expire, days of quotas, and what operators are shown. Main process only.
#pragma once
#include <stdint.h>
#include <time.h>

struct gateway;

// When a moment of clock_ms() was by the wall clock of now, to the nearest second. And the other way.
time_t wallclock_then(int64_t ms);
int64_t wallclock_of(time_t then);

// Twice a second: if the clock was set since the last time the log says so, and accounts that have expired by that end at once.
void wallclock_look(struct gateway *g);
