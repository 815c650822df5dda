// The password file of `auth = plain`: lines "user:group1,group2:crypt", as ocpasswd writes them.
// Pure: bytes in, table out. A "!" before the hash locks the user; "*" as group is none; "#" starts a comment line.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define PASSWD_FILE_MAX (64u << 20) // about a million users
#define PASSWD_LINE_MAX 2048
#define PASSWD_HASH_MAX 383 // libxcrypt's CRYPT_OUTPUT_SIZE - 1

struct passwd_entry {
	const char *user, *groups, *hash; // NUL-terminated
	uint32_t line;
	bool locked;
};

struct passwd_table {
	char *text; // what the entries point into
	size_t len;
	struct passwd_entry *entries; // by name, the first of equal names
	uint32_t count;
	uint32_t bad_lines, first_bad; // lines that were left out, and the number of the first
};

// Take over `text` (malloc'd, len bytes and one byte of room behind them), which is freed on every path.
// 0, -ENOMEM, or -EFBIG.
int passwd_parse(char *text, size_t len, struct passwd_table *out);
void passwd_free(struct passwd_table *t);
const struct passwd_entry *passwd_find(const struct passwd_table *t, const char *user);

// The group of a login: the wanted one if it is listed, the first if none is wanted ("" if there is none).
// false: the wanted one is not listed.
bool passwd_group(const char *groups, const char *wanted, char out[LIMIT_GROUP + 1]);
