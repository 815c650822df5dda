// The packet road between a worker and the dataplane: a SOCK_SEQPACKET pair that carries bare IP packets and messages.
// The first nibble tells which: 4 and 6 are IP packets of the tunnel (CSTP data, either way), everything else is a message of the
// table (msgpack arrays start with 0x9 or 0xdc). Lanes are non-blocking: what does not fit is dropped and counted, as on any link.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_SOCKET_BUFFER (1 << 20) // bytes each way; about 700 full packets
#define LANE_SOCKET_LEAST (1 << 15)

static inline bool lane_is_packet(const uint8_t *buf, size_t len)
{
	return len >= 20 && (buf[0] >> 4 == 4 || buf[0] >> 4 == 6);
}
