// An ICMP echo through a lane: what an honest worker's client would send, and the kernel behind the inner port answers.
#pragma once
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>

#include "probe.h"
#include "proto/limits.h"

#define PING_SIZE 36

static uint16_t ping_checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static PROBE_UNUSED void ping_make_numbered(uint8_t p[PING_SIZE], const uint8_t from[4], const uint8_t to[4], uint16_t id,
                                            uint16_t number)
{
	static const uint8_t head[12] = { 0x45, 0, 0, PING_SIZE, 0, 0, 0, 0, 64, IPPROTO_ICMP };
	uint16_t sum;

	memset(p, 0, PING_SIZE);
	memcpy(p, head, sizeof(head));
	memcpy(p + 12, from, 4);
	memcpy(p + 16, to, 4);
	sum = ping_checksum(p, 20);
	p[10] = (uint8_t)(sum >> 8);
	p[11] = (uint8_t)sum;
	p[20] = 8; // echo
	memcpy(p + 24, (uint8_t[]){ (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(number >> 8), (uint8_t)number }, 4);
	sum = ping_checksum(p + 20, PING_SIZE - 20);
	p[22] = (uint8_t)(sum >> 8);
	p[23] = (uint8_t)sum;
}

static PROBE_UNUSED void ping_make(uint8_t p[PING_SIZE], const uint8_t from[4], const uint8_t to[4])
{
	ping_make_numbered(p, from, to, 0, 0);
}

// Does an echo reply come down this lane?
static PROBE_UNUSED bool ping_answered(int lane, int timeout_ms)
{
	struct pollfd p = { .fd = lane, .events = POLLIN };
	uint8_t buf[LIMIT_MESSAGE];
	ssize_t n;

	while (poll(&p, 1, timeout_ms) > 0) {
		n = recv(lane, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			return false;
		if (n == PING_SIZE && buf[0] == 0x45 && buf[9] == IPPROTO_ICMP && buf[20] == 0)
			return true;
	}
	return false;
}

static PROBE_UNUSED bool ping(int lane, const uint8_t from[4], const uint8_t to[4])
{
	uint8_t packet[PING_SIZE];
	int i;

	ping_make(packet, from, to);
	for (i = 0; i < 20; i++) { // a lane is a link: it may lose one
		if (send(lane, packet, PING_SIZE, MSG_NOSIGNAL | MSG_DONTWAIT) != PING_SIZE)
			return false;
		if (ping_answered(lane, 500))
			return true;
	}
	return false;
}
