// The replay window of one set of record keys (RFC 6347 4.1.2.6), 1024 records wide. Owner core only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define REPLAY_WORDS 16
#define REPLAY_WINDOW (REPLAY_WORDS * 64)

// The word in use lies beside `top`, so that records in order touch one cache line.
struct replay_window {
	uint64_t top;    // highest sequence seen + 1
	uint64_t newest; // one bit a record: the 64 that top - 1 is among
	uint64_t older[REPLAY_WORDS];
};

// Before decryption: could this be new? After it: take it. Two steps, because the window moves only after the MAC holds.
bool replay_check(const struct replay_window *w, uint64_t sequence);
// false: a copy of it in the same burst was first. Adds to *lost the records that the window leaves behind unseen; those before the
// first one are none of them: they were its handshake's.
bool replay_take(struct replay_window *w, uint64_t sequence, int64_t *lost);
