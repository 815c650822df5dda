// An inner packet as a client or the kernel sends it: addresses and length lie within it.
#include <stdint.h>
#include <stdlib.h>

#include "dataplane/inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inner_ip ip;

	if (!inner_ip_parse(data, size, &ip))
		return 0;
	unsigned address = ip.family == 4 ? 4 : 16;
	if (ip.len > size || ip.from < data || ip.to != ip.from + address || ip.to + address > data + ip.len)
		abort();
	if (ip.family == 4 ? ipv4_is_multicast(ip.to) && ipv4_is_loopback(ip.to)
	                   : ipv6_is_multicast(ip.to) && ipv6_is_loopback(ip.to))
		abort();
	if (ip.family == 4 ? ipv4_is_multicast(ip.to) && !ipv4_is_martian(ip.to)
	                   : ipv6_is_multicast(ip.to) && !ipv6_is_martian(ip.to))
		abort();
	inner_is_chatter(data);
	return 0;
}
