#include <errno.h>
#include <string.h>

#include "words.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Copy one word down over itself without its quotes; *end is where reading goes on. 0 or -EINVAL.
static int take_word(char *from, char **end)
{
	char *to = from, quote = 0;

	for (; *from && (quote || !blank(*from)); from++) {
		if (*from == '\\' && quote != '\'' && from[1])
			*to++ = *++from;
		else if (quote ? *from == quote : *from == '"' || *from == '\'')
			quote = quote ? 0 : *from;
		else
			*to++ = *from;
	}
	if (quote)
		return -EINVAL;
	*end = *from ? from + 1 : from;
	*to = '\0';
	return 0;
}

int words_split(char *line, struct words *out)
{
	char *p = line;
	size_t len = strlen(line);
	struct words w = { .open_end = len > 0 && !blank(line[len - 1]) };

	for (;;) {
		while (blank(*p))
			p++;
		if (!*p)
			break;
		if (w.count == WORDS_MAX)
			return -E2BIG;
		w.word[w.count++] = p;
		if (take_word(p, &p) < 0)
			return -EINVAL;
	}
	*out = w;
	return 0;
}
