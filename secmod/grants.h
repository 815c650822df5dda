// What a login brings with it beside its yes: lines as in its user's configuration file ("route" "10.0.0.0/8"), for main to apply.
// Owned by an attempt, then by its session record. Pure.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "proto/limits.h"

struct grants;

// Keys that begin so are sec-mod's own: main never hears of them.
#define GRANT_OWN '@'
// A Class of RADIUS (RFC 2865 5.25), in hexadecimal digits: accounting gives it back as it was.
#define GRANT_CLASS "@class"

// Appends to *g, which is made where it is NULL. 0; -E2BIG: more than LIMIT_GRANTS; -EINVAL: no key, or what no line can hold (too
// long, control characters); -ENOMEM. On failure nothing has changed.
int grants_add(struct grants **g, const char *key, const char *value);
void grants_free(struct grants *g); // wipes; NULL is fine
unsigned grants_count(const struct grants *g);
// The n-th, in the order in which they came. false: past the end.
bool grants_nth(const struct grants *g, unsigned n, const char **key, const char **value);
// The value of the last one of that key, or NULL.
const char *grants_find(const struct grants *g, const char *key);
