#include "headers.h"

#define TTL 64

static inline uint32_t sum_words(const uint8_t *p, unsigned n)
{
	uint32_t sum = 0;
	uint16_t word;

	for (unsigned i = 0; i < n; i += 2) {
		memcpy(&word, p + i, 2);
		sum += word;
	}
	return sum;
}

static inline uint16_t sum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline void ipv4_write(const struct path *p, uint8_t *ip, uint16_t total, uint16_t id)
{
	uint16_t sum;

	ip[0] = 0x45;
	ip[1] = p->tos;
	store16(ip + 2, total);
	store16(ip + 4, id);
	store16(ip + 6, 0); // may be fragmented on its way: the tunnel's MTU is a guess about the path
	ip[8] = TTL;
	ip[9] = PROTOCOL_UDP;
	store16(ip + 10, 0);
	memcpy(ip + 12, p->key.our_ip, 4);
	memcpy(ip + 16, p->key.peer_ip, 4);
	sum = sum_fold(sum_words(ip, IPV4_HEADER));
	memcpy(ip + 10, &sum, 2);
}

static inline void ipv6_write(const struct path *p, uint8_t *ip, uint16_t length)
{
	ip[0] = 0x60 | p->tos >> 4;
	ip[1] = (uint8_t)(p->tos << 4);
	store16(ip + 2, 0);
	store16(ip + 4, length);
	ip[6] = PROTOCOL_UDP;
	ip[7] = TTL;
	memcpy(ip + 8, p->key.our_ip, 16);
	memcpy(ip + 24, p->key.peer_ip, 16);
}

static inline uint8_t *ether_write(const struct path *p, uint8_t *ip)
{
	uint8_t *frame = ip - ETHER_HEADER - (p->vlan ? VLAN_TAG : 0);

	memcpy(frame, &p->peer_mac, 6);
	memcpy(frame + 6, &p->our_mac, 6);
	if (p->vlan) {
		store16(frame + 12, ETHER_VLAN);
		memcpy(frame + 14, &p->vlan, 2);
	}
	store16(ip - 2, p->key.family == 4 ? ETHER_IPV4 : ETHER_IPV6);
	return frame;
}

uint8_t *headers_write(const struct path *p, uint8_t *payload, uint16_t payload_len, uint16_t id)
{
	uint8_t *udp = payload - UDP_HEADER;
	uint16_t length = UDP_HEADER + payload_len;

	memcpy(udp, &p->key.our_udp, 2);
	memcpy(udp + 2, &p->key.peer_udp, 2);
	store16(udp + 4, length);
	store16(udp + 6, 0);
	if (p->key.family == 4) {
		ipv4_write(p, udp - IPV4_HEADER, IPV4_HEADER + length, id);
		return ether_write(p, udp - IPV4_HEADER);
	}
	ipv6_write(p, udp - IPV6_HEADER, length);
	return ether_write(p, udp - IPV6_HEADER);
}

// Ones' complement addition does not mind the width of its words.
static uint64_t sum_long(const uint8_t *p, unsigned n)
{
	uint64_t sum = 0;
	uint32_t word = 0;

	for (; n >= 4; p += 4, n -= 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	word = 0;
	memcpy(&word, p, n);
	return sum + word;
}

void headers_checksum(uint8_t *payload, uint16_t payload_len)
{
	uint8_t *udp = payload - UDP_HEADER, pseudo[8] = { 0 };
	uint16_t length = UDP_HEADER + payload_len, sum;

	store16(pseudo + 2, length);
	pseudo[7] = PROTOCOL_UDP;
	// both addresses lie before the UDP header
	sum = sum_fold(sum_long(udp - 32, 32 + length) + sum_long(pseudo, 8));
	if (!sum)
		sum = 0xffff;
	memcpy(udp + 6, &sum, 2);
}
