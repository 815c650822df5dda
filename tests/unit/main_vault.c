// What main leaves with its keeper: what counts, what does not yet, whose descriptors are closed when, and what comes back of it.
// Then by what the keeper decides who goes on.
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

#include "control/main/keeper.h"
#include "control/main/state.h"
#include "control/main/vault.h"

// A packet that grows.
static struct {
	uint8_t bytes[VAULT_PACKET];
	size_t len;
	int fds[8];
	unsigned n_fds;
} p;

static void op_flags(enum vault_word word, enum vault_kind kind, uint64_t id, const char *text, int fd, uint8_t flags)
{
	const struct vault_op op = { .word = (uint8_t)word,
		                     .kind = (uint8_t)kind,
		                     .flags = flags,
		                     .n_fds = fd >= 0,
		                     .len = (uint32_t)strlen(text),
		                     .id = id };

	memcpy(p.bytes + p.len, &op, sizeof(op));
	memcpy(p.bytes + p.len + sizeof(op), text, op.len);
	p.len += sizeof(op) + op.len;
	if (fd >= 0)
		p.fds[p.n_fds++] = fd;
}

static void op(enum vault_word word, enum vault_kind kind, uint64_t id, const char *text)
{
	op_flags(word, kind, id, text, -1, 0);
}

static int send_it(struct vault *v)
{
	int ret = vault_take(v, p.bytes, p.len, p.fds, p.n_fds);

	p.len = p.n_fds = 0;
	return ret;
}

static bool has(const struct vault *v, enum vault_kind kind, uint64_t id, const char *text)
{
	const struct vault_record *r = vault_find(v, kind, id);

	if (!r || !text)
		return !r && !text;
	return r->len == strlen(text) && memcmp(r->bytes, text, r->len) == 0;
}

static int a_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd > 2);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static struct vault *open_vault(void)
{
	static struct vault v;

	assert_int_equal(vault_init(&v), 0);
	p.len = p.n_fds = 0;
	return &v;
}

static void together_or_not_at_all(void **state)
{
	struct vault *v = open_vault();

	op(VAULT_PUT, VAULT_CONN, 7, "one");
	op(VAULT_PUT, VAULT_SESSION, 7, "another kind");
	assert_int_equal(send_it(v), 0);
	assert_true(has(v, VAULT_CONN, 7, NULL));
	op(VAULT_COMMIT, VAULT_PROGRAM, 0, "");
	assert_int_equal(send_it(v), 0);
	assert_true(has(v, VAULT_CONN, 7, "one"));
	assert_true(has(v, VAULT_SESSION, 7, "another kind"));

	// main dies before it has said all of it
	op(VAULT_PUT, VAULT_CONN, 7, "two");
	op(VAULT_DROP, VAULT_SESSION, 7, "");
	assert_int_equal(send_it(v), 0);
	vault_forget(v);
	op(VAULT_COMMIT, VAULT_PROGRAM, 0, "");
	assert_int_equal(send_it(v), 0);
	assert_true(has(v, VAULT_CONN, 7, "one"));
	assert_true(has(v, VAULT_SESSION, 7, "another kind"));

	op(VAULT_DROP, VAULT_SESSION, 7, "");
	op(VAULT_DROP, VAULT_SESSION, 8, ""); // which never was
	op(VAULT_PUT, VAULT_CONN, 7, "tw");
	op(VAULT_MORE, VAULT_CONN, 7, "o");
	op(VAULT_COMMIT, VAULT_PROGRAM, 0, "");
	assert_int_equal(send_it(v), 0);
	assert_true(has(v, VAULT_CONN, 7, "two"));
	assert_true(has(v, VAULT_SESSION, 7, NULL));
	assert_int_equal(v->count, 1);

	op(VAULT_RESET, VAULT_PROGRAM, 0, "");
	op(VAULT_PUT, VAULT_CONN, 9, "of another version");
	assert_int_equal(send_it(v), 0);
	assert_true(has(v, VAULT_CONN, 7, "two"));
	op(VAULT_COMMIT, VAULT_PROGRAM, 0, "");
	assert_int_equal(send_it(v), 0);
	assert_true(has(v, VAULT_CONN, 7, NULL));
	assert_int_equal(v->count, 1);
	vault_fini(v);
}

static void descriptors(void **state)
{
	struct vault *v = open_vault();
	int first = a_descriptor(), second = a_descriptor(), third = a_descriptor(), extra = a_descriptor();

	op_flags(VAULT_PUT, VAULT_CONN, 1, "a", first, 0);
	op_flags(VAULT_PUT, VAULT_CONN, 2, "b", second, 0);
	op(VAULT_COMMIT, VAULT_PROGRAM, 0, "");
	assert_int_equal(send_it(v), 0);
	// another record, with the descriptor of before; and one with another
	op_flags(VAULT_PUT, VAULT_CONN, 1, "A", -1, VAULT_SAME_FDS);
	op_flags(VAULT_PUT, VAULT_CONN, 2, "B", third, 0);
	op(VAULT_COMMIT, VAULT_PROGRAM, 0, "");
	assert_int_equal(send_it(v), 0);
	assert_true(has(v, VAULT_CONN, 1, "A"));
	assert_int_equal(vault_find(v, VAULT_CONN, 1)->fds[0], first);
	assert_int_equal(vault_find(v, VAULT_CONN, 2)->fds[0], third);
	assert_true(is_open(first));
	assert_false(is_open(second));

	// more of them than there are records for
	p.fds[p.n_fds++] = extra;
	op(VAULT_PUT, VAULT_CONN, 3, "c");
	assert_int_equal(send_it(v), -EBADMSG);
	assert_false(is_open(extra));

	op(VAULT_DROP, VAULT_CONN, 1, "");
	op(VAULT_COMMIT, VAULT_PROGRAM, 0, "");
	assert_int_equal(send_it(v), 0);
	assert_false(is_open(first));
	vault_fini(v);
	assert_false(is_open(third));
}

static int heard;
static char told[64];

static void on_tell(void *who, const char *text)
{
	snprintf(told, sizeof(told), "%s", text);
}

static void on_heard(void *who, int pid)
{
	heard = pid;
}

static void at_once(void **state)
{
	struct vault *v = open_vault();

	v->tell = on_tell;
	v->heard = on_heard;
	op(VAULT_TELL, VAULT_PROGRAM, 0, "READY=1");
	op(VAULT_HEARD, VAULT_PROGRAM, 4711, "");
	assert_int_equal(send_it(v), 0);
	assert_string_equal(told, "READY=1");
	assert_int_equal(heard, 4711);
	vault_fini(v);
}

static void refused(void **state)
{
	struct vault *v = open_vault();

	op(VAULT_WORDS, VAULT_CONN, 1, "");
	assert_int_equal(send_it(v), -EBADMSG);
	op(VAULT_PUT, VAULT_KINDS, 1, "");
	assert_int_equal(send_it(v), -EBADMSG);
	op_flags(VAULT_PUT, VAULT_CONN, 1, "", -1, 2);
	assert_int_equal(send_it(v), -EBADMSG);
	op(VAULT_MORE, VAULT_CONN, 1, "of nothing");
	assert_int_equal(send_it(v), -EBADMSG);
	op(VAULT_DROP, VAULT_CONN, 1, "text");
	assert_int_equal(send_it(v), -EBADMSG);
	op(VAULT_PUT, VAULT_CONN, 1, "cut off");
	p.len--;
	assert_int_equal(send_it(v), -EBADMSG);
	op(VAULT_COMMIT, VAULT_CONN, 1, "");
	p.len--;
	assert_int_equal(send_it(v), -EBADMSG);
	vault_fini(v);
}

struct thing {
	uint32_t number;
	int fd, other;
};

static const struct state_field fields[] = {
	STATE_NUMBER(struct thing, number),
	STATE_FD(struct thing, fd),
	STATE_FD(struct thing, other),
};

static void leave(struct vault *v, enum vault_kind kind, uint64_t id, const struct thing *t, int fd)
{
	struct vault_op o = { .word = VAULT_PUT, .kind = (uint8_t)kind, .id = id, .n_fds = fd >= 0 };
	struct state_writer w;
	const uint8_t *bytes;
	size_t len;

	state_writer_init(&w);
	state_write(&w, "thing", STATE_PARTS(STATE_PART("", fields, t)));
	bytes = state_records(&w, &len);
	o.len = (uint32_t)len;
	memcpy(p.bytes + p.len, &o, sizeof(o));
	memcpy(p.bytes + p.len + sizeof(o), bytes, len);
	p.len += sizeof(o) + len;
	if (fd >= 0)
		p.fds[p.n_fds++] = fd;
	state_writer_fini(&w);
}

// The numbers of descriptors are the keeper's then, and the order is that in which things need each other.
static void what_comes_back(void **state)
{
	struct vault *v = open_vault();
	int one = a_descriptor(), two = a_descriptor(), ret;
	const struct thing tunnel = { 5, -1, 1000 }, conn = { 6, 1001, -1 }, neither = { 7, -1, -1 };
	const struct thing expected[] = { { 7, -1, -1 }, { 6, two, -1 }, { 5, -1, one } };
	struct thing got;
	struct state_reader r;
	struct state_record rec;
	struct state_writer w;

	leave(v, VAULT_TUNNEL, 1, &tunnel, one);
	leave(v, VAULT_CONN, 9, &conn, two);
	leave(v, VAULT_CONN, 2, &neither, -1);
	op(VAULT_COMMIT, VAULT_PROGRAM, 0, "");
	assert_int_equal(send_it(v), 0);
	state_writer_init(&w);
	vault_write(v, &w);
	state_write(&w, "end", NULL, 0);
	assert_int_equal(w.error, 0);
	assert_int_equal(w.n_fds, 2);
	assert_int_equal(state_reader_init(&r, w.buf, w.used), 0);
	for (int i = 0; (ret = state_next(&r, &rec)) == 1; i++) {
		got = (struct thing){ 0 };
		assert_int_equal(state_read(&rec, STATE_PARTS(STATE_PART("", fields, &got))), 0);
		assert_true(i < 3);
		assert_memory_equal(&got, &expected[i], sizeof(got));
	}
	assert_int_equal(ret, 0);
	state_reader_fini(&r);
	state_writer_fini(&w);
	vault_fini(v);
}

// ----------------------------------------------------------------------------------------------------------------- judge

static enum keeper_next after(struct keeper_history *h, enum keeper_phase phase, uint64_t lived_ms, bool by_others)
{
	return keeper_judge(h, &(struct keeper_death){ phase, lived_ms, by_others });
}

static void who_goes_on(void **state)
{
	struct keeper_history h = { 0 };

	// before it was up, or when it stops, there is nothing to take over
	assert_int_equal(after(&h, KEEPER_FIRST, 100, false), KEEPER_ENDS);
	assert_int_equal(after(&h, KEEPER_FIRST, 100, true), KEEPER_ENDS);
	assert_int_equal(after(&h, KEEPER_LEAVING, 1000000, true), KEEPER_ENDS);

	// who kills it as often as he likes has another each time
	for (int i = 0; i < 100; i++)
		assert_int_equal(after(&h, KEEPER_UP, 10, true), KEEPER_TAKES_OVER);
	// nor does one that falls now and then give up what it has
	for (int i = 0; i < 100; i++)
		assert_int_equal(after(&h, KEEPER_UP, 60000, false), KEEPER_TAKES_OVER);
}

static void what_is_no_good(void **state)
{
	struct keeper_history h = { 0 };

	for (int round = 0; round < 3; round++) {
		assert_int_equal(after(&h, KEEPER_AGAIN, 10, false), KEEPER_TAKES_OVER);
		assert_int_equal(after(&h, KEEPER_UP, 4000, false), KEEPER_TAKES_OVER);
		assert_int_equal(after(&h, KEEPER_AGAIN, 10, false), KEEPER_BEGINS_ANEW);
	}
	after(&h, KEEPER_AGAIN, 10, false);
	after(&h, KEEPER_AGAIN, 10, false);
	assert_int_equal(after(&h, KEEPER_AGAIN, 10, false), KEEPER_ENDS);

	// one that has lived long is forgiven what was before
	h = (struct keeper_history){ 0 };
	after(&h, KEEPER_AGAIN, 10, false);
	after(&h, KEEPER_AGAIN, 10, false);
	assert_int_equal(after(&h, KEEPER_UP, 31000, false), KEEPER_TAKES_OVER);
	assert_int_equal(h.points, 0);

	// the kernel may be the one that kills it, for its memory
	for (int i = 0; i < 11; i++)
		assert_int_equal(after(&h, KEEPER_AGAIN, 10, true), KEEPER_TAKES_OVER);
	assert_int_equal(after(&h, KEEPER_AGAIN, 10, true), KEEPER_BEGINS_ANEW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(together_or_not_at_all),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(at_once),
		cmocka_unit_test(refused),
		cmocka_unit_test(what_comes_back),
		cmocka_unit_test(who_goes_on),
		cmocka_unit_test(what_is_no_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
