#include "compress.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <lz4.h>

static_assert(sizeof(union compress_memory) >= sizeof(LZ4_stream_t), "LZ4 needs more");

int compress_pack(enum compressor how, union compress_memory *m, const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	int n;

	if (len > INT_MAX || room > INT_MAX)
		return -ENOSPC;
	switch (how) {
	case COMPRESS_LZ4:
		n = LZ4_compress_fast_extState(m->lz4, (const char *)in, (char *)out, (int)len, (int)room, 1);
		return n > 0 ? n : -ENOSPC;
	case COMPRESS_LZS:
		return lzs_pack(&m->lzs, in, len, out, room);
	default:
		return -ENOSPC;
	}
}

int compress_unpack(enum compressor how, const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	int n = -EBADMSG;

	if (len > INT_MAX || room > INT_MAX)
		return -EBADMSG;
	if (how == COMPRESS_LZ4)
		n = LZ4_decompress_safe((const char *)in, (char *)out, (int)len, (int)room);
	else if (how == COMPRESS_LZS)
		n = lzs_unpack(in, len, out, room);
	return n > 0 ? n : -EBADMSG;
}
