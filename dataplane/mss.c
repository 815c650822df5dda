#include "mss.h"

#include "checksum.h"
#include "inner.h"
#include "tcp.h"
#include "upper.h"

#define OPTION_END 0
#define OPTION_NOTHING 1
#define OPTION_MSS 2
#define OPTION_MSS_LEN 4

// The option's value; 0: there is none.
static unsigned find_option(const uint8_t *tcp, unsigned header)
{
	unsigned at = TCP_HEADER, len;

	while (at < header && tcp[at] != OPTION_END) {
		if (tcp[at] == OPTION_NOTHING) {
			at++;
			continue;
		}
		len = header - at >= 2 ? tcp[at + 1] : 0;
		if (len < 2 || len > header - at)
			return 0;
		if (tcp[at] == OPTION_MSS && len == OPTION_MSS_LEN)
			return at + 2;
		at += len;
	}
	return 0;
}

static bool is_tcp(const uint8_t *ip)
{
	return ip[0] >> 4 == 6 || ip[9] == PROTOCOL_TCP;
}

static uint16_t swapped(uint16_t word)
{
	return (uint16_t)(word << 8 | word >> 8);
}

static bool lower(uint8_t *tcp, unsigned at, uint16_t most)
{
	uint16_t offer = load16(tcp + at);

	if (offer <= most)
		return false;
	store16(tcp + at, most);
	if (at % 2 == 0)
		checksum_replace(tcp + TCP_CHECKSUM, offer, most);
	else
		checksum_replace(tcp + TCP_CHECKSUM, swapped(offer), swapped(most));
	return true;
}

bool mss_clamp(uint8_t *ip, unsigned len, uint16_t mtu)
{
	unsigned headers = (ip[0] >> 4 == 4 ? IPV4_HEADER : IPV6_HEADER) + TCP_HEADER, header, at;
	struct upper u;
	uint8_t *tcp;

	if (!is_tcp(ip))
		return false;
	u = upper_parse(ip, len);
	if (u.kind != UPPER_PORT || u.protocol != PROTOCOL_TCP || len - u.at < TCP_HEADER || mtu <= headers)
		return false;
	tcp = ip + u.at;
	header = (tcp[12] >> 4) * 4;
	if (!(tcp[TCP_FLAGS] & TCP_SYN) || header < TCP_HEADER || header > len - u.at)
		return false;
	at = find_option(tcp, header);
	return at > 0 && lower(tcp, at, (uint16_t)(mtu - headers));
}
