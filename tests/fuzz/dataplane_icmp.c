// An inner packet above the tunnel's MTU: the answer to it lies in its place, is a whole packet, and is never answered itself.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/checksum.h"
#include "dataplane/icmp.h"
#include "dataplane/inner.h"

static void check(const uint8_t *ip, unsigned len, uint8_t family)
{
	struct inner_ip parsed;

	if (!inner_ip_parse(ip, len, &parsed) || parsed.len != len || parsed.family != family)
		abort();
	if (family == 4 && (checksum_fold(checksum_add(ip, IPV4_HEADER)) != 0 ||
	                    checksum_fold(checksum_add(ip + IPV4_HEADER, len - IPV4_HEADER)) != 0))
		abort();
	if (family == 6 && checksum_fold(checksum_pseudo(ip + 8, 32, PROTOCOL_ICMPV6, len - IPV6_HEADER) +
	                                 checksum_add(ip + IPV6_HEADER, len - IPV6_HEADER)) != 0)
		abort();
	if (icmp_may_answer(ip, len))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *room, *start;
	struct inner_ip ip;
	unsigned len;

	if (!inner_ip_parse(data, size, &ip) || !icmp_may_answer(data, ip.len))
		return 0;
	len = ip.len;
	room = malloc(ICMP_GROWS + len);
	memcpy(room + ICMP_GROWS, data, len);
	start = icmp_too_big(room + ICMP_GROWS, &len, 1280);
	if (start < room || start + len > room + ICMP_GROWS + ip.len || len > (ip.family == 4 ? ICMP_IPV4_MAX : ICMP_IPV6_MAX))
		abort();
	check(start, len, ip.family);
	free(room);
	return 0;
}
