// Inner packets by hand, down to their transport headers: for tests of what looks there.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/addr.h"

#define CRAFT_PACKET 256

struct craft_packet {
	uint8_t bytes[CRAFT_PACKET];
	unsigned len;
};

// "10.0.0.1" to "10.1.2.3", or the IPv6 forms; an upper protocol with these bytes. Options or extension headers may be put between.
struct craft_ip {
	const char *from, *to;
	uint8_t protocol;
	uint16_t port;        // destination, for protocols with ports
	uint16_t offset;      // of a fragment, in 8 bytes
	uint8_t more;         // fragments follow
	const uint8_t *extra; // IPv4 options, or IPv6 extension headers
	unsigned extra_len;
	uint8_t first;    // IPv6: kind of the first of them
	unsigned payload; // bytes above IP; 0: 8
};

static inline void craft_store16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static inline void craft_ip(struct craft_packet *p, const struct craft_ip *c)
{
	unsigned payload = c->payload ? c->payload : 8, at;
	struct addr from = { 0 }, to = { 0 };

	addr_parse(c->from, &from);
	addr_parse(c->to, &to);
	memset(p, 0, sizeof(*p));
	if (to.family == 4) {
		at = 20 + c->extra_len;
		p->bytes[0] = (uint8_t)(0x40 | at / 4);
		craft_store16(p->bytes + 6, c->offset | (c->more ? 0x2000u : 0));
		p->bytes[8] = 64;
		p->bytes[9] = c->protocol;
		memcpy(p->bytes + 12, from.ip, 4);
		memcpy(p->bytes + 16, to.ip, 4);
		if (c->extra)
			memcpy(p->bytes + 20, c->extra, c->extra_len);
	} else {
		at = 40 + c->extra_len;
		p->bytes[0] = 0x60;
		p->bytes[6] = c->extra_len ? c->first : c->protocol;
		p->bytes[7] = 64;
		memcpy(p->bytes + 8, from.ip, 16);
		memcpy(p->bytes + 24, to.ip, 16);
		if (c->extra)
			memcpy(p->bytes + 40, c->extra, c->extra_len);
	}
	craft_store16(p->bytes + at, 40000);
	craft_store16(p->bytes + at + 2, c->port);
	p->len = at + payload;
	craft_store16(p->bytes + (to.family == 4 ? 2 : 4), to.family == 4 ? p->len : p->len - 40);
}
