// The structs, numbers and descriptors that messages.def yields.
// struct msg_auth_init, MSG_AUTH_INIT, msg_descs[]: all from one table.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "limits.h"
#include "states.h"

enum role { ROLE_MAIN = 1, ROLE_NURSERY, ROLE_WORKER, ROLE_SECMOD, ROLE_DATAPLANE, ROLE_CTL, ROLE_METRICS };
enum msg_secrecy { MSG_PUBLIC, MSG_SECRET };

#define MSG_MEMBER_U8(name, max) uint8_t name;
#define MSG_MEMBER_U16(name, max) uint16_t name;
#define MSG_MEMBER_U32(name, max) uint32_t name;
#define MSG_MEMBER_U64(name, max) uint64_t name;
#define MSG_MEMBER_STR(name, max) char name[(max) + 1];
#define MSG_MEMBER_BYTES(name, max) \
	uint16_t name##_len;        \
	uint8_t name[max];
#define MSG_MEMBER_ADDR(name, max) struct addr name;
#define MSG_MEMBER(kind, name, min, max) MSG_MEMBER_##kind(name, max)

#define MESSAGE(from, to, NAME, name, ...) \
	struct msg_##name {                \
		FIELDS_##name(MSG_MEMBER)  \
	};
#include "messages.def"
#undef MESSAGE

enum msg_number {
#define MESSAGE(from, to, NAME, name, number, ...) MSG_##NAME = number,
#include "messages.def"
#undef MESSAGE
	MSG_NUMBERS = 288, // all numbers are below
};

// Room for the largest decoded message, aligned for any.
union msg_any {
#define MESSAGE(from, to, NAME, name, ...) struct msg_##name name;
#include "messages.def"
#undef MESSAGE
};

enum msg_kind { MSG_KIND_U8, MSG_KIND_U16, MSG_KIND_U32, MSG_KIND_U64, MSG_KIND_STR, MSG_KIND_BYTES, MSG_KIND_ADDR };

struct msg_field {
	const char *name;
	enum msg_kind kind;
	uint16_t offset;     // into the struct
	uint16_t len_offset; // of name_len, for MSG_KIND_BYTES
	uint64_t min, max;
};

struct msg_desc {
	const char *name; // "AUTH_INIT"; NULL: no such message
	uint8_t from, to; // enum role
	uint8_t fds;
	uint8_t secrecy;
	uint16_t times, per_second;
	uint32_t states;
	uint32_t size; // of the struct
	uint8_t n_fields;
	const struct msg_field *(*fields)(void); // n_fields rows, in wire order
};

extern const struct msg_desc msg_descs[MSG_NUMBERS];

// Handler tables. A receiver names its table, says which routes it serves, and includes handlers.h once:
//
//   #define HANDLERS from_worker
//   #define ON_WORKER_SECMOD(...) __VA_ARGS__
//   #include "proto/handlers.h"
//
// Each message of these routes then needs a static int on_<name>(void *who, const struct msg_<name> *, const int *fds):
// a missing one does not compile. The table goes to chan_serve().
