// Cuts a configuration file into its lines: `key = value`, `[section]`, comments, blank lines. Pure; never allocates.
// Not inih: as Debian builds it, it cuts values at " ;" (which the documented HTTP headers contain), takes an indented line for a
// part of the line above, keeps 200 bytes of a line and reports only the first line that it does not understand.
#pragma once
#include <stddef.h>

#define CONFIG_FILE_MAX (1u << 20)
#define CONFIG_USER_FILE_MAX (1u << 17) // of a user or a group: room for as many routes as a client can be told
#define CONFIG_LINE_MAX 4096
#define CONFIG_ENTRIES_MAX 65536

enum config_line_kind {
	LINE_END,
	LINE_ENTRY,   // key and value
	LINE_SECTION, // value: what stands between the brackets, trimmed
	LINE_BAD,     // value: what is wrong with it
};

struct config_reader {
	const char *at, *end;
	unsigned line;
	char text[CONFIG_LINE_MAX + 1];
};

struct config_line {
	enum config_line_kind kind;
	unsigned line;     // from 1
	const char *key;   // NUL-terminated, in the reader, valid until the next call
	const char *value; // trimmed, without its quotes and a comment behind them
	int quoted;
};

void config_read_init(struct config_reader *r, const char *text, size_t len);
// The next line that says something; LINE_END after the last one.
void config_read(struct config_reader *r, struct config_line *out);
