// A large frame of the kernel behind its vnet header: whatever they say, packets lie within their room, and all that the frame
// carries comes out once.
#include <stdint.h>
#include <stdlib.h>

#include "dataplane/segment.h"

#define ROOM 2048

static void cut(const uint8_t *frame, size_t size, const struct virtio_net_hdr *v)
{
	uint8_t out[ROOM];
	struct segments s;
	uint32_t payload = 0, left;

	if (!segment_begin(&s, frame, (uint32_t)size, v, ROOM))
		return;
	if (s.headers.end > size || s.headers.payload >= s.headers.end)
		abort();
	for (left = segments_left(&s); left > 0; left--) {
		uint16_t len = segment_next(&s, out);
		if (len > ROOM || len <= s.headers.payload)
			abort();
		payload += len - s.headers.payload;
	}
	if (payload != s.headers.end - s.headers.payload || segments_left(&s) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_net_hdr v;
	uint8_t *frame;

	if (size < sizeof(v))
		return 0;
	memcpy(&v, data, sizeof(v));
	data += sizeof(v);
	size -= sizeof(v);
	if (size > ETHER_HEADER + UINT16_MAX)
		size = ETHER_HEADER + UINT16_MAX;
	frame = malloc(size ? size : 1);
	memcpy(frame, data, size);
	cut(frame, size, &v);
	segment_checksum(frame, (uint32_t)size, &v);
	free(frame);
	return 0;
}
