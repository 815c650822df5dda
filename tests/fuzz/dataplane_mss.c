// A packet with TCP options of any kind: a right checksum stays right, nothing but the offer and the checksum changes, and what has
// been lowered is lowered.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/checksum.h"
#include "dataplane/inner.h"
#include "dataplane/mss.h"
#include "dataplane/upper.h"

#define MTU 600

static uint16_t sum(const uint8_t *ip, unsigned len, unsigned at)
{
	uint64_t pseudo = ip[0] >> 4 == 4 ? checksum_pseudo(ip + 12, 8, 6, len - at) : checksum_pseudo(ip + 8, 32, 6, len - at);

	return checksum_fold(pseudo + checksum_add(ip + at, len - at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inner_ip ip;
	struct upper u;
	uint8_t *copy;
	unsigned differ = 0;
	uint16_t before, after;

	if (!inner_ip_parse(data, size, &ip))
		return 0;
	copy = malloc(ip.len);
	memcpy(copy, data, ip.len);
	if (mss_clamp(copy, ip.len, MTU)) {
		u = upper_parse(data, ip.len);
		for (unsigned i = 0; i < ip.len; i++)
			differ += copy[i] != data[i];
		before = sum(data, ip.len, u.at);
		after = sum(copy, ip.len, u.at);
		// 0 and 0xffff are the same number here
		if (differ > 4 || (before % 0xffff) != (after % 0xffff) || mss_clamp(copy, ip.len, MTU))
			abort();
	} else if (memcmp(copy, data, ip.len) != 0) {
		abort();
	}
	free(copy);
	return 0;
}
