// Named counters of the packet path, one set a core. See counters.def.
#pragma once
#include <stdint.h>

#include <rte_common.h>

#include "proto/states.h"

enum counter {
#define COUNTER(name, role, help) COUNT_##name,
#include "counters.def"
#undef COUNTER
	COUNTERS
};

struct counters {
	uint64_t value[COUNTERS]; // owner lcore: rw, control: ro
} __rte_cache_aligned;

struct counter_desc {
	const char *name, *help;
	uint8_t role; // enum counter_role
};
extern const struct counter_desc counter_descs[COUNTERS];

// What came and what became of it, by role.
struct counter_sums {
	uint64_t of[COUNTER_ROLES];
};
struct counter_sums counters_sum(const struct counters *c);
