// The table of seccomp.def as C: sandbox.h's filters are built from it, and tests read it. Owner: proto/seccomp.c.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "sandbox.h"

#define SANDBOX_BIT(role) (1u << (role))
#define SECCOMP_CONDITIONS 2
#define SECCOMP_KILLS (-1) // of roles that may do what nothing is said of (CALLS_BARRED)

// Of the bits in `mask`, argument `arg` has those of `value`. No mask: no condition.
struct seccomp_condition {
	unsigned arg;
	uint64_t mask, value;
};

struct seccomp_rule {
	int nr; // negative: this architecture has no such call
	const char *name;
	unsigned roles;
	int refusal; // 0: allowed; SECCOMP_KILLS; else it fails with this errno
	struct seccomp_condition when[SECCOMP_CONDITIONS];
};

extern const struct seccomp_rule seccomp_rules[];
extern const size_t seccomp_n_rules;
