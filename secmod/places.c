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

// It is made when there is something for it: until then it needs the one above.
static void add_spool(const char *spool)
{
	char real[PATH_MAX];

	if (spool != NULL && spool[0] == '/' && realpath(spool, real) != NULL)
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

void places_make(const struct snapshot *snap)
{
	const char *file = snapshot_get(snap, "session-file");
	char copy[PATH_MAX];

	if (file == NULL || snprintf(copy, sizeof(copy), "%s", file) >= (int)sizeof(copy))
		return;
	// whatever is wrong with it is told with the file
	mkdir(dirname(copy), 0700);
}

int places_confine(const struct snapshot *snap)
{
	const char *writable[PLACES_MAX];
	int ret;

	add_file(snapshot_get(snap, "session-file"));
	add_spool(snapshot_get(snap, "acct-spool"));
	add_ways(snap, "auth");
	add_ways(snap, "enable-auth");
	for (unsigned i = 0; i < places.n; i++)
		writable[i] = places.path[i];
	ret = sandbox_files(SANDBOX_SECMOD, writable, places.n);
	places.confined = ret == 0 && sandbox_landlock() > 0;
	return ret;
}

bool places_allow(const char *path, char text[LIMIT_TEXT + 1])
{
	char real[PATH_MAX];

	if (!places.confined || (realpath(path, real) == NULL && directory_of(path, real) < 0))
		return true; // what is wrong with it is found out without us
	for (unsigned i = 0; i < places.n; i++) {
		const size_t len = strlen(places.path[i]);

		if (strncmp(real, places.path[i], len) == 0 && (real[len] == '\0' || real[len] == '/'))
			return true;
	}
	text_refuse(text,
	            "%s: sec-mod writes in no directory that the configuration did not have when it started; this takes a restart",
	            path);
	return false;
}
