// What the kernel's offloads understand: Ethernet frames with TCP or UDP right behind an IP header that is no fragment's. Bytes in,
// fields out: no I/O, no DPDK. Frames are inner ones, of 64 KB at most.
#pragma once
#include <linux/virtio_net.h>

#include "checksum.h"
#include "frame.h"
#include "tcp.h"

// Kernels before 6.2 know no UDP.
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define UDP_CHECKSUM 6

struct offload_headers {
	uint8_t family, protocol;    // 4 or 6; TCP or UDP
	uint16_t transport, payload; // offsets in the frame; the IP header is at ETHER_HEADER
	uint32_t end;                // of the payload
};

static inline bool offload_parse_ip(const uint8_t *ip, uint32_t len, struct offload_headers *h)
{
	unsigned header = IPV6_HEADER, total;

	if (len < IPV4_HEADER)
		return false;
	h->family = ip[0] >> 4;
	if (h->family == 4) {
		header = (ip[0] & 15) * 4;
		total = load16(ip + 2);
		h->protocol = ip[9];
		if (header < IPV4_HEADER || load16(ip + 6) & 0x3fff)
			return false;
	} else {
		if (h->family != 6 || len < IPV6_HEADER)
			return false;
		total = IPV6_HEADER + load16(ip + 4);
		h->protocol = ip[6];
	}
	if (total > len || total < header)
		return false;
	h->transport = (uint16_t)(ETHER_HEADER + header);
	h->end = ETHER_HEADER + total;
	return true;
}

static inline bool offload_parse(const uint8_t *frame, uint32_t len, struct offload_headers *h)
{
	unsigned header = UDP_HEADER;

	if (len < ETHER_HEADER || !offload_parse_ip(frame + ETHER_HEADER, len - ETHER_HEADER, h))
		return false;
	if (load16(frame + 12) != (h->family == 4 ? ETHER_IPV4 : ETHER_IPV6))
		return false;
	if (h->protocol == PROTOCOL_TCP) {
		if (h->end - h->transport < TCP_HEADER)
			return false;
		header = (frame[h->transport + 12] >> 4) * 4;
		if (header < TCP_HEADER)
			return false;
	} else if (h->protocol != PROTOCOL_UDP) {
		return false;
	}
	if (header > h->end - h->transport)
		return false;
	h->payload = (uint16_t)(h->transport + header);
	return true;
}

// The sum of the pseudo header of `length` bytes from the transport header on.
static inline uint64_t offload_pseudo(const uint8_t *frame, const struct offload_headers *h, uint32_t length)
{
	const uint8_t *ip = frame + ETHER_HEADER;

	if (h->family == 4)
		return checksum_pseudo(ip + 12, 8, h->protocol, length);
	return checksum_pseudo(ip + 8, 32, h->protocol, length);
}

static inline unsigned offload_checksum_at(const struct offload_headers *h)
{
	return h->protocol == PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
}

// The IP header's own length, and its checksum where it has one.
static inline void offload_set_length(uint8_t *frame, const struct offload_headers *h, uint32_t end)
{
	uint8_t *ip = frame + ETHER_HEADER;

	if (h->family == 6) {
		store16(ip + 4, (uint16_t)(end - h->transport));
		return;
	}
	store16(ip + 2, (uint16_t)(end - ETHER_HEADER));
	checksum_ipv4(ip, h->transport - ETHER_HEADER);
}
