// Where the operator's programs are looked for, by us and by them. Pure, but for what is in the file system.
#pragma once
#include <limits.h>

#define HOOK_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// As execvp() would find it, were our own PATH that of the program: `name` itself, or in `out`.
const char *hook_path_find(const char *name, char out[PATH_MAX]);
