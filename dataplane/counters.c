#include "counters.h"

const struct counter_desc counter_descs[COUNTERS] = {
#define COUNTER(name, drop, help) [COUNT_##name] = { #name, help, drop },
#include "counters.def"
#undef COUNTER
};
