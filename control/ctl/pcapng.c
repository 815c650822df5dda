#include "pcapng.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u
#define LINKTYPE_ETHERNET 1
enum { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_NAME = 2, OPTION_FLAGS = 2, OPTION_RESOLUTION = 9 };
enum { OUTER, INNER };
#define ETHERNET 14
#define HEADERS (ETHERNET + 48) // IPv6 and UDP

struct out {
	uint8_t *buf;
	size_t len;
};

// In the machine's byte order, which the section header tells.
static void put(struct out *o, const void *p, size_t len)
{
	memcpy(o->buf + o->len, p, len);
	o->len += len;
	while (o->len % 4)
		o->buf[o->len++] = 0;
}

static void put32(struct out *o, uint32_t n)
{
	put(o, &n, sizeof(n));
}

static void put_option(struct out *o, uint16_t code, const void *value, size_t len)
{
	const uint16_t head[2] = { code, (uint16_t)len };

	put(o, head, sizeof(head));
	put(o, value, len);
}

static size_t block_begin(struct out *o, uint32_t type)
{
	size_t at = o->len;

	put32(o, type);
	put32(o, 0);
	return at;
}

static void block_end(struct out *o, size_t at)
{
	uint32_t len = (uint32_t)(o->len - at + 4);

	put32(o, len);
	memcpy(o->buf + at + 4, &len, sizeof(len));
}

static void put_interface(struct out *o, const char *name)
{
	const uint16_t type[2] = { LINKTYPE_ETHERNET, 0 };
	const uint8_t nanoseconds = 9;
	size_t at = block_begin(o, BLOCK_INTERFACE);

	put(o, type, sizeof(type));
	put32(o, 0); // no bound of its own
	put_option(o, OPTION_NAME, name, strlen(name));
	put_option(o, OPTION_RESOLUTION, &nanoseconds, 1);
	put_option(o, OPTION_END, "", 0);
	block_end(o, at);
}

size_t pcapng_begin(uint8_t *buf)
{
	const uint16_t version[2] = { 1, 0 };
	const int64_t unknown = -1;
	struct out o = { buf, 0 };
	size_t at = block_begin(&o, BLOCK_SECTION);

	put32(&o, 0x1a2b3c4d);
	put(&o, version, sizeof(version));
	put(&o, &unknown, sizeof(unknown));
	block_end(&o, at);
	put_interface(&o, "outer");
	put_interface(&o, "inner");
	return o.len;
}

static void store16(uint8_t *p, unsigned n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
}

static void put_ipv4_checksum(uint8_t ip[20])
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	store16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

// IP and UDP of a record of so many bytes; their length, 0 where nobody knows where it was.
static size_t headers(uint8_t *h, const struct msg_admin_packet *m)
{
	const struct addr *from = m->inward ? &m->peer : &m->local, *to = m->inward ? &m->local : &m->peer;
	size_t ip = from->family == 4 ? 20 : 40, len = ip + 8;

	if (!from->family || from->family != to->family)
		return 0;
	memset(h, 0, len);
	if (from->family == 4) {
		h[0] = 0x45;
		store16(h + 2, (unsigned)len + m->outer_size);
		h[8] = 64;
		h[9] = 17;
		memcpy(h + 12, from->ip, 4);
		memcpy(h + 16, to->ip, 4);
		put_ipv4_checksum(h);
	} else {
		h[0] = 0x60;
		store16(h + 4, 8u + m->outer_size);
		h[6] = 17;
		h[7] = 64;
		memcpy(h + 8, from->ip, 16);
		memcpy(h + 24, to->ip, 16);
	}
	store16(h + ip, from->port);
	store16(h + ip + 2, to->port);
	store16(h + ip + 4, 8u + m->outer_size);
	return len;
}

// Before a packet of that version; its length.
static size_t ethernet(uint8_t *h, uint8_t version)
{
	memset(h, 0, ETHERNET);
	store16(h + 12, version == 6 ? 0x86dd : 0x0800);
	return ETHERNET;
}

static void put_packet(struct out *o, const struct msg_admin_packet *m, int interface)
{
	const uint8_t *data = interface == OUTER ? m->outer : m->inner;
	size_t len = interface == OUTER ? m->outer_len : m->inner_len, at, head;
	uint32_t size = interface == OUTER ? m->outer_size : m->inner_size, flags = m->inward ? 1 : 2;
	uint8_t packet[HEADERS + LIMIT_SNAP];
	char comment[200];

	if (!len)
		return;
	head = ethernet(packet, interface == OUTER ? m->peer.family : data[0] >> 4);
	if (interface == OUTER)
		head += headers(packet + head, m);
	memcpy(packet + head, data, len);
	snprintf(comment, sizeof(comment), "packet %u, core %u: %s: %s", m->number, m->core, m->stages, m->verdict);
	at = block_begin(o, BLOCK_PACKET);
	put32(o, (uint32_t)interface);
	put32(o, (uint32_t)(m->time_ns >> 32));
	put32(o, (uint32_t)m->time_ns);
	put32(o, (uint32_t)(head + len));
	put32(o, (uint32_t)head + size);
	put(o, packet, head + len);
	put_option(o, OPTION_FLAGS, &flags, sizeof(flags));
	put_option(o, OPTION_COMMENT, comment, strlen(comment));
	put_option(o, OPTION_END, "", 0);
	block_end(o, at);
}

size_t pcapng_packet(uint8_t *buf, const struct msg_admin_packet *m)
{
	struct out o = { buf, 0 };

	put_packet(&o, m, m->inward ? OUTER : INNER);
	put_packet(&o, m, m->inward ? INNER : OUTER);
	return o.len;
}
