// What may stand in a string that crosses a process border or reaches a terminal: well-formed UTF-8 without control characters.
// Used by the codec (refuses) and by the log (escapes).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Length of the printable character at p, or 0: malformed (RFC 3629), cut off, a C0 or C1 control, DEL, or one of the invisible
// characters that turn the reading direction or break lines (U+2028..202E, U+2066..2069).
size_t utf8_printable(const uint8_t *p, size_t len);
// Every character of it is.
bool utf8_is_printable(const char *text);
