// Changes a small file as a whole: readers see the old one or the new one, writers wait for each other, and a crash leaves one of
// the two. Mode and owner stay; of a symbolic link what it points to is changed. The lock is flock(2) on the file itself: sec-mod
// takes the same one for users files of OTPs.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define EDITFILE_MAX (64u << 20) // what sec-mod reads at most

// The new content (malloc'd), from the old. 0 or -errno: the file stays.
typedef int editfile_edit(const char *in, size_t len, const void *how, char **out, size_t *out_len);

// create: with mode 0600 where it is not there. 0; what edit said; or -errno of the file.
int editfile(const char *path, bool create, editfile_edit *edit, const void *how);
// Its content as it is (malloc'd: the caller wipes and frees it). 0 or -errno.
int editfile_read(const char *path, char **out, size_t *len);
