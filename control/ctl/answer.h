// An answer of the gateway, as it came: cells in records, in the order of their arrival.
// Owned by who asked; answer_fini() frees all of it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/messages.h"

struct cell {
	uint32_t record;
	uint8_t kind; // enum value_kind
	uint64_t number;
	const char *section; // one allocation holds all three
	const char *key, *text;
};

struct capture;
struct events;

struct answer {
	struct capture *capture; // where packets go; NULL: they are not expected
	struct events *events;   // likewise
	struct cell *cells;
	size_t count, room;
	bool ended, ok;
	char message[LIMIT_TEXT + 1];
};

int answer_add(struct answer *a, const struct msg_admin_value *v); // 0 or -ENOMEM
void answer_fini(struct answer *a);

// The first cell behind `from` that belongs to another record or section: records are runs of cells.
size_t answer_record_end(const struct answer *a, size_t from);
// The record's cell for the first of `keys` (parted by |) that is there and has a text or a number; NULL.
const struct cell *answer_cell(const struct answer *a, size_t from, size_t end, const char *keys);
