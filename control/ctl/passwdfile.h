// Edits a password file in memory: lines "user:group1,group2:crypt", "*" for no group, "!" before the hash of a locked user.
// Pure: text in, text out. Lines of other users, comments and lines it does not understand stay as they are, byte for byte.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define PASSWDFILE_GROUPS 1024 // bytes of a line's group list

enum passwdfile_action { PASSWDFILE_SET, PASSWDFILE_DELETE, PASSWDFILE_LOCK, PASSWDFILE_UNLOCK };

struct passwdfile_edit {
	enum passwdfile_action action;
	const char *user;
	const char *groups; // PASSWDFILE_SET: NULL keeps a known user's groups
	const char *hash;   // PASSWDFILE_SET
};

// May it stand in the file? NULL, or what is wrong with it.
const char *passwdfile_check_user(const char *user);
const char *passwdfile_check_groups(const char *groups);

// editfile_edit, with a struct passwdfile_edit. -ENOENT: no such user.
int passwdfile_edit(const char *in, size_t len, const void *how, char **out, size_t *out_len);

// A user's line, in parts that are not terminated. hash: without what locks it, and without what is behind it.
struct passwdfile_line {
	const char *user, *groups, *hash;
	size_t user_len, groups_len, hash_len;
	bool locked;
};

// The next such line from *at on, which moves behind it. false: none is left.
bool passwdfile_next(const char **at, const char *end, struct passwdfile_line *out);
// The line that counts: the first of that name.
bool passwdfile_find(const char *text, size_t len, const char *user, struct passwdfile_line *out);
