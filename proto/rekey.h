// When keys are too old (rekey-time), for whoever holds keys: clients are told the time itself, and get a little longer before
// their keys are changed without them. Pure.
#pragma once
#include <stdint.h>

#define REKEY_MARGIN 30 // seconds

// Of a rekey-time in seconds; 0: never.
static inline uint64_t rekey_deadline(uint32_t time)
{
	return time == 0 ? 0 : (uint64_t)time + (time < 2 * REKEY_MARGIN ? time / 2 : REKEY_MARGIN);
}
