// Ethernet, IP and UDP headers before what goes to a peer.
#pragma once
#include "frame.h"
#include "tunnel.h"

#define HEADERS_MAX (ETHER_HEADER + VLAN_TAG + IPV6_HEADER + UDP_HEADER)

static inline unsigned headers_len(const struct path *p)
{
	return ETHER_HEADER + (p->vlan ? VLAN_TAG : 0) + (p->key.family == 4 ? IPV4_HEADER : IPV6_HEADER) + UDP_HEADER;
}

// What the IP header says beside addresses.
struct marks {
	uint16_t id; // IPv4's identification: what is too long for its path is fragmented on the way
	bool whole;  // DF: it is not
	uint8_t tos; // or traffic class
};

// Ends at `payload`, which is payload_len long and need not be written yet. No checksum over the payload: IPv4 allows that, for
// IPv6 headers_checksum() or headers_half_checksum() has to follow. Returns the frame's first byte.
uint8_t *headers_write(const struct path *p, uint8_t *payload, uint16_t payload_len, struct marks marks);
// RFC 8200 8.1: UDP over IPv6 is checked. Over the whole payload, as it will be sent.
void headers_checksum(uint8_t *payload, uint16_t payload_len);
// Likewise where the port goes over the payload: the pseudo header's part.
void headers_half_checksum(uint8_t *payload, uint16_t payload_len);
