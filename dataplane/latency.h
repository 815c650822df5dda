// How long packets are in a core's hands: from the start of the round in which it took them to the end of that round, when they
// had been sent or passed on. Written by a poll core, a number a round; read by the control thread. Logarithmic: a value is known
// to an eighth of itself.
#pragma once
#include <stdint.h>

#define LATENCY_STEPS 8 // of each power of two
#define LATENCY_BUCKETS (62 * LATENCY_STEPS)

struct latency {
	uint64_t packets[LATENCY_BUCKETS];
};

static inline unsigned latency_bucket(uint64_t cycles)
{
	unsigned shift;

	if (cycles < LATENCY_STEPS)
		return (unsigned)cycles;
	shift = 60 - (unsigned)__builtin_clzll(cycles);
	return (shift + 1) * LATENCY_STEPS + (unsigned)(cycles >> shift) % LATENCY_STEPS;
}

static inline void latency_count(struct latency *l, uint64_t cycles, unsigned packets)
{
	l->packets[latency_bucket(cycles)] += packets;
}

// The middle of a bucket, in cycles.
double latency_of(unsigned bucket);

struct latency_figures {
	uint64_t packets;
	double median, stdev; // cycles; 0 where there were no packets
};
// Of what `now` counts beyond `before`.
struct latency_figures latency_figures(const struct latency *now, const struct latency *before);
