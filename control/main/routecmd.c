#include "control/main/routecmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

struct values {
	char r[2 * ADDR_TEXT], ri[ADDR_TEXT];
	const char *device;
};

static int bad(const char **wrong, const char *why)
{
	*wrong = why;
	return -EINVAL;
}

// Behind the word that begins at p; NULL: a quote has no end.
static const char *word_end(const char *p)
{
	while (*p && !strchr(BLANKS, *p)) {
		if (*p == '\'' || *p == '"') {
			p = strchr(p + 1, *p);
			if (!p)
				return NULL;
		}
		p++;
	}
	return p;
}

// The value that p names, and how long its name is; NULL: there is none of that name.
static const char *value_at(const struct values *v, const char *p, size_t *len)
{
	const struct {
		const char *name, *value;
	} all[] = { { "%{R}", v->r }, { "%{RI}", v->ri }, { "%{D}", v->device } };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		*len = strlen(all[i].name);
		if (strncmp(p, all[i].name, *len) == 0)
			return all[i].value;
	}
	return NULL;
}

// Without its quotes, and with the values in their places.
static int word_write(FILE *out, const char *p, const char *end, const struct values *v, const char **wrong)
{
	const char *value;
	char quote = 0;
	size_t len;

	for (; p < end; p += len) {
		len = 1;
		if (quote ? *p == quote : *p == '\'' || *p == '"') {
			quote = quote ? 0 : *p;
		} else if (p[0] == '%' && p[1] == '{') {
			value = value_at(v, p, &len);
			if (!value)
				return bad(wrong, "it knows %{R}, %{RI} and %{D} only");
			fputs(value, out);
		} else {
			fputc(*p, out);
		}
	}
	return 0;
}

static int word_take(const char *p, const char *end, const struct values *v, char **word, const char **wrong)
{
	size_t size;
	FILE *out = open_memstream(word, &size);
	int ret;

	if (!out)
		return -ENOMEM;
	ret = word_write(out, p, end, v, wrong);
	if (fclose(out) != 0 && ret == 0)
		ret = -ENOMEM;
	return ret;
}

static int words_take(const char *p, const struct values *v, char **argv, const char **wrong)
{
	const char *end;
	size_t n = 0;
	int ret = 0;

	for (p += strspn(p, BLANKS); *p && ret == 0; p = end + strspn(end, BLANKS)) {
		end = word_end(p);
		if (!end)
			return bad(wrong, "a quote has no end");
		if (n == ROUTECMD_WORDS)
			return bad(wrong, "there are too many words");
		ret = word_take(p, end, v, &argv[n++], wrong);
	}
	if (ret == 0 && (n == 0 || !argv[0][0]))
		return bad(wrong, "there is no command in it");
	return ret;
}

int routecmd_words(const char *text, const struct addr *network, const char *device, char ***argv, const char **wrong)
{
	char ip[ADDR_TEXT], mask[ADDR_TEXT], **words = calloc(ROUTECMD_WORDS + 1, sizeof(*words));
	struct values v = { .device = device };
	int ret;

	if (!words)
		return -ENOMEM;
	addr_text_prefix(network, v.ri);
	if (network->family == 4)
		snprintf(v.r, sizeof(v.r), "%s/%s", addr_text(network, ip), addr_netmask(network, mask));
	else
		snprintf(v.r, sizeof(v.r), "%s", v.ri);
	ret = words_take(text, &v, words, wrong);
	if (ret < 0)
		routecmd_free(words);
	else
		*argv = words;
	return ret;
}

void routecmd_free(char **argv)
{
	for (char **word = argv; word && *word; word++)
		free(*word);
	free(argv);
}
