// The groups that the system knows of a user. Asks NSS, which may block: for helper processes only.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"

// The group that the client wants, if the user is in it; the primary one if it wants none ("": that one is not to be named). Groups
// below gid_min do not count. false: not in it.
bool localgroup_find(const char *user, const char *wanted, uint32_t gid_min, char out[LIMIT_GROUP + 1]);
