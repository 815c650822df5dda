// Named counters of the packet path, one set a core. See counters.def.
#pragma once
#include <stdint.h>

#include <rte_common.h>

enum counter {
#define COUNTER(name, drop, help) COUNT_##name,
#include "counters.def"
#undef COUNTER
	COUNTERS
};

struct counters {
	uint64_t value[COUNTERS]; // owner lcore: rw, control: ro
} __rte_cache_aligned;

struct counter_desc {
	const char *name, *help;
	uint8_t drop;
};
extern const struct counter_desc counter_descs[COUNTERS];
