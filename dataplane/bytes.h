// Numbers in network order at any address. No DPDK, so that parsers and their fuzz targets stay plain.
#pragma once
#include <stdint.h>

static inline uint16_t load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t load24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | load16(p + 1);
}
static inline void store16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
