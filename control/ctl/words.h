// A typed line split into words, as a shell would: blanks part words, quotes and backslashes keep them together.
// Pure: works in place on the caller's line, allocates nothing.
#pragma once
#include <stdbool.h>

#define WORDS_MAX 16 // the longest command has three words and an argument

struct words {
	int count;
	char *word[WORDS_MAX];
	bool open_end; // the line ends inside a word (no blank behind it): completion extends it
};

// 0; -E2BIG: more than WORDS_MAX words; -EINVAL: a quote is not closed. The words point into `line`, which is rewritten.
int words_split(char *line, struct words *out);
