// After an upgrade: sec-mod of this version in the place of the one of before (upgrade.h). It keeps its records in a file and its
// accounts at their servers, but a login that is under way ends with it: it is exchanged while there is none, or when
// auth-timeout is over since it could have been; and not before another has shown that it can start. Main process only.
#pragma once
#include <stdbool.h>

struct child;
struct gateway;

// Is it due? Then the rest follows from the loop.
void renew_begin(struct gateway *g);
// The one that was started to see whether it can start.
void renew_tried(struct child *c, bool ok, const char *text);
void renew_give_up(struct gateway *g);
