// Supplemental configuration: the files of users and groups, read each time one of their sessions is opened, and for the profile
// when one of them logs in. Main process only. They are the operator's: small, regular, and below the directories that he has
// named.
#pragma once
#include <stdbool.h>

#include "control/main/config.h"
#include "control/main/exposed.h"
#include "control/main/terms.h"

// May it be a file's name in one of the directories? Names come from clients: no path, nothing hidden, nothing unprintable.
bool supplement_name_fits(const char *name);
// Whose terms: the names of a session, and what its login brought (NULL: nothing).
struct supplement_of {
	const char *user, *group; // group "": none
	const struct config *granted;
	const struct exposed *exposed; // routes for everybody; NULL: none
};

// The terms of a session in a virtual host, referenced for the caller; `everybody` are those without a file. A file that is wrong
// or cannot be read must not let anybody do more: 0; -EACCES (logged, with file and line); -ENOMEM.
int supplement_terms(const struct config *c, struct terms *everybody, const struct supplement_of *of, struct terms **out);
// The profile that the user's file names (user-profile), or else his group's; NULL: neither does. The caller frees it. Results as
// above.
int supplement_profile(const struct config *c, const struct supplement_of *of, char **file);
// The terms of a group alone, whose file says where a filter (Filter-Id) lets a session send. -ENOENT: there is no such file; else
// as above.
int supplement_filter(const struct config *c, const char *group, struct terms **out);
