// A token bucket in one word: what strangers can make us do is so much a second and no more. Owner thread only; begins full.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t due; // TSC: when the tokens taken so far are all back
};

// Takes one of `burst` tokens, of which one comes back every `ticks`. false: there is none.
static inline bool bucket_take(struct bucket *b, uint64_t now, uint64_t ticks, unsigned burst)
{
	uint64_t due = (int64_t)(now - b->due) > 0 ? now : b->due;

	if (due - now > ticks * (burst - 1))
		return false;
	b->due = due + ticks;
	return true;
}
