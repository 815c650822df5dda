// Edits a password file in memory: lines "user:group1,group2:crypt", "*" for no group, "!" before the hash of a locked user.
// Pure: text in, text out. Lines of other users, comments and lines it does not understand stay as they are, byte for byte.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define PASSWDFILE_MAX (64u << 20) // what sec-mod reads at most
#define PASSWDFILE_GROUPS 1024     // bytes of a line's group list

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

// 0 and *out (malloc'd, the caller wipes and frees it); -ENOENT: no such user; -EFBIG; -ENOMEM.
int passwdfile_edit(const char *in, size_t len, const struct passwdfile_edit *e, char **out, size_t *out_len);
