// The table of confine.def as C: sandbox.h's functions go by it, and tests read it. Owner: proto/sandbox.c.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "sandbox.h"

#define CONFINE_ANY UINT64_MAX // no limit of its own

enum confine_calls { CALLS_LISTED, CALLS_BARRED, CALLS_FREE };
enum confine_files { FILES_NOTHING, FILES_READ, FILES_PLACES, FILES_ANYWHERE };

struct confinement {
	const char *name;
	enum confine_calls calls;
	enum confine_files files;
	uint64_t descriptors, children, growth, memory;
	uint64_t capabilities; // 1 << CAP_KILL and the like
};

extern const struct confinement confinements[SANDBOX_ROLES];

// Does the operator want to look into our processes (SANDBOX_TRACEABLE)?
bool confine_traceable(void);
