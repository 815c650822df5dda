// Messages for tests, made from the table: well-formed ones at the edges of their bounds, and raw bytes that no encoder of ours
// would write. Included by unit, fuzz and hostile tests of any room.
#pragma once
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/msg.h"

#define CRAFT_UNUSED __attribute__((unused))

struct craft {
	uint8_t buf[4 * LIMIT_MESSAGE];
	size_t len;
};

static CRAFT_UNUSED void craft_raw(struct craft *c, const void *bytes, size_t n)
{
	memcpy(c->buf + c->len, bytes, n);
	c->len += n;
}

static CRAFT_UNUSED void craft_byte(struct craft *c, unsigned byte)
{
	c->buf[c->len++] = (uint8_t)byte;
}

static CRAFT_UNUSED void craft_array(struct craft *c, unsigned n)
{
	if (n > 15) {
		craft_byte(c, 0xdc);
		craft_byte(c, n >> 8);
	}
	craft_byte(c, n > 15 ? n & 0xff : 0x90 | n);
}

static CRAFT_UNUSED void craft_number(struct craft *c, uint64_t value)
{
	uint64_t be = htobe64(value);

	craft_byte(c, 0xcf);
	craft_raw(c, &be, sizeof(be));
}

// len bytes of filler behind a header with a 16-bit length: first is 0xda (string) or 0xc5 (binary).
static CRAFT_UNUSED void craft_run(struct craft *c, unsigned first, int filler, size_t len)
{
	craft_byte(c, first);
	craft_byte(c, (unsigned)len >> 8);
	craft_byte(c, len & 0xff);
	memset(c->buf + c->len, filler, len);
	c->len += len;
}

// What a field holds at the lower (high 0) or the upper edge of its bounds.
static CRAFT_UNUSED void craft_field(const struct msg_field *f, uint8_t *msg, int high)
{
	static const struct addr v4 = { 4, 32, 443, { 192, 0, 2, 1 } };
	static const struct addr v6 = { 6, 128, 65535, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
	uint64_t value = high ? f->max : f->min;
	uint16_t len = (uint16_t)value;

	switch (f->kind) {
	case MSG_KIND_U8:
		msg[f->offset] = (uint8_t)value;
		break;
	case MSG_KIND_U16:
		memcpy(msg + f->offset, &len, sizeof(len));
		break;
	case MSG_KIND_U32:
		memcpy(msg + f->offset, &(uint32_t){ (uint32_t)value }, sizeof(uint32_t));
		break;
	case MSG_KIND_U64:
		memcpy(msg + f->offset, &value, sizeof(value));
		break;
	case MSG_KIND_STR:
		memset(msg + f->offset, 'a', len);
		break;
	case MSG_KIND_BYTES:
		memset(msg + f->offset, 0xa5, len);
		memcpy(msg + f->len_offset, &len, sizeof(len));
		break;
	case MSG_KIND_ADDR:
		if (high || f->min)
			memcpy(msg + f->offset, high ? &v6 : &v4, sizeof(v4));
		break;
	}
}

static CRAFT_UNUSED void craft_struct(int number, union msg_any *m, int high)
{
	const struct msg_desc *d = &msg_descs[number];
	unsigned i;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < d->n_fields; i++)
		craft_field(&d->fields()[i], (uint8_t *)m, high);
}

// A well-formed packet; its length, or what msg_encode() says.
static CRAFT_UNUSED int craft_packet(int number, uint8_t *buf, size_t room, int high)
{
	union msg_any m;

	craft_struct(number, &m, high);
	return msg_encode((enum msg_number)number, &m, buf, room);
}

// The same packet with field `skip` replaced by these bytes.
static CRAFT_UNUSED void craft_replaced(struct craft *c, int number, unsigned skip, const void *bytes, size_t n)
{
	static const struct addr v4 = { 4, 32, 443, { 192, 0, 2, 1 } };
	const struct msg_desc *d = &msg_descs[number];
	uint8_t wire[ADDR_WIRE];
	unsigned i;

	c->len = 0;
	craft_array(c, d->n_fields + 1u);
	craft_number(c, (uint64_t)number);
	for (i = 0; i < d->n_fields; i++) {
		const struct msg_field *f = &d->fields()[i];

		if (i == skip) {
			craft_raw(c, bytes, n);
		} else if (f->kind == MSG_KIND_STR) {
			craft_run(c, 0xda, 'a', f->min);
		} else if (f->kind == MSG_KIND_BYTES) {
			craft_run(c, 0xc5, 0xa5, f->min);
		} else if (f->kind == MSG_KIND_ADDR) {
			addr_pack(&v4, wire);
			craft_run(c, 0xc5, 0, sizeof(wire));
			memcpy(c->buf + c->len - sizeof(wire), wire, sizeof(wire));
		} else {
			craft_number(c, f->min);
		}
	}
}

// Headers that ask for more than they bring. msgpack-c would allocate for some of them, or recurse.
struct craft_hostile {
	const char *name;
	uint8_t bytes[40];
	size_t len;
};

static const struct craft_hostile
        craft_hostiles[] CRAFT_UNUSED = {
	        { "array32 of 2^32-1", { 0xdd, 0xff, 0xff, 0xff, 0xff }, 5 },
	        { "array32 of 2^29", { 0xdd, 0x20, 0, 0, 0 }, 5 },
	        { "array16 of 65535", { 0xdc, 0xff, 0xff }, 3 },
	        { "empty array", { 0x90 }, 1 },
	        { "map32 of 2^32-1", { 0xdf, 0xff, 0xff, 0xff, 0xff }, 5 },
	        { "map16 of 65535", { 0xde, 0xff, 0xff }, 3 },
	        { "map of one", { 0x81, 0x01, 0x01 }, 3 },
	        { "str32 of 4 GiB", { 0xdb, 0xff, 0xff, 0xff, 0xff }, 5 },
	        { "str16 beyond the end", { 0xda, 0xff, 0xff, 'a' }, 4 },
	        { "str8 beyond the end", { 0xd9, 0xff, 'a' }, 3 },
	        { "str8 without a length", { 0xd9 }, 1 },
	        { "bin32 of 4 GiB", { 0xc6, 0xff, 0xff, 0xff, 0xff }, 5 },
	        { "bin16 beyond the end", { 0xc5, 0xff, 0xff, 0 }, 4 },
	        { "bin8 beyond the end", { 0xc4, 0xff, 0 }, 3 },
	        { "ext32 of 4 GiB", { 0xc9, 0xff, 0xff, 0xff, 0xff, 1 }, 6 },
	        { "ext16", { 0xc8, 0xff, 0xff, 1 }, 4 },
	        { "ext8", { 0xc7, 0xff, 1 }, 3 },
	        { "fixext16", { 0xd8, 1 }, 18 },
	        { "nil", { 0xc0 }, 1 },
	        { "never used", { 0xc1 }, 1 },
	        { "false", { 0xc2 }, 1 },
	        { "true", { 0xc3 }, 1 },
	        { "float32", { 0xca, 0x3f, 0x80, 0, 0 }, 5 },
	        { "float64", { 0xcb, 0x3f, 0xf0 }, 9 },
	        { "negative fixint", { 0xff }, 1 },
	        { "int8", { 0xd0, 0xff }, 2 },
	        { "int64", { 0xd3, 0x80 }, 9 },
	        { "uint64 cut off", { 0xcf, 0xff }, 2 },
	        { "nested arrays",
	          { 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91,
	            0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91,
	            0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91 },
	          40 },
        };

#define CRAFT_HOSTILES (sizeof(craft_hostiles) / sizeof(craft_hostiles[0]))
