#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"

static uint8_t prefix_of_host(uint8_t family)
{
	return family == 4 ? 32 : family == 6 ? 128 : 0;
}

// Up to three digits, no sign, no leading zero.
static int parse_prefix(const char *text, uint8_t most, uint8_t *out)
{
	unsigned value = 0;
	size_t i;

	for (i = 0; text[i]; i++) {
		if (text[i] < '0' || text[i] > '9' || i == 3 || (i > 0 && value == 0))
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (i == 0 || value > most)
		return -EINVAL;
	*out = (uint8_t)value;
	return 0;
}

int addr_parse(const char *text, struct addr *out)
{
	char ip[INET6_ADDRSTRLEN];
	struct addr a = { 0 };
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len >= sizeof(ip))
		return -EINVAL;
	memcpy(ip, text, len);
	ip[len] = 0;
	if (inet_pton(AF_INET, ip, a.ip) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, ip, a.ip) == 1)
		a.family = 6;
	else
		return -EINVAL;
	a.prefix = prefix_of_host(a.family);
	if (slash && parse_prefix(slash + 1, a.prefix, &a.prefix) < 0)
		return -EINVAL;
	*out = a;
	return 0;
}

void addr_from_sockaddr(const struct sockaddr *sa, struct addr *out)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

	memset(out, 0, sizeof(*out));
	if (sa->sa_family == AF_INET) {
		out->family = 4;
		out->port = ntohs(in->sin_port);
		memcpy(out->ip, &in->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		out->family = 4;
		out->port = ntohs(in6->sin6_port);
		memcpy(out->ip, &in6->sin6_addr.s6_addr[12], 4);
	} else if (sa->sa_family == AF_INET6) {
		out->family = 6;
		out->port = ntohs(in6->sin6_port);
		memcpy(out->ip, &in6->sin6_addr, 16);
	}
	out->prefix = prefix_of_host(out->family);
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	switch (a->family) {
	case 4:
		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	case 6:
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		memcpy(&in6->sin6_addr, a->ip, 16);
		return sizeof(*in6);
	default:
		return 0;
	}
}

const char *addr_text(const struct addr *a, char out[ADDR_TEXT])
{
	out[0] = 0;
	if (a->family == 4)
		inet_ntop(AF_INET, a->ip, out, ADDR_TEXT);
	else if (a->family == 6)
		inet_ntop(AF_INET6, a->ip, out, ADDR_TEXT);
	return out;
}

const char *addr_text_prefix(const struct addr *a, char out[ADDR_TEXT])
{
	char ip[ADDR_TEXT];

	addr_text(a, ip);
	if (ip[0])
		snprintf(out, ADDR_TEXT, "%.*s/%u", INET6_ADDRSTRLEN, ip, a->prefix);
	else
		out[0] = 0;
	return out;
}

const char *addr_text_port(const struct addr *a, char out[ADDR_TEXT])
{
	char ip[ADDR_TEXT];

	addr_text(a, ip);
	out[0] = 0;
	if (a->family == 4)
		snprintf(out, ADDR_TEXT, "%.*s:%u", INET_ADDRSTRLEN, ip, a->port);
	else if (a->family == 6)
		snprintf(out, ADDR_TEXT, "[%.*s]:%u", INET6_ADDRSTRLEN, ip, a->port);
	return out;
}

const char *addr_netmask(const struct addr *a, char out[ADDR_TEXT])
{
	struct in_addr mask = { 0 };

	out[0] = 0;
	if (a->family != 4 || a->prefix > 32)
		return out;
	if (a->prefix > 0)
		mask.s_addr = htonl(UINT32_MAX << (32 - a->prefix));
	inet_ntop(AF_INET, &mask, out, ADDR_TEXT);
	return out;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_in(const struct addr *ip, const struct addr *network)
{
	unsigned bytes = network->prefix / 8, bits = network->prefix % 8;
	uint8_t mask;

	if (ip->family != network->family || ip->family == 0 || network->prefix > prefix_of_host(network->family))
		return false;
	if (memcmp(ip->ip, network->ip, bytes) != 0)
		return false;
	if (bits == 0)
		return true;
	mask = (uint8_t)(0xff << (8 - bits));
	return ((ip->ip[bytes] ^ network->ip[bytes]) & mask) == 0;
}

bool addr_mask(struct addr *a)
{
	bool any = false;

	for (unsigned i = 0; i < (a->family == 4 ? 4u : 16u); i++) {
		unsigned bits = a->prefix > 8 * i ? a->prefix - 8 * i : 0;
		uint8_t keep = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);

		any = any || (a->ip[i] & ~keep);
		a->ip[i] &= keep;
	}
	return any;
}

void addr_pack(const struct addr *a, uint8_t out[ADDR_WIRE])
{
	out[0] = a->family;
	out[1] = a->prefix;
	out[2] = (uint8_t)(a->port >> 8);
	out[3] = (uint8_t)a->port;
	memcpy(out + 4, a->ip, 16);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

int addr_unpack(const uint8_t in[ADDR_WIRE], struct addr *out)
{
	switch (in[0]) {
	case 0:
		if (!all_zero(in + 1, ADDR_WIRE - 1))
			return -EINVAL;
		break;
	case 4:
		if (in[1] > 32 || !all_zero(in + 8, ADDR_WIRE - 8))
			return -EINVAL;
		break;
	case 6:
		if (in[1] > 128)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	out->family = in[0];
	out->prefix = in[1];
	out->port = (uint16_t)(in[2] << 8 | in[3]);
	memcpy(out->ip, in + 4, 16);
	return 0;
}
