// The Internet checksum (RFC 1071). Ones' complement addition minds neither the width of its words nor their order, so sums of
// parts can be added up, as long as each part but the last is of even length. No DPDK, so that its users and their fuzz targets
// stay plain.
#pragma once
#include <stdint.h>
#include <string.h>

#include "bytes.h"

typedef uint64_t checksum_words __attribute__((vector_size(16)));

static inline uint64_t checksum_add(const uint8_t *p, unsigned n)
{
	const checksum_words low = { UINT32_MAX, UINT32_MAX };
	checksum_words a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 }, x, y;
	uint64_t sum;
	uint32_t word = 0;

	for (; n >= 32; p += 32, n -= 32) {
		memcpy(&x, p, 16);
		memcpy(&y, p + 16, 16);
		a += x & low;
		b += x >> 32;
		c += y & low;
		d += y >> 32;
	}
	a += b + c + d;
	sum = a[0] + a[1];
	for (; n >= 4; p += 4, n -= 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	word = 0;
	memcpy(&word, p, n);
	return sum + word;
}

// As it stands in a header, in network order. 0: what was summed up held its own checksum, and it is right.
static inline uint16_t checksum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

// Of an IPv4 header, into it.
static inline void checksum_ipv4(uint8_t *ip, unsigned header)
{
	uint16_t sum;

	store16(ip + 10, 0);
	sum = checksum_fold(checksum_add(ip, header));
	memcpy(ip + 10, &sum, 2);
}

// What stands before the transport's bytes: two addresses one after the other, the protocol, the length of header and payload.
static inline uint64_t checksum_pseudo(const uint8_t *addresses, unsigned n, uint8_t protocol, uint32_t length)
{
	uint8_t rest[8] = { 0, 0, 0, 0, 0, 0, 0, protocol };

	store16(rest, (uint16_t)(length >> 16));
	store16(rest + 2, (uint16_t)length);
	return checksum_add(addresses, n) + checksum_add(rest, sizeof(rest));
}

// A word that a checksum stands for has changed (RFC 1624). In host order, as they lie in the packet; a word that begins at an odd
// place of what is summed up has its bytes exchanged.
static inline void checksum_replace(uint8_t *checksum, uint16_t before, uint16_t after)
{
	uint32_t sum = (uint16_t)~load16(checksum) + (uint16_t)~before + after;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	store16(checksum, (uint16_t)~sum);
}
