// LZS (RFC 1974 2.4, 3.5; ANSI X3.241) as the tunnel protocol uses it: each packet alone, nothing but tokens and the end marker.
// No I/O, no allocation. Time is bounded by the length of the input and, unpacking, by the room for the output.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define LZS_WINDOW 2047 // the furthest that an offset of 11 bits reaches
#define LZS_HASHES 1024
#define LZS_LENGTH_MAX (UINT16_MAX - 1)

// Where pairs of bytes were last seen; needs no preparation, holds nothing from one packet to the next.
struct lzs_memory {
	uint16_t newest[LZS_HASHES];
	uint16_t older[LZS_WINDOW + 1];
};

// The packed length, or -ENOSPC: it does not get smaller than `room`.
int lzs_pack(struct lzs_memory *m, const uint8_t *in, size_t len, uint8_t *out, size_t room);
// The length; -EBADMSG: broken, or more than `room`.
int lzs_unpack(const uint8_t *in, size_t len, uint8_t *out, size_t room);
