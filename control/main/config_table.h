// The option table as data: what the parser, the checks and the manual generator walk over. Pure.
#pragma once
#include <stdint.h>

#include "control/main/config.h"

enum opt_kind {
	KIND_BOOL,
	KIND_NUMBER,
	KIND_TEXT,
	KIND_SECRET,
	KIND_CHOICE,
	KIND_FILE,
	KIND_PATH,
	KIND_DIRECTORY,
	KIND_KEYFILE,
	KIND_USER,
	KIND_GROUP,
	KIND_HOST,
	KIND_ADDRESS,
	KIND_NETWORK4,
	KIND_NETWORK6,
	KIND_NETMASK,
	KIND_ROUTE,
	KIND_DEVICE,
	KIND_AUTH,
	KIND_PRIORITY,
	KIND_PORTS,
	KIND_DOMAIN,
	KIND_DOMAINS,
	KIND_SIZE,
	KIND_DATE,
};

enum opt_where { WHERE_GLOBAL, WHERE_VHOST, WHERE_USER, WHERE_USERFILE };
enum opt_count { COUNT_ONE, COUNT_LIST, COUNT_MUST, COUNT_MUSTS };
enum opt_load { LOAD_RELOAD, LOAD_START };
enum opt_status { STATUS_WORKS, STATUS_VOID, STATUS_REMOVED };

// The columns of config.def.
struct opt_info {
	const char *name;
	enum opt_kind kind;
	int64_t least, most;
	const char *words;
	enum opt_where where;
	enum opt_count count;
	enum opt_load load;
	const char *value; // default
	enum opt_status status;
	const char *as_is, *note, *help;
};

extern const struct opt_info opt_table[OPT_COUNT];

static inline bool opt_is_list(enum opt o)
{
	return opt_table[o].count == COUNT_LIST || opt_table[o].count == COUNT_MUSTS;
}
static inline bool opt_is_must(enum opt o)
{
	return opt_table[o].count == COUNT_MUST || opt_table[o].count == COUNT_MUSTS;
}

// The option of that name or alias, or -1.
int opt_find(const char *name);
// The name that was probably meant, or NULL.
const char *opt_nearest(const char *name);
// The n-th alias of an option, NULL past the end.
const char *opt_alias(enum opt o, unsigned n);
