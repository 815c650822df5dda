// What of session records is kept outside of this process: the bytes of one entry, both ways. Pure.
// A file is STORED_HEADER and then entries: length (of what follows), kind, fields, and the first bytes of their SHA-256. Numbers
// are big-endian. What is wrong in any way is refused: nobody may come in by a file that nobody has written.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "secmod/cookie.h"

#define STORED_HEADER "penstock sessions 1\n"
#define STORED_CHECK 8
// The largest record: each grant takes its texts and two lengths.
#define STORED_MAX (4096 + LIMIT_GRANTS * (LIMIT_GRANT_KEY + LIMIT_TEXT + 4))

enum stored_kind {
	STORED_RECORD = 1, // takes the place of what came before of that sid
	STORED_GONE,       // there is no such record any more
	STORED_CLOCK,      // by which the times of all that follows are
};

struct stored {
	uint8_t kind;
	struct record record; // of STORED_GONE the sid alone; grants are its own; connected: by the wall clock
	uint64_t expires;     // wall clock, seconds; 0: it was in use
	// Of STORED_CLOCK: record.sid is whose boot of the machine it was, expires what the wall clock was ahead of the monotonic
	// one.
};

// How many bytes were written; 0: there is not room for it.
size_t stored_put(const struct stored *s, uint8_t *out, size_t room);
// The entry at the beginning of `in`. Its length, and *out whole (stored_fini() ends it); 0: cut off; -EBADMSG: it is none.
long stored_get(const uint8_t *in, size_t len, struct stored *out);
void stored_fini(struct stored *s);
