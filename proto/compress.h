// Compression of tunnel packets, each alone: in a worker for CSTP, in the dataplane for DTLS. No I/O, no allocation.
// Only their programs link it: LZ4 is a library.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "lzs.h"
#include "states.h"

// What packing works in: the caller's, for one packet at a time; needs no preparation.
union compress_memory {
	_Alignas(16) uint8_t lz4[16384 + 64];
	struct lzs_memory lzs;
};

// The packed length; -ENOSPC: it does not fit into `room`, so give it less than `len`.
int compress_pack(enum compressor how, union compress_memory *m, const uint8_t *in, size_t len, uint8_t *out, size_t room);
// The length, never 0; -EBADMSG: broken, or more than `room`.
int compress_unpack(enum compressor how, const uint8_t *in, size_t len, uint8_t *out, size_t room);
