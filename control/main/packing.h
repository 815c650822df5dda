// Compression: which encoding a client gets of those that it offers. Main process only.
#pragma once
#include <stdint.h>

#include "proto/states.h"

struct packing {
	uint32_t priority[COMPRESS_LAST + 1]; // the highest is taken; 0: not offered
	uint16_t above;                       // smaller packets and those of just this length stay as they are (no-compress-limit)
};

// compression-algo-priority as ocserv has it, "oc-lz4:1000" or several of these; NULL: ocserv's own order. 0, or -EINVAL and `out`
// is untouched.
int packing_parse(const char *priorities, struct packing *out);
// accepted: ENCODING_BITs of what the client can do.
enum compressor packing_choose(const struct packing *p, uint8_t accepted);
