#include "secmod/places.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/err.h"
#include "proto/sandbox.h"
#include "proto/text.h"
#include "secmod/authspec.h"

#define PLACES_MAX 64

static struct {
	bool confined;
	unsigned n;
	char path[PLACES_MAX][PATH_MAX];
} places;

// The directory that a file is in, without links, as far as it is there already.
static int directory_of(const char *file, char out[PATH_MAX])
{
	char copy[PATH_MAX], real[PATH_MAX];

	if (file[0] != '/' || snprintf(copy, sizeof(copy), "%s", file) >= (int)sizeof(copy))
		return -EINVAL;
	// a link to a file elsewhere: there it is written
	if (realpath(copy, real) != NULL)
		memcpy(copy, real, sizeof(copy));
	if (realpath(dirname(copy), out) == NULL)
		return -errno;
	return 0;
}

static void add(const char *directory)
{
	if (places.n == PLACES_MAX || strcmp(directory, "/dev") == 0)
		return;
	for (unsigned i = 0; i < places.n; i++)
		if (strcmp(places.path[i], directory) == 0)
			return;
	snprintf(places.path[places.n], PATH_MAX, "%s", directory);
	places.n++;
}

static void add_file(const char *file)
{
	char directory[PATH_MAX];

	if (file != NULL && directory_of(file, directory) == 0)
		add(directory);
}

// As mkdir -p, without the last.
static void make_above(const char *path)
{
	char copy[PATH_MAX];

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return;
	for (char *p = strchr(copy + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(copy, 0755);
		*p = '/';
	}
}

// It is made when there is something for it: until then it needs the one above.
static void add_spool(const char *spool, bool used)
{
	char real[PATH_MAX];

	if (spool == NULL || spool[0] != '/')
		return;
	if (used)
		make_above(spool);
	if (realpath(spool, real) != NULL)
		add(real);
	else
		add_file(spool);
}

// Of the files of users, too: those of their one-time passwords are put beside them some day.
static void add_files_of(const char *value)
{
	struct authspec spec;

	if (authspec_parse(value, &spec) < 0 || strcmp(spec.name, "plain") != 0)
		return;
	for (unsigned i = 0; i < spec.n_options; i++)
		add_file(spec.option[i].value);
}

static void add_ways(const struct snapshot *snap, const char *key)
{
	const char *value;

	for (unsigned v = 0; v < snapshot_vhosts(snap); v++)
		for (unsigned i = 0; (value = snapshot_vhost_nth(snap, v, key, i)) != NULL; i++)
			add_files_of(value);
}

static void make_directory_of(const char *file)
{
	char copy[PATH_MAX];

	// whatever is wrong with it is told with the file
	if (file != NULL && snprintf(copy, sizeof(copy), "%s", file) < (int)sizeof(copy))
		mkdir(dirname(copy), 0700);
}

static bool accounts(const struct snapshot *snap)
{
	bool any = false;

	for (unsigned v = 0; v < snapshot_vhosts(snap); v++) {
		const char *acct = snapshot_vhost_get(snap, v, "acct");

		any |= acct != NULL && strncmp(acct, "radius", strlen("radius")) == 0;
	}
	return any;
}

void places_find(const struct snapshot *snap)
{
	const bool real = !snapshot_bool(snap, "@trial"); // which changes nothing

	if (real)
		make_directory_of(snapshot_get(snap, "session-file"));
	add_file(snapshot_get(snap, "session-file"));
	add_spool(snapshot_get(snap, "acct-spool"), real && accounts(snap));
	add_ways(snap, "auth");
	add_ways(snap, "enable-auth");
}

int places_confine(void)
{
	const char *writable[PLACES_MAX];
	int ret;

	for (unsigned i = 0; i < places.n; i++)
		writable[i] = places.path[i];
	ret = sandbox_files(SANDBOX_SECMOD, writable, places.n);
	places.confined = ret == 0 && sandbox_landlock() > 0;
	return ret;
}

static bool is_below(const char *path, const char *directory, size_t len)
{
	return strncmp(path, directory, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

int places_list(char out[PLACES_TEXT])
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < places.n; i++) {
		int n = snprintf(out + used, PLACES_TEXT - used, "%s%s", i > 0 ? ":" : "", places.path[i]);

		if ((size_t)n >= PLACES_TEXT - used)
			return -E2BIG;
		used += (size_t)n;
	}
	return 0;
}

bool places_contain(const char *list, const char *path)
{
	char real[PATH_MAX];

	if (realpath(path, real) == NULL)
		return false; // then it is not opened either
	for (size_t len; *list != '\0'; list += list[len] == ':' ? len + 1 : len) {
		len = strcspn(list, ":");
		if (len > 0 && is_below(real, list, len))
			return true;
	}
	return false;
}

// What there is already of the way to it.
static int nearest(const char *path, char out[PATH_MAX])
{
	char copy[PATH_MAX];

	if (path[0] != '/' || snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -EINVAL;
	while (realpath(copy, out) == NULL) {
		if (errno != ENOENT || copy[1] == '\0')
			return -errno;
		dirname(copy);
	}
	return 0;
}

bool places_allow(const char *path, char text[LIMIT_TEXT + 1])
{
	char real[PATH_MAX];

	if (!places.confined || nearest(path, real) < 0)
		return true; // what is wrong with it is found out without us
	for (unsigned i = 0; i < places.n; i++)
		if (is_below(real, places.path[i], strlen(places.path[i])))
			return true;
	text_refuse(text,
	            "%s: sec-mod writes in no directory that the configuration did not have when it started; this takes a restart",
	            path);
	return false;
}
