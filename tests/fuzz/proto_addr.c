// Addresses as text and on the wire: what is accepted prints, and what is printed parses to the same.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/addr.h"
#include "proto/utf8.h"

static void check_accepted(const struct addr *a)
{
	char text[ADDR_TEXT];
	struct sockaddr_storage sa;
	uint8_t wire[ADDR_WIRE];
	struct addr again;

	addr_text_port(a, text);
	addr_netmask(a, text);
	if (addr_parse(addr_text_prefix(a, text), &again) < 0 || !addr_equal(a, &again) || a->prefix != again.prefix)
		abort();
	if (!addr_in(a, &again))
		abort();
	addr_to_sockaddr(a, &sa);
	addr_from_sockaddr((const struct sockaddr *)&sa, &again);
	if (!addr_equal(a, &again) && !IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)a->ip))
		abort();
	again = *a;
	addr_mask(&again);
	if (!addr_in(a, &again) || addr_mask(&again))
		abort();
	addr_pack(a, wire);
	if (addr_unpack(wire, &again) < 0 || memcmp(a, &again, sizeof(again)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addr a = { 0 };
	char text[256];

	if (size >= ADDR_WIRE && addr_unpack(data, &a) == 0 && a.family != 0)
		check_accepted(&a);
	if (utf8_printable(data, size) > size)
		abort();
	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (addr_parse(text, &a) == 0)
		check_accepted(&a);
	return 0;
}
