// Frames and packets by hand, for a test that plays client and kernel.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 1 }, their_mac[6] = { 2, 0, 0, 0, 0, 2 };
static const uint8_t our_ip[4] = { 192, 0, 2, 1 }, their_ip[4] = { 192, 0, 2, 2 };
static const uint8_t inner_ip[4] = { 10, 9, 0, 7 }, server_ip[4] = { 10, 9, 0, 1 };

// A UDP datagram from the client to our port 443, from the Ethernet header on.
static inline size_t put_udp(uint8_t *f, const void *payload, size_t len, uint16_t from)
{
	uint8_t *ip = f + 14, *udp = ip + 20;

	memcpy(f, our_mac, 6);
	memcpy(f + 6, their_mac, 6);
	memcpy(f + 12, "\x08\x00", 2);
	memset(ip, 0, 28);
	ip[0] = 0x45;
	ip[2] = (uint8_t)((28 + len) >> 8);
	ip[3] = (uint8_t)(28 + len);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, their_ip, 4);
	memcpy(ip + 16, our_ip, 4);
	udp[0] = (uint8_t)(from >> 8);
	udp[1] = (uint8_t)from;
	udp[2] = 443 >> 8;
	udp[3] = 443 & 255;
	udp[4] = (uint8_t)((8 + len) >> 8);
	udp[5] = (uint8_t)(8 + len);
	memcpy(udp + 8, payload, len);
	return 14 + 28 + len;
}

// An inner packet whose content is `mark`.
static inline size_t put_inner(uint8_t *p, const uint8_t from[4], const uint8_t to[4], const char *mark)
{
	size_t len = 20 + strlen(mark);
	uint32_t sum = 0;

	memset(p, 0, 20);
	p[0] = 0x45;
	p[3] = (uint8_t)len;
	p[8] = 64;
	p[9] = 253;
	memcpy(p + 12, from, 4);
	memcpy(p + 16, to, 4);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	p[10] = (uint8_t)(~sum >> 8);
	p[11] = (uint8_t)~sum;
	memcpy(p + 20, mark, strlen(mark));
	return len;
}

// A ClientHello: its session id and its random are 32 such bytes each.
static inline size_t put_hello(uint8_t *b, uint8_t app_id, uint8_t random)
{
	static const uint8_t tail[] = { 0, 0, 2, 0xc0, 0xa8, 1, 0 }; // no cookie, one cipher, one compression
	size_t body = 2 + 32 + 1 + 32 + sizeof(tail), at = 25;

	memset(b, 0, 25 + body);
	b[0] = 22;
	b[1] = 0xfe;
	b[2] = 0xff;
	b[12] = (uint8_t)(12 + body);
	b[13] = 1;
	b[16] = (uint8_t)body;
	b[24] = (uint8_t)body;
	b[at] = 0xfe;
	b[at + 1] = 0xfd;
	memset(b + at + 2, random, 32);
	b[at + 34] = 32;
	memset(b + at + 35, app_id, 32);
	memcpy(b + at + 67, tail, sizeof(tail));
	return 25 + body;
}
