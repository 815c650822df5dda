// Packets that a client has packed, and packets that we pack: bounded, and what we make comes back the same.
#include <stdlib.h>
#include <string.h>

#include "proto/compress.h"
#include "proto/limits.h"

static void unpack(enum compressor how, const uint8_t *data, size_t size)
{
	size_t room = size ? data[0] * 8u + 1 : 1; // of its own, so that the sanitizer sees the end
	uint8_t *out = malloc(room);
	int n = compress_unpack(how, data, size, out, room);

	if (n == 0 || n > (int)room)
		abort();
	free(out);
}

static void round_trip(enum compressor how, const uint8_t *data, size_t size)
{
	static union compress_memory memory;
	static uint8_t packed[LIMIT_PACKET], back[LIMIT_PACKET];
	int n;

	if (size < 2 || size > LIMIT_PACKET)
		return;
	n = compress_pack(how, &memory, data, size, packed, size - 1);
	if (n >= 0 && (n == 0 || n >= (int)size || compress_unpack(how, packed, (size_t)n, back, size) != (int)size ||
	               memcmp(back, data, size) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (enum compressor how = COMPRESS_LZ4; how <= COMPRESS_LAST; how++) {
		unpack(how, data, size);
		round_trip(how, data, size);
	}
	return 0;
}
