// Content encodings of the tunnel by their names in headers, options and tables. What they do is in compress.h.
#pragma once
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "states.h"

// "oc-lz4", "lzs"; "" for COMPRESS_NONE.
const char *encoding_name(enum compressor how);
// COMPRESS_NONE: there is no such encoding (the case of letters does not count).
enum compressor encoding_of(const char *name, size_t len);

// Sets of them in one byte.
#define ENCODING_BIT(how) (1u << (how))
static_assert(ENCODING_SETS == (1u << (COMPRESS_LAST + 1)) - 1, "a bit for each");
