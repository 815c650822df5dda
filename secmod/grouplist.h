// The groups that a method knows, for a login form to offer: sorted, each once, and no more than a form and a message have room
// for. Pure.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "proto/limits.h"

struct grouplist {
	char *name[LIMIT_GROUPS];
	unsigned n;
	size_t size;  // of the text that they come to
	bool trimmed; // there were more
};

// What could not be chosen is left out: names that are too long, have a comma in them or cannot be printed.
void grouplist_add(struct grouplist *g, const char *name, size_t len);
// "a,b,c" (malloc'd), NULL without memory. Empties the list.
char *grouplist_finish(struct grouplist *g);
