// Texts from elsewhere (modules, file names) made fit for the wire and the log.
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "limits.h"

// Copy at most `most` bytes and a NUL; cut between characters; what the codec would not let pass becomes a blank.
void text_copy(char *out, size_t most, const char *in);

// Is this array of `size` bytes a text that ends within it, and could be copied so without a change?
bool text_fits(const char *s, size_t size);

// printf into a LIMIT_TEXT text, made fit likewise.
void text_format(char out[LIMIT_TEXT + 1], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// The same for a refusal: always -EINVAL.
#define text_refuse(out, ...) (text_format((out), __VA_ARGS__), text_refused())
static inline int text_refused(void)
{
	return -EINVAL;
}
