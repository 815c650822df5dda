// A line of a child's log: a worker may write anything to descriptor 2.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/main/logline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	struct logline l;

	memcpy(line, data, size);
	line[size] = 0;
	l = logline_parse(line);
	assert(l.level >= 3 && l.level <= 7);
	assert(strlen(l.text) <= size);
	assert(!l.who || strlen(l.who) <= 48);
	for (const char *c = l.text; *c; c++)
		assert((unsigned char)*c >= 0x20 && *c != 0x7f);
	free(line);
	return 0;
}
