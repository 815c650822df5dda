// The records that one penstockd hands over to another: what comes back, and what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/main/state.h"
#include "proto/addr.h"

struct thing {
	uint8_t small;
	uint16_t port;
	uint64_t large;
	int64_t below; // of zero
	bool yes;
	int kind;
	char text[8];
	char *string;
	uint16_t array[6];
	struct addr addr;
	int fd;
};

static const struct state_field fields[] = {
	STATE_NUMBER(struct thing, small), STATE_NUMBER(struct thing, port),   STATE_NUMBER(struct thing, large),
	STATE_NUMBER(struct thing, below), STATE_NUMBER(struct thing, yes),    STATE_UPTO(struct thing, kind, 3),
	STATE_TEXT(struct thing, text),    STATE_STRING(struct thing, string), STATE_BYTES(struct thing, array),
	STATE_ADDR(struct thing, addr),    STATE_FD(struct thing, fd),
};

// A version that knows less, and the other way round.
static const struct state_field fewer[] = { STATE_NUMBER(struct thing, small), STATE_FD(struct thing, fd) };

static struct thing a_thing(void)
{
	struct thing t = {
		.small = 255, .port = 443, .large = UINT64_MAX, .below = -2, .yes = true, .kind = 3, .text = "seven..", .fd = -1
	};

	t.string = (char *)"";
	t.array[1] = 7;
	assert_int_equal(addr_parse("2001:db8::/32", &t.addr), 0);
	return t;
}

static int map(struct state_writer *w, struct state_reader *r)
{
	const uint8_t *buf;
	size_t len;
	int fd = -1;

	assert_int_equal(state_seal(w, &fd), 0);
	assert_int_equal(state_map(fd, &buf, &len), 0);
	assert_int_equal(state_reader_init(r, buf, len), 0);
	return fd;
}

#define PUT(w, table, t) state_write(w, "thing", STATE_PARTS(STATE_PART("a.", table, t)))
#define GET(rec, table, t) state_read(rec, STATE_PARTS(STATE_PART("a.", table, t)))

// ------------------------------------------------------------------------------------------------------------------ facts

static void what_goes_in_comes_out(void **unused)
{
	struct thing t = a_thing(), nothing = { .fd = -1 }, back = { 0 };
	struct state_writer w;
	struct state_reader r;
	struct state_record rec;
	int fd;

	state_writer_init(&w);
	t.fd = dup(0);
	PUT(&w, fields, &t);
	PUT(&w, fields, &nothing);
	fd = map(&w, &r);
	assert_int_equal(w.n_fds, 1);
	assert_int_equal(state_next(&r, &rec), 1);
	assert_string_equal(rec.name, "thing");
	assert_int_equal(GET(&rec, fields, &back), 0);
	assert_string_equal(back.string, "");
	free(back.string);
	back.string = t.string;
	assert_memory_equal(&back, &t, sizeof(t));
	assert_int_equal(r.fds[0], t.fd);
	assert_int_equal(state_next(&r, &rec), 1);
	back = (struct thing){ 0 };
	assert_int_equal(GET(&rec, fields, &back), 0);
	assert_memory_equal(&back, &nothing, sizeof(nothing));
	assert_int_equal(state_next(&r, &rec), 0);
	close(t.fd);
	close(fd);
	state_reader_fini(&r);
	state_writer_fini(&w);
}

static void versions_differ(void **unused)
{
	struct thing t = a_thing(), back = { 0 }, small = { .small = 1, .fd = -1 };
	struct state_writer w;
	struct state_reader r;
	struct state_record rec;
	int fd;

	state_writer_init(&w);
	PUT(&w, fewer, &small);
	PUT(&w, fields, &t);
	fd = map(&w, &r);
	assert_int_equal(state_next(&r, &rec), 1);
	assert_int_equal(GET(&rec, fields, &back), 0); // it knows more: the rest is nothing
	assert_memory_equal(&back, &small, sizeof(small));
	assert_int_equal(state_next(&r, &rec), 1);
	assert_int_equal(GET(&rec, fewer, &back), -ENOTSUP); // it knows less: nobody knows what would be lost
	close(fd);
	state_reader_fini(&r);
	state_writer_fini(&w);
}

// What one record refuses of another's fields. text: its only field, as raw bytes of the record behind its name.
static int raw(const char *bytes, size_t len)
{
	const struct state_record rec = { .name = "thing",
		                          .at = (const uint8_t *)bytes,
		                          .end = (const uint8_t *)bytes + len,
		                          .reader = &(struct state_reader){ 0 } };
	struct thing back = { 0 };
	int ret = GET(&rec, fields, &back);

	free(rec.reader->fds);
	free(back.string);
	return ret;
}

// A record with this field, once or twice.
static int field(const char *name, char kind, const char *value, size_t len, int times)
{
	char bytes[256];
	size_t used = 0;

	for (int i = 0; i < times; i++) {
		bytes[used++] = (char)strlen(name);
		used += (size_t)sprintf(bytes + used, "%s%c", name, kind);
		bytes[used++] = (char)len;
		bytes[used++] = 0;
		memcpy(bytes + used, value, len);
		used += len;
	}
	return raw(bytes, used);
}

#define F(name, kind, value, expect) assert_int_equal(field(name, kind, value, sizeof(value) - 1, 1), expect)
#define TWICE(name, kind, value, expect) assert_int_equal(field(name, kind, value, sizeof(value) - 1, 2), expect)
#define R(bytes, expect) assert_int_equal(raw(bytes, sizeof(bytes) - 1), expect)

static void bounds(void **unused)
{
	F("a.small", 'n', "\xff", 0);
	F("a.small", 'n', "\0\1", -EBADMSG); // 256
	F("a.yes", 'n', "\2", -EBADMSG);     // no truth
	F("a.kind", 'n', "\4", -EBADMSG);    // above its bound
	F("a.large", 'n', "\0\0\0\0\0\0\0\0\1", -EBADMSG);
	F("a.text", 't', "1234567", 0);
	F("a.text", 't', "12345678", -EBADMSG); // no room for its end
	F("a.text", 't', "1\0002", -EBADMSG);   // an end within
	F("a.string", 's', "x\0", 0);
	F("a.string", 's', "x", -EBADMSG); // no end
	TWICE("a.string", 's', "x\0", -EBADMSG);
	F("a.array", 'b', "123456789012", 0);
	F("a.array", 'b', "1234567890123", -EBADMSG);
	F("a.addr", 'a', "\4\0\0\0", -EBADMSG);
	F("a.small", 't', "x", -EBADMSG); // another kind
	F("a.smell", 'n', "x", -ENOTSUP); // nobody knows it
	F("b.small", 'n', "x", -ENOTSUP);
	F("a.small", 'n', "", -EBADMSG); // zeros are left out
}

static void cut_off(void **unused)
{
	R("\7a.smalln\1\0x", 0);
	R("\7a.smalln\2\0x", -EBADMSG);
	R("\7a.smalln\2", -EBADMSG);
	R("\7a.sm", -EBADMSG);
	R("\0", -EBADMSG);
}

static void descriptors(void **unused)
{
	char bytes[] = "\x04"
	               "a.fd"
	               "f"
	               "\x04\0"
	               "\0\0\0\0"
	               "\x04"
	               "a.fd"
	               "f"
	               "\x04\0"
	               "\0\0\0\0";
	int fd = dup(0);

	memcpy(bytes + 8, &fd, sizeof(fd));
	memcpy(bytes + 20, &fd, sizeof(fd));
	assert_int_equal(raw(bytes, 12), 0);
	assert_int_equal(raw(bytes, 24), -EBADMSG); // it is one thing's only
	close(fd);
	assert_int_equal(raw(bytes, 12), -EBADMSG); // not open
	memset(bytes + 8, 0, 4);
	assert_int_equal(raw(bytes, 12), -EBADMSG); // the log's, and no thing's
}

static void what_is_not_whole(void **unused)
{
	static const uint8_t magic[] = "penstock state 1";
	struct thing t = a_thing(), back;
	struct state_writer w;
	struct state_reader r;
	struct state_record rec;
	const uint8_t *buf;
	size_t len;
	int fd = -1, ret;

	state_writer_init(&w);
	PUT(&w, fields, &t);
	assert_int_equal(state_seal(&w, &fd), 0);
	assert_int_equal(state_map(fd, &buf, &len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		char *part = malloc(cut + 1); // of its own, so that a byte too far is seen

		memcpy(part, buf, cut);
		ret = state_reader_init(&r, (uint8_t *)part, cut);
		while (ret == 0 && (ret = state_next(&r, &rec)) == 1) {
			back = (struct thing){ 0 };
			ret = GET(&rec, fields, &back);
			free(back.string);
		}
		assert_int_equal(ret, -EBADMSG);
		free(part);
	}
	assert_int_equal(state_reader_init(&r, (const uint8_t *)"penstock state 2", 17), -EBADMSG);
	assert_int_equal(state_reader_init(&r, magic, sizeof(magic)), 0);
	assert_int_equal(state_next(&r, &rec), -EBADMSG);
	munmap((void *)buf, len);
	close(fd);
	state_writer_fini(&w);
}

static void only_what_is_sealed(void **unused)
{
	const uint8_t *buf;
	size_t len;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, "penstock state 1", 17), 17);
	assert_int_equal(state_map(fd, &buf, &len), -EBADMSG); // somebody might still write
	close(fd);
	assert_int_equal(state_map(0, &buf, &len) < 0, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(versions_differ),
		cmocka_unit_test(bounds),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(what_is_not_whole),
		cmocka_unit_test(only_what_is_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
