// The replay window of one set of record keys (RFC 6347 4.1.2.6), 1024 records wide and more. Owner core only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define REPLAY_WORDS 17                                // 64-bit words kept; one of them is always being cleared
#define REPLAY_WINDOW ((REPLAY_WORDS - 1) * 64)        // 1024

struct replay_window {
	uint64_t top;                  // highest sequence seen + 1
	uint64_t bits[REPLAY_WORDS];
};

// Before decryption: could this be new? After it: take it. Two steps, because the window moves only after the MAC holds.
bool replay_check(const struct replay_window *w, uint64_t sequence);
bool replay_take(struct replay_window *w, uint64_t sequence); // false: a copy of it in the same burst was first
