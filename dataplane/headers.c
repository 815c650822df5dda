#include "headers.h"

#include "checksum.h"

#define TTL 64
#define DF 0x4000 // RFC 791

static inline void ipv4_write(const struct path *p, uint8_t *ip, uint16_t total, struct marks marks)
{
	ip[0] = 0x45;
	ip[1] = marks.tos;
	store16(ip + 2, total);
	store16(ip + 4, marks.id);
	store16(ip + 6, marks.whole ? DF : 0);
	ip[8] = TTL;
	ip[9] = PROTOCOL_UDP;
	memcpy(ip + 12, p->key.our_ip, 4);
	memcpy(ip + 16, p->key.peer_ip, 4);
	checksum_ipv4(ip, IPV4_HEADER);
}

static inline void ipv6_write(const struct path *p, uint8_t *ip, uint16_t length, struct marks marks)
{
	ip[0] = 0x60 | marks.tos >> 4;
	ip[1] = (uint8_t)(marks.tos << 4);
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

uint8_t *headers_write(const struct path *p, uint8_t *payload, uint16_t payload_len, struct marks marks)
{
	uint8_t *udp = payload - UDP_HEADER;
	uint16_t length = UDP_HEADER + payload_len;

	memcpy(udp, &p->key.our_udp, 2);
	memcpy(udp + 2, &p->key.peer_udp, 2);
	store16(udp + 4, length);
	store16(udp + 6, 0);
	if (p->key.family == 4) {
		ipv4_write(p, udp - IPV4_HEADER, IPV4_HEADER + length, marks);
		return ether_write(p, udp - IPV4_HEADER);
	}
	ipv6_write(p, udp - IPV6_HEADER, length, marks);
	return ether_write(p, udp - IPV6_HEADER);
}

void headers_checksum(uint8_t *payload, uint16_t payload_len)
{
	uint8_t *udp = payload - UDP_HEADER;
	uint16_t length = UDP_HEADER + payload_len, sum;

	// both addresses lie before the UDP header
	sum = checksum_fold(checksum_pseudo(udp - 32, 32, PROTOCOL_UDP, length) + checksum_add(udp, length));
	if (!sum)
		sum = 0xffff;
	memcpy(udp + 6, &sum, 2);
}

void headers_half_checksum(uint8_t *payload, uint16_t payload_len)
{
	uint8_t *udp = payload - UDP_HEADER;
	uint16_t sum = (uint16_t)~checksum_fold(checksum_pseudo(udp - 32, 32, PROTOCOL_UDP, UDP_HEADER + payload_len));

	memcpy(udp + 6, &sum, 2);
}
