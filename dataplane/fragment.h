// IP fragments as they come on the outer side (RFC 791 3.2, RFC 8200 4.5). Bytes in, fields out: no I/O, no DPDK.
#pragma once
#include "frame.h"

#define IPV4_MORE 0x2000
#define IPV4_OFFSET 0x1fff

enum fragment_verdict {
	FRAGMENT_GOOD,
	FRAGMENT_NOT_OURS, // a first one of another port, or not of UDP
	FRAGMENT_BROKEN,   // lengths that cannot be
};

struct outer_fragment {
	uint8_t family; // 4 or 6
	uint8_t tos;
	bool more;
	uint16_t ip;      // offset of the IP header
	uint16_t headers; // IP header, and IPv6's fragment header: the fragment's part of the datagram follows
	uint16_t offset;  // of that part in the datagram, bytes
	uint16_t len;     // of that part, without what pads the frame
	uint32_t id;      // as it came
	const uint8_t *addresses;
};

// What has to be true of every fragment, and of a first one.
static inline enum fragment_verdict fragment_check(const uint8_t *buf, uint16_t port, const struct outer_fragment *f)
{
	const uint8_t *part = buf + f->ip + f->headers;

	if (f->len == 0 || (f->more && f->len % 8 != 0) || f->offset + f->len > UINT16_MAX)
		return FRAGMENT_BROKEN;
	if (f->offset > 0)
		return FRAGMENT_GOOD;
	if (f->len < UDP_HEADER) // a whole datagram would not have come here
		return FRAGMENT_BROKEN;
	return memcmp(part + 2, &port, 2) == 0 ? FRAGMENT_GOOD : FRAGMENT_NOT_OURS;
}

static inline enum fragment_verdict fragment_ipv4(const uint8_t *buf, size_t room, uint16_t port, struct outer_fragment *f)
{
	const uint8_t *ip = buf + f->ip;
	unsigned total, field;

	if (room < IPV4_HEADER)
		return FRAGMENT_BROKEN;
	total = load16(ip + 2);
	field = load16(ip + 6);
	f->family = 4;
	f->tos = ip[1];
	f->headers = (ip[0] & 15) * 4;
	f->more = field & IPV4_MORE;
	f->offset = (uint16_t)((field & IPV4_OFFSET) * 8);
	f->addresses = ip + 12;
	f->id = load16(ip + 4);
	if (f->headers < IPV4_HEADER || total < f->headers || total > room)
		return FRAGMENT_BROKEN;
	f->len = (uint16_t)(total - f->headers);
	return ip[9] == PROTOCOL_UDP ? fragment_check(buf, port, f) : FRAGMENT_NOT_OURS;
}

static inline enum fragment_verdict fragment_ipv6(const uint8_t *buf, size_t room, uint16_t port, struct outer_fragment *f)
{
	const uint8_t *ip = buf + f->ip, *header = ip + IPV6_HEADER;
	unsigned length, field;

	if (room < IPV6_HEADER + FRAGMENT_HEADER)
		return FRAGMENT_BROKEN;
	length = load16(ip + 4);
	field = load16(header + 2);
	f->family = 6;
	f->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
	f->headers = IPV6_HEADER + FRAGMENT_HEADER;
	f->more = field & 1;
	f->offset = field & 0xfff8;
	f->addresses = ip + 8;
	memcpy(&f->id, header + 4, 4);
	if (length < FRAGMENT_HEADER || length > room - IPV6_HEADER)
		return FRAGMENT_BROKEN;
	f->len = (uint16_t)(length - FRAGMENT_HEADER);
	return header[0] == PROTOCOL_UDP ? fragment_check(buf, port, f) : FRAGMENT_NOT_OURS;
}

// A frame that outer_frame_parse() has called FRAME_FRAGMENT; `frame` is what that found. port: ours, in network order.
static inline enum fragment_verdict fragment_parse(const uint8_t *buf, size_t len, uint16_t port, const struct outer_frame *frame,
                                                   struct outer_fragment *out)
{
	memset(out, 0, sizeof(*out));
	out->ip = frame->ip;
	return buf[frame->ip] >> 4 == 4 ? fragment_ipv4(buf, len - frame->ip, port, out)
	                                : fragment_ipv6(buf, len - frame->ip, port, out);
}
