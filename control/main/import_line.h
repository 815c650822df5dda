// What becomes of one line of an ocserv configuration. Pure.
#pragma once
#include <stdbool.h>

#include "control/main/config_read.h"
#include "control/main/config_value.h"

enum import_verdict {
	IMPORT_SUPPORTED,
	IMPORT_TRANSLATED, // it is taken, and is better written otherwise: `now`
	IMPORT_IDLE,       // it is taken, and has nothing to do here
	IMPORT_REFUSED,
};
#define IMPORT_VERDICTS 4

struct import_line {
	enum import_verdict verdict;
	bool secret;              // its value is not to be shown
	char now[VALUE_MAX + 64]; // the line as it would be written here
	char why[VALUE_WHY];      // "": nothing to say
};

const char *import_word(enum import_verdict v);
// dir: the directory that the file's relative paths are meant from.
void import_judge(const struct config_line *line, const char *dir, struct import_line *out);
