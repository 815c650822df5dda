// --import's verdicts: every line has one, and what it is translated to is taken as it stands.
#include <stdlib.h>
#include <string.h>

#include "control/main/import_line.h"

static void check(int truth)
{
	if (!truth)
		abort();
}

// A line may grow by its folder's name, beyond what one may have.
static void try_again(const struct import_line *first)
{
	static struct config_reader reader;
	struct import_line second;
	struct config_line line;

	if (strlen(first->now) > CONFIG_LINE_MAX || strlen(first->now) > 900)
		return;
	config_read_init(&reader, first->now, strlen(first->now));
	config_read(&reader, &line);
	import_judge(&line, "/elsewhere", &second);
	check(second.verdict == IMPORT_SUPPORTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_reader reader;
	struct import_line out;
	struct config_line line;
	unsigned refused = 0;

	config_read_init(&reader, (const char *)data, size);
	for (config_read(&reader, &line); line.kind != LINE_END && refused < 3; config_read(&reader, &line)) {
		import_judge(&line, "/etc/ocserv", &out);
		check((unsigned)out.verdict < IMPORT_VERDICTS && import_word(out.verdict));
		check(out.verdict == IMPORT_SUPPORTED || out.why[0]);
		if (out.verdict == IMPORT_TRANSLATED && !strpbrk(out.now, "#;\n"))
			try_again(&out);
		refused += out.verdict == IMPORT_REFUSED; // names are dear to look up
	}
	return 0;
}
