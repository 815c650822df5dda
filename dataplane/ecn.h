// Congestion marks where one IP header is taken off another (RFC 6040 4.2). Bytes in, bytes out: no DPDK.
#pragma once
#include "checksum.h"
#include "frame.h"

enum ecn { ECN_NOT, ECN_1, ECN_0, ECN_MET };
#define ECN_LOST 0xff // a packet whose ends know nothing of ECN can be told only by losing it

static inline uint8_t ecn_combined(uint8_t inner, uint8_t outer)
{
	static const uint8_t table[4][4] = {
		[ECN_NOT] = { ECN_NOT, ECN_NOT, ECN_NOT, ECN_LOST },
		[ECN_1] = { ECN_1, ECN_1, ECN_1, ECN_MET },
		[ECN_0] = { ECN_0, ECN_1, ECN_0, ECN_MET },
		[ECN_MET] = { ECN_MET, ECN_MET, ECN_MET, ECN_MET },
	};

	return table[inner & ECN_MASK][outer & ECN_MASK];
}

static inline uint8_t ip_tos(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? ip[1] : (uint8_t)(ip[0] << 4 | ip[1] >> 4);
}

// The low bits of a whole IP packet's TOS or traffic class.
static inline void ecn_set(uint8_t *ip, uint8_t ecn)
{
	uint16_t before = load16(ip);

	if (ip[0] >> 4 == 6) {
		ip[1] = (uint8_t)((ip[1] & ~(ECN_MASK << 4)) | ecn << 4);
		return;
	}
	ip[1] = (uint8_t)((ip[1] & ~ECN_MASK) | ecn);
	checksum_replace(ip + 10, before, load16(ip));
}

// The inner packet of a record that came with this TOS takes its mark over. false: it has to be dropped.
static inline bool ecn_take(uint8_t *ip, uint8_t outer)
{
	uint8_t was = ip_tos(ip) & ECN_MASK, now = ecn_combined(was, outer);

	if (now == ECN_LOST)
		return false;
	if (now != was)
		ecn_set(ip, now);
	return true;
}
