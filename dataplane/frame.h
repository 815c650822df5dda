// Ethernet, IP and UDP headers as the outer side sees them. Bytes in, fields out: no I/O, no DPDK.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bytes.h"

#define ETHER_HEADER 14
#define VLAN_TAG 4
#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define UDP_HEADER 8
#define FRAGMENT_HEADER 8
#define ETHER_IPV4 0x0800
#define ETHER_IPV6 0x86dd
#define ETHER_VLAN 0x8100
#define ETHER_QINQ 0x88a8
#define PROTOCOL_HOP_BY_HOP 0
#define PROTOCOL_ICMP 1
#define PROTOCOL_IGMP 2
#define PROTOCOL_UDP 17
#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_ICMPV6 58
// RFC 3168: the low bits of TOS and traffic class.
#define ECN_MASK 3
#define ECN_CE 3

enum frame_verdict { FRAME_OURS, FRAME_NOT_OURS, FRAME_MALFORMED, FRAME_FRAGMENT, FRAME_UNCHECKED };

struct outer_frame {
	uint8_t family;       // 4 or 6
	uint16_t vlan;        // tag control information, network order; 0: untagged
	uint16_t ip;          // offset of the IP header
	uint16_t udp;         // offset of the UDP header
	uint16_t payload_len; // UDP payload, without what pads the frame
};

static inline enum frame_verdict outer_udp(const uint8_t *buf, size_t room, uint16_t port, struct outer_frame *out)
{
	uint16_t to, length;

	if (room < UDP_HEADER)
		return FRAME_MALFORMED;
	memcpy(&to, buf + out->udp + 2, 2);
	if (to != port)
		return FRAME_NOT_OURS;
	length = load16(buf + out->udp + 4);
	if (length < UDP_HEADER || length > room)
		return FRAME_MALFORMED;
	out->payload_len = length - UDP_HEADER;
	return FRAME_OURS;
}

static inline enum frame_verdict outer_ipv4(const uint8_t *buf, size_t room, uint16_t port, struct outer_frame *out)
{
	const uint8_t *ip = buf + out->ip;
	unsigned header, total;

	if (room < IPV4_HEADER || ip[0] >> 4 != 4)
		return FRAME_MALFORMED;
	if (ip[9] != PROTOCOL_UDP)
		return FRAME_NOT_OURS;
	header = (ip[0] & 15) * 4;
	total = load16(ip + 2);
	if (header < IPV4_HEADER || total < header || total > room)
		return FRAME_MALFORMED;
	if (load16(ip + 6) & 0x3fff)
		return FRAME_FRAGMENT;
	out->family = 4;
	out->udp = out->ip + header;
	return outer_udp(buf, total - header, port, out);
}

// A fragment header on a datagram that is none (RFC 6946: to be taken for the whole that it is).
static inline bool is_atomic_fragment(const uint8_t *header)
{
	return header[0] == PROTOCOL_UDP && (load16(header + 2) & 0xfff9) == 0;
}

// Extension headers carry nothing of ours: a DTLS client sends none.
static inline enum frame_verdict outer_ipv6(const uint8_t *buf, size_t room, uint16_t port, struct outer_frame *out)
{
	const uint8_t *ip = buf + out->ip;
	unsigned length, extra = 0;
	enum frame_verdict verdict;

	if (room < IPV6_HEADER || ip[0] >> 4 != 6)
		return FRAME_MALFORMED;
	length = load16(ip + 4);
	if (length > room - IPV6_HEADER)
		return FRAME_MALFORMED;
	if (ip[6] == PROTOCOL_FRAGMENT && length >= FRAGMENT_HEADER) {
		if (!is_atomic_fragment(ip + IPV6_HEADER))
			return FRAME_FRAGMENT;
		extra = FRAGMENT_HEADER;
	} else if (ip[6] != PROTOCOL_UDP) {
		return FRAME_NOT_OURS;
	}
	out->family = 6;
	out->udp = (uint16_t)(out->ip + IPV6_HEADER + extra);
	verdict = outer_udp(buf, length - extra, port, out);
	return verdict == FRAME_OURS && load16(buf + out->udp + 6) == 0 ? FRAME_UNCHECKED : verdict;
}

// A frame from the outer side; port: our UDP port in network order. UDP checksums are not verified: the MAC is what counts.
// IPv6 has to have one all the same: a sender without is no DTLS client (FRAME_UNCHECKED).
static inline enum frame_verdict outer_frame_parse(const uint8_t *buf, size_t len, uint16_t port, struct outer_frame *out)
{
	uint16_t type;

	if (len < ETHER_HEADER + VLAN_TAG)
		return FRAME_MALFORMED;
	if (len > UINT16_MAX)
		return FRAME_MALFORMED;
	type = load16(buf + 12);
	out->ip = ETHER_HEADER;
	out->vlan = 0;
	if (type == ETHER_VLAN) {
		memcpy(&out->vlan, buf + ETHER_HEADER, 2);
		type = load16(buf + 16);
		out->ip += VLAN_TAG;
	}
	if (type == ETHER_IPV4)
		return outer_ipv4(buf, len - out->ip, port, out);
	if (type == ETHER_IPV6)
		return outer_ipv6(buf, len - out->ip, port, out);
	return FRAME_NOT_OURS;
}
