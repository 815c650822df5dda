// The codec against the table, against its own bounds, and against msgpack-c as an independent reader.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <msgpack.h>

#include "craft.h"

static uint8_t buf[LIMIT_MESSAGE];

#define FOR_EACH_MESSAGE(n)               \
	for (n = 1; n < MSG_NUMBERS; n++) \
		if (msg_descs[n].name)

static void every_message_round_trips(void **state)
{
	union msg_any in, out;
	int n, len, high;

	FOR_EACH_MESSAGE(n)
	for (high = 0; high <= 1; high++) {
		craft_struct(n, &in, high);
		len = msg_encode((enum msg_number)n, &in, buf, sizeof(buf));
		assert_true(len > 0);
		assert_int_equal(msg_peek(buf, (size_t)len), n);
		memset(&out, 0x77, sizeof(out));
		assert_int_equal(msg_decode((enum msg_number)n, buf, (size_t)len, &out, NULL), 0);
		assert_memory_equal(&in, &out, msg_descs[n].size);
	}
}

static void every_message_is_msgpack(void **state)
{
	msgpack_unpacked result;
	size_t off;
	int n, len;

	msgpack_unpacked_init(&result);
	FOR_EACH_MESSAGE(n)
	{
		len = craft_packet(n, buf, sizeof(buf), 1);
		off = 0;
		assert_int_equal(msgpack_unpack_next(&result, (char *)buf, (size_t)len, &off), MSGPACK_UNPACK_SUCCESS);
		assert_int_equal(off, len);
		assert_int_equal(result.data.type, MSGPACK_OBJECT_ARRAY);
		assert_int_equal(result.data.via.array.size, msg_descs[n].n_fields + 1);
		assert_int_equal(result.data.via.array.ptr[0].via.u64, n);
	}
	msgpack_unpacked_destroy(&result);
}

static void too_small_a_buffer_is_no_buffer(void **state)
{
	int n, len;

	FOR_EACH_MESSAGE(n)
	{
		len = craft_packet(n, buf, sizeof(buf), 1);
		assert_int_equal(craft_packet(n, buf, (size_t)len, 1), len);
		assert_int_equal(craft_packet(n, buf, (size_t)len - 1, 1), -ENOBUFS);
		assert_int_equal(craft_packet(n, buf, 0, 1), -ENOBUFS);
	}
}

// ----------------------------------------------------------------------------------------------------------------- bounds

static int decode_replaced(int number, unsigned field, const void *bytes, size_t n)
{
	static struct craft c;
	union msg_any out;

	craft_replaced(&c, number, field, bytes, n);
	return msg_decode((enum msg_number)number, c.buf, c.len, &out, NULL);
}

static int decode_number(int number, unsigned field, uint64_t value)
{
	static struct craft c;

	c.len = 0;
	craft_number(&c, value);
	return decode_replaced(number, field, c.buf, c.len);
}

static int decode_run(int number, unsigned field, unsigned first, int filler, size_t len)
{
	static struct craft c;

	c.len = 0;
	craft_run(&c, first, filler, len);
	return decode_replaced(number, field, c.buf, c.len);
}

static void check_number_bounds(int n, unsigned i, const struct msg_field *f)
{
	static const uint64_t width[] = { UINT8_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX };

	assert_int_equal(decode_number(n, i, f->min), 0);
	assert_int_equal(decode_number(n, i, f->max), 0);
	assert_true(f->max <= width[f->kind]);
	if (f->min > 0)
		assert_int_equal(decode_number(n, i, f->min - 1), -EBADMSG);
	if (f->max < UINT64_MAX)
		assert_int_equal(decode_number(n, i, f->max + 1), -EBADMSG);
	if (f->kind < MSG_KIND_U64)
		assert_int_equal(decode_number(n, i, f->min + width[f->kind] + 1), -EBADMSG); // must not wrap into bounds
}

static void check_run_bounds(int n, unsigned i, const struct msg_field *f)
{
	unsigned first = f->kind == MSG_KIND_STR ? 0xda : 0xc5, other = f->kind == MSG_KIND_STR ? 0xc5 : 0xda;

	assert_int_equal(decode_run(n, i, first, 'a', f->min), 0);
	assert_int_equal(decode_run(n, i, first, 'a', f->max), 0);
	assert_int_equal(decode_run(n, i, other, 'a', f->max), -EBADMSG);
	assert_int_equal(decode_run(n, i, first, 'a', f->max + 1), -EBADMSG);
	if (f->min > 0)
		assert_int_equal(decode_run(n, i, first, 'a', f->min - 1), -EBADMSG);
	if (f->kind == MSG_KIND_STR && f->max > 0) {
		assert_int_equal(decode_run(n, i, first, 0, f->max), -EBADMSG);
		assert_int_equal(decode_run(n, i, first, '\n', f->max), -EBADMSG);
		assert_int_equal(decode_run(n, i, first, 0x7f, f->max), -EBADMSG);
		assert_int_equal(decode_run(n, i, first, 0xff, f->max), -EBADMSG);
	}
}

static void check_addr_bounds(int n, unsigned i, const struct msg_field *f)
{
	static const uint8_t none[22] = { 0xc4, 20 }, v4[22] = { 0xc4, 20, 4, 32, 0, 1, 192, 0, 2, 1 };
	static const uint8_t v4_33[22] = { 0xc4, 20, 4, 33 }, v4_dirty[22] = { 0xc4, 20, 4, 32, [21] = 1 };
	static const uint8_t five[22] = { 0xc4, 20, 5 }, v6_129[22] = { 0xc4, 20, 6, 129 };

	assert_int_equal(decode_replaced(n, i, v4, 22), 0);
	assert_int_equal(decode_replaced(n, i, none, 22), f->min ? -EBADMSG : 0);
	assert_int_equal(decode_replaced(n, i, v4_33, 22), -EBADMSG);
	assert_int_equal(decode_replaced(n, i, v4_dirty, 22), -EBADMSG);
	assert_int_equal(decode_replaced(n, i, five, 22), -EBADMSG);
	assert_int_equal(decode_replaced(n, i, v6_129, 22), -EBADMSG);
	assert_int_equal(decode_run(n, i, 0xc5, 0, 19), -EBADMSG);
	assert_int_equal(decode_run(n, i, 0xc5, 0, 21), -EBADMSG);
}

static void every_field_keeps_its_bounds(void **state)
{
	unsigned i;
	int n;

	FOR_EACH_MESSAGE(n)
	for (i = 0; i < msg_descs[n].n_fields; i++) {
		const struct msg_field *f = &msg_descs[n].fields()[i];

		if (f->kind == MSG_KIND_ADDR)
			check_addr_bounds(n, i, f);
		else if (f->kind == MSG_KIND_STR || f->kind == MSG_KIND_BYTES)
			check_run_bounds(n, i, f);
		else
			check_number_bounds(n, i, f);
	}
}

static void hostile_headers_are_refused_in_every_field(void **state)
{
	unsigned i;
	size_t h;
	int n;

	FOR_EACH_MESSAGE(n)
	for (i = 0; i < msg_descs[n].n_fields; i++)
		for (h = 0; h < CRAFT_HOSTILES; h++)
			assert_int_equal(decode_replaced(n, i, craft_hostiles[h].bytes, craft_hostiles[h].len), -EBADMSG);
}

static void our_own_mistakes_are_not_sent(void **state)
{
	struct msg_auth_init init = { .user = "alice\n" };
	struct msg_conn_start start = { .conn = 1, .client.family = 4, .client.prefix = 33, .local.family = 4 };
	struct msg_session_grant nameless = { .conn = 1 };
	struct msg_dtls_confirmed none = { .handshake = 0 };
	struct msg_dtls_send small = { .handshake = 1, .datagram_len = 12 };

	assert_int_equal(msg_encode(MSG_AUTH_INIT, &init, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(msg_encode(MSG_SESSION_GRANT, &nameless, buf, sizeof(buf)), -EINVAL);
	strcpy(init.user, "Zoë");
	assert_true(msg_encode(MSG_AUTH_INIT, &init, buf, sizeof(buf)) > 0);
	memset(init.user, 'a', sizeof(init.user)); // no NUL
	assert_int_equal(msg_encode(MSG_AUTH_INIT, &init, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(msg_encode(MSG_CONN_START, &start, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(msg_encode(MSG_DTLS_CONFIRMED, &none, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(msg_encode(MSG_DTLS_SEND, &small, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(msg_encode((enum msg_number)127, &init, buf, sizeof(buf)), -EINVAL);
}

// ---------------------------------------------------------------------------------------------------------------- details

static void a_refused_packet_leaves_no_trace(void **state)
{
	union msg_any out, before;
	int n, len;

	memset(&before, 0x55, sizeof(before));
	out = before;
	FOR_EACH_MESSAGE(n)
	{
		len = craft_packet(n, buf, sizeof(buf), 1);
		assert_int_equal(msg_decode((enum msg_number)n, buf, (size_t)len - 1, &out, NULL), -EBADMSG);
		assert_memory_equal(&out, &before, sizeof(out));
	}
}

static void a_refusal_names_the_field(void **state)
{
	static const uint8_t odd_kind[] = { 0x97, 31, 9, 0xa0, 0xa0, 0xa0, 0xa0, 0xa0 }, extra[] = { 0x92, 45, 1, 1 },
	                     few[] = { 0x91, 45 };
	const char *why = NULL;
	union msg_any out;

	assert_int_equal(msg_decode(MSG_AUTH_INIT, odd_kind, sizeof(odd_kind), &out, &why), -EBADMSG);
	assert_string_equal(why, "kind");
	assert_int_equal(msg_decode(MSG_SESSION_LIST, extra, sizeof(extra), &out, &why), -EBADMSG);
	assert_string_equal(why, "trailing bytes");
	assert_int_equal(msg_decode(MSG_SESSION_LIST, few, sizeof(few), &out, &why), -EBADMSG);
	assert_string_equal(why, "field count");
	assert_int_equal(msg_decode(MSG_TUNNEL_DEL, extra, sizeof(extra), &out, &why), -EBADMSG);
	assert_string_equal(why, "number");
}

static void numbers_may_come_in_any_width(void **state)
{
	static const struct {
		uint8_t bytes[10];
		size_t len;
		int ok;
	} rows[] = {
		{ { 7 }, 1, 1 },
		{ { 0xcc, 7 }, 2, 1 },
		{ { 0xcd, 0, 7 }, 3, 1 },
		{ { 0xce, 0, 0, 0, 7 }, 5, 1 },
		{ { 0xcf, 0, 0, 0, 0, 0, 0, 0, 7 }, 9, 1 },
		{ { 0xd0, 7 }, 2, 0 }, // signed: not ours
		{ { 0xe0 }, 1, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(decode_replaced(MSG_SESSION_LIST, 0, rows[i].bytes, rows[i].len), rows[i].ok ? 0 : -EBADMSG);
}

static void what_peek_says(void **state)
{
	static const struct {
		uint8_t bytes[6];
		size_t len;
		int number;
	} rows[] = {
		{ { 0x92, 20 }, 2, 20 },
		{ { 0x92, 0xcc, 90 }, 3, 90 },
		{ { 0xdc, 0, 2, 20 }, 4, 20 },
		{ { 0x91, 127 }, 2, 127 },
		{ { 0 }, 0, -EBADMSG },
		{ { 0x90 }, 1, -EBADMSG },
		{ { 0x92 }, 1, -EBADMSG },
		{ { 0x91, 0 }, 2, -EBADMSG },
		{ { 0x91, 0xcd, 1, 0 }, 4, 256 },
		{ { 0x91, 0xcd, 1, 0x1f }, 4, MSG_NUMBERS - 1 },
		{ { 0x91, 0xcd, 1, 0x20 }, 4, -EBADMSG },
		{ { 0x91, 0xff }, 2, -EBADMSG },
		{ { 0xdd, 0, 0, 0, 1, 20 }, 6, -EBADMSG },
		{ { 0x81, 20 }, 2, -EBADMSG },
		{ { 0x45, 0 }, 2, -EBADMSG },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(msg_peek(rows[i].bytes, rows[i].len), rows[i].number);
}

static void the_table_is_sane(void **state)
{
	static const uint8_t roles[] = {
		ROLE_MAIN, ROLE_NURSERY, ROLE_WORKER, ROLE_SECMOD, ROLE_DATAPLANE, ROLE_CTL, ROLE_METRICS
	};
	int n, count = 0, entries = 0;

#define MESSAGE(...) entries++;
#include "proto/messages.def"
#undef MESSAGE
	FOR_EACH_MESSAGE(n)
	{
		const struct msg_desc *d = &msg_descs[n];

		count++;
		assert_non_null(memchr(roles, d->from, sizeof(roles)));
		assert_non_null(memchr(roles, d->to, sizeof(roles)));
		assert_int_not_equal(d->from, d->to);
		assert_int_not_equal(d->states, 0);
		assert_true(d->from == ROLE_MAIN || d->fds == 0); // only main hands descriptors out
	}
	assert_int_equal(count, entries); // no two share a number
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_sane),
		cmocka_unit_test(every_message_round_trips),
		cmocka_unit_test(every_message_is_msgpack),
		cmocka_unit_test(too_small_a_buffer_is_no_buffer),
		cmocka_unit_test(every_field_keeps_its_bounds),
		cmocka_unit_test(hostile_headers_are_refused_in_every_field),
		cmocka_unit_test(our_own_mistakes_are_not_sent),
		cmocka_unit_test(a_refused_packet_leaves_no_trace),
		cmocka_unit_test(a_refusal_names_the_field),
		cmocka_unit_test(numbers_may_come_in_any_width),
		cmocka_unit_test(what_peek_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
