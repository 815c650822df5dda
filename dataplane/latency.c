#include "latency.h"

#include <math.h>

double latency_of(unsigned bucket)
{
	unsigned shift = bucket / LATENCY_STEPS;

	if (shift == 0)
		return bucket;
	return ldexp(LATENCY_STEPS + bucket % LATENCY_STEPS + 0.5, (int)shift - 1);
}

static double median(const struct latency *now, const struct latency *before, uint64_t packets)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		below += now->packets[i] - before->packets[i];
		if (2 * below >= packets)
			return latency_of(i);
	}
	return 0;
}

struct latency_figures latency_figures(const struct latency *now, const struct latency *before)
{
	struct latency_figures f = { 0 };
	double sum = 0, squares = 0, mean, n;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		n = (double)(now->packets[i] - before->packets[i]);
		f.packets += now->packets[i] - before->packets[i];
		sum += n * latency_of(i);
		squares += n * latency_of(i) * latency_of(i);
	}
	if (f.packets == 0)
		return f;
	mean = sum / (double)f.packets;
	f.median = median(now, before, f.packets);
	f.stdev = sqrt(fmax(squares / (double)f.packets - mean * mean, 0));
	return f;
}
