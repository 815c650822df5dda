#include "metrics.h"

#define METRIC_OF(source) METRIC_OF_##source

const struct metric_desc metric_descs[METRICS] = {
#define METRIC(ID, type, ...) [METRIC_##ID] = { METRIC_##type, METRIC_REST(__VA_ARGS__) },
#define METRIC_REST(name, unit, per, labels, source, help) name, unit, per, labels, METRIC_OF(source), help
#include "metrics.def"
#undef METRIC
};

// A password takes milliseconds, a directory tens of them, a second factor the seconds that a user needs.
const uint32_t metric_bounds[METRIC_BOUNDS] = { 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000, 30000, 120000 };
