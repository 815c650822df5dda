// The one error idiom: int is 0 or negative errno; log once, where the reason is known.
#pragma once
#include <errno.h>
#include <string.h>

#include "log.h"

// return errno_log(EPROTO, "mtu above offer");
#define errno_log(code, ...) (log_warn(__VA_ARGS__), -(code))
