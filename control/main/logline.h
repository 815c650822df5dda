// One line of a child's log, as it came through its pipe. Pure: bytes in, pieces out.
// A worker may write what it wants there: nothing of it can forge a line or steer a terminal.
#pragma once
#include <stddef.h>

#define LOGLINE_MAX 2048

struct logline {
	int level;       // syslog's number, 3 to 7
	const char *who; // "penstock-worker[12]", or NULL where the line does not say it
	const char *text;
};

// `line` is NUL-terminated and is changed: the pieces point into it.
// "<6>ident[12]: text" as our programs write it; anything else (a sanitizer, the loader) is a text of level 3.
struct logline logline_parse(char *line);
