// Where sec-mod may write, once it is confined (proto/confine.def): in the directories of session-file, acct-spool and files of
// one-time passwords, as the configuration had them when it started. A reload cannot add any: it is refused.
#pragma once
#include <stdbool.h>

#include "proto/limits.h"
#include "proto/snapshot.h"

// Finds them, and makes the directory of session-file if it is the last of its path that is missing.
void places_find(const struct snapshot *snap);
// From here on it writes nowhere else. Before the first thread. 0 or -errno; told in the log.
int places_confine(void);
// All of them, for helpers that execute what files say: none of what sec-mod may have written. "a:b"; -E2BIG.
#define PLACES_TEXT 4096
#define PLACES_VARIABLE "PENSTOCK_PLACES"
int places_list(char out[PLACES_TEXT]);
// Is the file in one of such a list?
bool places_contain(const char *list, const char *path);
// Can `path` (a file, or a directory that may not be there yet) be written? Otherwise text says why not.
bool places_allow(const char *path, char text[LIMIT_TEXT + 1]);
