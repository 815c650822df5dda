#include "control/main/exposed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/config.h"
#include "control/main/supplement.h"
#include "proto/err.h"

static bool is_among(const struct addr *networks, size_t n, const struct addr *network)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&networks[i], network) && networks[i].prefix == network->prefix)
			return true;
	return false;
}

static int add(struct exposed *e, const struct addr *network)
{
	struct addr *grown;

	if (is_among(e->networks, e->n, network))
		return 0;
	if ((e->n & (e->n - 1)) == 0) {
		grown = realloc(e->networks, (e->n ? 2 * e->n : 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		e->networks = grown;
	}
	e->networks[e->n++] = *network;
	return 0;
}

// What is wrong in a file has been said by -t, and is again when its user comes.
static void hush(void *who, const struct config_remark *r) {}

// Most files have none, and there may be thousands of them: main has to answer others meanwhile.
static bool has_iroute(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); // it may be no file, which is said where it is read
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[LIMIT_TEXT];
	bool found = false;

	if (fd >= 0 && !f)
		close(fd);
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "iroute") != NULL;
	if (f)
		fclose(f);
	return found;
}

static int add_file(struct exposed *e, const char *path)
{
	struct config *c = NULL;
	const char *text;
	struct addr a;
	int ret = 0;

	if (e->n >= LIMIT_ITEMS || !has_iroute(path) || config_load_supplement(path, hush, NULL, &c) < 0)
		return 0;
	for (unsigned n = 0; ret == 0 && e->n < LIMIT_ITEMS && (text = config_nth(c, OPT_IROUTE, n)); n++)
		if (addr_parse(text, &a) == 0 && a.prefix > 0)
			ret = add(e, &a);
	config_free(c);
	return ret;
}

// In alphabetical order, so that what is too much is always the same.
static int add_directory(struct exposed *e, const char *dir)
{
	struct dirent **files;
	char path[8192];
	int n = scandir(dir, &files, NULL, alphasort), ret = 0;

	for (int i = 0; i < n; i++) {
		if (ret == 0 && supplement_name_fits(files[i]->d_name) &&
		    (size_t)snprintf(path, sizeof(path), "%s/%s", dir, files[i]->d_name) < sizeof(path))
			ret = add_file(e, path);
		free(files[i]);
	}
	if (n >= 0)
		free(files);
	return ret;
}

int exposed_load(const struct config *vhost, struct exposed *out)
{
	const char *dir = config_str(vhost, OPT_CONFIG_PER_USER), *everybody = config_str(vhost, OPT_DEFAULT_USER_CONFIG);
	struct exposed e = { 0 };
	int ret = 0;

	if (config_bool(vhost, OPT_EXPOSE_IROUTES)) {
		if (dir)
			ret = add_directory(&e, dir);
		if (ret == 0 && everybody)
			ret = add_file(&e, everybody);
	}
	if (ret < 0)
		exposed_free(&e);
	else
		*out = e;
	return ret;
}

void exposed_free(struct exposed *e)
{
	free(e->networks);
	*e = (struct exposed){ 0 };
}

int exposed_add(const struct exposed *e, struct terms *t)
{
	char text[ADDR_TEXT];
	int ret = 0;

	// one route alone would be all that is left of everything
	if (terms_reach_all(t))
		return 0;
	for (size_t i = 0; i < e->n && ret == 0; i++) {
		if (is_among(t->iroutes, t->n_iroutes, &e->networks[i]) || t->n_items == LIMIT_ITEMS)
			continue;
		ret = terms_route(t, addr_text_prefix(&e->networks[i], text));
	}
	return ret;
}
