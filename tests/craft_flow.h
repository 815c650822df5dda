// Frames of TCP and UDP flows, as the two sides of the kernel's offloads see them. Checksums are computed the plain way, so that
// those under test are compared with something else.
#pragma once
#include <stdint.h>
#include <string.h>

#include "dataplane/offload.h"

#define CRAFT_FLOW_UNUSED __attribute__((unused))

// What the next packet of a flow looks like.
struct craft_flow {
	uint8_t family, protocol;
	uint16_t port; // tells flows apart
	uint32_t sequence, ack;
	uint16_t id, window;
	uint8_t flags, tos, ttl, options; // options: bytes of them in the TCP header
	bool fragment;                    // DF is clear
};

struct craft_packet {
	uint8_t frame[ETHER_HEADER + 65536];
	uint32_t len;
};

static CRAFT_FLOW_UNUSED struct craft_flow craft_flow(uint8_t family, uint8_t protocol)
{
	return (struct craft_flow){ .family = family,
		                    .protocol = protocol,
		                    .port = 5201,
		                    .sequence = 0xfffff000,
		                    .ack = 77,
		                    .id = 0xfffe,
		                    .window = 501,
		                    .flags = TCP_ACK,
		                    .ttl = 64,
		                    .options = 12 };
}

static CRAFT_FLOW_UNUSED uint32_t craft_sum(const uint8_t *p, uint32_t n, uint32_t sum)
{
	for (uint32_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static CRAFT_FLOW_UNUSED uint32_t craft_pseudo(const uint8_t *ip, uint8_t family, uint8_t protocol, uint32_t length)
{
	return craft_sum(ip + (family == 4 ? 12 : 8), family == 4 ? 8 : 32, protocol + (length >> 16) + (length & 0xffff));
}

static CRAFT_FLOW_UNUSED unsigned craft_ip(const struct craft_flow *f, uint8_t *ip, uint32_t length)
{
	if (f->family == 6) {
		memset(ip, 0, IPV6_HEADER);
		ip[0] = 0x60 | f->tos >> 4;
		ip[1] = (uint8_t)(f->tos << 4);
		store16(ip + 4, (uint16_t)length);
		ip[6] = f->protocol;
		ip[7] = f->ttl;
		memset(ip + 8, 0xfd, 16);
		memset(ip + 24, 0xfe, 16);
		return IPV6_HEADER;
	}
	memset(ip, 0, IPV4_HEADER);
	ip[0] = 0x45;
	ip[1] = f->tos;
	store16(ip + 2, (uint16_t)(IPV4_HEADER + length));
	store16(ip + 4, f->id);
	ip[6] = f->fragment ? 0 : 0x40;
	ip[8] = f->ttl;
	ip[9] = f->protocol;
	memcpy(ip + 12, "\x0a\x63\x00\x02\x0a\x63\x00\x01", 8);
	store16(ip + 10, (uint16_t)~craft_sum(ip, IPV4_HEADER, 0));
	return IPV4_HEADER;
}

// Bytes that depend on where in the stream they are.
static CRAFT_FLOW_UNUSED void craft_payload(const struct craft_flow *f, uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		p[i] = (uint8_t)((f->sequence + i) * 31 + ((f->sequence + i) >> 8));
}

// The flow's next packet with so much payload; the flow moves on.
static CRAFT_FLOW_UNUSED void craft_next(struct craft_flow *f, struct craft_packet *p, uint32_t payload)
{
	unsigned header = f->protocol == PROTOCOL_TCP ? TCP_HEADER + f->options : UDP_HEADER;
	uint32_t length = header + payload;
	uint8_t *ip = p->frame + ETHER_HEADER, *t;
	uint16_t sum;

	memset(p->frame, 2, 12);
	store16(p->frame + 12, f->family == 4 ? ETHER_IPV4 : ETHER_IPV6);
	t = ip + craft_ip(f, ip, length);
	memset(t, 0, header);
	store16(t, 40000);
	store16(t + 2, f->port);
	if (f->protocol == PROTOCOL_TCP) {
		store16(t + 4, (uint16_t)(f->sequence >> 16));
		store16(t + 6, (uint16_t)f->sequence);
		store16(t + 10, (uint16_t)f->ack);
		t[12] = (uint8_t)(header / 4 << 4);
		t[TCP_FLAGS] = f->flags;
		store16(t + 14, f->window);
		memset(t + TCP_HEADER, 1, f->options);
	} else {
		store16(t + 4, (uint16_t)length);
	}
	craft_payload(f, t + header, payload);
	sum = (uint16_t)~craft_sum(t, length, craft_pseudo(ip, f->family, f->protocol, length));
	if (sum == 0 && f->protocol == PROTOCOL_UDP)
		sum = 0xffff;
	store16(t + (f->protocol == PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM), sum);
	p->len = (uint32_t)(t - p->frame) + length;
	f->sequence += payload;
	f->id++;
}
