#include "icmp.h"

#include "checksum.h"
#include "inner.h"
#include "upper.h"

#define TTL 64
#define DONT_FRAGMENT 0x4000
#define INTERNET_CONTROL 0xc0 // RFC 1812 4.3.2.5

static bool is_icmp_error(uint8_t type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_QUENCH || type == ICMP_REDIRECT || type == ICMP_EXCEEDED ||
	       type == ICMP_PROBLEM;
}

static bool may_answer_ipv4(const uint8_t *ip, unsigned len)
{
	unsigned header = (ip[0] & 15) * 4;

	if (ipv4_is_martian(ip + 12) || load16(ip + 6) & 0x1fff)
		return false;
	return ip[9] != PROTOCOL_ICMP || (len > header && !is_icmp_error(ip[header]));
}

// What cannot be seen could be an error.
static bool may_answer_ipv6(const uint8_t *ip, unsigned len)
{
	struct upper u = upper_parse(ip, len);

	if (ipv6_is_martian(ip + 8) || (u.kind != UPPER_PLAIN && u.kind != UPPER_PORT))
		return false;
	if (u.protocol != PROTOCOL_ICMPV6)
		return true;
	return u.at < len && ip[u.at] >= ICMPV6_ERRORS && ip[u.at] != ICMPV6_REDIRECT;
}

bool icmp_may_answer(const uint8_t *ip, unsigned len)
{
	return ip[0] >> 4 == 4 ? may_answer_ipv4(ip, len) : may_answer_ipv6(ip, len);
}

static uint8_t *answer_ipv4(uint8_t *packet, unsigned *len, uint16_t mtu)
{
	uint8_t *icmp = packet - ICMP_HEADER, *ip = icmp - IPV4_HEADER;
	uint16_t sum;

	if (*len > ICMP_IPV4_MAX - ICMP_HEADER - IPV4_HEADER)
		*len = ICMP_IPV4_MAX - ICMP_HEADER - IPV4_HEADER;
	memset(ip, 0, IPV4_HEADER + ICMP_HEADER);
	icmp[0] = ICMP_UNREACHABLE;
	icmp[1] = ICMP_FRAGMENTATION_NEEDED;
	store16(icmp + 6, mtu);
	sum = checksum_fold(checksum_add(icmp, ICMP_HEADER + *len));
	memcpy(icmp + 2, &sum, 2);
	*len += ICMP_HEADER + IPV4_HEADER;
	ip[0] = 0x45;
	ip[1] = INTERNET_CONTROL;
	store16(ip + 2, (uint16_t)*len);
	store16(ip + 6, DONT_FRAGMENT);
	ip[8] = TTL;
	ip[9] = PROTOCOL_ICMP;
	memcpy(ip + 12, packet + 16, 4);
	memcpy(ip + 16, packet + 12, 4);
	checksum_ipv4(ip, IPV4_HEADER);
	return ip;
}

static uint8_t *answer_ipv6(uint8_t *packet, unsigned *len, uint16_t mtu)
{
	uint8_t *icmp = packet - ICMP_HEADER, *ip = icmp - IPV6_HEADER;
	uint16_t sum;

	if (*len > ICMP_IPV6_MAX - ICMP_HEADER - IPV6_HEADER)
		*len = ICMP_IPV6_MAX - ICMP_HEADER - IPV6_HEADER;
	memset(ip, 0, IPV6_HEADER + ICMP_HEADER);
	*len += ICMP_HEADER;
	ip[0] = 0x60;
	store16(ip + 4, (uint16_t)*len);
	ip[6] = PROTOCOL_ICMPV6;
	ip[7] = TTL;
	memcpy(ip + 8, packet + 24, 16);
	memcpy(ip + 24, packet + 8, 16);
	icmp[0] = ICMPV6_TOO_BIG;
	store16(icmp + 6, mtu);
	sum = checksum_fold(checksum_pseudo(ip + 8, 32, PROTOCOL_ICMPV6, *len) + checksum_add(icmp, *len));
	memcpy(icmp + 2, &sum, 2);
	*len += IPV6_HEADER;
	return ip;
}

uint8_t *icmp_too_big(uint8_t *ip, unsigned *len, uint16_t mtu)
{
	return ip[0] >> 4 == 4 ? answer_ipv4(ip, len, mtu) : answer_ipv6(ip, len, mtu);
}
