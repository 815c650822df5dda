#include "secmod/localgroup.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "proto/text.h"

#define GROUPS_MAX 1024

static bool take_group(gid_t gid, const char *wanted, uint32_t gid_min, char out[LIMIT_GROUP + 1])
{
	const struct group *gr = gid >= gid_min ? getgrgid(gid) : NULL;

	if (gr == NULL || strlen(gr->gr_name) > LIMIT_GROUP)
		return false;
	if (wanted[0] != '\0' && strcmp(gr->gr_name, wanted) != 0)
		return false;
	text_copy(out, LIMIT_GROUP, gr->gr_name);
	return true;
}

bool localgroup_find(const char *user, const char *wanted, uint32_t gid_min, char out[LIMIT_GROUP + 1])
{
	const struct passwd *pw = getpwnam(user);
	gid_t groups[GROUPS_MAX];
	int n = GROUPS_MAX;

	out[0] = '\0';
	if (pw == NULL)
		return wanted[0] == '\0';
	if (wanted[0] == '\0') {
		take_group(pw->pw_gid, wanted, gid_min, out);
		return true;
	}
	if (getgrouplist(user, pw->pw_gid, groups, &n) < 0)
		n = GROUPS_MAX;
	for (int i = 0; i < n; i++)
		if (take_group(groups[i], wanted, gid_min, out))
			return true;
	return false;
}
