// Supplemental configuration: the files of users and groups, read each time one of their sessions is opened. Main process only.
// They are the operator's: small, regular, and below the directories that he has named.
#pragma once
#include <stdbool.h>

#include "control/main/config.h"
#include "control/main/terms.h"

// May it be a file's name in one of the directories? Names come from clients: no path, nothing hidden, nothing unprintable.
bool supplement_name_fits(const char *name);
// The terms of this user in this group ("" for none) of a virtual host, referenced for the caller; `everybody` are those without a
// file. A file that is wrong or cannot be read must not let anybody do more: 0; -EACCES (logged, with file and line); -ENOMEM.
int supplement_terms(const struct config *c, struct terms *everybody, const char *user, const char *group, struct terms **out);
