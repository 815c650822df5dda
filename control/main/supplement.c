#include "control/main/supplement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/err.h"
#include "proto/utf8.h"

bool supplement_name_fits(const char *name)
{
	size_t len = strlen(name), n;

	if (len == 0 || len > 255 || name[0] == '.' || strchr(name, '/') || strstr(name, ".."))
		return false;
	for (size_t i = 0; i < len; i += n) {
		n = utf8_printable((const uint8_t *)name + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

// What is odd in a file has been said by -t; with every session it would fill the log.
static void say(void *who, const struct config_remark *r)
{
	log_line(r->level <= LOG_LEVEL_ERR ? r->level : LOG_LEVEL_DEBUG, "%s", r->whole);
}

static int load(const char *file, struct config **out)
{
	int ret = config_load_supplement(file, say, NULL, out);

	return ret == 0 || ret == -ENOENT || ret == -ENOMEM ? ret : -EACCES;
}

// The file of that name, or else the default one; *out stays NULL where there is neither.
static int load_of(const struct config *c, enum opt directory, enum opt otherwise, const char *name, struct config **out)
{
	const char *dir = config_str(c, directory), *fallback = config_str(c, otherwise);
	char path[8192];
	int ret = -ENOENT;

	if (dir && !supplement_name_fits(name))
		return errno_log(EACCES, "'%s' cannot be the name of a file in %s", name, config_name(directory));
	if (dir && (size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) < sizeof(path))
		ret = load(path, out);
	// a file system that is not mounted: that nobody has a file is not true
	if (ret == -ENOENT && dir && access(dir, X_OK) < 0)
		return errno_log(EACCES, "%s: %s: %s", dir, config_name(directory), strerror(errno));
	if (ret != -ENOENT || !fallback)
		return ret == -ENOENT ? 0 : ret;
	ret = load(fallback, out);
	return ret == -ENOENT ? errno_log(EACCES, "%s: %s is gone", fallback, config_name(otherwise)) : ret;
}

// What is loaded is the caller's on failure too.
static int load_both(const struct config *c, const struct supplement_of *of, struct config **of_group, struct config **of_user)
{
	int ret = 0;

	if (of->group[0])
		ret = load_of(c, OPT_CONFIG_PER_GROUP, OPT_DEFAULT_GROUP_CONFIG, of->group, of_group);
	return ret < 0 ? ret : load_of(c, OPT_CONFIG_PER_USER, OPT_DEFAULT_USER_CONFIG, of->user, of_user);
}

static int terms_own(const struct config *c, const struct config *of_group, const struct config *of_user,
                     const struct supplement_of *of, struct terms **out)
{
	struct terms *t = NULL;
	int ret = terms_new(c, of_group, of_user, of->granted, &t);

	if (ret == 0 && of->exposed)
		ret = exposed_add(of->exposed, t);
	if (ret < 0)
		terms_put(t);
	else
		*out = t;
	return ret;
}

int supplement_terms(const struct config *c, struct terms *everybody, const struct supplement_of *of, struct terms **out)
{
	struct config *of_group = NULL, *of_user = NULL;
	int ret = load_both(c, of, &of_group, &of_user);

	if (ret < 0)
		goto out;
	if (of_group || of_user || of->granted)
		ret = terms_own(c, of_group, of_user, of, out);
	else
		*out = terms_get(everybody);
	if (ret == -EINVAL)
		ret = -EACCES;
out:
	config_free(of_group);
	config_free(of_user);
	return ret;
}

int supplement_profile(const struct config *c, const struct supplement_of *of, char **file)
{
	struct config *of_group = NULL, *of_user = NULL;
	int ret = load_both(c, of, &of_group, &of_user);
	const char *said = of_user ? config_str(of_user, OPT_USER_PROFILE) : NULL;

	if (!said && of_group)
		said = config_str(of_group, OPT_USER_PROFILE);
	*file = NULL;
	if (ret == 0 && said) {
		*file = strdup(said);
		ret = *file ? 0 : -ENOMEM;
	}
	config_free(of_group);
	config_free(of_user);
	return ret;
}

int supplement_filter(const struct config *c, const char *group, struct terms **out)
{
	struct config *of_group = NULL;
	const char *dir = config_str(c, OPT_CONFIG_PER_GROUP);
	char path[8192];
	int ret;

	if (!dir || !supplement_name_fits(group) || (size_t)snprintf(path, sizeof(path), "%s/%s", dir, group) >= sizeof(path))
		return -ENOENT;
	ret = load(path, &of_group);
	if (ret == 0)
		ret = terms_new(c, of_group, NULL, NULL, out);
	config_free(of_group);
	return ret == -EINVAL ? -EACCES : ret;
}
