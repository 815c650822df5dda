#include "headers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OPTION "included-http-headers"

static bool is_header(const char *text)
{
	return strchr(text, ':') && !strpbrk(text, "\r\n");
}

int headers_load(struct headers *h, const struct snapshot *conf, unsigned vhost)
{
	const char *text;
	size_t len = 0;
	FILE *f;

	h->text = NULL;
	f = open_memstream(&h->text, &len);
	if (!f)
		return -ENOMEM;
	for (unsigned i = 0; (text = snapshot_vhost_nth(conf, vhost, OPTION, i)) != NULL; i++)
		if (is_header(text))
			fprintf(f, "%s\r\n", text);
	if (fclose(f) != 0) {
		headers_free(h);
		return -ENOMEM;
	}
	return 0;
}

void headers_free(struct headers *h)
{
	free(h->text);
	h->text = NULL;
}

bool headers_have(const struct headers *h, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = h->text; p && *p; p = strchr(p, '\n') + 1)
		if (strncasecmp(p, name, len) == 0 && p[len] == ':')
			return true;
	return false;
}
