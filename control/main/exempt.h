// Addresses that get no points (ban-exempt): networks that the operator names, and those of the gateway's own interfaces, which are
// looked at anew now and then. Main process only; owned by the policy.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/addr.h"

struct config;
struct exempt;

// One value of ban-exempt. 0, or -EINVAL. A network has family 4 or 6; "local" and "none" have none.
int exempt_parse(const char *text, struct addr *network);
struct exempt *exempt_new(const struct config *c); // NULL: no memory
void exempt_free(struct exempt *e);                // NULL is fine
bool exempt_has(struct exempt *e, const struct addr *who, uint64_t now);
