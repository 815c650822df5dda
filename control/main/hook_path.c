#include "control/main/hook_path.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *hook_path_find(const char *name, char out[PATH_MAX])
{
	const char *dir = HOOK_PATH;
	size_t len;

	for (; !strchr(name, '/') && *dir; dir += len + (dir[len] == ':')) {
		len = strcspn(dir, ":");
		if ((size_t)snprintf(out, PATH_MAX, "%.*s/%s", (int)len, dir, name) < PATH_MAX && access(out, X_OK) == 0)
			return out;
	}
	return name;
}
