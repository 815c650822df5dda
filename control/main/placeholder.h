// %{U} and %{G} in what a client is told: its user and group. Main process only. Pure.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// In a URL names are percent-encoded, so that they stay what they are there. 0; -E2BIG where it does not fit, and out is "".
int placeholder_fill(const char *text, const char *user, const char *group, bool in_url, char *out, size_t room);
// The first %{...} in it that means nothing, or NULL.
const char *placeholder_unknown(const char *text);
