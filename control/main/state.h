// What one penstockd hands over to another: records of named fields in a sealed memfd. Main process only.
// Fields have their names with them, so that versions differ in what they know: what is not there is zero, and a field that the
// reader does not know is refused, because nobody knows what it would lose. Each owner of an object has the table of its fields.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum state_kind {
	STATE_KIND_NUMBER = 'n', // any integer, bool or enum, and no more than `most`
	STATE_KIND_TEXT = 't',   // char[size]
	STATE_KIND_STRING = 's', // char *, from malloc
	STATE_KIND_BYTES = 'b',  // an array; what is missing at its end is zero
	STATE_KIND_ADDR = 'a',   // struct addr
	STATE_KIND_FD = 'f',     // a descriptor, which stays open; -1: none
};

struct state_field {
	const char *name;
	enum state_kind kind;
	uint32_t offset, size;
	uint64_t most;
};

#define STATE_MEMBER(type, member) ((type *)0)->member
#define STATE_MOST(x) _Generic((x), bool : 1, default : UINT64_MAX >> (64 - 8 * sizeof(x)))
#define STATE_FIELD(kind, type, member, most)                                                                \
	{                                                                                                    \
#member, STATE_KIND_##kind, offsetof(type, member), sizeof(STATE_MEMBER(type, member)), most \
	}
#define STATE_NUMBER(type, member) STATE_FIELD(NUMBER, type, member, STATE_MOST(STATE_MEMBER(type, member)))
#define STATE_UPTO(type, member, most) STATE_FIELD(NUMBER, type, member, most)
#define STATE_TEXT(type, member) STATE_FIELD(TEXT, type, member, 0)
#define STATE_STRING(type, member) STATE_FIELD(STRING, type, member, 0)
#define STATE_BYTES(type, member) STATE_FIELD(BYTES, type, member, 0)
#define STATE_ADDR(type, member) STATE_FIELD(ADDR, type, member, 0)
#define STATE_FD(type, member) STATE_FIELD(FD, type, member, 0)

// Behind the table of a whole object: it has all fields but those that do not last, or are set anew by its restore. A new field
// makes the object another size (here: of x86-64); put it into the table, or decide that it does not last, and then set this right.
#ifdef __x86_64__
#define STATE_COVERS(type, size) _Static_assert(sizeof(type) == (size), #type " has another field: see STATE_COVERS in state.h")
#else
#define STATE_COVERS(type, size) _Static_assert(sizeof(type) > 0, "")
#endif

// One object of a record, or a part of one: its names begin with `prefix`.
struct state_part {
	const char *prefix;
	const struct state_field *fields;
	unsigned n;
	void *object;
};

#define STATE_PART(prefix, fields, object)                                           \
	{                                                                            \
		prefix, fields, sizeof(fields) / sizeof(*(fields)), (void *)(object) \
	}
#define STATE_PARTS(...) \
	((const struct state_part[]){ __VA_ARGS__ }), sizeof((struct state_part[]){ __VA_ARGS__ }) / sizeof(struct state_part)

// --------------------------------------------------------------------------------------------------------------- writing

struct state_writer {
	uint8_t *buf;
	size_t used, room;
	int *fds; // all that were written
	size_t n_fds, fds_room;
	int error; // the first; nothing is written after it
	bool kept; // record by record, for the keeper (deposit.h)
};

void state_writer_init(struct state_writer *w);
void state_writer_fini(struct state_writer *w); // wipes
// A record and its fields; zeros are left out.
void state_write(struct state_writer *w, const char *record, const struct state_part *parts, unsigned n);
// Again from the beginning; its memory is wiped, and stays.
void state_writer_reset(struct state_writer *w);
// The records so far, without what stands before the first.
const uint8_t *state_records(const struct state_writer *w, size_t *len);
// Such records again, whose descriptors have other numbers now: in the order in which they were written.
void state_write_again(struct state_writer *w, const uint8_t *records, size_t len, const int *fds, size_t n_fds);
// The end, and all of it in a sealed memfd (close-on-exec). 0 or -errno.
int state_seal(struct state_writer *w, int *fd);

// --------------------------------------------------------------------------------------------------------------- reading

struct state_reader {
	const uint8_t *at, *end;
	int *fds; // all that were read
	size_t n_fds, fds_room;
	const uint8_t *given; // numbers for the descriptors that come now; NULL: theirs hold
	size_t n_given;
};

struct state_record {
	char name[32];
	const uint8_t *at, *end;
	struct state_reader *reader;
};

// 0; -EBADMSG: it is no state, or not whole; -errno.
int state_map(int fd, const uint8_t **buf, size_t *len);
int state_reader_init(struct state_reader *r, const uint8_t *buf, size_t len);
void state_reader_fini(struct state_reader *r);
// 1: *out is the next record. 0: that was all. -EBADMSG.
int state_next(struct state_reader *r, struct state_record *out);
// Its fields into objects, which the caller has zeroed. 0; -EBADMSG, -ENOTSUP (a field that this version does not know), -EBADF
// (a descriptor that is not open), all logged; -ENOMEM.
int state_read(const struct state_record *rec, const struct state_part *parts, unsigned n);
