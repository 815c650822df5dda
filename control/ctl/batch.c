#include "batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 4096

struct batch {
	const struct ctl *ctl;
	const char *path;
	unsigned line;
	bool leave;
};

static int complain(const struct batch *b, const char *why)
{
	fprintf(stderr, "penstockctl: %s:%u: %s\n", b->path, b->line, why);
	return CTL_USAGE;
}

static int run_line(struct batch *b, char *text, size_t len)
{
	const struct command *c;
	const char *argument;
	struct words w;
	int ret;

	if (len > LINE_MAX_BYTES)
		return complain(b, "this line is too long");
	if (strlen(text) != len)
		return complain(b, "this line holds a NUL byte");
	if (words_split(text, &w) < 0)
		return complain(b, "a quote is not closed, or there are too many words");
	if (w.count == 0 || w.word[0][0] == '#')
		return CTL_OK;
	b->leave = command_find(&w, &c, &argument) == COMMAND_FOUND && strcmp(c->words, "exit") == 0;
	if (b->leave)
		return CTL_OK;
	ret = ctl_run_words(b->ctl, &w);
	if (ret != CTL_OK)
		fprintf(stderr, "penstockctl: %s:%u: failed\n", b->path, b->line);
	return ret;
}

static int run_lines(struct batch *b, FILE *in, bool keep_going)
{
	int first = CTL_OK, ret = CTL_OK;
	char *text = NULL;
	size_t room = 0;
	ssize_t len;

	while (!b->leave && (ret == CTL_OK || keep_going) && (len = getline(&text, &room, in)) >= 0) {
		b->line++;
		ret = run_line(b, text, (size_t)len);
		first = first == CTL_OK ? ret : first;
	}
	free(text);
	if (ferror(in))
		return complain(b, strerror(errno));
	return first;
}

int batch_run(const struct ctl *ctl, const char *path, bool keep_going)
{
	bool from_stdin = strcmp(path, "-") == 0;
	struct batch b = { .ctl = ctl, .path = from_stdin ? "standard input" : path };
	FILE *in = from_stdin ? stdin : fopen(path, "re");
	int ret;

	if (!in) {
		fprintf(stderr, "penstockctl: %s: %s\n", path, strerror(errno));
		return CTL_USAGE;
	}
	ret = run_lines(&b, in, keep_going);
	if (!from_stdin)
		fclose(in);
	return ret;
}
