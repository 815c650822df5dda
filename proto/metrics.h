// What main tells of the gateway, and penstock-metrics writes as OpenMetrics: ids and their table (metrics.def).
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "limits.h"

enum metric {
#define METRIC(ID, ...) METRIC_##ID,
#include "metrics.def"
#undef METRIC
	METRICS,
};
_Static_assert(METRICS <= LIMIT_METRICS, "METRICS_SAMPLE has room for them");

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_INFO };
enum metric_source { METRIC_OF_MAIN, METRIC_OF_SECMOD, METRIC_OF_DATAPLANE, METRIC_OF_USER };

#define METRIC_LABELS 3

struct metric_desc {
	enum metric_type type;
	const char *name, *unit;
	uint32_t per;
	const char *labels; // "method,result"
	enum metric_source source;
	const char *help;
};

extern const struct metric_desc metric_descs[METRICS];

// Upper bounds of a histogram's buckets, in what its `per` makes seconds of. The last bucket has none.
#define METRIC_BOUNDS (LIMIT_METRIC_PARTS - 1)
extern const uint32_t metric_bounds[METRIC_BOUNDS];
