// A fragment from the outer side: what it says of itself lies within the frame and within a datagram.
#include <stdint.h>
#include <stdlib.h>

#include "dataplane/fragment.h"

#define PORT 0xbb01 // 443 in network order

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outer_frame frame;
	struct outer_fragment f;
	enum fragment_verdict v;

	if (outer_frame_parse(data, size, PORT, &frame) != FRAME_FRAGMENT)
		return 0;
	v = fragment_parse(data, size, PORT, &frame, &f);
	if (f.ip != frame.ip || (f.family != 0 && f.addresses + (f.family == 4 ? 8 : 32) > data + size))
		abort();
	if (v != FRAGMENT_GOOD)
		return 0;
	if (f.ip + f.headers + (size_t)f.len > size || f.len == 0 || f.offset + f.len > UINT16_MAX)
		abort();
	if ((f.more && f.len % 8) || f.offset % 8 || (f.offset == 0 && f.len < UDP_HEADER))
		abort();
	return 0;
}
