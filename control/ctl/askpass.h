// A password from whoever sits there: without echo on a terminal, otherwise the first line of the standard input.
// For penstock-passwd; the caller wipes what it gets.
#pragma once
#include <stdbool.h>

#include "proto/limits.h"

// twice: on a terminal it is asked for again, to be the same. 0; or -errno, and *why says what is wrong. Empty ones, and those that
// no login could send, are refused.
int askpass(bool twice, char out[LIMIT_PASSWORD + 1], const char **why);
