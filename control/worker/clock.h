// Monotonic time of a worker's loop, in milliseconds.
#pragma once
#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

// The earlier of a poll timeout (-1: never) and a moment.
static inline int clock_sooner(int timeout, uint64_t at_ms, uint64_t now_ms)
{
	uint64_t left = at_ms > now_ms ? at_ms - now_ms : 0;

	if (left > INT32_MAX)
		left = INT32_MAX;
	return timeout < 0 || (int)left < timeout ? (int)left : timeout;
}
