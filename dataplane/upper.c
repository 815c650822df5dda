#include "upper.h"

#include "frame.h"

#define PROTOCOL_TCP 6
#define PROTOCOL_ROUTING 43
#define PROTOCOL_AH 51
#define PROTOCOL_OPTIONS 60
#define PROTOCOL_SCTP 132
#define PROTOCOL_MOBILITY 135
#define PROTOCOL_HIP 139
#define PROTOCOL_SHIM6 140
#define OPTION_END 0
#define OPTION_NOTHING 1
#define OPTION_LOOSE_ROUTE 131
#define OPTION_STRICT_ROUTE 137

static struct upper upper_of(uint8_t protocol, const uint8_t *ip, unsigned at, unsigned len)
{
	if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP && protocol != PROTOCOL_SCTP)
		return (struct upper){ .kind = UPPER_PLAIN, .protocol = protocol, .at = (uint16_t)at };
	if (len - at < 4)
		return (struct upper){ .kind = UPPER_UNKNOWN, .protocol = protocol };
	return (struct upper){ .kind = UPPER_PORT, .protocol = protocol, .port = load16(ip + at + 2), .at = (uint16_t)at };
}

// RFC 791 3.1. Options that make no sense may be anything.
static bool ipv4_is_routed(const uint8_t *option, unsigned len)
{
	unsigned step;

	for (; len > 0 && option[0] != OPTION_END; option += step, len -= step) {
		if (option[0] == OPTION_LOOSE_ROUTE || option[0] == OPTION_STRICT_ROUTE)
			return true;
		step = option[0] == OPTION_NOTHING ? 1 : len > 1 ? option[1] : 0;
		if (step > len || step < (option[0] == OPTION_NOTHING ? 1 : 2))
			return true;
	}
	return false;
}

static struct upper ipv4_parse(const uint8_t *ip, unsigned len)
{
	unsigned header = (ip[0] & 15) * 4;

	if (ipv4_is_routed(ip + IPV4_HEADER, header - IPV4_HEADER))
		return (struct upper){ .kind = UPPER_ROUTED, .protocol = ip[9] };
	if (load16(ip + 6) & 0x1fff)
		return (struct upper){ .kind = UPPER_LATER, .protocol = ip[9] };
	return upper_of(ip[9], ip, header, len);
}

static bool is_extension(uint8_t protocol)
{
	return protocol == PROTOCOL_HOP_BY_HOP || protocol == PROTOCOL_ROUTING || protocol == PROTOCOL_FRAGMENT ||
	       protocol == PROTOCOL_AH || protocol == PROTOCOL_OPTIONS || protocol == PROTOCOL_MOBILITY ||
	       protocol == PROTOCOL_HIP || protocol == PROTOCOL_SHIM6;
}

// RFC 8200 4, RFC 4302 2.2.
static unsigned extension_len(uint8_t protocol, const uint8_t *p)
{
	if (protocol == PROTOCOL_FRAGMENT)
		return FRAGMENT_HEADER;
	return protocol == PROTOCOL_AH ? (p[1] + 2u) * 4 : (p[1] + 1u) * 8;
}

static struct upper ipv6_parse(const uint8_t *ip, unsigned len)
{
	const uint8_t *p = ip + IPV6_HEADER, *end = ip + len;
	uint8_t protocol = ip[6];
	unsigned step;

	for (unsigned n = 0; is_extension(protocol); n++) {
		if (n == UPPER_HEADERS_MAX || end - p < 8)
			return (struct upper){ .kind = UPPER_UNKNOWN, .protocol = protocol };
		if (protocol == PROTOCOL_ROUTING && p[3] > 0) // segments left
			return (struct upper){ .kind = UPPER_ROUTED, .protocol = protocol };
		if (protocol == PROTOCOL_FRAGMENT && load16(p + 2) & 0xfff8)
			return (struct upper){ .kind = is_extension(p[0]) ? UPPER_UNKNOWN : UPPER_LATER, .protocol = p[0] };
		step = extension_len(protocol, p);
		if (step > (unsigned)(end - p))
			return (struct upper){ .kind = UPPER_UNKNOWN, .protocol = protocol };
		protocol = p[0];
		p += step;
	}
	return upper_of(protocol, ip, (unsigned)(p - ip), len);
}

struct upper upper_parse(const uint8_t *ip, unsigned len)
{
	return ip[0] >> 4 == 4 ? ipv4_parse(ip, len) : ipv6_parse(ip, len);
}
