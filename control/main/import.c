#include "control/main/import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/main/config_inside.h"
#include "control/main/import_line.h"
#include "control/main/trial.h"
#include "proto/secret.h"

enum { EXIT_FINE, EXIT_REFUSED, EXIT_NO_FILE };

struct remark {
	char *file, *text;
	unsigned line;
	bool error, told;
};

// One run, from the first file to the last.
struct import {
	struct remark *remarks; // what -t has found
	size_t n, room;
	unsigned lines[IMPORT_VERDICTS], files;
	FILE *out; // the new configuration; NULL: none is wanted
};

// --------------------------------------------------------------------------------------------------------------- remarks

static void hear(void *who, const struct config_remark *r)
{
	struct import *im = who;
	struct remark *grown = im->remarks;

	if (im->n == im->room) {
		im->room = im->room ? 2 * im->room : 64;
		grown = realloc(im->remarks, im->room * sizeof(*grown));
		if (!grown)
			return;
		im->remarks = grown;
	}
	grown[im->n] = (struct remark){ strdup(r->file), strdup(r->text), r->line, r->level <= LOG_LEVEL_ERR, false };
	if (grown[im->n].file && grown[im->n].text)
		im->n++;
}

static void hear_nothing(void *who, const struct config_remark *r) {}

// The next about this line from the n-th on, or NULL.
static struct remark *remark_next(struct import *im, const char *file, unsigned line, size_t *n)
{
	for (; *n < im->n; ++*n)
		if (im->remarks[*n].line == line && strcmp(im->remarks[*n].file, file) == 0)
			return &im->remarks[(*n)++];
	return NULL;
}

static bool has_error(struct import *im, const char *file, unsigned line)
{
	struct remark *r;

	for (size_t n = 0; (r = remark_next(im, file, line, &n));)
		if (r->error)
			return true;
	return false;
}

// -------------------------------------------------------------------------------------------------------------- printing

static void print_note(const char *text)
{
	printf("%20s%s\n", "", text);
}

// A warning that an option has no effect says once what its verdict says each time.
static void print_remarks(struct import *im, const char *file, unsigned line, const struct import_line *judged)
{
	struct remark *r;

	for (size_t n = 0; (r = remark_next(im, file, line, &n));) {
		if (strcmp(r->text, judged->why) != 0 && (r->error || judged->verdict != IMPORT_IDLE))
			print_note(r->text);
		r->told = true;
	}
}

// `raw` is the whole line.
static void print_line(struct import *im, const char *file, unsigned line, const char *raw, const struct import_line *judged)
{
	char text[CONFIG_LINE_MAX + 1];

	snprintf(text, sizeof(text), "%s", raw + strspn(raw, " \t"));
	if (judged->secret && strchr(text, '='))
		strcpy(strchr(text, '=') + 1, " ...");
	config_printable(text);
	printf("%6u  %-10s  %s\n", line, import_word(judged->verdict), text);
	if (judged->verdict == IMPORT_TRANSLATED)
		printf("%18s> %s\n", "", judged->now);
	if (judged->why[0])
		print_note(judged->why);
	print_remarks(im, file, line, judged);
	secret_wipe(text, sizeof(text));
}

// What is wrong with the file and stands in no line: what is missing.
static void print_rest(struct import *im, const char *file)
{
	struct remark *r;

	for (size_t n = 0; (r = remark_next(im, file, 0, &n));) {
		if (!r->told)
			printf("%6s  %-10s  %s\n", "", r->error ? import_word(IMPORT_REFUSED) : "note", r->text);
		im->lines[IMPORT_REFUSED] += r->error && !r->told;
		r->told = true;
	}
}

// ------------------------------------------------------------------------------------------------------------ the new file

static void write_line(struct import *im, const char *raw, const struct import_line *judged)
{
	switch (judged->verdict) {
	case IMPORT_SUPPORTED:
		fprintf(im->out, "%s\n", raw);
		break;
	case IMPORT_TRANSLATED:
		fprintf(im->out, "# it was: %s\n%s\n", raw, judged->now);
		break;
	case IMPORT_IDLE:
		fprintf(im->out, "# no effect here, %s:\n# %s\n", judged->why, raw);
		break;
	case IMPORT_REFUSED:
		// left in force: one that restricts somebody must not get lost
		fprintf(im->out, "# NOT UNDERSTOOD, %s:\n%s\n", judged->why, raw);
	}
}

static FILE *output_open(const char *path, const char *from)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (f)
		fprintf(f,
		        "# Made of %s by penstockd --import. What is written otherwise here stands behind what it was;\n"
		        "# penstockd -t says whether it can be used.\n\n",
		        from);
	else
		fprintf(stderr, "penstockd: %s: %s\n", path, strerror(errno));
	return f;
}

static int output_close(FILE *f, const char *path)
{
	bool bad = fflush(f) != 0 || ferror(f) || fsync(fileno(f)) < 0;
	int error = errno;

	fclose(f);
	if (bad)
		fprintf(stderr, "penstockd: %s: %s\n", path, strerror(error));
	return bad ? -EIO : 0;
}

// ----------------------------------------------------------------------------------------------------------------- files

static const char *raw_line(const char **at, const char *end, char out[CONFIG_LINE_MAX + 1])
{
	const char *stop = memchr(*at, '\n', (size_t)(end - *at));
	size_t len = (size_t)((stop ? stop : end) - *at);

	while (len > 0 && strchr("\r \t", (*at)[len - 1]))
		len--;
	snprintf(out, CONFIG_LINE_MAX + 1, "%.*s", (int)(len < CONFIG_LINE_MAX ? len : CONFIG_LINE_MAX), *at);
	*at = stop ? stop + 1 : end;
	return out;
}

// Each line of it. Of a user's file only those are printed of which there is something to say.
static void file_judge(struct import *im, const char *file, const char *dir, const char *text, size_t len, bool all)
{
	const char *at = text, *end = text + len;
	char raw[CONFIG_LINE_MAX + 1];
	struct config_reader reader;
	struct import_line judged;
	struct config_line line;
	bool fine;

	config_read_init(&reader, text, len);
	config_read(&reader, &line);
	for (unsigned n = 1; at < end; n++) {
		raw_line(&at, end, raw);
		if (line.kind == LINE_END || line.line != n) {
			if (im->out && all)
				fprintf(im->out, "%s\n", raw);
			continue;
		}
		import_judge(&line, dir, &judged);
		if (has_error(im, file, n))
			judged.verdict = IMPORT_REFUSED;
		im->lines[judged.verdict]++;
		fine = judged.verdict == IMPORT_SUPPORTED && !remark_next(im, file, n, &(size_t){ 0 });
		if (all || !fine)
			print_line(im, file, n, raw, &judged);
		if (im->out && all)
			write_line(im, raw, &judged);
		config_read(&reader, &line);
	}
	secret_wipe(&reader, sizeof(reader));
	secret_wipe(&judged, sizeof(judged));
	secret_wipe(raw, sizeof(raw));
}

static void supplement_judge(struct import *im, const char *file, const char *dir)
{
	unsigned before = im->lines[IMPORT_SUPPORTED];
	char *text = NULL;
	size_t len = 0;

	im->files++;
	printf("\n%s\n", file);
	if (config_text(file, true, CONFIG_USER_FILE_MAX, &text, &len) == 0)
		file_judge(im, file, dir, text, len, false);
	print_rest(im, file);
	if (im->lines[IMPORT_SUPPORTED] > before)
		printf("%6s  %-10s  %u line%s\n", "", import_word(IMPORT_SUPPORTED), im->lines[IMPORT_SUPPORTED] - before,
		       im->lines[IMPORT_SUPPORTED] - before == 1 ? "" : "s");
	free(text);
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void directory_judge(struct import *im, const char *dir)
{
	char path[VALUE_MAX + 256];
	struct dirent **names;
	int n = scandir(dir, &names, visible, alphasort);

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		supplement_judge(im, path, dir);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static void supplements_judge(struct import *im, const struct config *c)
{
	static const enum opt options[] = { OPT_CONFIG_PER_GROUP, OPT_CONFIG_PER_USER, OPT_DEFAULT_GROUP_CONFIG,
		                            OPT_DEFAULT_USER_CONFIG };
	char copy[VALUE_MAX];

	for (unsigned v = 0; v < config_vhosts(c); v++)
		for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
			const struct config *of = config_vhost(c, v);
			const char *path = config_str(of, options[i]);

			if (!path || !config_own(of, options[i]))
				continue;
			snprintf(copy, sizeof(copy), "%s", path);
			if (opt_table[options[i]].kind == KIND_DIRECTORY)
				directory_judge(im, path);
			else
				supplement_judge(im, path, "/");
		}
}

static void import_file(struct import *im, const char *file, const char *text, size_t len)
{
	struct config *c = NULL;

	config_try(file, hear_nothing, NULL, &c);
	printf("%s\n", file);
	file_judge(im, file, c ? c->dir : "/", text, len, true);
	print_rest(im, file);
	if (c)
		supplements_judge(im, c);
	config_free(c);
	printf("\n%u supported, %u translated, %u without effect, %u refused", im->lines[IMPORT_SUPPORTED],
	       im->lines[IMPORT_TRANSLATED], im->lines[IMPORT_IDLE], im->lines[IMPORT_REFUSED]);
	printf(im->files ? "; files of users and groups: %u\n" : "\n", im->files);
}

int import_run(const char *file, const char *output)
{
	struct import im = { 0 };
	char *text = NULL;
	size_t len = 0;
	// it is read more than once
	int ret = config_text(file, true, CONFIG_FILE_MAX, &text, &len);

	if (ret < 0)
		fprintf(stderr, "penstockd: %s: %s\n", file, ret == -EINVAL ? "it is no file" : strerror(-ret));
	if (ret == 0 && output) {
		im.out = output_open(output, file);
		ret = im.out ? 0 : -EIO;
	}
	if (ret == 0) {
		trial_check(file, hear, &im);
		import_file(&im, file, text, len);
	}
	if (im.out && output_close(im.out, output) < 0)
		ret = -EIO;
	for (size_t i = 0; i < im.n; i++) {
		free(im.remarks[i].file);
		free(im.remarks[i].text);
	}
	free(im.remarks);
	if (text)
		secret_wipe(text, len);
	free(text);
	return ret < 0 ? EXIT_NO_FILE : im.lines[IMPORT_REFUSED] ? EXIT_REFUSED : EXIT_FINE;
}
