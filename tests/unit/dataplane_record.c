// Records and ClientHellos as they come, broken in every way.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/record.h"

static const uint8_t id[HELLO_APP_ID] = "an App-ID of thirty-two bytes...";

// A copy in memory of exactly that length, so that the sanitizer sees the first byte too far.
static uint8_t *exact(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	memcpy(copy, p, n);
	return copy;
}

struct hello {
	uint8_t buf[512];
	size_t len;
};

static void put(struct hello *h, const void *p, size_t n)
{
	memcpy(h->buf + h->len, p, n);
	h->len += n;
}

static void put_number(struct hello *h, uint32_t v, unsigned bytes)
{
	while (bytes--)
		h->buf[h->len++] = (uint8_t)(v >> 8 * bytes);
}

static void set_number(struct hello *h, size_t at, uint32_t v, unsigned bytes)
{
	while (bytes--)
		h->buf[at++] = (uint8_t)(v >> 8 * bytes);
}

// extension: its value, NULL for none; extension_len: what its own length byte says.
static struct hello hello_make(const void *session_id, uint8_t session_id_len, const void *extension, uint8_t extension_len)
{
	struct hello h = { .len = 0 };
	uint8_t random[32] = { 7 };

	put(&h, "\x16\xfe\xff\0\0\0\0\0\0\0\0\0\0", RECORD_HEADER);
	put(&h, "\x01\0\0\0\0\0\0\0\0\0\0\0", 12);
	put(&h, "\xfe\xfd", 2);
	put(&h, random, 32);
	put_number(&h, session_id_len, 1);
	put(&h, session_id, session_id_len);
	put(&h,
	    "\x03"
	    "abc",
	    4);                     // cookie
	put(&h, "\0\x02\0\xa8", 4); // cipher suites
	put(&h, "\x01\0", 2);       // compression
	size_t at = h.len;
	put_number(&h, 0, 2);
	put(&h, "\0\x17\0\0", 4); // extended_master_secret
	if (extension) {
		put_number(&h, 48018, 2);
		put_number(&h, extension_len + 1, 2);
		put_number(&h, extension_len, 1);
		put(&h, extension, extension_len);
	}
	set_number(&h, at, (uint32_t)(h.len - at - 2), 2);
	set_number(&h, 11, (uint32_t)(h.len - RECORD_HEADER), 2);
	set_number(&h, RECORD_HEADER + 1, (uint32_t)(h.len - RECORD_HEADER - 12), 3);
	set_number(&h, RECORD_HEADER + 9, (uint32_t)(h.len - RECORD_HEADER - 12), 3);
	return h;
}

static bool finds(const struct hello *h)
{
	uint8_t *copy = exact(h->buf, h->len);
	const uint8_t *found = hello_app_id(copy, h->len);
	bool ok = found && memcmp(found, id, HELLO_APP_ID) == 0;

	free(copy);
	return ok;
}

static void test_app_id(void **state)
{
	struct hello h;
	uint8_t other[HELLO_APP_ID] = { 1 };

	h = hello_make(id, 32, NULL, 0);
	assert_true(finds(&h));
	h = hello_make("", 0, id, 32);
	assert_true(finds(&h));
	h = hello_make(id, 32, other, 32);
	assert_true(finds(&h)); // the session id comes first
	h = hello_make(id, 8, id, 32);
	assert_true(finds(&h)); // a session id of another length is none of ours
	h = hello_make("", 0, NULL, 0);
	assert_false(finds(&h));
	h = hello_make("", 0, id, 31);
	assert_false(finds(&h));
}

static void test_broken_hellos(void **state)
{
	struct hello whole = hello_make("", 0, id, 32), h;

	for (h = whole; h.len > 0; h.len--)
		assert_int_equal(finds(&h), h.len == whole.len);
	h = whole;
	set_number(&h, RECORD_HEADER + 6, 1, 3); // fragment_offset
	assert_false(finds(&h));
	h = whole;
	set_number(&h, RECORD_HEADER + 9, 10, 3); // fragment_length
	assert_false(finds(&h));
	h = whole;
	set_number(&h, RECORD_HEADER + 1, 0xffffff, 3);
	set_number(&h, RECORD_HEADER + 9, 0xffffff, 3);
	assert_false(finds(&h));
	h = whole;
	h.buf[RECORD_HEADER] = 2; // ServerHello
	assert_false(finds(&h));
	h = whole;
	h.buf[4] = 1; // epoch 1
	assert_false(finds(&h));
	h = whole;
	h.buf[0] = CONTENT_DATA;
	assert_false(finds(&h));
	h = whole;
	h.len--; // the extension's own length is one too long for its body
	set_number(&h, 11, (uint32_t)(h.len - RECORD_HEADER), 2);
	assert_false(finds(&h));
}

// Any single byte may be anything: nothing is read beyond the end.
static void test_flipped_hellos(void **state)
{
	struct hello whole = hello_make(id, 8, id, 32), h;

	for (size_t at = 0; at < whole.len; at++) {
		for (unsigned v = 0; v < 256; v += 5) {
			h = whole;
			h.buf[at] = (uint8_t)v;
			finds(&h);
		}
	}
}

static bool parses(const char *header, size_t body, struct record *r)
{
	uint8_t buf[RECORD_HEADER + 64] = { 0 };

	memcpy(buf, header, RECORD_HEADER);
	uint8_t *copy = exact(buf, RECORD_HEADER + body);
	bool ok = record_parse(copy, RECORD_HEADER + body, r);
	free(copy);
	return ok;
}

static void test_records(void **state)
{
	struct record r;

	assert_true(parses("\x17\xfe\xfd\x00\x01\x01\x02\x03\x04\x05\x06\x00\x20", 32, &r));
	assert_int_equal(r.type, CONTENT_DATA);
	assert_int_equal(r.epoch, 1);
	assert_int_equal(r.sequence, 0x010203040506);
	assert_int_equal(r.length, 32);
	assert_true(parses("\x15\xfe\xff\x00\x01\x00\x00\x00\x00\x00\x00\x00\x20", 40, &r)); // more behind it
	assert_true(parses("\x14\xfe\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00", 0, &r));
	assert_int_equal(r.sequence, 0xffffffffffff);
	assert_false(parses("\x17\xfe\xfd\x00\x01\x01\x02\x03\x04\x05\x06\x00\x21", 32, &r)); // cut off
	assert_false(parses("\x13\xfe\xfd\x00\x01\x01\x02\x03\x04\x05\x06\x00\x20", 32, &r)); // no such type
	assert_false(parses("\x18\xfe\xfd\x00\x01\x01\x02\x03\x04\x05\x06\x00\x20", 32, &r));
	assert_false(parses("\x17\x03\x03\x00\x01\x01\x02\x03\x04\x05\x06\x00\x20", 32, &r)); // TLS
	assert_false(record_parse((const uint8_t *)"\x17\xfe\xfd", 3, &r));
	assert_false(record_parse(NULL, 0, &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_app_id),
		cmocka_unit_test(test_broken_hellos),
		cmocka_unit_test(test_flipped_hellos),
		cmocka_unit_test(test_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
