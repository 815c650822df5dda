#include "control/main/config_table.h"

#include <ctype.h>
#include <string.h>

#include "proto/limits.h"

#define SECTION(title)
#define ALIAS(...)
#define OPT(id_, name_, kind_, least_, most_, words_, where_, count_, load_, default_, status_, as_is_, note_, help_) \
	[OPT_##id_] = { .name = (name_),                                                                              \
		        .kind = KIND_##kind_,                                                                         \
		        .least = (least_),                                                                            \
		        .most = (most_),                                                                              \
		        .words = (words_),                                                                            \
		        .where = WHERE_##where_,                                                                      \
		        .count = COUNT_##count_,                                                                      \
		        .load = LOAD_##load_,                                                                         \
		        .value = (default_),                                                                          \
		        .status = STATUS_##status_,                                                                   \
		        .as_is = (as_is_),                                                                            \
		        .note = (note_),                                                                              \
		        .help = (help_) },
const struct opt_info opt_table[OPT_COUNT] = {
#include "control/main/config.def"
};
#undef ALIAS
#undef OPT

static const struct alias {
	const char *name;
	enum opt opt;
} aliases[] = {
#define OPT(...)
#define ALIAS(name_, id_) { (name_), OPT_##id_ },
#include "control/main/config.def"
#undef ALIAS
#undef OPT
#undef SECTION
};

#define ALIASES (sizeof(aliases) / sizeof(*aliases))
#define NAME_MAX_OPT 40 // longer than any name in the table

int opt_find(const char *name)
{
	for (int i = 0; i < OPT_COUNT; i++)
		if (strcmp(opt_table[i].name, name) == 0)
			return i;
	for (size_t i = 0; i < ALIASES; i++)
		if (strcmp(aliases[i].name, name) == 0)
			return (int)aliases[i].opt;
	return -1;
}

const char *opt_alias(enum opt o, unsigned n)
{
	for (size_t i = 0; i < ALIASES; i++)
		if (aliases[i].opt == o && n-- == 0)
			return aliases[i].name;
	return NULL;
}

// Case and the kind of dash are the commonest mistakes and count nothing.
static char folded(char c)
{
	return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

static unsigned least_of(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

// Letters to add, leave out, change or swap to make b of a. Both are shorter than NAME_MAX_OPT.
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][NAME_MAX_OPT + 1], *before = rows[0], *last = rows[1], *now = rows[2], *spare;
	size_t la = strlen(a), lb = strlen(b);

	for (size_t j = 0; j <= lb; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			char ca = folded(a[i - 1]), cb = folded(b[j - 1]);

			now[j] = least_of(last[j] + 1, now[j - 1] + 1, last[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == folded(b[j - 2]) && folded(a[i - 2]) == cb && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		spare = before, before = last, last = now, now = spare;
	}
	return last[lb];
}

// A name of which this is the beginning: the first one.
static const char *begun(const char *name, size_t len)
{
	for (int i = 0; i < OPT_COUNT && len >= 4; i++)
		if (strncmp(opt_table[i].name, name, len) == 0)
			return opt_table[i].name;
	return NULL;
}

const char *opt_nearest(const char *name)
{
	size_t len = strlen(name);
	unsigned best = len < 6 ? 2 : (unsigned)(len / 3) + 1; // a third may be wrong, not more
	const char *found = NULL, *known;
	unsigned d;

	if (len == 0 || len >= NAME_MAX_OPT)
		return NULL;
	for (size_t i = 0; i < OPT_COUNT + ALIASES; i++) {
		known = i < OPT_COUNT ? opt_table[i].name : aliases[i - OPT_COUNT].name;
		// every letter of difference in length is one to add or leave out
		if (strlen(known) + best <= len || len + best <= strlen(known))
			continue;
		d = distance(name, known);
		if (d < best) {
			best = d;
			found = known;
		}
	}
	return found ? found : begun(name, len);
}
