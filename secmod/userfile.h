// The password file as it is on disk now: read again when it has changed. Any thread; one lock of its own.
#pragma once
#include "secmod/grouplist.h"
#include "secmod/passwd.h"

struct userfile;

struct userfile_answer {
	bool usable;                    // the user exists, is not locked, and the group may be used
	char hash[PASSWD_HASH_MAX + 1]; // to compare with: of somebody else or nobody where the user is not usable
	char group[LIMIT_GROUP + 1];
};

// Opens and reads it. NULL, errno.
struct userfile *userfile_open(const char *path);
void userfile_close(struct userfile *f);

// The groups that stand in it, as it was read last.
void userfile_groups(struct userfile *f, struct grouplist *out);

// 0, or -errno where the file cannot be read (any more). Takes the same steps for all users, known or not.
int userfile_ask(struct userfile *f, const char *user, const char *group, struct userfile_answer *out);
