#include "control/main/config_table.h"

#include <string.h>

#include "control/main/nearest.h"
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
	const char *found = NULL, *known;
	struct nearest n;

	nearest_begin(&n, name);
	for (size_t i = 0; i < OPT_COUNT + ALIASES; i++) {
		known = i < OPT_COUNT ? opt_table[i].name : aliases[i - OPT_COUNT].name;
		if (nearest_offer(&n, known))
			found = known;
	}
	return found ? found : begun(name, strlen(name));
}
