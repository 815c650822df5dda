// The configuration's lines and values. What comes out of a value's parser must go in again unchanged.
#include <stdlib.h>
#include <string.h>

#include "control/main/config_read.h"
#include "control/main/config_table.h"
#include "control/main/config_value.h"

static void check(int truth)
{
	if (!truth)
		abort();
}

static void try_value(enum opt o, const struct config_line *line)
{
	const struct opt_info *info = &opt_table[o];
	struct value_out first, second;
	int ret = value_parse(info, line->value, line->quoted, "/etc/penstock", &first);

	check((ret == 0) == (first.why[0] == '\0'));
	// true comes out as 1, and a relative path in auth may grow beyond what a line may have
	if (ret < 0 || info->kind == KIND_BOOL || (info->kind == KIND_AUTH && (int64_t)strlen(first.text) > info->most))
		return;
	check(value_parse(info, first.text, true, "/etc/penstock", &second) == 0);
	check(strcmp(first.text, second.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_reader reader;
	struct config_line line;
	unsigned last = 0, unknown = 0;
	int o;

	config_read_init(&reader, (const char *)data, size);
	for (config_read(&reader, &line); line.kind != LINE_END; config_read(&reader, &line)) {
		check(line.line > last && line.value);
		last = line.line;
		if (line.kind != LINE_ENTRY)
			continue;
		o = opt_find(line.key);
		if (o >= 0)
			try_value((enum opt)o, &line);
		else if (unknown++ < 2) // dear, and the same every time
			opt_nearest(line.key);
	}
	return 0;
}
