#include <errno.h>
#include <msgpack/pack.h>
#include <stdbool.h>
#include <string.h>

#include "msg.h"
#include "secret.h"
#include "utf8.h"

// ---------------------------------------------------------------------------------------------------------- descriptors

#define LEN_OFFSET_U8(field) 0
#define LEN_OFFSET_U16(field) 0
#define LEN_OFFSET_U32(field) 0
#define LEN_OFFSET_U64(field) 0
#define LEN_OFFSET_STR(field) 0
#define LEN_OFFSET_ADDR(field) 0
#define LEN_OFFSET_BYTES(field) offsetof(M, field##_len)
#define FIELD_ROW(kind, field, least, most) { #field, MSG_KIND_##kind, offsetof(M, field), LEN_OFFSET_##kind(field), least, most },
#define FIELD_COUNT(kind, field, least, most) +1

// One function each, so that rows can say M for their struct.
#define MESSAGE(from, to, NAME, name, ...)                                           \
	static const struct msg_field *fields_of_##name(void)                        \
	{                                                                            \
		typedef struct msg_##name M __attribute__((unused));                 \
		static const struct msg_field rows[] = { FIELDS_##name(FIELD_ROW) }; \
		return rows;                                                         \
	}
#include "messages.def"
#undef MESSAGE

const struct msg_desc msg_descs[MSG_NUMBERS] = {
#define MESSAGE(FROM, TO, NAME, lower, number, STATES, TIMES, PER_SECOND, FDS, SECRECY) \
	[number] = {                                                                    \
		.name = #NAME,                                                          \
		.from = ROLE_##FROM,                                                    \
		.to = ROLE_##TO,                                                        \
		.fds = FDS,                                                             \
		.secrecy = MSG_##SECRECY,                                               \
		.times = TIMES,                                                         \
		.per_second = PER_SECOND,                                               \
		.states = STATES,                                                       \
		.size = sizeof(struct msg_##lower),                                     \
		.n_fields = 0 FIELDS_##lower(FIELD_COUNT),                              \
		.fields = fields_of_##lower,                                            \
	},
#include "messages.def"
#undef MESSAGE
};

#define MESSAGE(from, to, NAME, name, number, states, times, per_second, fds, ...) \
	_Static_assert(number > 0 && number < MSG_NUMBERS, #NAME);                 \
	_Static_assert(fds <= LIMIT_FDS, #NAME);                                   \
	_Static_assert(sizeof(struct msg_##name) <= LIMIT_MESSAGE, #NAME);
#include "messages.def"
#undef MESSAGE

static const struct msg_desc *find_desc(int number)
{
	if (number <= 0 || number >= MSG_NUMBERS || !msg_descs[number].name)
		return NULL;
	return &msg_descs[number];
}

// --------------------------------------------------------------------------------------- bounds, the same both ways

static bool number_ok(const struct msg_field *f, uint64_t value)
{
	return value >= f->min && value <= f->max;
}

static bool text_ok(const struct msg_field *f, const uint8_t *p, size_t len)
{
	size_t n;

	if (len < f->min || len > f->max)
		return false;
	for (; len > 0; p += n, len -= n) {
		n = utf8_printable(p, len);
		if (n == 0)
			return false;
	}
	return true;
}

static bool addr_ok(const struct msg_field *f, const struct addr *a)
{
	return a->family != 0 || f->min == 0;
}

// --------------------------------------------------------------------------------------------------------------- encoder

struct writer {
	uint8_t *buf;
	size_t used, room;
};

static int writer_put(void *data, const char *bytes, size_t len)
{
	struct writer *w = data;

	if (len > w->room - w->used)
		return -1;
	memcpy(w->buf + w->used, bytes, len);
	w->used += len;
	return 0;
}

static int pack_number(msgpack_packer *pk, const struct msg_field *f, uint64_t value)
{
	if (!number_ok(f, value))
		return -EINVAL;
	return msgpack_pack_uint64(pk, value) < 0 ? -ENOBUFS : 0;
}

static int pack_text(msgpack_packer *pk, const struct msg_field *f, const char *text)
{
	size_t len = strnlen(text, f->max + 1);

	if (!text_ok(f, (const uint8_t *)text, len))
		return -EINVAL;
	return msgpack_pack_str_with_body(pk, text, len) < 0 ? -ENOBUFS : 0;
}

static int pack_bytes(msgpack_packer *pk, const struct msg_field *f, const uint8_t *p, uint16_t len)
{
	if (!number_ok(f, len))
		return -EINVAL;
	return msgpack_pack_bin_with_body(pk, p, len) < 0 ? -ENOBUFS : 0;
}

static int pack_addr(msgpack_packer *pk, const struct msg_field *f, const struct addr *a)
{
	uint8_t wire[ADDR_WIRE];
	struct addr check;

	addr_pack(a, wire);
	if (!addr_ok(f, a) || addr_unpack(wire, &check) < 0)
		return -EINVAL;
	return msgpack_pack_bin_with_body(pk, wire, sizeof(wire)) < 0 ? -ENOBUFS : 0;
}

static int pack_field(msgpack_packer *pk, const struct msg_field *f, const uint8_t *msg)
{
	const void *at = msg + f->offset;

	switch (f->kind) {
	case MSG_KIND_U8:
		return pack_number(pk, f, *(const uint8_t *)at);
	case MSG_KIND_U16:
		return pack_number(pk, f, *(const uint16_t *)at);
	case MSG_KIND_U32:
		return pack_number(pk, f, *(const uint32_t *)at);
	case MSG_KIND_U64:
		return pack_number(pk, f, *(const uint64_t *)at);
	case MSG_KIND_STR:
		return pack_text(pk, f, at);
	case MSG_KIND_BYTES:
		return pack_bytes(pk, f, at, *(const uint16_t *)(const void *)(msg + f->len_offset));
	case MSG_KIND_ADDR:
		return pack_addr(pk, f, at);
	}
	return -EINVAL;
}

int msg_encode(enum msg_number number, const void *msg, uint8_t *buf, size_t room)
{
	const struct msg_desc *d = find_desc((int)number);
	struct writer w = { buf, 0, room };
	msgpack_packer pk;
	unsigned i;
	int ret;

	if (!d)
		return -EINVAL;
	msgpack_packer_init(&pk, &w, writer_put);
	ret = msgpack_pack_array(&pk, d->n_fields + 1u) < 0 || msgpack_pack_uint16(&pk, (uint16_t)number) < 0 ? -ENOBUFS : 0;
	for (i = 0; i < d->n_fields && ret == 0; i++)
		ret = pack_field(&pk, &d->fields()[i], msg);
	if (ret == 0)
		return (int)w.used;
	if (d->secrecy == MSG_SECRET)
		secret_wipe(buf, w.used);
	return ret;
}

// --------------------------------------------------------------------------------------------------------------- decoder
// By hand, unlike the encoder: msgpack_unpack_next() allocates for every container header whatever its count asks for (five bytes
// make it 8 GiB), and an 8 KiB zone for every string. What we accept is five kinds of header, so no byte of a peer allocates.

struct reader {
	const uint8_t *p, *end;
};

static bool take_be(struct reader *r, size_t n, uint64_t *out)
{
	uint64_t value = 0;

	if ((size_t)(r->end - r->p) < n)
		return false;
	while (n-- > 0)
		value = value << 8 | *r->p++;
	*out = value;
	return true;
}

static bool take_number(struct reader *r, uint64_t *out)
{
	uint64_t head;

	if (!take_be(r, 1, &head))
		return false;
	if (head <= 0x7f) {
		*out = head;
		return true;
	}
	if (head < 0xcc || head > 0xcf) // uint 8, 16, 32, 64
		return false;
	return take_be(r, (size_t)1 << (head - 0xcc), out);
}

// first8: the header byte of the form with one length byte; the one with two follows it. fix: 0xa0 for strings, 0 for none.
static bool take_run(struct reader *r, uint8_t fix, uint8_t first8, const uint8_t **p, size_t *len)
{
	uint64_t head, n;

	if (!take_be(r, 1, &head))
		return false;
	if (fix && (head & 0xe0) == fix)
		n = head & 0x1f;
	else if (head != first8 && head != first8 + 1u)
		return false;
	else if (!take_be(r, head == first8 ? 1 : 2, &n))
		return false;
	if (n > (size_t)(r->end - r->p))
		return false;
	*p = r->p;
	*len = (size_t)n;
	r->p += n;
	return true;
}

static bool take_text(struct reader *r, const struct msg_field *f, char *out)
{
	const uint8_t *p;
	size_t len;

	if (!take_run(r, 0xa0, 0xd9, &p, &len) || !text_ok(f, p, len))
		return false;
	memcpy(out, p, len);
	out[len] = 0;
	return true;
}

static bool take_bytes(struct reader *r, const struct msg_field *f, uint8_t *out, uint16_t *out_len)
{
	const uint8_t *p;
	size_t len;

	if (!take_run(r, 0, 0xc4, &p, &len) || !number_ok(f, len))
		return false;
	memcpy(out, p, len);
	*out_len = (uint16_t)len;
	return true;
}

static bool take_addr(struct reader *r, const struct msg_field *f, struct addr *out)
{
	const uint8_t *p;
	size_t len;

	return take_run(r, 0, 0xc4, &p, &len) && len == ADDR_WIRE && addr_unpack(p, out) == 0 && addr_ok(f, out);
}

static bool take_field(struct reader *r, const struct msg_field *f, uint8_t *msg)
{
	void *at = msg + f->offset;
	uint64_t value;

	if (f->kind == MSG_KIND_STR)
		return take_text(r, f, at);
	if (f->kind == MSG_KIND_BYTES)
		return take_bytes(r, f, at, (uint16_t *)(void *)(msg + f->len_offset));
	if (f->kind == MSG_KIND_ADDR)
		return take_addr(r, f, at);
	if (!take_number(r, &value) || !number_ok(f, value))
		return false;
	if (f->kind == MSG_KIND_U8 && value <= UINT8_MAX)
		*(uint8_t *)at = (uint8_t)value;
	else if (f->kind == MSG_KIND_U16 && value <= UINT16_MAX)
		*(uint16_t *)at = (uint16_t)value;
	else if (f->kind == MSG_KIND_U32 && value <= UINT32_MAX)
		*(uint32_t *)at = (uint32_t)value;
	else if (f->kind == MSG_KIND_U64)
		*(uint64_t *)at = value;
	else
		return false;
	return true;
}

static bool take_array(struct reader *r, uint64_t *count)
{
	uint64_t head;

	if (!take_be(r, 1, &head))
		return false;
	*count = head & 0x0f;
	return (head & 0xf0) == 0x90 || (head == 0xdc && take_be(r, 2, count));
}

int msg_peek(const uint8_t *buf, size_t len)
{
	struct reader r = { buf, buf + len };
	uint64_t count, number;

	if (!take_array(&r, &count) || count == 0 || !take_number(&r, &number) || number == 0 || number >= MSG_NUMBERS)
		return -EBADMSG;
	return (int)number;
}

static const char *decode_into(const struct msg_desc *d, int number, struct reader *r, uint8_t *out)
{
	uint64_t count, named;
	unsigned i;

	if (!take_array(r, &count) || count != d->n_fields + 1u)
		return "field count";
	if (!take_number(r, &named) || named != (uint64_t)number)
		return "number";
	for (i = 0; i < d->n_fields; i++)
		if (!take_field(r, &d->fields()[i], out))
			return d->fields()[i].name;
	return r->p == r->end ? NULL : "trailing bytes";
}

int msg_decode(enum msg_number number, const uint8_t *buf, size_t len, union msg_any *out, const char **why)
{
	const struct msg_desc *d = find_desc((int)number);
	struct reader r = { buf, buf + len };
	const char *wrong = "no such message";
	union msg_any tmp;

	if (d) {
		memset(&tmp, 0, d->size);
		wrong = decode_into(d, (int)number, &r, (uint8_t *)&tmp);
		if (!wrong)
			memcpy(out, &tmp, d->size);
		if (d->secrecy == MSG_SECRET)
			secret_wipe(&tmp, d->size);
	}
	if (why && wrong)
		*why = wrong;
	return wrong ? -EBADMSG : 0;
}
