// The XML profile that AnyConnect fetches after its login (user-profile). Everybody's is read by the nursery before the first fork,
// and never changed; a user's or group's by the worker of who has logged in, from a descriptor that main has opened.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "proto/limits.h"

#define PROFILE_NAME 64
#define PROFILE_SHA1 40           // hex digits
#define PROFILE_PATH "/profiles/" // whatever the name behind it, there is one

struct profile {
	char *text; // NULL: there is none
	size_t len;
	char name[PROFILE_NAME + 1]; // of the file, as a URL and a header can have it
	char sha1[PROFILE_SHA1 + 1];
};

// 0 or -errno; text says what is wrong with the file.
int profile_load(struct profile *p, const char *file, char text[LIMIT_TEXT + 1]);
// The same of a file that is open, and stays the caller's; file is only for its name.
int profile_read(struct profile *p, int fd, const char *file, char text[LIMIT_TEXT + 1]);
void profile_free(struct profile *p);
