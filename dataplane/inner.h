// IP packets of tunnels, as clients and the inner port bring them. Bytes in, fields out: no I/O, no DPDK.
#pragma once
#include "frame.h"

// An IP packet of a tunnel.
struct inner_ip {
	uint8_t family; // 4 or 6
	uint16_t len;   // the whole packet, without what pads it
	const uint8_t *from, *to;
};

// Headers whole, lengths true. What the packet carries is the kernel's business.
static inline bool inner_ip_parse(const uint8_t *buf, size_t len, struct inner_ip *out)
{
	if (len < IPV4_HEADER)
		return false;
	if (buf[0] >> 4 == 4) {
		unsigned header = (buf[0] & 15) * 4, total = load16(buf + 2);
		if (header < IPV4_HEADER || total < header || total > len)
			return false;
		*out = (struct inner_ip){ 4, (uint16_t)total, buf + 12, buf + 16 };
		return true;
	}
	if (buf[0] >> 4 == 6 && len >= IPV6_HEADER) {
		unsigned total = IPV6_HEADER + load16(buf + 4);
		if (total > len || total > UINT16_MAX)
			return false;
		*out = (struct inner_ip){ 6, (uint16_t)total, buf + 8, buf + 24 };
		return true;
	}
	return false;
}

// ICMP, IGMP and ICMPv6 keep no session busy: what a kernel says by itself is no user at work. Multicast listener reports (RFC
// 3810) come behind a hop-by-hop header. `ip` is a packet that inner_ip_parse() has taken.
static inline bool inner_is_chatter(const uint8_t *ip)
{
	uint8_t protocol = ip[6];

	if (ip[0] >> 4 == 4)
		return ip[9] == PROTOCOL_ICMP || ip[9] == PROTOCOL_IGMP;
	if (protocol == PROTOCOL_HOP_BY_HOP && load16(ip + 4) > 0)
		protocol = ip[IPV6_HEADER];
	return protocol == PROTOCOL_ICMPV6;
}

static inline bool ipv4_is_loopback(const uint8_t ip[4])
{
	return ip[0] == 127;
}
static inline bool ipv4_is_multicast(const uint8_t ip[4])
{
	return ip[0] >= 224;
} // and 240/4, broadcast
// No host that is behind another can have it: this network, loopback, link-local, multicast, reserved, broadcast.
static inline bool ipv4_is_martian(const uint8_t ip[4])
{
	return ip[0] == 0 || ip[0] == 127 || (ip[0] == 169 && ip[1] == 254) || ipv4_is_multicast(ip);
}
// ::/96 (unspecified, loopback, IPv4-compatible), IPv4-mapped, link-local, multicast.
static inline bool ipv6_is_martian(const uint8_t ip[16])
{
	static const uint8_t zero[10];
	bool low = memcmp(ip, zero, 10) == 0 && ((ip[10] == 0 && ip[11] == 0) || (ip[10] == 0xff && ip[11] == 0xff));

	return low || ip[0] == 0xff || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80);
}
static inline bool ipv6_is_multicast(const uint8_t ip[16])
{
	return ip[0] == 0xff;
}
static inline bool ipv6_is_loopback(const uint8_t ip[16])
{
	static const uint8_t loopback[16] = { [15] = 1 };
	return memcmp(ip, loopback, 16) == 0;
}
