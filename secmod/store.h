// The file in which session records outlive their process (session-file): appended to with every change, and written anew when it
// has grown to twice what it has to say. sec-mod only, its loop's thread only. It never holds a cookie.
// Two gateways do not share one: who comes second is refused. What cannot be written any more is deleted: better no session
// survives than one that was revoked. That is tried again by store_tidy(): a full disk does not stay full.
// Times are in it by the wall clock, and beside them what that was worth by the monotonic one: as long as the machine has not been
// started anew nobody's time is longer or shorter because the wall clock was set.
#pragma once
#include <stdint.h>

#include "secmod/cookie.h"

struct store;

// This boot of the machine; all 0 where the kernel does not say.
void store_boot(uint8_t boot[SID_SIZE]);

// Read the file at `path` into `c` (empty so far), and write it anew; from now on it follows c's changes by store_put() and
// store_drop(). `boot` is the machine's, of store_boot(). NULL: `text` says why not, and nothing is kept. A file that is no good is
// not used, or cannot be written yet, and `text` says so, too (else "").
struct store *store_open(const char *path, struct cookies *c, const uint8_t boot[SID_SIZE], int64_t now, uint64_t wall,
                         char text[LIMIT_TEXT + 1]);
void store_close(struct store *s); // the file stays; NULL is fine

void store_put(struct store *s, const struct record *r, int64_t now, uint64_t wall);
void store_drop(struct store *s, const uint8_t sid[SID_SIZE]);
// Written anew if that is due; not while cookies change.
void store_tidy(struct store *s, int64_t now, uint64_t wall);
// In how many ms store_tidy() has something to try again; -1: in none.
int64_t store_due(const struct store *s, int64_t now);
