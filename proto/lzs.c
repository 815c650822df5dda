#include "lzs.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

// A token: 0 and a byte; 1, an offset and a length. The offset: 1 and 7 bits, or 0 and 11 bits. 1 and 1 and an offset of 0 is the
// end.
#define SHORT_OFFSET 127
#define END_MARKER 0x180
#define END_BITS 9
// So many places with the same two bytes are looked at for the longest match.
#define TRIES 8

// ------------------------------------------------------------------------------------------------------------------ bits

struct source {
	const uint8_t *at, *end;
	uint32_t held;
	unsigned n; // bits of `held`, the low ones
};

// The next bits (16 at most), or -1 where there are not so many.
static inline int take(struct source *s, unsigned bits)
{
	while (s->n < bits) {
		if (s->at == s->end)
			return -1;
		s->held = s->held << 8 | *s->at++;
		s->n += 8;
	}
	s->n -= bits;
	return (int)(s->held >> s->n & ((1u << bits) - 1));
}

struct sink {
	uint8_t *at, *end;
	uint32_t held;
	unsigned n; // bits of `held`, the low ones; below 8 between two calls
	bool full;
};

static inline void put(struct sink *s, uint32_t value, unsigned bits)
{
	s->held = s->held << bits | value;
	for (s->n += bits; s->n >= 8; s->n -= 8) {
		if (s->at == s->end) {
			s->full = true;
			s->n = 0;
			return;
		}
		*s->at++ = (uint8_t)(s->held >> (s->n - 8));
	}
}

// --------------------------------------------------------------------------------------------------------------- lengths

// 2, 3, 4 in two bits, 5, 6, 7 in four; from 8 on nibbles of 15 until one that is less.
static void put_length(struct sink *s, size_t length)
{
	if (length < 5) {
		put(s, (uint32_t)length - 2, 2);
		return;
	}
	if (length < 8) {
		put(s, 0xc | ((uint32_t)length - 5), 4);
		return;
	}
	put(s, 0xf, 4);
	for (length -= 8; length >= 15 && !s->full; length -= 15)
		put(s, 0xf, 4);
	put(s, (uint32_t)length, 4);
}

// 0: broken, or more than `most`.
static size_t take_length(struct source *s, size_t most)
{
	int bits = take(s, 2);
	size_t length;

	if (bits != 3)
		return bits < 0 ? 0 : (size_t)bits + 2;
	bits = take(s, 2);
	if (bits != 3)
		return bits < 0 ? 0 : (size_t)bits + 5;
	for (length = 8; length <= most; length += 15) {
		bits = take(s, 4);
		if (bits != 15)
			return bits < 0 ? 0 : length + (size_t)bits;
	}
	return 0;
}

// -------------------------------------------------------------------------------------------------------------- unpacking

int lzs_unpack(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	struct source s = { .at = in, .end = in + len };
	size_t n = 0, length;
	int head, offset;

	for (;;) {
		head = take(&s, END_BITS);
		if (head < 0)
			return -EBADMSG;
		if (head < 0x100) {
			if (n == room)
				return -EBADMSG;
			out[n++] = (uint8_t)head;
			continue;
		}
		if (head == END_MARKER)
			return (int)n;
		offset = head & 0x7f;
		if (head < END_MARKER) {
			int low = take(&s, 4);
			if (low < 0)
				return -EBADMSG;
			offset = offset << 4 | low;
		}
		length = take_length(&s, room - n);
		if (offset == 0 || (size_t)offset > n || length == 0 || length > room - n)
			return -EBADMSG;
		// byte by byte: a match may run into what it makes itself
		for (; length > 0; length--, n++)
			out[n] = out[n - (size_t)offset];
	}
}

// ---------------------------------------------------------------------------------------------------------------- packing

static inline unsigned hash(const uint8_t *p)
{
	return ((p[0] << 8 | p[1]) * 40503u >> 6) % LZS_HASHES; // by the golden ratio (Knuth 6.4)
}

// Places are kept as the position and 1; 0 is none.
static inline void remember(struct lzs_memory *m, const uint8_t *in, size_t at)
{
	unsigned h = hash(in + at);

	m->older[at & LZS_WINDOW] = m->newest[h];
	m->newest[h] = (uint16_t)(at + 1);
}

static inline size_t common(const uint8_t *a, const uint8_t *b, size_t most)
{
	size_t n = 0;

	while (n < most && a[n] == b[n])
		n++;
	return n;
}

// The longest match for what stands at `at`: its length, 0 for none; the nearest of the longest.
static size_t find(const struct lzs_memory *m, const uint8_t *in, size_t at, size_t len, size_t *offset)
{
	size_t best = 1, place = m->newest[hash(in + at)], length;

	for (unsigned i = 0; i < TRIES && place > 0; i++) {
		size_t from = place - 1;
		if (at - from > LZS_WINDOW)
			break;
		length = common(in + from, in + at, len - at);
		if (length > best) {
			best = length;
			*offset = at - from;
		}
		place = m->older[from & LZS_WINDOW]; // not overwritten yet: that is a window away
	}
	return best > 1 ? best : 0;
}

static void put_match(struct sink *s, size_t offset, size_t length)
{
	if (offset <= SHORT_OFFSET)
		put(s, END_MARKER | (uint32_t)offset, END_BITS);
	else
		put(s, 0x1000 | (uint32_t)offset, 13);
	put_length(s, length);
}

int lzs_pack(struct lzs_memory *m, const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	struct sink s = { .at = out, .end = out + room };
	size_t at = 0, length, offset = 0;

	if (len > LZS_LENGTH_MAX)
		return -ENOSPC;
	memset(m->newest, 0, sizeof(m->newest));
	while (at < len && !s.full) {
		length = at + 1 < len ? find(m, in, at, len, &offset) : 0;
		if (length > 0)
			put_match(&s, offset, length);
		else
			put(&s, in[at], END_BITS);
		for (length += length == 0; length > 0; length--, at++)
			if (at + 1 < len)
				remember(m, in, at);
	}
	put(&s, END_MARKER, END_BITS);
	put(&s, 0, 7); // to a whole byte
	return s.full ? -ENOSPC : (int)(s.at - out);
}
