// Text on its way to a terminal: escaped, measured, padded.
// UTF-8 stays as it is; whatever could move the cursor, turn the reading direction or is no UTF-8 becomes \xNN.
#pragma once
#include <stddef.h>
#include <stdio.h>

// Terminal columns that text_put() will take. text_init() once before.
size_t text_width(const char *text);
void text_put(FILE *out, const char *text);
void text_pad(FILE *out, size_t columns);
void text_init(void);

// A copy with everything dangerous escaped: valid UTF-8, as JSON wants it. NULL: no memory. The caller frees.
char *text_escape(const char *text);

// "3s", "12m:07s", "5h:03m", "2d:11h": time gone by.
void text_age(unsigned long long seconds, char *out, size_t room);
