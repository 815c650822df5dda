// Any line: it splits or not, and what it calls is a row of the table.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/ctl/commands.h"
#include "control/ctl/top.h"

static int called_rightly(const struct command *c, const char *argument)
{
	const char *name = command_argument_name(c->argument);

	return argument ? name[0] != '\0' : name[0] == '\0' || name[0] == '[';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct command *c;
	enum top_order by;
	const char *argument;
	struct piece at[32];
	struct words w;
	char *line;

	line = malloc(size + 1);
	memcpy(line, data, size);
	line[size] = '\0';
	top_order_parse(line, &by);
	if (words_split(line, &w) == 0) {
		assert(w.count <= WORDS_MAX);
		if (command_find(&w, &c, &argument) == COMMAND_FOUND)
			assert(c && called_rightly(c, argument));
		command_next(&w, w.count, "", at, 32);
	}
	free(line);
	return 0;
}
