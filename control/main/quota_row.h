// What one user has used of his quotas, as the operator is told. Main process only.
#pragma once
#include <stdint.h>
#include <time.h>

#include "control/main/quota.h"
#include "proto/limits.h"

struct quota_row {
	char user[LIMIT_USER + 1], vhost[LIMIT_VHOST + 1];
	uint64_t day, month;        // bytes
	struct quota_limits limits; // when he last connected or tried to; all 0: not since the start
	time_t valid_until;         // of a connected session of his; 0: he has none, or no end
};
