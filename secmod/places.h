// Where sec-mod may write, once it is confined (proto/confine.def): in the directories of session-file, acct-spool and files of
// one-time passwords, as the configuration had them when it started. A reload cannot add any: it is refused.
#pragma once
#include <stdbool.h>

#include "proto/limits.h"
#include "proto/snapshot.h"

// Makes the directory of session-file if it is the last of its path that is missing.
void places_make(const struct snapshot *snap);
// Before the first thread. 0 or -errno; told in the log.
int places_confine(const struct snapshot *snap);
// Can `path` (a file, or a directory that may not be there yet) be written? Otherwise text says why not.
bool places_allow(const char *path, char text[LIMIT_TEXT + 1]);
