#include "counters.h"

const struct counter_desc counter_descs[COUNTERS] = {
#define COUNTER(name, role, help) [COUNT_##name] = { #name, help, COUNTER_##role },
#include "counters.def"
#undef COUNTER
};

struct counter_sums counters_sum(const struct counters *c)
{
	struct counter_sums s = { 0 };

	for (unsigned i = 0; i < COUNTERS; i++)
		s.of[counter_descs[i].role] += c->value[i];
	return s;
}
